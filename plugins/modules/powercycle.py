#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: powercycle
short_description: Ask the machine server for a power cycle of a machine
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Asks for a power cycle, waits for it if told to, or calls an open request off. The runner that serves the machine
    does it, in its waves and limits, and reports what became of it. This module does not talk to the BMC.
  - A machine has at most one open request. Asking again changes nothing.
  - To power cycle a machine directly from a play, without a machine server or a runner, use
    M(baremetal.fleet.bmc_power).
options:
  machine:
    description: Id of the machine.
    type: str
    required: true
  state:
    description:
      - V(requested) makes sure that a request is open.
      - V(cancelled) closes the open request. A machine without one is fine. Once a runner has claimed it the task
        fails and names the runner, which ends what it began, so that no machine is left off.
    type: str
    choices: [requested, cancelled]
    default: requested
  reason:
    description: Why, for the people who see the request.
    type: str
    default: ""
  requester:
    description: Who asks. Default is the name of the token.
    type: str
  wait:
    description:
      - Whether to wait until the power cycle is verified. The task fails if it failed, was called off, or took longer
        than O(wait_timeout).
      - A request that was open before is waited for, too.
    type: bool
    default: false
  wait_timeout:
    description:
      - How long to wait, in seconds. The request stays open after that.
      - A failed power cycle is tried again by the server's rules, which takes minutes; a request waits for its turn in
        the runner.
    type: float
    default: 900
extends_documentation_fragment:
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Says whether a request would be opened or closed. Does not wait.
    support: full
  diff_mode:
    description: Shows whether a request is open.
    support: full
  idempotent:
    description: A second request while one is open changes nothing. After it was done, asking again is a new power
      cycle.
    support: partial
seealso:
  - module: baremetal.fleet.bmc_power
  - module: baremetal.fleet.machine_info
"""

EXAMPLES = r"""
- name: Ask for a power cycle of what hangs, and wait for it
  baremetal.fleet.powercycle:
    server_url: https://fleet.example.com
    server_token: "{{ fleet_server_token }}"
    machine: "{{ inventory_hostname }}"
    reason: does not answer
    wait: true

- name: Call it off
  baremetal.fleet.powercycle:
    machine: node-1
    state: cancelled
"""

RETURN = r"""
powercycle:
  description:
    - The request. With O(state=cancelled) the one that was closed, else the newest one of the machine.
    - Null if there is none, for example in check mode.
  type: dict
  returned: success
  contains:
    id:
      description: The request's id.
      type: str
    machine:
      description: The machine.
      type: str
    state:
      description: V(queued), V(claimed), V(off), V(on), V(verified), V(failed) or V(cancelled).
      type: str
    requester:
      description: Who asked.
      type: str
    reason:
      description: Why.
      type: str
    requested_at:
      description: When, in UTC.
      type: str
    finished_at:
      description: When it was closed; null while it is open.
      type: str
    attempts:
      description: How often it was tried.
      type: int
    error:
      description: Why the last attempt failed, C(code), C(message) and C(details); null if it did not.
      type: dict
    steps:
      description: What happened, oldest first.
      type: list
      elements: dict
  sample:
    id: 019aa5c3e1f20000017f3a9c2b44d0e6a1
    machine: node-1
    state: verified
    requester: operator
    reason: does not answer
    requested_at: "2026-11-20T22:14:03.120000Z"
    finished_at: "2026-11-20T22:15:10.480000Z"
    attempts: 1
    error: null
    steps:
      - state: queued
        at: "2026-11-20T22:14:03.120000Z"
        message: "requested by operator: does not answer"
        runner: ""
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(failed) (the runner gave up), V(timeout), V(conflict) (it was called off),
        V(not_found), V(unreachable).
      type: str
    details:
      description: With the first three, C(powercycle) is the request.
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._powercycle import Client, plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server

SPEC = {
    "machine": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["requested", "cancelled"], "default": "requested"},
    "reason": {"type": "str", "default": ""},
    "requester": {"type": "str"},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "float", "default": 900},
}


def main() -> None:
    run_on_server(plan, Client, SPEC)


if __name__ == "__main__":
    main()
