#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wake_on_lan
short_description: Switch a machine on by Wake-on-LAN
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Sends the magic packet that wakes a machine, as the last resort for one that has no BMC.
  - Nothing answers the packet. With O(probe_host) the module waits until the machine itself answers, and does nothing
    to one that answers already.
extends_documentation_fragment:
  - baremetal.fleet.wake
attributes:
  check_mode:
    description: Asks the machine and sends nothing.
    support: full
  diff_mode:
    description: Shows whether the machine answers.
    support: full
  idempotent:
    description: With O(probe_host) only.
    support: partial
  platform:
    description: Runs anywhere with a network path, usually on the controller.
    support: full
    platforms: posix
seealso:
  - module: baremetal.fleet.bmc_power
"""

EXAMPLES = r"""
- name: Wake a machine and wait for it
  baremetal.fleet.wake_on_lan:
    mac: 52:54:00:12:34:56
    broadcast: 192.0.2.255
    probe_host: 192.0.2.17
"""

RETURN = r"""
wake:
  description: What was done.
  type: dict
  returned: success
  contains:
    mac:
      description: The address that was woken.
      type: str
      sample: 52:54:00:12:34:56
    before:
      description: V(on) if the machine answered, else V(unknown).
      type: str
      sample: unknown
    after:
      description: The same afterwards.
      type: str
      sample: "on"
    verified:
      description: Whether the machine answers.
      type: bool
      sample: true
failure:
  description:
    - What went wrong, for a playbook to decide on. C(msg) says the same for a person.
    - C(code) is for example V(not_verified) when the machine does not answer in time.
  type: dict
  returned: failure
  sample: {"code": "not_verified", "details": {}}
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import run
from ansible_collections.baremetal.fleet.plugins.module_utils._outlet import WAKE_OPTIONS, wake_plan


def main() -> None:
    run(wake_plan, WAKE_OPTIONS)


if __name__ == "__main__":
    main()
