#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_led
short_description: Switch the identify light of a machine
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Switches the light by which a technician finds the machine, over Redfish or IPMI, and reads it back.
extends_documentation_fragment:
  - baremetal.fleet.acting.led
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads the light and returns what it would be.
    support: full
  diff_mode:
    description: Shows the light before and after.
    support: full
  idempotent:
    description: Unless the BMC can't tell the state of the light, which some can't over IPMI.
    support: partial
"""

EXAMPLES = r"""
- name: Find the machine
  baremetal.fleet.bmc_led:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: "on"
"""

RETURN = r"""
led:
  description: The light. In check mode as it would be.
  type: dict
  returned: success
  contains:
    driver:
      description: The driver that was used.
      type: str
      sample: redfish
    before:
      description: V(on), V(off), or null when the BMC can't tell. Then it is set each time.
      type: str
      sample: "off"
    after:
      description: The light now.
      type: str
      sample: "on"
    verified:
      description: Whether it was read back.
      type: bool
      sample: true
attempts:
  description: The drivers that were tried, in order. The one without C(error) was used.
  type: list
  elements: dict
  returned: success
  sample: [{"driver": "redfish"}]
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(unsupported), V(unreachable), V(authentication_failed), V(wrong_machine), or
      V(not_verified) when the BMC accepted the change and it did not happen.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.led import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
