# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules machine and device_publish in plays against a real server."""

from __future__ import annotations

import json

from client_support import Ansible, Server, answering

MACHINE = "baremetal.fleet.machine"
REGISTER = {
    "name": "Register",
    MACHINE: {
        "name": "{{ inventory_hostname }}",
        "site": "ber1",
        "labels": {"units": 2, "gpu": True},
        "bmc": {"address": "https://192.0.2.7:8443", "mac": "{{ mac | default('00:25:90:AB:CD:EF') }}"},
    },
    "register": "outcome",
}


def test_register_change_and_remove(ansible: Ansible, server: Server) -> None:
    planned = ansible.play([REGISTER], "m1,m2", "--check", "--diff")
    assert (planned.rc, planned.host("m1")["changed"]) == (0, 1)
    assert '+    "site": "ber1"' in planned.stdout
    with server.client() as client:
        assert list(client.machines()) == []

        first = ansible.play([REGISTER], "m1,m2")
        assert (first.rc, first.host("m1")["changed"], first.host("m2")["changed"]) == (0, 1, 1)
        machine = client.machine("m1")
        assert machine["labels"] == {"units": "2", "gpu": "true"}
        assert machine["bmc"]["address"] == "192.0.2.7"
        assert machine["bmc"]["redfish_port"] == 8443
        assert machine["bmc"]["mac"] == "00:25:90:ab:cd:ef"

        shown = {"name": "Show", "ansible.builtin.debug": {"msg": "version {{ outcome.machine.version }}"}}
        second = ansible.play([REGISTER, shown], "m1,m2", "--diff")
        assert (second.rc, second.host("m1")["changed"], second.host("m2")["changed"]) == (0, 0, 0)
        assert f"version {machine['version']}" in second.stdout

        fingerprint = "AB:" * 31 + "AB"
        task = {
            MACHINE: {"name": "m1", "labels": {"a": "b"}, "rack": "r1", "bmc": {"fingerprint": fingerprint, "mac": ""}}
        }
        changes = ansible.play([task, task], "localhost")
        assert (changes.rc, changes.host("localhost")["changed"]) == (0, 1)
        machine = client.machine("m1")
        assert (machine["labels"], machine["rack"], machine["site"]) == ({"a": "b"}, "r1", "ber1")
        assert (machine["bmc"]["mac"], machine["bmc"]["address"]) == (None, "192.0.2.7")

        absent = {MACHINE: {"name": "{{ inventory_hostname }}", "state": "absent"}}
        gone = ansible.play([absent, absent], "m1,m2")
        assert (gone.rc, gone.host("m1")["changed"], gone.host("m2")["changed"]) == (0, 1, 1)
        assert list(client.machines()) == []


def test_one_bad_machine_fails_and_the_others_go_on(ansible: Ansible, server: Server) -> None:
    mac = "{{ '00:25:90:ab' if inventory_hostname == 'bad' else '00:25:90:ab:cd:ef' }}"
    after = {"name": "After", "ansible.builtin.debug": {"msg": "went on"}}
    done = ansible.play([REGISTER, after], "good,bad", vars={"mac": mac})
    assert done.rc == 2
    assert (done.host("good")["ok"], done.host("good")["failed"]) == (2, 0)
    assert (done.host("bad")["ok"], done.host("bad")["failed"]) == (0, 1)
    (line,) = [line for line in done.lines if line.startswith("fatal: [bad]")]
    assert "bmc.mac: '00:25:90:ab' is not a MAC address" in line
    assert '"code": "invalid_input"' in line
    with server.client() as client:
        assert [machine["id"] for machine in client.machines()] == ["good"]
        client.delete_machine("good")


def test_publish(ansible: Ansible, server: Server) -> None:
    publish = {
        "name": "Publish",
        "baremetal.fleet.device_publish": {
            "machine": "{{ inventory_hostname }}",
            "device": {"source": "oob", "vendor": "Exemplar", "serial": "{{ serial_number | default('EX1') }}"},
        },
    }
    with server.client() as client:
        client.create_machine({"id": "known"})
        checked = ansible.play([publish], "known", "--check")
        assert (checked.rc, checked.host("known")["changed"]) == (0, 1)
        done = ansible.play([publish, publish], "known,unknown")
        assert (done.rc, done.host("known")["ok"], done.host("known")["changed"]) == (2, 2, 1)
        assert done.host("unknown")["failed"] == 1
        assert "no machine unknown" in done.stdout
        assert client.device("known")["serial"] == "EX1"
        assert ansible.play([publish], "known", "--check").host("known")["changed"] == 0
        other = ansible.play([publish], "known", "--check", vars={"serial_number": "EX2"})
        assert other.host("known")["changed"] == 1
        client.delete_machine("known")


def test_dump(ansible: Ansible, server: Server) -> None:
    folder = ansible.work / "dump"
    device = {"source": "oob", "serial": "EX1", "drives": [{"serial": "{{ drive }}", "slot": "1"}]}
    publish = {"machine": "{{ inventory_hostname }}", "device": device, "dump_dir": str(folder)}
    with server.client() as client:
        client.create_machine({"id": "rack1/known"})
        for drive in ("D1", "D2"):
            done = ansible.play(
                [{"name": "Publish", "baremetal.fleet.device_publish": publish}], "rack1/known", vars={"drive": drive}
            )
            assert done.rc == 0
        client.delete_machine("rack1/known")
    found = {path.name.partition(".")[2]: json.loads(path.read_text()) for path in folder.glob("rack1%2Fknown.*")}
    assert found["device.json"]["drives"][0]["serial"] == "D2"
    assert [item["serial"] for item in found["current.components.json"]] == ["D1"]
    assert [item["serial"] for item in found["new.components.json"]] == ["D2"]
    assert sorted(item["op"] for item in found["changes.json"]) == ["added", "removed"]


def test_server_goes_down_in_mid_run(ansible: Ansible, server: Server) -> None:
    """One host after the stop needs the server, the other does not."""
    assert server.process
    stop = {
        "name": "Stop the server",
        "ansible.builtin.command": f"kill {server.process.pid}",
        "run_once": True,
    }
    port = int(server.url.rpartition(":")[2])
    stopped = {
        "name": "Wait for its end",
        "ansible.builtin.wait_for": {"port": port, "state": "stopped", "timeout": 60},
        "run_once": True,
    }
    needs_it = {"name": "Change", "when": "inventory_hostname == 'd1'", MACHINE: {"name": "d1", "site": "muc2"}}
    after = {"name": "After", "ansible.builtin.debug": {"msg": "went on"}}
    try:
        done = ansible.play([REGISTER, stop, stopped, needs_it, after], "d1,d2")
    finally:
        server.stop()
        server.start()
    assert done.rc == 2
    assert done.host("d1")["failed"] == 1
    assert (done.host("d2")["failed"], done.host("d2")["skipped"]) == (0, 1)
    assert "went on" in done.stdout
    (line,) = [line for line in done.lines if line.startswith("fatal: [d1]")]
    assert f"machine server {server.url}: connection refused. Is it running there?" in line
    assert '"code": "unreachable"' in line
    assert "Traceback" not in done.stdout + done.stderr
    with server.client() as client:
        client.delete_machine("d1")
        client.delete_machine("d2")


def test_options_come_from_the_action_group_and_secrets_stay_secret(ansible: Ansible, server: Server) -> None:
    defaults = {"group/baremetal.fleet.server": {"server_url": server.url, "server_token": server.tokens["operator"]}}
    task = {MACHINE: {"name": "nobody", "state": "absent"}}
    ansible.env.pop("FLEETD_URL")
    ansible.env.pop("FLEETD_TOKEN")
    done = ansible.play([task], "localhost", "-vvv", module_defaults=defaults)
    assert done.rc == 0
    assert server.tokens["operator"] not in done.stdout + done.stderr

    done = ansible.play([task], "localhost")
    assert done.rc == 2
    assert "missing required arguments: server_url" in done.stdout


def test_wrong_tokens_and_wrong_addresses(ansible: Ansible, server: Server) -> None:
    with answering(b"<html>welcome</html>", content_type="text/html") as other:
        cases = {
            "wrong_token": ({"server_token": "nonsense"}, "refused the token"),
            "no_token": ({"server_token": ""}, "wants a token"),
            "viewer": ({"server_token": server.tokens["viewer"]}, "viewer"),
            "other_server": ({"server_url": other}, "Is this the machine server?"),
            "no_url": ({"server_url": "fleet.example.com"}, "is not a URL"),
            "timeout": ({"server_timeout": 0}, "server_timeout"),
        }
        task = {MACHINE: {"name": "x", "site": "y"}, "args": "{{ cases[inventory_hostname] }}"}
        given = {"cases": {name: options for name, (options, _words) in cases.items()}}
        done = ansible.play([task], ",".join(cases), vars=given)
    assert done.rc == 2
    for name, (_options, words) in cases.items():
        (line,) = [line for line in done.lines if line.startswith(f"fatal: [{name}]")]
        result = json.loads(line.partition("=> ")[2])
        assert words in result["msg"]
        assert "\n" not in result["msg"]
        assert result["failure"]["code"]
