# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook and the role powercycle, by hand, over machines of several kinds."""

from __future__ import annotations

import sys

from fleetlab.farm import BmcSpec, Fault, running_farm

SECRET = "Tr0ub4dor&3"
TIMES = {"powercycle_graceful_timeout": 0, "powercycle_off_seconds": 0.1, "powercycle_verify_timeout": 2}


def reach(bmc, **more):
    login = {
        "bmc_address": bmc.url,
        "bmc_username": bmc.username,
        "bmc_password": bmc.password,
        "bmc_ca_path": bmc.ca_path,
    }
    return {**login, "bmc_drivers": ["redfish"], **TIMES, **more}


def switch(folder, name):
    """A machine that is a file, whose commands are Python."""
    (folder / name).write_text("on")
    write = "import pathlib, sys; pathlib.Path(sys.argv[1], sys.argv[2]).write_text(sys.argv[3])"
    read = "import pathlib, sys; sys.exit(pathlib.Path(sys.argv[1], sys.argv[2]).read_text() != 'on')"
    argv = [sys.executable, "-c", write, str(folder), "{machine}"]
    return {"on": [*argv, "on"], "off": [*argv, "off"], "state": [sys.executable, "-c", read, str(folder), "{machine}"]}


def test_waves_plan_and_budget(playbook, tmp_path):
    dead = Fault("ignore", path="*/ComputerSystem.Reset")
    specs = [BmcSpec(tree="server", password=SECRET), BmcSpec(tree="server", password=SECRET, faults=(dead,))]
    with running_farm([*specs, specs[0]]) as farm:
        first, stuck, last = farm.bmcs
        relay = {"bmc_drivers": ["wake_on_lan", "command"], "power_command": switch(tmp_path, "relayed"), **TIMES}
        relay["power_wake_on_lan"] = {"mac": "52:54:00:12:34:56", "broadcast": "127.0.0.1"}
        hosts = {"m1": reach(first), "relayed": relay, "stuck": reach(stuck), "z1": reach(last)}

        for arguments in (["--limit", "all"], ["-e", "target=all"], ["--limit", "*"]):
            done, _recap = playbook("powercycle", hosts, *arguments)
            assert (done.returncode, "confirm_all=true" in done.stdout + done.stderr) == (2, True)

        done, recap = playbook(
            "powercycle", hosts, "--limit", "all", "-e", "confirm_all=true", "-e", "wave=2", "--check"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Would power cycle 2 of 4: m1, relayed" in done.stdout
        assert "Would power cycle 2 of 4: stuck, z1" in done.stdout
        assert f'"m1: on -> off, wait, on -> on, over redfish {first.url}"' in done.stdout
        assert '"relayed: on -> off, wait, on -> on, over command"' in done.stdout
        assert {counts["changed"] for counts in recap.values()} == {1}
        assert [bmc.counters.writes for bmc in farm.bmcs] == [[], [], []]

        serial = ["-e", "wave=1", "-e", "failure_budget=0"]
        done, recap = playbook("powercycle", hosts, "-e", "target=m1,relayed,stuck,z1", *serial)
        assert {
            name: (counts["changed"], counts["failed"]) for name, counts in recap.items() if name != "localhost"
        } == {
            "m1": (1, 0),
            "relayed": (1, 0),
            "stuck": (0, 1),
        }, done.stdout + done.stderr
        assert [len(bmc.power_log) for bmc in (first, last)] == [2, 0], "the wave after the failure did not start"
        assert SECRET not in done.stdout + done.stderr
        assert f'"m1: on -> off, wait, on -> on, verified, over redfish {first.url}"' in done.stdout

        done, recap = playbook("powercycle_check", {name: hosts[name] for name in ("m1", "relayed")})
        assert (done.returncode, {counts["ok"] for counts in recap.values()}) == (0, {1}), done.stdout + done.stderr
        assert len(first.power_log) == 2


def test_a_wave_in_which_some_fail_says_which(playbook, bmc):
    hosts = {"m1": reach(bmc), "m2": {"bmc_drivers": ["redfish"]}}
    done, recap = playbook("powercycle", hosts, "-l", "m1,m2", "--check", "--diff")
    assert (done.returncode, recap["m1"]["changed"]) == (2, 1)
    assert '"m2: FAILED: address: the driver redfish needs the address of the BMC (bmc_address' in done.stdout
    assert f"+++ after: {bmc.url}" in done.stdout
    assert '+    "actions": "off, wait, on"' in done.stdout
    for nobody in ("nosuch", "m1:!m1"):
        done, recap = playbook("powercycle", hosts, "-l", nobody)
        assert (done.returncode, recap) == (1, {}), done.stdout
    assert bmc.counters.writes == []


def test_the_sites_own_verification(playbook, bmc, tmp_path):
    (tmp_path / "back.yml").write_text(
        "- ansible.builtin.fail: {msg: 'same boot id, power {{ powercycle_result.power.after }}'}\n"
    )
    done, recap = playbook(
        "powercycle", {"m1": reach(bmc)}, "-l", "m1", "-e", f"powercycle_verify_tasks={tmp_path}/back.yml"
    )
    assert (recap["m1"]["failed"], "same boot id, power on" in done.stdout) == (1, True), done.stdout + done.stderr


def test_machines_of_one_controller_are_cycled_one_after_the_other(playbook, chassis, monkeypatch, tmp_path):
    """Two nodes behind one BMC in two forks: one is on again before the other goes off."""
    monkeypatch.setenv("FLEET_LOCK_DIR", str(tmp_path))
    ids = [member["@odata.id"].rsplit("/", 1)[-1] for member in chassis.get("/redfish/v1/Systems")["Members"]]
    hosts = {f"m{number}": reach(chassis, bmc_system=system) for number, system in enumerate(ids[:2])}
    done, recap = playbook("powercycle", hosts, "-l", "m*", "-f", "2", "-e", "powercycle_off_seconds=2")
    assert {counts["changed"] for counts in recap.values()} == {1}, done.stdout + done.stderr
    events = [(event["event"], event["resource"]) for event in chassis.power_log]
    assert [event for event, _system in events] == ["off", "on"] * 2
    assert [system for _event, system in events[::2]] == [system for _event, system in events[1::2]]
    assert len({system for _event, system in events}) == 2


def test_what_selects_more_than_the_machines_of_the_run_is_refused_for_the_others(playbook, tmp_path):
    """A job whose limit was lost, or whose limit is the name of a group, too: the runner's list of machines stands
    against it.
    """
    hosts = {
        name: {"bmc_drivers": ["command"], "power_command": switch(tmp_path, name), **TIMES}
        for name in ("m1", "m2", "m3")
    }
    ours = ["-e", '{"powercycle_machines": ["m1"]}', "-e", "confirm_all=true", "--limit", "all"]
    for name in ("m2", "m3"):
        (tmp_path / name).write_text("off")
    for what in ("powercycle", "power_on"):
        done, recap = playbook(what, hosts, *ours)
        assert {name: recap[name]["failed"] for name in hosts} == {"m1": 0, "m2": 1, "m3": 1}, done.stdout + done.stderr
        assert "m2 is not one of the machines that this run is for" in done.stdout
        assert {name: (tmp_path / name).read_text() for name in hosts} == {"m1": "on", "m2": "off", "m3": "off"}


def test_two_machines_with_one_bmc_are_refused_whatever_switches_them(playbook, tmp_path):
    """Here they are relays; the next power cycle may go over the BMC."""
    commands = {"bmc_drivers": ["command"], **TIMES}
    hosts = {
        name: {**commands, "power_command": switch(tmp_path, name), "bmc_address": address}
        for name, address in (("m1", "192.0.2.1"), ("m2", "https://192.0.2.1:443"), ("m3", "192.0.2.3"))
    }
    hosts["m3"]["bmc_system"] = "{{ nobody }}"
    done, recap = playbook("powercycle", hosts, "-l", "m*")
    assert {name: recap[name]["failed"] for name in hosts} == {"m1": 1, "m2": 1, "m3": 0}, done.stdout + done.stderr
    assert "bmc_address: 192.0.2.1 is the BMC of m1 and of m2" in done.stdout
