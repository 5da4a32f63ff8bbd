#!/usr/bin/python

# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: work_lease
short_description: Hold a machine for a play
version_added: 0.1.0
author:
  - The baremetal.fleet authors (@baremetal-fleet)
description:
  - Takes, renews and gives back a lock on a machine at the machine server (C(fleetd)), so that no runner and no other
    play works on the machine at the same time.
  - The lock ends by itself O(seconds) after it was taken or last renewed. A play that dies leaves nothing locked.
  - A play that takes longer has to renew the lock in time, with O(session), or to ask for more O(seconds) in the
    beginning.
options:
  machine:
    description: Id of the machine.
    type: str
    required: true
  process:
    description:
      - What the machine is held for. V(manual) excludes power cycles, installations and other plays that hold the
        machine, and may always be taken; collecting is not excluded.
      - Other processes are those that the server knows.
    type: str
    default: manual
  state:
    description:
      - V(held) takes the lock, or renews it if O(session) is given.
      - V(released) gives it back; one that has ended already is fine.
    type: str
    choices: [held, released]
    default: held
  session:
    description: RV(lease.session) of the task that took the lock.
    type: str
  seconds:
    description: How long the lock lasts without being renewed.
    type: float
    default: 900
  wait:
    description: How long to wait, in seconds, for a machine that somebody else holds.
    type: float
    default: 0
  needed:
    description: Take processes other than V(manual) only if the server says that the machine needs them now.
    type: bool
    default: true
  component:
    description: Who holds it, for others to see.
    type: str
    default: ansible
extends_documentation_fragment:
  - baremetal.fleet.server
attributes:
  check_mode:
    description: Says whether the machine is free.
    support: full
  diff_mode:
    description: Shows whether it is held.
    support: full
  idempotent:
    description: Taking a lock that is held already fails; renewing and releasing can be repeated.
    support: partial
seealso:
  - module: baremetal.fleet.machine
"""

EXAMPLES = r"""
- name: Flash firmware while nobody else touches the machine
  hosts: rack1
  gather_facts: false
  connection: local
  tasks:
    - name: Hold the machine
      baremetal.fleet.work_lease:
        machine: "{{ inventory_hostname }}"
        seconds: 1800
        wait: 300
      register: held

    - name: Work on it
      block:
        - name: Do something that takes its time
          ansible.builtin.command: flash {{ inventory_hostname }}
          changed_when: true

        - name: Half an hour more
          baremetal.fleet.work_lease:
            machine: "{{ inventory_hostname }}"
            session: "{{ held.lease.session }}"
      always:
        - name: Give it back
          baremetal.fleet.work_lease:
            machine: "{{ inventory_hostname }}"
            session: "{{ held.lease.session }}"
            state: released
"""

RETURN = r"""
lease:
  description: The lock; null when it was released, and in check mode.
  type: dict
  returned: success
  contains:
    session:
      description: What renews and releases it.
      type: str
    machine:
      description: The machine.
      type: str
    process:
      description: What it is held for.
      type: str
    fencing_token:
      description: Grows with each lock of this machine; results that quote an old one are refused.
      type: int
    deadline:
      description: When it ends, by the server's clock.
      type: str
    seconds:
      description: How long each renewal lasts.
      type: float
failure:
  description: What went wrong, for a playbook to decide on. C(msg) says the same for a person.
  type: dict
  returned: failure
  contains:
    code:
      description: For example V(conflict), V(not_found), V(authentication_failed), V(unreachable).
      type: str
    details:
      description: With V(conflict), C(reason) is V(work_conflict), V(not_eligible), V(lease_lost) or
        V(session_expired).
      type: dict
"""

from ansible_collections.baremetal.fleet.plugins.module_utils._lease import Client, plan
from ansible_collections.baremetal.fleet.plugins.module_utils._server import run_on_server

SPEC = {
    "machine": {"type": "str", "required": True},
    "process": {"type": "str", "default": "manual"},
    "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
    "session": {"type": "str"},
    "seconds": {"type": "float", "default": 900},
    "wait": {"type": "float", "default": 0},
    "needed": {"type": "bool", "default": True},
    "component": {"type": "str", "default": "ansible"},
}


def main() -> None:
    run_on_server(plan, Client, SPEC)


if __name__ == "__main__":
    main()
