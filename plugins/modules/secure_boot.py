#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secure_boot
short_description: Turn UEFI Secure Boot on or off, and reset its keys
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Sets UEFI Secure Boot through the BMC for the next boot, and on request restarts the machine and reads back that it
    took effect.
  - Needs Redfish.
extends_documentation_fragment:
  - baremetal.fleet.acting.secure_boot
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads Secure Boot and returns what it would be.
    support: full
  diff_mode:
    description: Shows Secure Boot before and after.
    support: full
  idempotent:
    description: Does nothing when it is set already; with O(reboot=true), when it is in effect.
    support: full
"""

EXAMPLES = r"""
- name: Enable Secure Boot, effective with the next boot
  baremetal.fleet.secure_boot:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    enabled: true

- name: Enrol the maker's keys, enable, and restart the machine
  baremetal.fleet.secure_boot:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    enabled: true
    keys: default
    reboot: true
"""

RETURN = r"""
secure_boot:
  description: Secure Boot now. In check mode as it would be.
  type: dict
  returned: success
  contains:
    enabled:
      description: Whether it is on from the next boot.
      type: bool
      sample: true
    mode:
      description: Mode of the keys, for example V(SetupMode) when there are none.
      type: str
      sample: UserMode
    current_boot:
      description: V(Enabled) or V(Disabled), the state in which the machine was started.
      type: str
      sample: Disabled
    pending:
      description: Whether a boot is needed for O(enabled) to take effect.
      type: bool
      sample: true
    rebooted:
      description: Whether the machine was restarted.
      type: bool
      sample: false
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
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.secure_boot import CHANGE


def main() -> None:
    run_acting(CHANGE, required_one_of=[["enabled", "keys"]])


if __name__ == "__main__":
    main()
