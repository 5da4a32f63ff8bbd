#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pdu_outlet
short_description: Switch an outlet of a PDU over SNMP and verify that it happened
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Switches one outlet of a power distribution unit and reads back that it is switched.
  - A cycle guarantees power-on. Once the outlet is off, switching on is tried again and again, and if that fails the message says so.
options:
  address:
    description: Host name or IP address of the PDU.
    type: str
    required: true
  port:
    description: UDP port of SNMP.
    type: int
    default: 161
  outlet:
    description: Number of the outlet, as printed on the PDU.
    type: int
    required: true
  state:
    description: V(on) and V(off) do nothing to an outlet that is so already. V(cycle) switches off, waits O(off_seconds), and switches on.
    type: str
    choices: ["on", "off", cycle]
    required: true
  vendor:
    description:
      - V(apc) is the PowerNet-MIB of APC and V(raritan) the PDU2-MIB of Raritan.
      - V(generic) is any other one, described by O(oid), O(on_value) and O(off_value).
    type: str
    choices: [apc, raritan, generic]
    default: apc
  oid:
    description: With O(vendor=generic), the OID to write, in numbers. C({outlet}) in it stands for O(outlet).
    type: str
  on_value:
    description: With O(vendor=generic), the integer that switches on.
    type: int
  off_value:
    description: With O(vendor=generic), the integer that switches off.
    type: int
  state_oid:
    description: With O(vendor=generic), the OID that shows the state. Default is O(oid).
    type: str
  state_on_value:
    description: With O(vendor=generic), what O(state_oid) shows for on. Default is O(on_value).
    type: int
  state_off_value:
    description: With O(vendor=generic), what O(state_oid) shows for off. Default is O(off_value).
    type: int
  version:
    description: Version of SNMP. Only V(3) can keep the login secret.
    type: str
    choices: ["1", 2c, "3"]
    default: 2c
  community:
    description: Community that may write. Required before version V(3).
    type: str
  username:
    description: User. Required for version V(3).
    type: str
  auth_protocol:
    description: How the user is authenticated.
    type: str
    choices: [md5, sha, sha256]
    default: sha
  auth_password:
    description: Password for that. Without it nobody is authenticated.
    type: str
  priv_protocol:
    description: How the traffic is encrypted.
    type: str
    choices: [des, aes, aes256]
    default: aes
  priv_password:
    description: Password for that. Without it nothing is encrypted.
    type: str
  timeout:
    description: Seconds to wait for each answer. A request is sent up to three times.
    type: float
    default: 5
  off_seconds:
    description: Seconds that O(state=cycle) leaves the outlet off.
    type: float
    default: 5
  verify_timeout:
    description: Seconds that the PDU has to show the state.
    type: float
    default: 30
attributes:
  check_mode:
    description: Reads the state and returns the actions that would be taken.
    support: full
  diff_mode:
    description: Shows the state, and the actions.
    support: full
  idempotent:
    description: V(on) and V(off) are. V(cycle) acts each time.
    support: partial
  platform:
    description: Runs anywhere with a network path, usually on the controller.
    support: full
    platforms: posix
requirements:
  - pysnmp >= 7
seealso:
  - module: baremetal.fleet.bmc_power
notes:
  - Outlets know nothing of operating systems. Shut the machine down first, where it still listens.
"""

EXAMPLES = r"""
- name: Cut the power of a machine that nothing else reaches, and give it back
  baremetal.fleet.pdu_outlet:
    address: pdu7.example.org
    vendor: apc
    version: "3"
    username: fleet
    auth_password: "{{ pdu_auth_password }}"
    priv_password: "{{ pdu_priv_password }}"
    outlet: 12
    state: cycle

- name: A PDU of another make
  baremetal.fleet.pdu_outlet:
    address: 192.0.2.7
    vendor: generic
    community: "{{ pdu_community }}"
    oid: 1.3.6.1.4.1.21239.5.2.3.5.1.4.{outlet}
    on_value: 2
    off_value: 4
    state_oid: 1.3.6.1.4.1.21239.5.2.3.5.1.6.{outlet}
    state_on_value: 1
    state_off_value: 2
    outlet: 3
    state: "off"
"""

RETURN = r"""
power:
  description: What was done, as RV(baremetal.fleet.bmc_power#module:power). In check mode what would be done.
  type: dict
  returned: success
  sample: {"driver": "pdu", "before": "on", "after": "off", "verified": true, "soft": false, "steps": []}
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(timeout) when the PDU does not answer, V(not_found) for an outlet that is not there, V(not_verified).
      type: str
      sample: not_verified
    details:
      description: C(power) is what was done until then. C(may_be_off) is true when an outlet that was to be on may be off.
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._outlet import outlet_plan

SPEC = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 161},
    "outlet": {"type": "int", "required": True},
    "state": {"type": "str", "choices": ["on", "off", "cycle"], "required": True},
    "vendor": {"type": "str", "choices": ["apc", "raritan", "generic"], "default": "apc"},
    "oid": {"type": "str"},
    "on_value": {"type": "int"},
    "off_value": {"type": "int"},
    "state_oid": {"type": "str"},
    "state_on_value": {"type": "int"},
    "state_off_value": {"type": "int"},
    "version": {"type": "str", "choices": ["1", "2c", "3"], "default": "2c"},
    "community": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "auth_protocol": {"type": "str", "choices": ["md5", "sha", "sha256"], "default": "sha"},
    "auth_password": {"type": "str", "no_log": True},
    "priv_protocol": {"type": "str", "choices": ["des", "aes", "aes256"], "default": "aes"},
    "priv_password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 5},
    "off_seconds": {"type": "float", "default": 5},
    "verify_timeout": {"type": "float", "default": 30},
}


def main() -> None:
    run(outlet_plan, SPEC)


if __name__ == "__main__":
    main()
