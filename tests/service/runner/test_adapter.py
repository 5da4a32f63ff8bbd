# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ansible-runner adapter, with real ansible-runner and ansible-playbook."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import FatalError, InvalidInput
from runner_fakes import FileLab

from fleetd.runner.adapters.ansible_runner import AnsibleRunner, _lines
from fleetd.runner.adapters.recorder import Recorder
from fleetd.runner.adapters.worker import Outcomes
from fleetd.runner.ports import PlaybookRun, RunProgress

POWER = "baremetal.fleet.bmc_power"


def run_of(lab: FileLab, *hosts: str, playbook: str = "baremetal.fleet.powercycle") -> PlaybookRun:
    return PlaybookRun("r1", playbook, (str(lab.inventory),), hosts, (POWER,))


def wait(runner: AnsibleRunner, run_id: str, seconds: float = 120) -> RunProgress:
    end = time.monotonic() + seconds
    while not (progress := runner.progress(run_id)).finished:
        assert time.monotonic() < end, f"{run_id} did not end"
        time.sleep(0.1)
    return progress


def test_exactly_the_named_hosts_are_touched(lab: FileLab, tmp_path: Path) -> None:
    for name in ("m1", "m10", "m2", "all_of_them", "rack/1"):
        lab.machine(name)
    runner = AnsibleRunner(tmp_path / "runs")
    runner.start(run_of(lab, "m1", "rack/1"))
    progress = wait(runner, "r1")
    assert sorted((o.host, o.ok) for o in progress.outcomes) == [("m1", True), ("rack/1", True)]
    assert {n: lab.log(n) for n in lab.hosts} == {
        "m1": ["off", "on"], "rack/1": ["off", "on"], "m10": [], "m2": [], "all_of_them": [],
    }  # fmt: skip


def test_a_failing_host_has_its_error_and_others_go_on(lab: FileLab, tmp_path: Path) -> None:
    lab.machine("good")
    lab.machine(
        "bad", fail={"code": "authentication_failed", "message": "password refused", "details": {"address": "x"}}
    )
    runner = AnsibleRunner(tmp_path / "runs")
    runner.start(run_of(lab, "good", "bad"))
    outcomes = {o.host: o for o in wait(runner, "r1").outcomes}
    assert outcomes["good"].ok
    assert outcomes["good"].result["power"]["driver"] == "file"
    assert outcomes["bad"].error == {
        "code": "authentication_failed",
        "message": "password refused",
        "details": {"address": "x"},
    }


def test_tasks_after_a_power_cycle_that_is_not_final_decide() -> None:
    lines: list[dict[str, Any]] = []
    recorder = Recorder(lines.append, [POWER])
    unread = {"driver": "command", "verified": False, "final": False}
    for host in ("a", "b"):
        result = {"power": unread, "changed": True}
        recorder({"event": "runner_on_ok", "event_data": {"host": host, "resolved_action": POWER, "res": result}})
    assert lines == []
    recorder({"event": "runner_on_failed", "event_data": {"host": "b", "res": {"msg": "its disk is gone"}}})
    recorder.settle_idle(["a", "b"], "")
    found = {line["host"]: line for line in lines}
    assert (found["a"]["ok"], found["a"]["result"]["power"]["verified"]) == (True, True)
    assert (found["b"]["ok"], found["b"]["result"]["power"], found["b"]["error"]["message"]) == (
        False,
        unread,
        "its disk is gone",
    )


def test_a_host_that_left_the_inventory_fails_and_nothing_else_is_selected(lab: FileLab, tmp_path: Path) -> None:
    lab.machine("m1")
    runner = AnsibleRunner(tmp_path / "runs")
    runner.start(run_of(lab, "gone"))
    (outcome,) = wait(runner, "r1").outcomes
    assert (outcome.host, outcome.ok) == ("gone", False)
    assert lab.log("m1") == []


def test_a_playbook_that_does_not_start_says_so_for_each_host(lab: FileLab, tmp_path: Path) -> None:
    lab.machine("m1")
    runner = AnsibleRunner(tmp_path / "runs")
    runner.start(run_of(lab, "m1", playbook="baremetal.fleet.no_such_playbook"))
    progress = wait(runner, "r1")
    assert [(o.host, o.error["code"]) for o in progress.outcomes] == [("m1", "not_started")]
    assert "no_such_playbook" in progress.problem


def test_no_host_is_refused(lab: FileLab, tmp_path: Path) -> None:
    lab.machine("m1")
    with pytest.raises(InvalidInput, match="empty limit"):
        AnsibleRunner(tmp_path / "runs").start(run_of(lab))


def test_no_secret_is_left_in_the_runs(lab: FileLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMC_PASSWORD", "s3cret-env")
    lab.machine("m1")
    lab.machine("m2", fail={"code": "failed", "message": "no", "details": {}})
    runner = AnsibleRunner(tmp_path / "runs", {"FLEETD_TOKEN": "s3cret-token"})
    runner.start(run_of(lab, "m1", "m2"))
    wait(runner, "r1")
    runner.discard("r1")
    left = [p for p in (tmp_path / "runs").rglob("*") if p.is_file()]
    assert left, "the log of the run is kept for people"
    assert [p for p in left if b"s3cret" in p.read_bytes()] == []
    assert [p for p in (tmp_path / "runs").rglob("*") if p.stat().st_mode & 0o077 and p.name != "worker.log"] == []


def test_the_run_survives_its_parent_and_its_outcome_is_found(lab: FileLab, tmp_path: Path) -> None:
    lab.machine("m1", held=True)
    AnsibleRunner(tmp_path / "runs").start(run_of(lab, "m1"))
    other = AnsibleRunner(tmp_path / "runs")  # knows no child process, as after a restart
    assert other.known() == ["r1"]
    assert not other.progress("r1").finished
    lab.release("m1")
    assert [o.ok for o in wait(other, "r1").outcomes] == [True]
    assert lab.log("m1") == ["off", "on"]


def test_a_killed_worker_is_not_finished_before_its_module_is(lab: FileLab, tmp_path: Path) -> None:
    lab.machine("m1", held=True)
    runner = AnsibleRunner(tmp_path / "runs")
    runner.start(run_of(lab, "m1"))
    end = time.monotonic() + 120
    while lab.log("m1") != ["off"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(runner._workers["r1"].pid, signal.SIGKILL)
    runner._workers["r1"].wait(60)
    assert not runner.progress("r1").finished
    lab.release("m1")
    progress = wait(runner, "r1")
    assert (progress.outcomes, progress.launched) == ((), True)
    assert lab.log("m1") == ["off", "on"], "the module had ended when the run was called finished"


def test_a_run_that_nobody_knows_was_never_launched(tmp_path: Path) -> None:
    assert AnsibleRunner(tmp_path / "runs").progress("r9") == RunProgress(finished=True, launched=False)


def test_hosts_are_those_of_the_pattern(lab: FileLab, tmp_path: Path) -> None:
    for name in ("m1", "m2", "x1"):
        lab.machine(name)
    runner = AnsibleRunner(tmp_path / "runs")
    assert runner.hosts([str(lab.inventory)], "m*:!m2") == {"m1": {}}
    assert runner.hosts([str(lab.inventory)], "m1", ["machine_file", "other"]) == {
        "m1": {"machine_file": lab.hosts["m1"]["machine_file"]}
    }
    assert runner.hosts([str(lab.inventory)], "nothing") == {}


@pytest.mark.parametrize(
    ("inventory", "pattern"), [((), "all"), (("",), "all"), (("no/such",), "all"), (("HERE",), " ")]
)
def test_unusable_selections_are_refused(
    lab: FileLab, tmp_path: Path, inventory: tuple[str, ...], pattern: str
) -> None:
    lab.machine("m1")
    here = tuple(str(lab.inventory) if i == "HERE" else i for i in inventory)
    with pytest.raises(InvalidInput, match="runner"):
        AnsibleRunner(tmp_path / "runs").hosts(here, pattern)


def test_an_inventory_that_does_not_parse_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("all: [")
    with pytest.raises(InvalidInput, match="can't be read"):
        AnsibleRunner(tmp_path / "runs").hosts([str(tmp_path / "bad.yml")], "all")


def test_outcomes_that_the_disk_does_not_take_are_written_when_it_does(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: writes come back short, or fail."""
    path = tmp_path / "events.jsonl"
    slept: list[float] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    outcomes = Outcomes(path, sleep)
    try:
        outcomes.write({"host": "a"})
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, before[1]))
        outcomes.write({"host": "b"})
        outcomes.write({"host": "c"})
        assert [line["host"] for line in _lines(path)] == ["a"], "a half line is none"
        outcomes.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [line["host"] for line in _lines(path)] == ["a", "b", "c"]
    assert len(slept) == 3


def test_lines_that_a_lost_power_supply_left_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(
        b'{"launched": true}\n\0\0\0\0\n[1]\n\xff\xfe\n{"host": "a", "ok": true, "of_a_newer_version": 1}\n{"host": "b"'
    )
    assert [line.get("host") for line in _lines(path)] == [None, "a"]
    directory = tmp_path / "runs" / "r1"
    directory.mkdir(parents=True)
    path.rename(directory / "events.jsonl")
    assert [o.host for o in AnsibleRunner(tmp_path / "runs").progress("r1").outcomes] == ["a"]


def test_with_a_disk_that_is_nearly_full_only_rescues_are_begun(
    lab: FileLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.machine("m1", power="off")
    runner = AnsibleRunner(tmp_path / "runs")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1024 * 1024))
    with pytest.raises(FatalError, match="only 1 MiB are free"):
        runner.start(run_of(lab, "m1"))
    assert runner.known() == []
    runner.start(replace(run_of(lab, "m1", playbook="baremetal.fleet.power_on"), urgent=True))
    wait(runner, "r1")
    assert lab.power("m1") == "on"


def test_a_place_for_runs_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"runner\.state_dir: can't write in"):
        AnsibleRunner(tmp_path / "file" / "runs")
