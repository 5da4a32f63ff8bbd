#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_log
short_description: Read or clear the hardware event log of a machine
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Reads the system event log (SEL) that the BMC keeps, over Redfish or IPMI, and clears it on request.
  - What was in the log is returned by the run that clears it.
extends_documentation_fragment:
  - baremetal.fleet.acting.log
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Reads the log and clears nothing.
    support: full
  diff_mode:
    description: Shows the number of entries before and after.
    support: full
  idempotent:
    description: Does nothing when the log is empty, or holds only the note that it was cleared.
    support: full
"""

EXAMPLES = r"""
- name: Look at the newest events
  baremetal.fleet.bmc_log:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    limit: 20
  register: events

- name: Clear the log
  baremetal.fleet.bmc_log:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    state: cleared
"""

RETURN = r"""
log:
  description: The log as it was read, before it was cleared.
  type: dict
  returned: success
  contains:
    driver:
      description: The driver that was used.
      type: str
      sample: redfish
    name:
      description: Id of the log.
      type: str
      sample: SEL
    count:
      description: Number of entries.
      type: int
      sample: 1
    entries:
      description: The newest entries, oldest first.
      type: list
      elements: dict
      sample: [{"id": "7", "created_at": "2026-01-31T12:00:00Z", "severity": "Warning", "message": "Power supply 2 lost
        input"}]
    cleared:
      description: Whether the log was cleared just now.
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
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.log import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
