#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bmc_reset
short_description: Restart the BMC itself and wait until it answers again
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Restarts the BMC. The machine goes on running.
  - Waits until the BMC was seen to go away, and then until a new login works. A BMC that accepts the reset and goes on
    as before is a failure.
extends_documentation_fragment:
  - baremetal.fleet.acting.reset
  - baremetal.fleet.bmc
attributes:
  check_mode:
    description: Logs in, finds the manager, and resets nothing.
    support: full
  diff_mode:
    description: Says that the BMC would be restarted.
    support: full
  idempotent:
    description: It restarts the BMC each time.
    support: none
"""

EXAMPLES = r"""
- name: Restart a BMC that misbehaves
  baremetal.fleet.bmc_reset:
    address: "{{ bmc_address }}"
    username: "{{ bmc_username }}"
    password: "{{ bmc_password }}"
    kind: forced
"""

RETURN = r"""
reset:
  description: What was done. In check mode nothing was.
  type: dict
  returned: success
  contains:
    driver:
      description: The driver that was used.
      type: str
      sample: redfish
    kind:
      description: The kind of reset.
      type: str
      sample: graceful
    answers:
      description: Whether a new login worked afterwards. Null when that was not waited for.
      type: bool
      sample: true
    seconds:
      description: Seconds from the reset until then.
      type: float
      sample: 94.2
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
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.reset import CHANGE


def main() -> None:
    run_acting(CHANGE)


if __name__ == "__main__":
    main()
