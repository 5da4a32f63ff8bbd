#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_firmware
short_description: Bring the firmware of a machine to the versions of a catalogue
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Compares the firmware inventory of the BMC with a catalogue and updates the components that have an older version,
    one after the other, in the catalogue's order.
  - Versions are compared as vendors write them, V(2.14.2) is newer than V(2.9.0), V(2.72 Sep 04 2022) is V(2.72), V(U46
    v2.80) can't be compared with V(U30 v2.90).
  - Each update is followed to its end, also over a restart of the BMC, and the version is read back. An update that was
    accepted and left the old version is a failure.
  - A catalogue that names nothing of the machine is a warning. Firmware that the BMC says to be of another system
    behind it is left alone.
  - Needs Redfish. Check mode is the plan.
extends_documentation_fragment:
  - baremetal.fleet.acting.firmware
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Returns the plan and sends nothing.
    support: full
  diff_mode:
    description: Shows the versions before and after.
    support: full
  idempotent:
    description: Does nothing when the versions are those of the catalogue.
    support: full
"""

EXAMPLES = r"""
- name: Show what would be updated
  baremetal.fleet.bmc_firmware:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    catalogue: "{{ firmware_catalogue }}"
  check_mode: true
  diff: true

- name: Update BIOS and BMC
  baremetal.fleet.bmc_firmware:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    catalogue:
      - vendor: Halden*
        model: HS-2210
        component: BMC
        version: 1.43.0
        image: https://images.example.org/hs2210-bmc-1.43.0.bin
      - vendor: Halden*
        model: HS-2210
        component: BIOS
        version: 2.8.0
        image: /srv/firmware/hs2210-bios-2.8.0.bin
        sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    reboot: true
"""

RETURN = r"""
firmware:
  description:
    - The components of this machine that the catalogue has, as they were found, and what is to be done.
    - C(action) is V(none), V(upgrade), V(downgrade), or V(replace) where nobody can tell which version is the newer
      one.
  type: list
  elements: dict
  returned: success
  sample: [{"component": "BIOS", "installed": "2.7.1", "wanted": "2.8.0", "action": "upgrade"}]
updates:
  description: What was done.
  type: list
  elements: dict
  returned: success
  contains:
    component:
      description: Id of the component.
      type: str
      sample: BIOS
    from:
      description: Version before.
      type: str
      sample: 2.7.1
    to:
      description: Version that was asked for.
      type: str
      sample: 2.8.0
    task:
      description: Path of the BMC's task.
      type: str
      sample: /redfish/v1/TaskService/Tasks/7
    progress:
      description: Each state and percentage that was seen, with the time (UTC).
      type: list
      elements: dict
      sample: [{"at": "2026-01-31T12:00:00Z", "state": "Running", "percent": 25}]
    rebooted:
      description: Whether the machine was restarted.
      type: bool
      sample: true
    verified:
      description: Whether the new version was read back.
      type: bool
      sample: true
    seconds:
      description: Seconds that it took.
      type: float
      sample: 312.4
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
    - In C(details), C(updates) is what was done until then, C(task) the task that failed.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._acting import run_acting
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.firmware import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
