# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module work_lease in plays against a real server."""

from __future__ import annotations

import time
from typing import Any

from client_support import Ansible, Server


def lease(**options: Any) -> dict[str, Any]:
    name = options.pop("called", "Lease")
    extra = {key: options.pop(key) for key in ("register", "ignore_errors") if key in options}
    return {"name": name, "baremetal.fleet.work_lease": {"machine": "{{ inventory_hostname }}", **options}, **extra}


HOLD = lease(seconds=60, register="held")
SESSION = "{{ held.lease.session }}"


def test_a_play_holds_a_machine(ansible: Ansible, server: Server) -> None:
    with server.client() as client:
        client.create_machine({"id": "l1"})
        shown = {"name": "Show", "ansible.builtin.debug": {"msg": "again {{ again.failure.details.reason }}"}}
        tasks = [
            HOLD,
            lease(register="again", ignore_errors=True),
            shown,
            lease(session=SESSION),
            lease(session=SESSION, state="released"),
            lease(session=SESSION, state="released"),
        ]
        done = ansible.play(tasks, "l1")
        assert done.rc == 0
        assert "again work_conflict" in done.stdout
        counts = done.host("l1")
        assert (counts["changed"], counts["ignored"]) == (2, 1)  # taken and released
        assert client.work() == []
        planned = ansible.play([lease()], "l1", "--check")
        assert (planned.rc, planned.host("l1")["changed"]) == (0, 1)
        assert client.work() == []
        client.delete_machine("l1")


def test_a_play_that_dies_leaves_nothing_locked_for_long(ansible: Ansible, server: Server) -> None:
    with server.client() as client:
        client.create_machine({"id": "l2"})
        fails = {"name": "Die", "ansible.builtin.fail": {"msg": "out of power"}}
        assert ansible.play([lease(seconds=2), fails], "l2").rc == 2
        taken = time.monotonic()
        done = ansible.play([lease(wait=60, register="held"), lease(session=SESSION, state="released")], "l2")
        assert done.rc == 0
        assert time.monotonic() - taken < 60
        outcomes = [item["outcome"] for item in client.work_history("l2")]
        assert outcomes == ["cancelled", "started", "cancelled", "started"]
        client.delete_machine("l2")


def test_a_lease_that_is_lost_fails_the_play(ansible: Ansible, server: Server) -> None:
    with server.client() as client:
        client.create_machine({"id": "l3"})
        wait = {"name": "Wait", "ansible.builtin.pause": {"seconds": 2}}
        done = ansible.play([lease(seconds=1, register="held"), wait, lease(session=SESSION)], "l3")
        assert done.rc == 2
        assert '"reason": "session_expired"' in done.stdout
        unknown = ansible.play([lease()], "nope")
        assert unknown.rc == 2
        assert '"code": "not_found"' in unknown.stdout
        client.delete_machine("l3")
