#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_boot
short_description: Choose what a machine boots from next
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Sets the boot device of a machine through its BMC, for the next boot or for all, and reads it back.
  - The setting is read twice, O(settle_seconds) apart, because some BMCs accept it and take it back. That is a failure.
  - The machine is not restarted. Use M(baremetal.fleet.bmc_power) for that.
extends_documentation_fragment:
  - baremetal.fleet.acting.boot
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads what is set and returns what would be.
    support: full
  diff_mode:
    description: Shows what is set before and after.
    support: full
  idempotent:
    description: Does nothing when the device is already chosen.
    support: full
"""

EXAMPLES = r"""
- name: Boot from the network once
  baremetal.fleet.bmc_boot:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    device: pxe
    mode: uefi

- name: Boot from disk from now on, over IPMI
  baremetal.fleet.bmc_boot:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    drivers: [ipmi]
    device: disk
    duration: persistent

- name: Forget any choice
  baremetal.fleet.bmc_boot:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    device: none
"""

RETURN = r"""
boot:
  description: The boot device. In check mode as it would be.
  type: dict
  returned: success
  contains:
    driver:
      description: The driver that was used.
      type: str
      sample: redfish
    before:
      description: What was set before, with C(device), C(duration), C(mode) and C(http_boot_uri).
      type: dict
      sample: {"device": "none", "duration": null, "mode": "uefi", "http_boot_uri": null}
    after:
      description: What is set now, read back.
      type: dict
      sample: {"device": "pxe", "duration": "once", "mode": "uefi", "http_boot_uri": null}
    verified:
      description: Whether C(after) was read from the BMC. V(false) over IPMI when the BMC shows the device but not for
        how long.
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
    - In C(details), C(wanted) is what was asked for, C(found) what the BMC showed, C(reverted) is true when the BMC
      took it back.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.boot import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
