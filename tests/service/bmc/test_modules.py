# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules and playbooks, run by Ansible, against virtual BMCs over HTTPS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fleetlab.farm import BmcSpec, PowerBehaviour, running_farm

SECRET = "Tr0ub4dor&3"
QUICK = {"graceful_timeout": 0, "off_seconds": 0.1, "verify_timeout": 60}


@pytest.fixture
def bmc():
    with running_farm(BmcSpec(tree="server", password=SECRET)) as farm:
        yield farm.bmcs[0]


def login(bmc, **more):
    return {"address": bmc.url, "username": bmc.username, "password": bmc.password, "ca_path": bmc.ca_path, **more}


def test_bmc_info(module, bmc):
    result = module("bmc_info", **login(bmc))
    assert result["changed"] is False
    assert len(result["device"]["cpus"]) == 2
    assert result["device"]["coverage"]["memory"] == {"verdict": "collected"}
    assert result["attempts"] == [{"driver": "redfish"}]
    assert bmc.password not in str(result)


def test_the_login_from_the_environment(module, bmc):
    environment = {"BMC_USERNAME": bmc.username, "BMC_PASSWORD": bmc.password}
    result = module("bmc_info", environment=environment, address=bmc.url, ca_path=bmc.ca_path, sections=["power"])
    assert result["device"]["power_state"] == "on"
    assert "cpus" not in result["device"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"password": "wrong"}, "authentication_failed", "refused the login"),
        ({"ca_path": None}, "certificate_invalid", "fingerprint"),
        ({"address": "https://127.0.0.1:1"}, "unreachable", "connection refused"),
        ({"address": "not a host"}, "invalid_input", "address"),
        ({"fingerprint": "xyz"}, "invalid_input", "64 hex digits"),
        ({"system": "nobody"}, "not_found", "not behind this BMC"),
        ({"timeout": -1}, "invalid_input", "timeout"),
    ],
)
def test_each_failure_is_one_clear_line(module, bmc, change, code, words):
    for name, more in (("bmc_info", {}), ("bmc_power", {"state": "cycle"})):
        result = module(name, **{**login(bmc, drivers=["redfish"]), **change, **more})
        assert result["failed"] is True
        assert result["failure"]["code"] == code
        assert words in result["msg"]
        assert "\n" not in result["msg"]
        assert bmc.password not in result["msg"]
    assert bmc.power_log == []


def test_bmc_power_plans_in_check_mode(module, bmc):
    result = module("bmc_power", check=True, state="cycle", **login(bmc))
    assert result["changed"] is True
    assert [step["action"] for step in result["power"]["steps"]] == ["shutdown|off", "wait", "on"]
    assert result["diff"]["before"] == {"power_state": "on"}
    assert bmc.power_log == []
    assert bmc.counters.logouts == 1
    assert module("bmc_power", check=True, state="on", **login(bmc))["changed"] is False


def test_bmc_power(module, bmc):
    off = module("bmc_power", state="off", **login(bmc), **QUICK)
    assert (off["changed"], off["power"]["after"], off["power"]["verified"]) == (True, "off", True)
    assert module("bmc_power", state="off", **login(bmc), **QUICK)["changed"] is False
    assert module("bmc_power", state="reset", **login(bmc))["failure"]["code"] == "unsupported"
    on = module("bmc_power", state="on", **login(bmc))
    assert (on["changed"], on["power"]["before"], on["power"]["after"]) == (True, "off", "on")
    cycle = module("bmc_power", state="cycle", **login(bmc), **QUICK)
    assert (cycle["changed"], cycle["power"]["verified"]) == (True, True)
    assert len(bmc.power_log) == 4


def test_a_bmc_that_is_busy_for_a_moment_resets_all_the_same(bmc, module):
    bmc.faults.add("status:method=POST,path=*ComputerSystem.Reset,status=503,times=1")
    assert module("bmc_power", state="reset", **login(bmc))["power"]["verified"]
    bmc.faults.add("status:method=POST,path=*ComputerSystem.Reset,status=403")
    refused = module("bmc_power", state="reset", **login(bmc))
    assert refused["msg"] == "127.0.0.1: this account may not do this (Base.1.18.InternalError Fault.)"


def test_what_a_bmc_does_not_offer_is_not_planned(bmc, module):
    target = bmc.get(bmc.systems[0])["Actions"]["#ComputerSystem.Reset"]["target"]
    offered = {"target": target, "ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}
    bmc.update(bmc.systems[0], {"Actions": {"#ComputerSystem.Reset": offered}})
    for state in ("reset", "nmi"):
        result = module("bmc_power", check=True, state=state, **{**login(bmc), "drivers": ["redfish"]})
        assert (result["failure"]["code"], "can't do" in result["msg"]) == ("unsupported", True), result
    assert module("bmc_power", check=True, state="cycle", **login(bmc))["changed"]


@pytest.mark.parametrize(
    ("number", "name", "options"),
    [
        (signal.SIGTERM, "bmc_power", {"state": "cycle", **QUICK, "off_seconds": 30}),
        (signal.SIGINT, "bmc_power", {"state": "cycle", **QUICK, "off_seconds": 30}),
        (signal.SIGHUP, "bios_settings", {"settings": {"smt": "disabled"}, "reboot": True, "graceful_timeout": 0}),
    ],
)
def test_a_signal_in_the_middle_of_a_cycle_leaves_the_machine_on(collections, tmp_path, number, name, options):
    """Whatever module cycles it: Ctrl-C, a time-out of whoever runs the play, a terminal that is gone."""
    with running_farm(BmcSpec(tree="server", behaviour=PowerBehaviour(off_seconds=0.1))) as farm:
        bmc = farm.bmcs[0]
        arguments = tmp_path / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **login(bmc)}}))
        command = [
            sys.executable,
            "-m",
            f"ansible_collections.baremetal.fleet.plugins.modules.{name}",
            str(arguments),
        ]
        environment = {**os.environ, "PYTHONPATH": str(collections)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            deadline = time.monotonic() + 60
            while not bmc.power_log and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(bmc.power_log) == 1, "it is off"
            time.sleep(0.3)
            running.send_signal(number)
            running.send_signal(number)
            output = running.communicate(timeout=60)
        assert [event["event"] for event in bmc.power_log if event["event"] != "bios"] == ["off", "on"], output
        assert json.loads(output[0])["failure"]["code"] == "interrupted"
        assert bmc.counters.logouts == bmc.counters.logins


def test_sigterm_in_the_middle_of_an_inventory_logs_out(collections, tmp_path):
    with running_farm(BmcSpec(tree="server", password=SECRET, latency=0.2)) as farm:
        bmc = farm.bmcs[0]
        arguments = tmp_path / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**login(bmc), "drivers": ["redfish"]}}))
        command = [
            sys.executable,
            "-m",
            "ansible_collections.baremetal.fleet.plugins.modules.bmc_info",
            str(arguments),
        ]
        environment = {**os.environ, "PYTHONPATH": str(collections)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            deadline = time.monotonic() + 60
            while bmc.counters.requests < 6 and time.monotonic() < deadline:
                time.sleep(0.02)
            bmc.latency = 2.0  # it does not get to its end before it hears of the signal
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=60)
        assert running.returncode != 0, "it was in the middle"
        assert bmc.counters.logouts == bmc.counters.logins == 1


# -- playbooks
# ----------------------------------------------------------------------------------------------------------------


def variables(bmc, **more):
    return {f"bmc_{name}": value for name, value in login(bmc, drivers=["redfish"]).items()} | more


def test_one_failing_host_does_not_stop_the_others(playbook):
    with running_farm([BmcSpec(tree="server", password=SECRET), BmcSpec(tree="multinode", password=SECRET)]) as farm:
        server, chassis = farm.bmcs
        node = next(iter(chassis.systems)).rstrip("/").rsplit("/", 1)[-1]
        hosts = {
            "m1": variables(server),
            "m2": variables(chassis, bmc_system=node),
            "m3": variables(server) | {"bmc_address": "https://127.0.0.1:1"},
            "m4": variables(server) | {"bmc_password": "wrong"},
        }
        done, recap = playbook("collect_oob", hosts)
        assert done.returncode == 2
        assert {name for name, counts in recap.items() if counts["failed"]} == {"m3", "m4"}
        assert {name for name, counts in recap.items() if counts["ok"]} == {"m1", "m2"}
        assert "connection refused" in done.stdout + done.stderr
        assert server.password not in done.stdout + done.stderr


def test_the_powercycle_playbook(playbook):
    with running_farm([BmcSpec(tree="server", password=SECRET)] * 3) as farm:
        times = {"powercycle_graceful_timeout": 0, "powercycle_off_seconds": 0.1}
        hosts = {f"m{number}": variables(bmc, **times) for number, bmc in enumerate(farm.bmcs)}

        def cycled():
            return [len(bmc.power_log) for bmc in farm.bmcs]

        done, _recap = playbook("powercycle", hosts)
        assert done.returncode == 2, "nobody said which machines"
        assert "Say which machines" in done.stdout + done.stderr
        assert cycled() == [0, 0, 0]

        done, _recap = playbook("powercycle", hosts, "-e", "target=m7")
        assert done.returncode == 2, "a target that is not there is a mistake, not a success"
        assert "target: m7 matches no machine of the inventory" in done.stdout + done.stderr
        assert cycled() == [0, 0, 0]

        done, recap = playbook("powercycle", hosts, "--limit", "m0,m1", "--check", "--diff")
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(recap) == ["m0", "m1"]
        assert '"actions": "off, wait, on"' in done.stdout
        assert cycled() == [0, 0, 0]

        done, recap = playbook("powercycle", hosts, "--limit", "m0,m1", "-e", "wave=1")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {counts["changed"] for counts in recap.values()} == {1}
        assert cycled() == [2, 2, 0]

        done, _recap = playbook("powercycle_check", hosts)
        assert done.returncode == 0, done.stdout + done.stderr
        assert cycled() == [2, 2, 0]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_system_that_does_not_answer_is_left_out_and_said(module, bmc, login, status):
    """A GPU board of a machine that is off."""
    path = "/redfish/v1/Systems/Baseboard_0"
    systems = bmc.get("/redfish/v1/Systems")
    bmc.update("/redfish/v1/Systems", {"Members": [{"@odata.id": path}, *systems["Members"]]})
    bmc.faults.add(f"status:path={path},status={status}")
    for name, options in (
        ("bmc_power", {"state": "on"}),
        ("bmc_led", {"state": "on"}),
        ("bmc_boot", {"device": "pxe"}),
    ):
        result = module(name, check=True, **options, **login(bmc, drivers=["redfish"]))
        assert "failure" not in result, result
        assert "Baseboard_0" in str(result["warnings"])
        named = module(name, check=True, system="1", **options, **login(bmc, drivers=["redfish"]))
        assert "warnings" not in named, "nobody else was asked"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "authentication_failed"), (403, "permission_denied"), (503, "busy"), (500, "bad_response")],
)
def test_reading_and_acting_have_one_code_for_what_the_systems_answer(module, bmc, login, status, code):
    bmc.faults.add(f"status:path=*/Systems,status={status}")
    for path in ("*/Chassis", "*/Managers"):
        bmc.faults.add(f"status:path={path},status={status}")
    for name, options in (("bmc_info", {}), ("bmc_power", {"state": "on"}), ("bmc_led", {"state": "on"})):
        result = module(name, **options, **login(bmc, drivers=["redfish"]))
        assert result["failure"]["code"] == code, (name, result["msg"])


def test_a_bmc_that_is_busy_at_the_first_request(module, bmc, login):
    bmc.faults.add("status:path=/redfish/v1,status=503,times=1")
    bmc.faults.add("status:path=*/Sessions,method=POST,status=503,times=1")
    assert module("bmc_power", state="on", **login(bmc, drivers=["redfish"]))["power"]["after"] == "on"
    assert bmc.counters.logins == bmc.counters.logouts


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_manager_that_does_not_answer_is_left_out_and_said(module, bmc, login, status):
    """That of a GPU board of a machine that is off. The machine's own manager is known, and answers."""
    path = "/redfish/v1/Managers/Baseboard_BMC"
    managers = bmc.get("/redfish/v1/Managers")
    bmc.update("/redfish/v1/Managers", {"Members": [{"@odata.id": path}, *managers["Members"]]})
    bmc.faults.add(f"status:path={path},status={status}")
    for name, options in (("bmc_reset", {}), ("bmc_log", {}), ("bmc_virtual_media", {"state": "ejected"})):
        result = module(name, check=True, **options, **login(bmc, drivers=["redfish"]))
        assert "failure" not in result, result
        if name == "bmc_reset":
            assert "Baseboard_BMC" in str(result["warnings"])
    bmc.faults.add(f"status:path={managers['Members'][0]['@odata.id']},status={status}")
    code = {403: "permission_denied", 500: "bad_response", 503: "busy"}[status]
    assert module("bmc_reset", **login(bmc, drivers=["redfish"]))["failure"]["code"] == code
    assert bmc.power_log == []


@pytest.mark.parametrize("system", [None, "1"])
def test_the_code_is_that_of_the_first_driver_when_ipmi_can_not_choose(module, bmc, login, system):
    bmc.faults.add("session-limit")
    named = {"system": system} if system else {}
    for name, options in (("bmc_power", {"state": "on"}), ("bmc_boot", {"device": "pxe"}), ("bmc_info", {})):
        result = module(name, timeout=1, **named, **options, **login(bmc))
        assert result["failure"]["code"] == "session_limit", (name, result["msg"])


def test_a_system_without_an_id_is_switched(module, bmc, login):
    path = "/redfish/v1/Systems/1"
    bmc.state.put(path, {name: value for name, value in bmc.get(path).items() if name != "Id"})
    result = module("bmc_power", state="reset", **login(bmc, drivers=["redfish"]))
    assert (result.get("changed"), [event["event"] for event in bmc.power_log]) == (True, ["restart"]), result
