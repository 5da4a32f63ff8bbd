#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bios_settings
short_description: Set BIOS attributes, checked before they are written and read back after
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Stages BIOS attributes through the BMC for the next boot, and on request restarts the machine and reads them back.
  - An unknown attribute, or a value that it can't have, is refused before anything is written. The BIOS's attribute
    registry says what can be, where the BMC has one.
  - Needs Redfish.
extends_documentation_fragment:
  - baremetal.fleet.acting.bios
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads and checks everything, writes nothing.
    support: full
  diff_mode:
    description: Shows the attributes, as they are staged, before and after. Passwords are left out.
    support: full
  idempotent:
    description: Does nothing when the values are in effect or staged already; with O(reboot=true), when they are in
      effect.
    support: full
"""

EXAMPLES = r"""
- name: Stage settings for the next boot
  baremetal.fleet.bios_settings:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    settings:
      smt: disabled
      sr_iov: enabled
    attributes:
      SysProfile: Performance

- name: Set and apply now
  baremetal.fleet.bios_settings:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    settings:
      boot_mode: uefi
    reboot: true

- name: Reset everything to the defaults, now
  baremetal.fleet.bios_settings:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    defaults: true
    reboot: true
"""

RETURN = r"""
bios:
  description: The attributes that were asked for.
  type: dict
  returned: success
  contains:
    attributes:
      description: Their values in effect.
      type: dict
      sample: {"LogicalProc": "Enabled"}
    pending:
      description: Values that take effect with the next boot.
      type: dict
      sample: {"LogicalProc": "Disabled"}
    rebooted:
      description: Whether the machine was restarted.
      type: bool
      sample: false
    power:
      description: What was done for that, as RV(baremetal.fleet.bmc_power#module:power).
      type: dict
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
    - In C(details), C(problems) says for each refused name what is wrong with it. C(staged) lists attributes that wait
      for a boot.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.bios import CHANGE


def main() -> None:
    run_acting(
        CHANGE,
        required_one_of=[["attributes", "settings", "defaults"]],
        mutually_exclusive=[["attributes", "defaults"], ["settings", "defaults"]],
    )


if __name__ == "__main__":
    main()
