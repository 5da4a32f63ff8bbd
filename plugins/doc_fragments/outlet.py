# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# It is written by scripts/check_docs.py --write, from what fleetcore/power says of its options.

from __future__ import annotations

OPTIONS = r"""
  address:
    description: Host name or IP address of the PDU or switch.
    type: str
    required: true
  port:
    description: UDP port of SNMP.
    type: int
    default: 161
  version:
    description: Version of SNMP. Only V(3) can keep the login secret.
    type: str
    choices: ['1', 2c, '3']
    default: 2c
  community:
    description: Community that may write. Required before version V(3).
    type: str
  username:
    description: User. Required for version V(3).
    type: str
  context:
    description: Name of the SNMP version V(3) context, for a device that has several.
    type: str
  auth_protocol:
    description: How the user is authenticated. V(sha256) is C(usmHMAC192SHA256AuthProtocol).
    type: str
    choices: [md5, sha, sha256]
    default: sha
  auth_password:
    description: Password that authenticates the user. Without it nobody is authenticated.
    type: str
  priv_protocol:
    description: How the traffic is encrypted.
    type: str
    choices: [des, aes, aes256]
    default: aes
  priv_password:
    description: Password that encrypts the traffic. Without it nothing is encrypted.
    type: str
  timeout:
    description: Seconds to wait for each answer. A request is sent up to three times.
    type: float
    default: 5
  vendor:
    description:
      - V(apc) is the PowerNet-MIB of APC and V(raritan) the PDU2-MIB of Raritan.
      - V(poe) is the POWER-ETHERNET-MIB of RFC 3621, that is a switch with Power over Ethernet. The outlet is the port's
        number in group 1.
      - V(generic) is any other one, described by C(oid), C(on_value) and C(off_value).
    type: str
    choices: [apc, raritan, poe, generic]
    default: apc
  oid:
    description: With V(generic), the OID to write, in numbers. C({outlet}) in it stands for the number of the outlet.
    type: str
  on_value:
    description: With V(generic), the integer that switches on.
    type: int
  off_value:
    description: With V(generic), the integer that switches off.
    type: int
  state_oid:
    description: With V(generic), the OID that shows the state. Default is C(oid).
    type: str
  state_on_value:
    description: With V(generic), what C(state_oid) shows for on. Default is C(on_value).
    type: int
  state_off_value:
    description: With V(generic), what C(state_oid) shows for off. Default is C(off_value).
    type: int
  name_oid:
    description: With V(generic), the OID of the names of outlets, without the outlet's number at its end. Needed for an
      outlet that is given by name.
    type: str
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS  # the annotation keeps yamllint, which wants one literal, away
