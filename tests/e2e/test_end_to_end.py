# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole line on a machine that really boots: register, collect, ask for a power cycle, let the runner do it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet
from machines import Machine

from fleetlab.process import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

DOCUMENT = "/api/v1/machines/{}/device"
DESCRIPTION = "/json/v1/machine/description/{}"


def ask_on_the_page(fleet: Fleet, name: str) -> None:
    """As the page and existing clients do: toggle."""
    fleet.request("POST", f"/_/machine/toggle_powercycle/{name}")


def ask_through_the_api(fleet: Fleet, name: str) -> None:
    body = {"machine": name, "reason": "kernel hangs", "requester": "end-to-end test"}
    first = fleet.request("POST", "/api/v1/powercycles", body)
    # Asking twice is one request.
    assert fleet.request("POST", "/api/v1/powercycles", body)["id"] == first["id"]


def test_over_redfish(libvirt_vm: Machine, tmp_path: Path) -> None:
    with Fleet(tmp_path / "fleet", libvirt_vm.username, libvirt_vm.password) as fleet:
        walk_the_line(fleet, libvirt_vm, ask_on_the_page)


def test_over_ipmi(ipmi_vm: Machine, tmp_path: Path) -> None:
    with Fleet(tmp_path / "fleet", ipmi_vm.username, ipmi_vm.password) as fleet:
        walk_the_line(fleet, ipmi_vm, ask_through_the_api)
    actions = [entry["action"] for entry in ipmi_vm.power.power_log()]
    # On when the lab started; then the button (graceful) or the plug, and on again.
    assert actions[-1] == "on"
    assert len(actions) >= 3


def test_a_bmc_that_is_down_stops_nobody_else(ipmi_vm: Machine, tmp_path: Path) -> None:
    nobody = {"address": "127.0.0.1", "drivers": ["redfish"], "redfish_scheme": "http", "redfish_port": free_port()}
    with Fleet(tmp_path / "fleet", ipmi_vm.username, ipmi_vm.password) as fleet:
        fleet.module("machine", name="node-down", bmc=nobody)
        fleet.module("machine", name=ipmi_vm.name, bmc=ipmi_vm.bmc)
        out = fleet.playbook("collect_oob.yml", status=2)
        assert "fatal: [node-down]: FAILED!" in out
        assert "Traceback" not in out
        assert ipmi_vm.facts["serial"] in json.dumps(fleet.get(DOCUMENT.format(ipmi_vm.name)))

        # Both in one request list: one is cycled, the other's request stays open and says why.
        for name in (ipmi_vm.name, "node-down"):
            ask_through_the_api(fleet, name)
        with fleet.runner():
            ipmi_vm.console.wait_for_boot(after=1, timeout=300)
            answers = fleet.wait_for(
                "/api/v1/powercycles",
                lambda answer: (
                    {item["machine"]: bool(item["finished_at"] or item["error"]) for item in answer["items"]}
                    == {ipmi_vm.name: True, "node-down": True}
                ),
                300,
                "a word on both requests",
            )
        found = {item["machine"]: item for item in answers["items"]}
        assert found[ipmi_vm.name]["state"] == "verified"
        assert found["node-down"]["finished_at"] is None
        assert found["node-down"]["error"]
        assert len(ipmi_vm.console.boots()) == 2


def walk_the_line(fleet: Fleet, machine: Machine, ask: Callable[[Fleet, str], None]) -> None:
    name = machine.name
    (first_boot,) = machine.console.boots()

    # Register.
    spec: dict[str, Any] = {"name": name, "site": "lab", "rack": "r1", "labels": {"role": "test"}, "bmc": machine.bmc}
    assert fleet.module("machine", **spec)["changed"] is True
    assert fleet.module("machine", **spec)["changed"] is False
    inventory = fleet.inventory()
    address = inventory["_meta"]["hostvars"][name]["bmc_address"]
    # What a server says is no template: Ansible's JSON marks it so.
    assert address in ("127.0.0.1", {"__ansible_unsafe": "127.0.0.1"})
    assert inventory["site_lab"]["hosts"] == [name]

    # Collect: the server has the document, and a second run adds nothing.
    fleet.playbook("collect_oob.yml")
    document = json.dumps(fleet.get(DOCUMENT.format(name)))
    for what, value in machine.facts.items():
        assert value.lower() in document.lower(), f"{what} {value} is not in the device document: {document}"
    history = fleet.get(DOCUMENT.format(name) + "/history")["items"]
    assert len(history) == 1
    fleet.playbook("collect_oob.yml")
    assert fleet.get(DOCUMENT.format(name) + "/history")["items"] == history
    assert len(machine.console.boots()) == 1

    # Ask.
    assert fleet.get("/json/v1/powercycle/list") == []
    ask(fleet, name)
    assert fleet.get("/json/v1/powercycle/list") == [name]
    assert fleet.get(DESCRIPTION.format(name))["PowerCycle"] is True
    (request,) = fleet.get(f"/api/v1/powercycles?machine={name}")["items"]

    # The runner does it, and only it: the machine boots again, once.
    runner = fleet.runner()
    with runner:
        second_boot = machine.console.wait_for_boot(after=1, timeout=300)
        runner.wait_for(lambda: fleet.get("/json/v1/powercycle/list") == [], 300, "the list to be empty")
        done = fleet.wait_for(
            f"/api/v1/powercycles/{request['id']}", lambda answer: answer["finished_at"], 300, "the request's end"
        )
        fleet.wait_for(
            DESCRIPTION.format(name),
            lambda answer: answer["PowerCycleState"] == "available",
            300,
            "the runner's word that it can power cycle the machine",
        )
        # Asked to stop, it ends in order.
        runner.signal(signal.SIGTERM)
        assert runner.wait(60) == 0
    assert second_boot != first_boot
    assert machine.console.boots() == [first_boot, second_boot]
    assert done["state"] == "verified"
    assert fleet.get(DESCRIPTION.format(name))["PowerCycle"] is False

    # No secret of the BMC in anything that was written.
    for file in fleet.workdir.rglob("*"):
        if file.is_file() and not file.is_symlink() and "collections" not in file.relative_to(fleet.workdir).parts:
            assert machine.password.encode() not in file.read_bytes(), f"{file} has the BMC's password"
