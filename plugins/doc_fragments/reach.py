# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# It is written by scripts/check_docs.py --write, from what fleetcore/power says of its options.

from __future__ import annotations

OPTIONS = r"""
  username:
    description:
      - User of the BMC. Without one nobody logs in.
      - Without it, the environment variable E(BMC_USERNAME) of the host that runs the module is used.
    type: str
  password:
    description:
      - Password of O(username). A password that the BMC refuses is not sent a second time, so that the account does not
        get locked.
      - Without it, the environment variable E(BMC_PASSWORD) of the host that runs the module is used.
    type: str
  drivers:
    description:
      - Drivers to try, in this order. The next one is tried when a BMC does not speak the first one or does not answer.
      - Those that don't talk to a BMC are for M(baremetal.fleet.bmc_power) and can only switch power. Other modules pass
        over them, so that a machine can have one list.
      - After a refused login, an untrusted certificate or a wrong O(system) no other driver is tried.
    type: list
    elements: str
    choices: [redfish, ipmi, pdu, wake_on_lan, command, tasks]
    default: [redfish, ipmi]
  timeout:
    description: Seconds to wait for each answer of the BMC.
    type: float
    default: 30
  deadline:
    description: Seconds for reading everything. What was not read by then has the verdict V(timeout).
    type: float
    default: 300
  redfish_scheme:
    description: V(http) is for BMCs without TLS. The password then crosses the network in clear.
    type: str
    choices: [https, http]
    default: https
  redfish_port:
    description: Port of the Redfish service. Default is V(443), or V(80) for V(http).
    type: int
  validate_certs:
    description:
      - Whether the certificate of the BMC is checked. V(false) accepts any certificate, also an attacker's.
      - Better for self-signed certificates is O(fingerprint).
    type: bool
    default: true
  ca_path:
    description: File or directory with the CA certificates, in PEM format, that the BMC's certificate is checked against.
      Default is the system's.
    type: path
  fingerprint:
    description:
      - SHA-256 fingerprint of the BMC's certificate in hexadecimal, colons allowed. Only that certificate is accepted,
        and no CA is needed.
      - The message about an untrusted certificate shows the fingerprint.
    type: str
  system:
    description: Id of the ComputerSystem, for a BMC that has several behind it. Without it such a BMC is refused and the
      message lists the ids.
    type: str
  ipmi_port:
    description: UDP port of IPMI over LAN.
    type: int
    default: 623
"""


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS  # the annotation keeps yamllint, which wants one literal, away
