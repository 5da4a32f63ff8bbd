# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules powercycle, credential, machine_info, machine_finding and lookup credential in plays on a real server."""

from __future__ import annotations

import threading
from typing import Any

from client_support import Ansible, Server

CYCLE = "baremetal.fleet.powercycle"
STORE = "baremetal.fleet.credential"
SECRET = "correct horse"


def cycle(**options: Any) -> dict[str, Any]:
    return {"name": "Cycle", CYCLE: {"machine": "{{ inventory_hostname }}", **options}}


def test_a_power_cycle_is_requested_waited_for_and_called_off(ansible: Ansible, server: Server) -> None:
    with server.client() as client:
        for name in ("c1", "c2"):
            client.create_machine({"id": name})
        planned = ansible.play([cycle()], "c1", "--check", "--diff")
        assert (planned.rc, planned.host("c1")["changed"]) == (0, 1)
        assert client.powercycle_list() == []

        done = ansible.play([cycle(reason="hangs"), cycle(), cycle(state="cancelled"), cycle(state="cancelled")], "c1")
        assert (done.rc, done.host("c1")["changed"]) == (0, 2)
        (closed,) = client.powercycles("c1")
        assert (closed["state"], closed["reason"]) == ("cancelled", "hangs")

        stop = threading.Event()
        runner = threading.Thread(target=_runner, args=(server, stop))
        runner.start()
        try:
            shown = {"name": "Show", "ansible.builtin.debug": {"msg": "ended as {{ outcome.powercycle.state }}"}}
            waits = {**cycle(wait=True, wait_timeout=60), "register": "outcome"}
            waited = ansible.play([waits, shown], "c1,c2")
        finally:
            stop.set()
            runner.join()
        assert waited.rc == 2
        assert "ended as verified" in waited.stdout
        assert (waited.host("c1")["failed"], waited.host("c2")["failed"]) == (0, 1)
        (line,) = [line for line in waited.lines if line.startswith("fatal: [c2]")]
        assert "power cycle of c2 was not done: cancelled by" in line
        for name in ("c1", "c2"):
            client.delete_machine(name)


def _runner(server: Server, stop: threading.Event) -> None:
    """Does c1 as a runner would; somebody calls c2 off."""
    with server.client() as client:
        while not stop.wait(0.2):
            for request in client.powercycles(state="queued"):
                if request["machine"] == "c1":
                    client.report_powercycle(request["id"], "verified")
                else:
                    client.cancel_powercycle(request["id"])


def test_logins_are_stored_and_read_by_who_may(ansible: Ansible, server: Server) -> None:
    login = {"name": "rack-a1", "username": "root", "password": SECRET}
    with server.client() as client:
        stored = ansible.play([{"name": "Store", STORE: login}] * 2, "localhost", "--diff", "-vvv")
        assert (stored.rc, stored.host("localhost")["changed"]) == (0, 1)
        assert SECRET not in stored.stdout + stored.stderr
        other = ansible.play([{"name": "Store", STORE: {**login, "password": "battery staple"}}], "localhost")
        assert other.host("localhost")["changed"] == 1

        register = {
            "baremetal.fleet.machine": {
                "name": "k1",
                "bmc": {"address": "192.0.2.7", "credential": "rack-a1"},
            }
        }
        assert ansible.play([register, register], "localhost").host("localhost")["changed"] == 1
        assert client.machine("k1")["bmc"]["credential"] == "rack-a1"

        check = {
            "ansible.builtin.assert": {"that": ["login.username == 'root'", "login.password == 'battery staple'"]},
            "vars": {"login": "{{ lookup('baremetal.fleet.credential', 'rack-a1') }}"},
        }
        refused = ansible.play([check], "localhost")
        assert refused.rc == 2
        assert "credential rack-a1: machine server" in refused.stdout
        # As in the playbooks: the token comes from a variable that is a template.
        read = ansible.play(
            [check], "localhost", vars={"vaulted": server.tokens["runner"], "fleet_server_token": "{{ vaulted }}"}
        )
        assert read.rc == 0, read.stdout
        unknown = {**check, "vars": {"login": "{{ lookup('baremetal.fleet.credential', 'rack-b9') }}"}}
        missing = ansible.play([unknown], "localhost", vars={"fleet_server_token": server.tokens["runner"]})
        assert missing.rc == 2
        assert "rack-b9" in missing.stdout

        client.delete_machine("k1")
        absent = {STORE: {"name": "rack-a1", "state": "absent"}}
        assert ansible.play([absent, absent], "localhost").host("localhost")["changed"] == 1
        assert client.credentials() == []


def test_what_the_server_knows_of_machines(ansible: Ansible, server: Server) -> None:
    with server.client() as client:
        for name in ("i1", "i2"):
            client.create_machine({"id": name, "site": "ber7", "labels": {"units": "2"}})
        client.publish_device("i1", {"source": "oob", "serial": "EX1", "memory": [{"slot": "A1"}]}, "oob")
        tasks = [
            {
                "baremetal.fleet.machine_info": {
                    "name": "i1",
                    "include": ["document", "history", "powercycles", "work"],
                },
                "register": "one",
            },
            {"baremetal.fleet.machine_info": {"site": "ber7", "labels": {"units": 2}}, "register": "several"},
            {
                "ansible.builtin.assert": {
                    "that": [
                        "one.machines[0].document.memory[0].slot == 'A1'",
                        "one.machines[0].history | length == 1",
                        "one.machines[0].powercycles == []",
                        "several.machines | map(attribute='id') == ['i1', 'i2']",
                    ]
                }
            },
        ]
        done = ansible.play(tasks, "localhost")
        assert (done.rc, done.host("localhost")["changed"]) == (0, 0)
        bad = ansible.play([{"baremetal.fleet.machine_info": {"name": ["i1", "nope"]}}], "localhost")
        assert bad.rc == 2
        assert "no machine nope" in bad.stdout
        for name in ("i1", "i2"):
            client.delete_machine(name)


def test_a_finding_is_accepted_and_opened_again(ansible: Ansible, server: Server) -> None:
    def judge(**options: Any) -> dict[str, Any]:
        return {"name": "Judge", "baremetal.fleet.machine_finding": {"machine": "f1", **options}}

    covered = {"memory": {"verdict": "collected"}}
    with server.client() as client:
        client.create_machine({"id": "f1"})
        for source, size in (("oob", 1 << 34), ("inband", 1 << 33)):
            module = {"slot": "A1", "serial": "M0000001", "size_bytes": size}
            client.publish_device("f1", {"memory": [module], "coverage": covered}, source)
        (finding,) = client.findings("f1")
        chosen = {"kind": "disagreement", "component": "memory:serial=M0000001"}
        planned = ansible.play([judge(**chosen, reason="known")], "localhost", "--check", "--diff")
        assert (planned.rc, planned.host("localhost")["changed"]) == (0, 1)
        assert client.findings("f1") == [finding]
        done = ansible.play([judge(**chosen, reason="known")] * 2, "localhost")
        assert (done.rc, done.host("localhost")["changed"]) == (0, 1)
        (accepted,) = client.findings("f1")
        assert accepted["accepted"]["reason"] == "known"
        assert client.machine("f1")["device"]["findings"] == 0
        for wrong, words in (
            ({"id": "none", "reason": "x"}, "has no finding"),
            ({"id": finding["id"]}, "reason: say why"),
            ({"reason": "x"}, "id: name the findings"),
        ):
            refused = ansible.play([judge(**wrong)], "localhost")
            assert refused.rc == 2
            assert words in refused.stdout
        opened = ansible.play([judge(id=finding["id"], state="open")] * 2, "localhost")
        assert (opened.rc, opened.host("localhost")["changed"]) == (0, 1)
        assert client.findings("f1")[0]["accepted"] is None
        client.delete_machine("f1")
