# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes other than power cycles: due machines are claimed, worked on in batches, and told one by one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import ConflictError, FatalError, InvalidInput, Unreachable
from runner_fakes import FakeClock, FakeRunner, MemoryJournal, broken
from runner_line import PASSWORD, Line, until

from fleetd.common.link import Link
from fleetd.runner.adapters.recorder import outcomes_together
from fleetd.runner.config import ProcessSettings, RunnerSettings
from fleetd.runner.metrics import RunnerMetrics
from fleetd.runner.ports import HostOutcome, RunProgress
from fleetd.runner.scheduled import ScheduledDuty
from fleetd.runner.tools import Tools
from fleetlab.farm import BmcSpec, running_farm


class FakeLeases:
    def __init__(self, *due: str) -> None:
        self.due = list(due)
        self.calls: list[tuple[Any, ...]] = []
        self.trouble: Exception | None = None
        self.tokens = itertools.count(1)

    def _check(self) -> None:
        if self.trouble:
            raise self.trouble

    def resume(self, process: str, known: Mapping[str, int]) -> None:
        pass

    def claim(self, process: str, count: int, machines: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
        self._check()
        taken = [m for m in self.due if m in machines][:count]
        self.due = [m for m in self.due if m not in taken]
        return {m: next(self.tokens) for m in taken}

    def finish(self, process: str, machine: str, token: int) -> None:
        self._check()
        self.calls.append(("finish", machine, token))

    def fail(self, process: str, machine: str, token: int, cause: str) -> None:
        self._check()
        self.calls.append(("fail", machine, cause))

    def cancel(self, process: str, machine: str) -> None:
        self._check()
        self.calls.append(("cancel", machine))


class World:
    def __init__(self, *due: str, batch: int = 2) -> None:
        self.clock = FakeClock()
        self.runner = FakeRunner()
        self.journal = MemoryJournal()
        self.leases = FakeLeases(*due)
        self.ids = itertools.count(1)
        self.how = ProcessSettings(playbook="c.yml", report=["x.y.z"], batch=batch, splay_seconds=0, on_controller=True)
        self.process = self.restart()

    def restart(self) -> ScheduledDuty:
        self.process = ScheduledDuty(
            "collect",
            RunnerSettings(inventory=["inv"], definitions={"collect": self.how}),
            Tools(
                runner=self.runner, journal=self.journal, link=Link(self.clock, lambda: 0.5), metrics=RunnerMetrics(),
                clock=self.clock, random=lambda: 0.5, new_id=lambda: str(next(self.ids)),
            ),
            self.leases, lambda: ["a", "b", "c"],
        )  # fmt: skip
        return self.process

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.sleep(self.process.step(accept_work=True))

    def end(self, run: str, *outcomes: HostOutcome, **fields: Any) -> None:
        self.runner.results[run] = RunProgress(outcomes, finished=True, **fields)


def test_a_full_batch_is_followed_by_the_next_and_each_machine_is_told() -> None:
    world = World("a", "b", "c")
    world.step()
    assert [(r.hosts, r.on_controller) for r in world.runner.runs.values()] == [(("a", "b"), True)]
    world.end("collect-1", HostOutcome("a", True), broken("b"))
    world.step(3)
    assert world.leases.calls == [("finish", "a", 1), ("fail", "b", "b did not work")]
    assert [r.hosts for r in world.runner.runs.values()] == [("a", "b"), ("c",)]
    assert world.runner.discarded == ["collect-1"]


def test_the_first_look_is_spread_and_the_next_ones_come_at_their_interval() -> None:
    world = World()
    world.how = world.how.model_copy(update={"splay_seconds": 30})
    world.restart()
    looks: list[float] = []
    claim = world.leases.claim

    def look(*arguments: Any) -> dict[str, int]:
        looks.append(world.clock.time)
        return claim(*arguments)

    world.leases.claim = look  # type: ignore[method-assign]
    begin = world.clock.time
    while len(looks) < 4:
        world.clock.sleep(world.process.step(accept_work=True))
    assert looks[0] - begin == pytest.approx(15, abs=1), "half of the splay, for the random number is a half"
    assert [b - a for a, b in itertools.pairwise(looks)] == [pytest.approx(60, abs=1)] * 3


def test_what_an_earlier_life_began_is_settled_and_not_begun_again() -> None:
    world = World("a")
    world.step()
    world.restart()
    world.step()
    world.end("collect-1", HostOutcome("a", True))
    world.step()
    assert world.leases.calls == [("finish", "a", 1)]
    assert world.journal.claimed == {}
    assert len(world.runner.runs) == 1


def test_a_run_that_never_started_gives_its_machines_back() -> None:
    world = World("a")
    world.runner.refuse = FatalError("disk full")
    world.step(2)
    assert world.leases.calls == [("cancel", "a")]


def test_a_machine_without_a_result_has_failed() -> None:
    world = World("a")
    world.step()
    world.end("collect-1", problem="ansible-playbook ended with failed (4)")
    world.step()
    assert world.leases.calls == [("fail", "a", "ansible-playbook ended with failed (4)")]


@pytest.mark.parametrize("trouble", [Unreachable("down"), InvalidInput("process: 'collect' is not one of ...")])
def test_a_server_that_has_no_work_or_no_time_is_asked_again(trouble: Exception) -> None:
    world = World("a")
    world.leases.trouble = trouble
    world.step(3)
    assert world.runner.runs == {}
    world.leases.trouble = None
    world.step(5)
    assert len(world.runner.runs) == 1


def test_outcomes_wait_for_the_server_and_a_lost_claim_is_no_trouble() -> None:
    world = World("a")
    world.step()
    world.leases.trouble = Unreachable("down")
    world.end("collect-1", HostOutcome("a", True))
    world.step(3)
    assert world.process.busy
    world.leases.trouble = ConflictError("lost", reason="lease_lost")
    world.step(3)
    assert world.journal.claimed == {}


@pytest.mark.parametrize(
    ("ok", "result", "fine"),
    [
        (True, {}, ["a", "b"]),
        (True, {"failures": [{"machine": "b", "code": "unreachable", "message": "x"}]}, ["a"]),
        (False, {"failures": [{"machine": "b", "code": "unreachable", "message": "x"}]}, ["a"]),
        (False, {}, []),
    ],
)
def test_one_result_for_many_machines(ok: bool, result: dict[str, Any], fine: list[str]) -> None:
    error = {} if ok else {"code": "invalid_input", "message": "x"}
    found = list(outcomes_together(["a", "b"], ok, result, error))
    assert [o.host for o in found if o.ok] == fine
    assert all(o.error.get("code") for o in found if not o.ok)


def test_the_whole_line_collects_what_is_due(tmp_path: Path) -> None:
    """`fleetd runner --process powercycle,collect_oob`: the collection's own playbooks, virtual BMCs, a real server."""
    specs = [BmcSpec(name=name, index=index, password=PASSWORD) for index, name in enumerate(("good", "other", "bad"))]
    with running_farm(specs) as farm:
        line = Line(tmp_path, {bmc.name: bmc for bmc in farm.bmcs})
        hosts = line.hosts()
        hosts["bad"]["bmc_password"] = "wrong"
        line.write_inventory(hosts)
        with line.serving():
            for name in line.bmcs:
                line.client.create_machine({"id": name, "bmc": {"address": "127.0.0.1"}})

            def collected() -> list[dict[str, Any]]:
                return [e for e in line.client.work_history() if e["process"] == "collect_oob"]

            definitions = '{"collect_oob": {"splay_seconds": 0, "poll_seconds": 1}}'
            request = line.request("other")
            with line.runner("--process", "powercycle,collect_oob", FLEETD_RUNNER__DEFINITIONS=definitions):
                until(lambda: line.client.powercycle(request)["state"] == "verified", "power cycled")
                until(
                    lambda: len(collected()) == 6,
                    "three are started and settled",
                )
            assert line.power("other") == ["off", "on"]
            told = {(e["machine"], e["outcome"]) for e in collected()}
            assert told >= {("good", "finished"), ("other", "finished"), ("bad", "failed")}
            assert line.client.device("good", "oob")
            assert line.client.explain("bad", "collect_oob")["backoff"]
            assert line.client.work() == []
        line.client.close()
