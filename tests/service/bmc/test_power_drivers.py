# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_power over what is no BMC: commands and tasks of the operator, and the order of drivers."""

from __future__ import annotations

import json
import sys

import pytest
from fleetcore.errors import Busy, MissingDependency, TimedOut
from fleetcore.host.clock import SystemClock
from fleetcore.ports import PowerAction
from fleetcore.power import options
from fleetcore.power.base import PowerController, PowerOptions
from fleetcore.power.command import CommandDriver, command_options
from fleetcore.power.pdu import MIBS

QUICK = {"graceful_timeout": 0, "off_seconds": 0.1, "verify_timeout": 3}
# A relay with a port for each machine, whose state is a file. `stuck` is a port that accepts and does nothing.
RELAY = """
import pathlib, sys
folder, port, action = sys.argv[1:]
state, log = pathlib.Path(folder, port), pathlib.Path(folder, "log")
with log.open("a") as file:
    print(port, action, file=file)
if action == "status":
    print("port", port, "is", state.read_text())
elif action == "sulk":
    sys.exit("the relay sulks")
elif not port.startswith("stuck"):
    state.write_text(action)
"""


@pytest.fixture
def relay(tmp_path):
    script = tmp_path / "relay.py"
    script.write_text(RELAY)
    ports = tmp_path / "ports"
    ports.mkdir()
    for name in ("m 1; rm -rf $HOME", "stuck"):
        (ports / name).write_text("on")

    def command(machine="m 1; rm -rf $HOME", **more):
        argv = [sys.executable, str(script), str(ports), "{machine}"]
        words = {"on": [*argv, "on"], "off": [*argv, "off"], "state": [*argv, "status"]}
        return {"machine": machine, **words, "state_on": "is on$", "state_off": "is off$", **more}

    command.log = ports / "log"
    command.argv = [sys.executable, str(script), str(ports), "{machine}"]
    return command


def power(module, state, check=False, **more):
    return module("bmc_power", check=check, state=state, **{**QUICK, "drivers": ["command"], **more})


def test_a_command_switches_reads_and_verifies(module, relay):
    """The name of the machine is one argument, whatever is in it."""
    plan = power(module, "cycle", check=True, command=relay())
    assert [step["action"] for step in plan["power"]["steps"]] == ["off", "wait", "on"]
    assert "off" not in [line.split()[-1] for line in relay.log.read_text().splitlines()]
    off = power(module, "off", command=relay())
    assert (off["changed"], off["power"]["after"], off["power"]["verified"]) == (True, "off", True)
    assert not power(module, "off", command=relay())["changed"]
    cycle = power(module, "cycle", command=relay())
    assert (cycle["power"]["before"], cycle["power"]["after"], cycle["power"]["verified"]) == ("off", "on", True)


def test_a_command_that_does_nothing_is_a_failure(module, relay):
    result = power(module, "off", command=relay(machine="stuck"))
    assert (result["failure"]["code"], "accepted 'off'" in result["msg"]) == ("not_verified", True)


def test_without_a_way_to_see_nothing_is_verified(module, relay):
    blind = {name: value for name, value in relay().items() if not name.startswith("state")}
    for _time in range(2):
        result = power(module, "on", command=blind)
        assert (result["changed"], result["power"]["after"], result["power"]["verified"]) == (True, "unknown", False)
        assert "nothing was verified" in str(result["warnings"])
    assert not power(module, "cycle", command=blind)["power"]["verified"]


def test_a_command_that_fails_says_what_it_said(relay):
    class Hurried(SystemClock):
        def sleep(self, seconds):
            pass

    driver = CommandDriver(command_options(relay(off=[*relay.argv, "sulk"])), Hurried())
    with pytest.raises(Busy, match="exit code 1: the relay sulks"):
        PowerController(driver, Hurried(), PowerOptions(graceful_timeout=0, verify_timeout=0.1)).run("off")
    sulks = [line for line in relay.log.read_text().splitlines() if line.endswith("sulk")]
    assert len(sulks) == 3, "it may pass: tried again"
    slow = command_options(relay(state=[sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.3))
    with pytest.raises(TimedOut, match=r"not over after 0\.3 s"):
        CommandDriver(slow, SystemClock()).power_state()
    with pytest.raises(MissingDependency, match="no such command"):
        CommandDriver(command_options({"on": ["/no/such/relay"]}), SystemClock()).set_power(PowerAction.ON)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"command": {"on": ["x", "{host}"]}}, "command.on"),
        ({"command": {"on": ["x", "{machine}"]}}, "command.machine"),
        ({"command": {"on": ["x", "{machine}"], "machine": "--all"}}, "command.machine"),
        ({"command": {"on": []}}, "command.on"),
        ({"command": {"state": ["x"]}}, "command.on"),
        ({"command": {"on": ["x"], "state": ["y"], "state_on": "("}}, "command.state_on"),
        ({"command": {"on": ["x"], "state": ["y"], "state_on": "on"}}, "command.state_off"),
        ({"command": None}, "command"),
        ({"drivers": ["pdu"]}, "pdu"),
        ({"drivers": ["redfish"]}, "address"),
    ],
)
def test_refused(module, relay, change, field):
    result = power(module, "on", **{"command": relay(), **change})
    assert (result["failure"]["code"], result["failure"]["details"].get("field")) == ("invalid_input", field), result


def test_a_driver_that_can_not_do_it_is_passed_over(module, relay):
    drivers = ["wake_on_lan", "command"]
    wake = {"mac": "52:54:00:12:34:56", "broadcast": "127.0.0.1"}
    result = power(module, "cycle", drivers=drivers, wake_on_lan=wake, command=relay())
    assert (result["power"]["driver"], result["power"]["verified"]) == ("command", True)
    assert [item.get("error") for item in result["attempts"]] == ["unsupported", None]


def test_one_list_of_drivers_does_for_every_module(module, bmc, login, relay):
    """The BMC is gone: power goes over the relay; what a relay can't do says so."""
    gone = login(bmc, drivers=["redfish", "command"], address="https://127.0.0.1:1")
    result = power(module, "cycle", **{**gone, "command": relay()})
    assert (result["power"]["driver"], result["attempts"][0]["error"]) == ("command", "unreachable")
    for name, more in (("bmc_info", {}), ("bmc_led", {"state": "on"})):
        failed = module(name, **gone, **more)
        assert failed["failure"]["code"] == "unreachable"
        assert "command" in failed["msg"]
        assert not module(name, check=True, **login(bmc, drivers=["command", "redfish"]), **more).get("failed")


@pytest.mark.parametrize(
    ("trouble", "fault", "code"),
    [
        ("the answer is lost", "drop:method=POST,path=*ComputerSystem.Reset", "unreachable"),
        ("it is refused", "status:method=POST,path=*ComputerSystem.Reset,status=500", "bad_response"),
        ("the password is wrong", None, "authentication_failed"),
    ],
)
def test_nobody_is_cycled_twice_nor_a_refused_password_sent_on(module, bmc, login, relay, trouble, fault, code):
    """The next driver is for a BMC that can't be talked to: not after something was sent, and not when the login is
    refused.
    """
    reach = login(bmc, drivers=["redfish", "command"], **({} if fault else {"password": "wrong"}))
    if fault:
        bmc.faults.add(fault)
    result = power(module, "reset", **{**reach, "command": relay(reset=[*relay.argv, "on"])})
    assert result["failure"]["code"] == code, (trouble, result)
    assert not relay.log.exists(), "the relay was not even asked"
    assert (len(bmc.counters.writes), bmc.counters.refused) == ((1, 0) if fault else (0, 1))


TASKS = """
- name: Switch
  ansible.builtin.copy: {content: "{{ power_action }}", dest: "{{ port_file }}"}
  when: power_action != 'state'
- name: Ask
  ansible.builtin.set_fact: {power_state: "{{ lookup('ansible.builtin.file', port_file) }}"}
"""


def test_tasks_of_the_operator(module, tmp_path):
    """They have the machine's own variables, and no others run."""
    ports = {name: tmp_path / name for name in ("m1", "m2")}
    for path in ports.values():
        path.write_text("on")
    inventory = tmp_path / "hosts.json"
    hosts = {name: {"port_file": str(path)} for name, path in ports.items()}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    (tmp_path / "port.yml").write_text(TASKS)
    tasks = {"file": str(tmp_path / "port.yml"), "machine": "m1", "inventory": [str(inventory)]}
    off = power(module, "off", drivers=["tasks"], tasks=tasks)
    assert (off["power"]["after"], off["power"]["verified"]) == ("off", True)
    assert [path.read_text() for path in ports.values()] == ["off", "on"]
    assert (
        power(module, "on", drivers=["tasks"], tasks={**tasks, "machine": "m*"})["failure"]["code"] == "invalid_input"
    )
    nobody = power(module, "on", drivers=["tasks"], tasks={**tasks, "machine": "m3"})
    assert "ran for no machine" in nobody["msg"]
    assert not list(tmp_path.glob("baremetal-fleet-*"))


def test_the_names_of_mibs_are_those_that_there_are():
    assert set(options.MIB_NAMES) == set(MIBS)
