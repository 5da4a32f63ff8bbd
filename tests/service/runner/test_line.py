# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole line: `fleetd serve`, `fleetd runner`, ansible-runner, the collection's own playbooks, virtual BMCs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from runner_line import PASSWORD, Line, until

from fleetlab.farm import BmcSpec, running_farm
from fleetlab.faults import Fault
from fleetlab.state import PowerBehaviour


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    specs = [BmcSpec(name=name, index=index, password=PASSWORD) for index, name in enumerate(("good", "bad", "other"))]
    with running_farm(specs) as farm:
        line = Line(tmp_path, {bmc.name: bmc for bmc in farm.bmcs})
        with line.serving():
            for name in line.bmcs:
                line.client.create_machine({"id": name})
        yield line
        line.client.close()


def test_a_request_ends_verified_and_the_bmc_saw_one_cycle(line: Line) -> None:
    with line.serving():
        request = line.request("good")
        with line.runner():
            until(lambda: line.client.powercycle(request)["state"] == "verified", "verified")
            until(lambda: line.client.description("other")["PowerCycleState"] == "available", "available")
            runs = line.directory / "runner" / "runs"
            until(lambda: not list(runs.glob("*/run.json")), "ended runs are discarded")
        seen = line.client.powercycle(request)
        assert [s["state"] for s in seen["steps"]] == ["queued", "claimed", "off", "on", "verified"]
        assert not line.client.description("good")["PowerCycle"]
        assert line.client.powercycle_list() == []
    assert {name: line.power(name) for name in line.bmcs} == {"good": ["off", "on"], "bad": [], "other": []}
    left = [p for p in (line.directory / "runner").rglob("*") if p.is_file() and PASSWORD.encode() in p.read_bytes()]
    assert left == []
    assert PASSWORD not in (line.directory / "runner.log").read_text()


def test_a_completion_that_was_lost_is_not_cycled_again(line: Line) -> None:
    with line.serving():
        request = line.request("good")
        runner = line.runner().start()
        until(
            lambda: line.power("good")[:1] == ["off"], "off"
        )  # before that, a claim that can't be checked is not acted on
    try:  # the server is gone: nobody hears of the end
        until(lambda: line.power("good") == ["off", "on"], "cycled")
        until(lambda: "server_down" in runner.log.read_text(), "the runner says that the server is down")
    finally:
        runner.stop()
    with line.serving(), line.runner():
        until(lambda: line.client.powercycle(request)["state"] == "verified", "verified")
    assert line.power("good") == ["off", "on"]


def test_a_refused_login_fails_its_machine_and_the_others_go_on(line: Line) -> None:
    hosts = json.loads(line.inventory.read_text())
    hosts["all"]["hosts"]["bad"]["bmc_password"] = "wrong"
    line.inventory.write_text(json.dumps(hosts))
    with line.serving():
        bad, good = line.request("bad"), line.request("good")
        with line.runner():
            until(lambda: line.client.powercycle(good)["state"] == "verified", "the good one is verified")
            until(lambda: line.client.powercycle(bad)["error"], "the bad one has an error")
            until(lambda: line.client.description("bad")["PowerCycleState"] == "in_error", "in_error")
        failed = line.client.powercycle(bad)
        assert (failed["error"]["code"], failed["attempts"]) == ("authentication_failed", 1)
        assert line.client.powercycle_list() == [], "it waits for its backoff"
    assert line.power("bad") == []


def test_a_machine_that_is_on_and_not_back_is_not_verified(line: Line) -> None:
    """Asked for, the machine's own report and the site's own tasks count, also under a claim."""
    tasks = line.directory / "back.yml"
    tasks.write_text(
        json.dumps([{"ansible.builtin.fail": {"msg": "its disk is gone"}, "when": "inventory_hostname == 'bad'"}])
    )
    variables = {"powercycle_graceful_timeout": 0, "powercycle_off_seconds": 1, "powercycle_verify_timeout": 60}
    variables |= {"powercycle_event_timeout": 20, "powercycle_verify_tasks": str(tasks)}
    with line.serving():
        requests = {name: line.request(name) for name in ("good", "bad", "other")}

        def settled() -> bool:
            for name in ("good", "bad"):  # their monitors; that of "other" says nothing
                if line.power(name) == ["off", "on"]:
                    line.client.post_event({"type": "raw_state", "host": {"name": name, "version": "1"}})
            found = [line.client.powercycle(request) for request in requests.values()]
            return all(one["state"] == "verified" or one["error"] for one in found)

        with line.runner(FLEETD_RUNNER__EXTRA_VARS=json.dumps(variables)):
            until(settled, "all are settled")
        found = {name: line.client.powercycle(request) for name, request in requests.items()}
    assert found["good"]["state"] == "verified"
    assert found["good"]["steps"][-1]["message"].endswith("and the machine has reported")
    assert {name: found[name]["error"]["code"] for name in ("bad", "other")} == {
        "bad": "failed",
        "other": "not_verified",
    }
    assert found["bad"]["error"]["message"] == "its disk is gone"
    assert "has not heard of it in the 20 s after" in found["other"]["error"]["message"]
    assert {name: line.power(name) for name in requests} == {name: ["off", "on"] for name in requests}


def test_a_machine_without_a_bmc_becomes_available_and_is_cycled(line: Line) -> None:
    log = line.directory / "relay.log"
    log.write_text("on\n")

    def switch(state: str) -> list[str]:
        return ["/bin/sh", "-c", f"echo {state} >> {log}"]

    command = {
        "on": switch("on"), "off": switch("off"),
        "state": ["/bin/sh", "-c", f"tail -n 1 {log}"], "state_on": "^on", "state_off": "^off",
    }  # fmt: skip
    line.write_inventory({"relay": {"bmc_drivers": ["command"], "power_command": command}})
    with line.serving():
        line.client.create_machine({"id": "relay"})
        request = line.request("relay")
        with line.runner():
            until(lambda: line.client.description("relay")["PowerCycleState"] == "available", "available")
            until(lambda: line.client.powercycle(request)["state"] == "verified", "verified")
    assert log.read_text().split() == ["on", "off", "on"]


FAULTS = {
    "deaf": {"faults": (Fault("ignore", path="*/Actions/ComputerSystem.Reset"),)},
    "slow": {"behaviour": PowerBehaviour(off_seconds=4)},
    "stubborn": {"faults": (Fault("status", path="*/Actions/ComputerSystem.Reset", match='"On"', times=2),)},
    "full": {"faults": (Fault("session-limit"),)},
    "away": {},
    "good": {},
}


def test_faults_of_bmcs_in_one_wave(tmp_path: Path) -> None:
    """Each ends as it must, whatever its neighbours do: verified after one cycle, or failed; and nobody is left off."""
    specs = [
        BmcSpec(name=name, index=index, password=PASSWORD, **fields)
        for index, (name, fields) in enumerate(FAULTS.items())
    ]
    with running_farm(specs) as farm:
        line = Line(tmp_path, {bmc.name: bmc for bmc in farm.bmcs})
        with line.serving():
            for name in line.bmcs:
                line.client.create_machine({"id": name})
            requests = {name: line.request(name) for name in line.bmcs}
            variables = (
                '{"powercycle_off_seconds": 5, "powercycle_graceful_timeout": 0, "powercycle_verify_timeout": 18}'
            )
            with line.runner(FLEETD_RUNNER__EXTRA_VARS=variables):
                gone: list[str] = []

                def settled() -> bool:
                    if line.power("away") == ["off"] and not gone:  # the BMC goes away while its machine is off
                        gone.append("away")
                        line.bmcs["away"].faults.add(Fault("reset", times=4))
                    found = [line.client.powercycle(request) for request in requests.values()]
                    return all(one["state"] == "verified" or one["error"] for one in found)

                until(settled, "all are settled", 240)
            found = {name: line.client.powercycle(request) for name, request in requests.items()}
            assert {n: p["state"] == "verified" for n, p in found.items()} == {
                "full": False, "deaf": False, "slow": True, "stubborn": True, "away": True, "good": True,
            }  # fmt: skip
            assert gone
            assert {n: p["error"]["code"] for n, p in found.items() if p["error"]} == {
                "deaf": "not_verified", "full": "session_limit",
            }  # fmt: skip
            assert found["deaf"]["error"]["message"]
            assert [s["state"] for s in found["slow"]["steps"]] == ["queued", "claimed", "off", "on", "verified"]
        for name, one in found.items():
            assert line.power(name) == (["off", "on"] if one["state"] == "verified" else []), name
        line.client.close()
