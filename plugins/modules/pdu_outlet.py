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
  - Switches outlets of a power distribution unit, or ports of a switch with Power over Ethernet, and reads back that
    they are switched.
  - A cycle guarantees power-on. Once the outlet is off, switching on is tried again and again, and if that fails the
    message says so.
extends_documentation_fragment:
  - baremetal.fleet.outlet
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

- name: Switch off a machine with two supplies, by the names of its outlets
  baremetal.fleet.pdu_outlet:
    address: pdu7.example.org
    vendor: raritan
    community: "{{ pdu_community }}"
    outlet: [node7-psu1, node7-psu2]
    outlet_delay: 1
    state: "off"

- name: Power cycle what hangs on a PoE port
  baremetal.fleet.pdu_outlet:
    address: switch3.example.org
    vendor: poe
    community: "{{ switch_community }}"
    outlet: 17
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
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(timeout) when the PDU does not answer, V(not_found) for an outlet that is not there,
      V(not_verified).
    - In C(details), C(power) is what was done until then. C(may_be_off) is true when an outlet that was to be on may be
      off.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._outlet import OUTLET_OPTIONS, outlet_plan


def main() -> None:
    run(outlet_plan, OUTLET_OPTIONS)


if __name__ == "__main__":
    main()
