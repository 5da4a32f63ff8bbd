# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes and the loop, on fakes of every port: no time passes, nothing is started."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import structlog
from fleetcore.errors import AuthenticationFailed, FatalError, InvalidInput, Unreachable
from fleetcore.ports import PowerState
from runner_fakes import FakeBrake, FakeClock, FakeRunner, FakeServer, MemoryJournal, broken, cycled

from fleetd.common.link import Link
from fleetd.runner.availability import AvailabilityDuty, AvailabilityOptions
from fleetd.runner.launch import PowercycleOptions
from fleetd.runner.loop import Stop, run_loop
from fleetd.runner.metrics import RunnerMetrics
from fleetd.runner.ports import EntryState, HostOutcome, HostStep, JournalBroken, RunProgress, Wanted
from fleetd.runner.powercycle import PowercycleDuty
from fleetd.runner.tools import Tools
from fleetd.runner.waves import Budget, WaveOptions


class World:
    def __init__(self, hosts: tuple[str, ...] = ("a", "b"), waves: WaveOptions | None = None) -> None:
        self.clock = FakeClock()
        self.runner = FakeRunner(hosts)
        self.journal = MemoryJournal()
        self.server = FakeServer()
        self.ids = itertools.count(1)
        self.served: dict[str, dict[str, Any]] = {h: {} for h in hosts}
        self.waves = waves or WaveOptions()
        self.brake = FakeBrake()
        self.metrics = RunnerMetrics()
        self.clock_of_the_wall = self.clock.monotonic
        self.cycles = self.restart()

    def restart(self) -> PowercycleDuty:
        self.link = Link(self.clock, lambda: 0.5)
        self.tools = Tools(
            runner=self.runner, journal=self.journal, link=self.link, metrics=self.metrics, clock=self.clock,
            wall=self.clock_of_the_wall, random=lambda: 0.5, new_id=lambda: str(next(self.ids)),
        )  # fmt: skip
        self.cycles = PowercycleDuty(
            PowercycleOptions(("inv",), "cycle.yml", "on.yml", poll_seconds=5, max_runs=2, waves=self.waves),
            self.tools, server=self.server, served=lambda: self.served, budget=Budget(self.waves, self.brake),
        )  # fmt: skip
        return self.cycles

    def step(self, *, accept: bool = True) -> float:
        wait = self.cycles.step(accept_work=accept)
        self.clock.sleep(wait)
        return wait

    def end(self, run: str, *outcomes: HostOutcome, **fields: Any) -> None:
        self.runner.results[run] = RunProgress(outcomes, finished=True, **fields)

    def states(self) -> dict[str, EntryState]:
        return {e.key: e.state for e in self.journal.entries()}


@pytest.fixture
def world() -> World:
    return World()


def test_all_requests_are_one_run_and_each_is_reported_as_it_ends(world: World) -> None:
    world.server.open = [Wanted("a", "q1"), Wanted("b", "q2"), Wanted("c", "q3")]
    world.step()
    (run,) = world.runner.runs.values()
    assert (run.hosts, run.playbook, run.inventories) == (("a", "b"), "cycle.yml", ("inv",))
    world.runner.results[run.id] = RunProgress([cycled("b")])
    world.step()
    assert world.server.calls == [("verified", "b", "q2")]
    world.end(run.id, cycled("b"), broken("a"))
    world.step()
    assert world.server.calls[1:] == [("failed", "q1", "unreachable")]
    assert world.runner.discarded == [run.id]


def test_a_run_is_discarded_when_it_ends_after_its_last_outcome(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.runner.results["cycle-1"] = RunProgress([cycled("a")])
    world.step()
    assert world.runner.discarded == []
    world.end("cycle-1", cycled("a"))
    world.step()
    world.step()
    assert world.runner.discarded == ["cycle-1"]
    assert world.server.calls == [("verified", "a", "q1")]


def test_the_playbook_gets_the_claims_and_making_sure_that_machines_are_on_needs_none(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    run = world.runner.runs["cycle-1"]
    assert run.extra_vars == {
        "powercycle_claims": {"a": {"machine": "a", "fencing_token": 1}},
        "powercycle_machines": ["a"],
    }
    world.end("cycle-1", broken("a", "not_verified", may_be_off=True))
    world.step()
    (recovery,) = world.runner.of("recover-")
    assert recovery.extra_vars == {"powercycle_machines": ["a"]}
    assert (recovery.urgent, run.urgent) == (True, False)


def test_the_intent_is_in_the_journal_before_the_playbook_starts(world: World) -> None:
    seen: list[dict[str, EntryState]] = []
    start = world.runner.start
    world.runner.start = lambda run: (seen.append(world.states()), start(run))[1]  # type: ignore[method-assign]
    world.server.open = [Wanted("a", "q1")]
    world.step()
    assert seen == [{"q1": EntryState.RUNNING}]


def test_a_lost_completion_is_told_later_and_not_cycled_again(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.server.down = True
    world.end("cycle-1", cycled("a"))
    world.step()
    assert world.states() == {"q1": EntryState.VERIFIED}
    world.restart()  # as after a SIGKILL
    world.server.down = False
    world.step()
    world.step()
    assert world.server.calls == [("verified", "a", "q1")]
    assert list(world.runner.runs) == ["cycle-1"]


def test_after_a_restart_a_running_cycle_is_picked_up(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.restart()
    world.step()
    assert list(world.runner.runs) == ["cycle-1"]
    world.end("cycle-1", cycled("a"))
    world.step()
    assert world.server.calls == [("verified", "a", "q1")]


def test_an_intent_whose_playbook_never_started_is_given_back_and_taken_again(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.runner.runs.clear()  # killed between the journal and the start
    world.restart()
    world.step()
    world.step()
    assert world.server.calls == [("release", "a")]
    (run,) = world.runner.runs.values()
    assert (run.playbook, run.hosts) == ("cycle.yml", ("a",))
    assert world.journal.entries()[0].attempts == 1


def test_a_run_that_dies_before_its_playbook_is_a_failure_with_its_reason(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.end("cycle-1", launched=False, problem="No module named 'ansible_runner'")
    world.step()
    assert world.server.calls == [("failed", "q1", "not_started")]
    assert world.runner.of("recover-") == []


@pytest.mark.parametrize(
    ("before", "call"), [("off", ("verified", "a", "q1")), ("on", ("failed", "q1", "interrupted"))]
)
def test_a_lost_run_ends_with_the_machine_on(world: World, before: str, call: tuple[str, ...]) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.end("cycle-1", problem="killed")
    world.step()
    (recovery,) = world.runner.of("recover-")
    assert (recovery.playbook, recovery.hosts) == ("on.yml", ("a",))
    world.end(recovery.id, HostOutcome("a", True, {"power": {"before": before, "after": "on", "verified": True}}))
    world.step()
    assert world.server.calls == [call]


def test_a_machine_that_may_be_off_is_tried_until_it_is_on(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.end("cycle-1", broken("a", "not_verified", may_be_off=True))
    while world.clock.time < 1000 + 1200:
        world.step()
        for run in world.runner.of("recover-"):
            world.end(run.id, broken("a"))
    tries = len(world.runner.of("recover-"))
    assert 5 <= tries <= 9, "again and again, but not in a hurry"
    assert world.server.calls == [("off", "a")], "neither done nor failed; but that it may be off is said, once"


def test_a_clock_that_was_set_back_leaves_no_machine_off_and_no_request_waiting(world: World) -> None:
    wall = [1e9]
    world.clock_of_the_wall = lambda: wall[0]
    world.restart()
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.end("cycle-1", broken("a", "not_verified", may_be_off=True))
    world.step()
    world.end("recover-2", broken("a"))
    world.step()
    wall[0] -= 86400 * 365  # what the host believed to be the time was wrong, and is put right
    for _ in range(3):
        world.step()
    assert len(world.runner.of("recover-")) == 2

    plain = World()
    plain.clock_of_the_wall = lambda: wall[0]
    plain.restart()
    plain.server.open = [Wanted("a")]
    plain.step()
    plain.end("cycle-1", broken("a"))
    plain.step()
    wall[0] -= 86400
    for _ in range(3):
        plain.step()
    assert len(plain.runner.runs) == 2


def test_two_machines_with_one_bmc_are_not_power_cycled_and_it_is_said_why(world: World) -> None:
    bmc = {"bmc_address": "10.0.0.1", "bmc_drivers": ["redfish"]}
    world.served = {"a": bmc, "b": {**bmc, "bmc_address": "10.0.0.2"}, "twin": bmc}
    world.server.open = [Wanted("a", "q1"), Wanted("b", "q2")]
    world.step()
    world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("b",)]
    assert world.server.calls == [("failed", "q1", "conflict")]
    assert "twin" in world.journal.rows["q1"].detail["error"]["message"]


def test_a_machine_that_leaves_the_inventory_in_mid_cycle_still_counts_in_its_rack() -> None:
    world = World(("a", "b"), WaveOptions(limits={"fleet_rack": 1}))
    world.served = {"a": {"fleet_rack": "r1"}, "b": {"fleet_rack": "r1"}}
    world.server.open = [Wanted("a", "q1")]
    world.step()
    del world.served["a"]
    world.server.open.append(Wanted("b", "q2"))
    for _ in range(40):
        world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a",)]
    world.end("cycle-1", cycled("a"))
    for _ in range(40):
        world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a",), ("b",)]
    assert ("verified", "a", "q1") in world.server.calls


def test_a_journal_that_can_not_be_written_begins_nothing_and_gives_the_claim_back(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    save = world.journal.save

    def full(_entries: Any) -> None:
        raise JournalBroken("the journal can't be written: disk full")

    world.journal.save = full  # type: ignore[method-assign]
    with pytest.raises(JournalBroken):
        world.step()
    assert (world.runner.runs, world.server.calls, world.server.held) == ({}, [("release", "a")], {})
    world.journal.save = save  # type: ignore[method-assign]
    world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a",)]


def test_what_ended_while_the_journal_could_not_be_written_is_not_lost(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    save = world.journal.save

    def full(_entries: Any) -> None:
        raise JournalBroken("disk full")

    world.journal.save = full  # type: ignore[method-assign]
    world.end("cycle-1", cycled("a"))
    for _ in range(3):
        with pytest.raises(JournalBroken):
            world.step()
    assert (world.server.calls, world.runner.discarded) == ([], []), "nothing is told that is not written down"
    world.journal.save = save  # type: ignore[method-assign]
    world.step()
    assert world.server.calls == [("verified", "a", "q1")]


def test_a_failure_on_a_server_without_request_ids_backs_off_and_ends(world: World) -> None:
    world.server.open = [Wanted("a")]
    times: list[float] = []
    for _ in range(600):
        known = len(world.runner.runs)
        world.step()
        if len(world.runner.runs) > known:
            times.append(world.clock.time)
        for run in world.runner.of("cycle-"):
            world.end(run.id, broken("a"))
    assert len(times) == 3
    assert [times[1] - times[0] >= 60, times[2] - times[1] >= 120] == [True, True]


def test_a_run_that_can_not_be_started_is_tried_later(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.runner.refuse = FatalError("disk full")
    world.step()
    (entry,) = world.journal.entries()
    assert (entry.state, entry.attempts) == (EntryState.WAITING, 0)


def test_no_more_runs_than_allowed_and_a_hanging_one_does_not_hold_up_others() -> None:
    world = World(("a", "b", "c"))
    for machine, number in (("a", 1), ("b", 2), ("c", 3)):
        world.server.open.append(Wanted(machine, f"q{number}"))
        for _ in range(30):
            world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a",), ("b",)]


def test_a_server_that_is_down_costs_one_line_and_is_asked_less_and_less(world: World) -> None:
    world.server.down = True
    with structlog.testing.capture_logs() as lines:
        waits = [world.step() for _ in range(12)]
        world.server.down = False
        world.step()
    assert [line["event"] for line in lines] == ["server_down", "server_back"]
    assert "connection refused" in lines[0]["message"]
    assert waits[-1] > 40
    assert max(waits) <= 60


def test_nothing_is_asked_when_nothing_is_served() -> None:
    world = World(())
    world.server.down = True
    world.step()
    assert world.link.wait() == 0


def test_a_machine_that_somebody_else_claimed_is_not_cycled(world: World) -> None:
    world.server.open = [Wanted("a", "q1"), Wanted("b", "q2")]
    world.server.elsewhere = {"b"}
    world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a",)]
    assert set(world.states()) == {"q1"}


def test_steps_are_told_while_they_happen_and_once(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.runner.results["cycle-1"] = RunProgress(steps=[HostStep("a", PowerState.OFF)])
    world.step()
    world.restart()
    world.runner.results["cycle-1"] = RunProgress(steps=[HostStep("a", PowerState.OFF), HostStep("a", PowerState.ON)])
    world.step()
    assert world.server.calls == [("off", "a"), ("on", "a")]
    steps = [{"action": f"wait for {s}", "result": s, "at": "T", "seconds": 1.0} for s in ("off", "on")]
    done = HostOutcome("a", True, {"power": {"after": "on", "verified": True, "steps": steps}})
    world.end("cycle-1", done, steps=[HostStep("a", PowerState.OFF), HostStep("a", PowerState.ON)])
    world.step()
    assert world.server.calls[2:] == [("verified", "a", "q1")]


def test_steps_that_nobody_saw_are_told_with_the_outcome(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    steps = [{"action": f"wait for {s}", "result": s, "at": "T", "seconds": 1.0} for s in ("off", "on")]
    world.end("cycle-1", HostOutcome("a", True, {"power": {"after": "on", "verified": True, "steps": steps}}))
    world.step()
    assert world.server.calls == [("off", "a"), ("on", "a"), ("verified", "a", "q1")]


def test_a_lost_run_whose_machine_was_seen_off_has_cycled_it(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.end("cycle-1", problem="killed", steps=[HostStep("a", PowerState.OFF)])
    world.step()
    (recovery,) = world.runner.of("recover-")
    world.end(recovery.id, HostOutcome("a", True, {"power": {"before": "on", "after": "on", "verified": True}}))
    world.step()
    assert world.server.calls[-1] == ("verified", "a", "q1")


def test_what_was_done_before_the_session_was_lost_is_told_under_a_new_claim(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.server.down = True
    world.end("cycle-1", cycled("a"))
    world.step()
    world.server.lose_session()
    world.server.down = False
    for _ in range(4):
        world.step()
    assert world.server.calls == [("verified", "a", "q1")]
    assert len(world.runner.runs) == 1, "not cycled twice"


def test_what_runs_when_the_session_is_lost_is_claimed_again_and_finished(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.server.lose_session()
    for _ in range(20):
        world.step()
    (entry,) = world.journal.entries()
    assert (entry.state, entry.token) == (EntryState.RUNNING, 2)
    world.end("cycle-1", cycled("a"))
    world.step()
    assert world.server.calls == [("verified", "a", "q1")]
    assert len(world.runner.runs) == 1


def test_a_lost_claim_that_another_runner_took_is_not_reported(world: World) -> None:
    world.server.open = [Wanted("a", "q1")]
    world.step()
    world.server.lose_session()
    world.server.elsewhere = {"a"}
    world.end("cycle-1", cycled("a"))
    for _ in range(4):
        world.step()
    assert world.server.calls == []
    assert world.states() == {"q1": EntryState.DONE}


# --- waves
# -------------------------------------------------------------------------------------------------------------


def test_machines_of_one_controller_are_cycled_one_after_the_other() -> None:
    world = World(("a", "b", "c"))
    world.served = {
        "a": {"bmc_address": "10.0.0.1", "bmc_system": "Blade1"},
        "b": {"bmc_address": "10.0.0.1", "bmc_system": "Blade2"},
        "c": {"bmc_address": "10.0.0.2"},
    }
    world.server.open = [Wanted(m, f"q-{m}") for m in "abc"]
    world.step()
    (run,) = world.runner.runs.values()
    assert run.hosts == ("a", "c")
    world.runner.results[run.id] = RunProgress([cycled("a")])
    for _ in range(20):
        world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a", "c"), ("b",)]


def test_too_many_failures_stop_the_wave_until_the_brake_is_taken_off() -> None:
    world = World(tuple("abcd"), WaveOptions(size=2, failure_budget=1))
    world.server.open = [Wanted(m, f"q-{m}") for m in "abcd"]
    world.step()
    world.end("cycle-1", broken("a"), broken("b"))
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            world.step()
    assert len(world.runner.runs) == 1
    assert [line["event"] for line in lines].count("wave_stopped") == 1
    errors = [e.detail["error"] for e in world.journal.entries()]
    assert [e["details"].get("wave_stopped") for e in errors] == [None, True]
    assert world.metrics.registry.get_sample_value("fleet_runner_wave_stopped") == 1
    world.server.open = [w for w in world.server.open if w.machine in "cd"]
    world.brake.release()
    for _ in range(20):
        world.step()
    assert [r.hosts for r in world.runner.runs.values()] == [("a", "b"), ("c", "d")]
    assert world.metrics.registry.get_sample_value("fleet_runner_wave_stopped") == 0


def test_a_stopped_wave_goes_on_after_its_time_and_stays_stopped_over_a_restart() -> None:
    world = World(tuple("abc"), WaveOptions(size=1, failure_budget=0, resume_seconds=600))
    world.server.open = [Wanted("a", "q-a")]
    world.step()
    world.end("cycle-1", broken("a"))
    world.step()
    world.server.open = [Wanted("b", "q-b")]
    world.restart()
    begin = world.clock.time
    while len(world.runner.runs) == 1:
        world.step()
    assert 590 <= world.clock.time - begin <= 620


# --- availability
# ------------------------------------------------------------------------------------------------------


def availability(world: World, pattern: str = "all", *, check: bool = True) -> AvailabilityDuty:
    return AvailabilityDuty(
        AvailabilityOptions(("inv",), pattern, "check.yml", check_seconds=300, check=check, variables=("fleet_rack",)),
        world.tools, world.server,
    )  # fmt: skip


def turn(world: World, process: AvailabilityDuty) -> None:
    world.clock.sleep(process.step(accept_work=True))


def test_controllers_are_reported_and_one_that_comes_back_becomes_available(world: World) -> None:
    process = availability(world)
    turn(world, process)
    assert set(process.served) == {"a", "b"}
    world.end("check-1", HostOutcome("a", True), broken("b"))
    turn(world, process)
    assert world.server.states == {"a": "available", "b": "in_error"}
    turn(world, process)
    world.end("check-2", HostOutcome("a", True), HostOutcome("b", True))
    turn(world, process)
    assert world.server.states == {"a": "available", "b": "available"}
    assert world.clock.time == pytest.approx(1600, abs=2), "two intervals"


def test_a_runner_of_other_processes_knows_its_machines_and_says_nothing_of_controllers(world: World) -> None:
    world.runner.facts = {"a": {"fleet_rack": "r1", "bmc_password": "x"}}
    process = availability(world, check=False)
    turn(world, process)
    assert process.served == {"a": {"fleet_rack": "r1"}, "b": {}}
    assert (world.runner.runs, world.server.states) == ({}, {})


def test_controllers_in_error_are_counted(world: World) -> None:
    process = availability(world)
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), broken("b"))
    turn(world, process)
    value = world.metrics.registry.get_sample_value
    assert [value("fleet_runner_controllers", {"state": s}) for s in ("available", "in_error")] == [1, 1]


def test_a_cycle_is_counted_and_timed(world: World) -> None:
    world.server.open = [Wanted("a", "q1", "1970-01-01T00:15:00+00:00"), Wanted("b", "q2")]
    world.server.elsewhere = {"b"}
    world.step()  # at 1000
    world.runner.results["cycle-1"] = RunProgress(steps=[HostStep("a", PowerState.OFF)])
    world.step()
    world.end("cycle-1", cycled("a"))
    world.step()
    value = world.metrics.registry.get_sample_value
    assert value("fleet_runner_polls_total", {"process": "powercycle", "result": "ok"}) == 1
    assert value("fleet_runner_cycles_total", {"outcome": "verified"}) == 1
    assert value("fleet_runner_stage_seconds_sum", {"stage": "queue"}) == 100
    assert value("fleet_runner_stage_seconds_count", {"stage": "off"}) == 1
    assert value("fleet_runner_runs_total", {"process": "powercycle"}) == 1


def test_machines_that_left_are_not_available_even_across_a_restart(world: World) -> None:
    world.journal.machines = ["a", "old"]
    turn(world, availability(world))
    assert world.server.states == {"old": "not_available"}
    assert world.journal.machines == ["a", "b"]


def test_states_reach_the_server_once_it_is_back(world: World) -> None:
    process = availability(world)
    world.server.down = True
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), HostOutcome("b", True))
    for _ in range(5):
        turn(world, process)
    world.server.down = False
    for _ in range(5):
        turn(world, process)
    assert world.server.states == {"a": "available", "b": "available"}


@pytest.mark.parametrize("trouble", [InvalidInput("the inventory can't be read: x"), []])
def test_an_inventory_that_fails_keeps_what_was_served(world: World, trouble: Any) -> None:
    process = availability(world)
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), HostOutcome("b", True))
    turn(world, process)
    world.runner.names = trouble
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            turn(world, process)
    assert set(process.served) == {"a", "b"}
    assert "not_available" not in world.server.states.values()
    assert len([line for line in lines if line["log_level"] == "error"]) == 1


def test_an_inventory_that_loses_most_of_its_machines_is_believed_at_the_second_look(world: World) -> None:
    world = World(tuple("abcde"))
    process = availability(world)
    turn(world, process)
    world.end("check-1", *(HostOutcome(m, True) for m in "abcde"))
    turn(world, process)
    world.runner.names = ["a"]
    turn(world, process)
    world.end("check-2", HostOutcome("a", True))
    turn(world, process)
    assert (set(process.served), set(world.server.states.values())) == ({"a"}, {"available"}), "nobody is written off"
    assert world.journal.machines == list("abcde"), "and a restart does not forget them"
    world.runner.names = list("abcd")  # it is back, but for one
    turn(world, process)
    assert world.server.states["e"] == "not_available"
    assert "not_available" not in [world.server.states[m] for m in "abcd"]
    world.end("check-3", *(HostOutcome(m, True) for m in "abcd"))
    turn(world, process)
    world.runner.names = ["b"]
    for number in (4, 5):
        turn(world, process)
        world.end(f"check-{number}", HostOutcome("b", True))
        turn(world, process)
    assert [world.server.states[m] for m in "abcd"] == ["not_available", "available", "not_available", "not_available"]


def test_two_machines_with_one_bmc_are_in_error(world: World) -> None:
    world.runner.facts = {m: {"bmc_address": "10.0.0.1"} for m in "ab"}
    process = AvailabilityDuty(
        AvailabilityOptions(("inv",), "all", "check.yml", variables=world.waves.variables),
        world.tools, world.server,
    )  # fmt: skip
    turn(world, process)
    world.end("check-1", HostOutcome("a", True), HostOutcome("b", True))
    turn(world, process)
    assert world.server.states == {"a": "in_error", "b": "in_error"}


def test_a_check_that_ends_badly_is_an_error_of_every_controller(world: World) -> None:
    process = availability(world)
    turn(world, process)
    world.end("check-1", problem="ansible-playbook ended with failed (4)")
    turn(world, process)
    assert world.server.states == {"a": "in_error", "b": "in_error"}


# --- the loop
# ----------------------------------------------------------------------------------------------------------


class Counting:
    finish_before_stop = True

    def __init__(self, name: str, wait: float, work: int = 0) -> None:
        self.name = name
        self.wait = wait
        self.work = work
        self.accepted: list[bool] = []

    @property
    def busy(self) -> bool:
        return self.work > 0

    def step(self, *, accept_work: bool) -> float:
        self.accepted.append(accept_work)
        self.work = max(0, self.work - 1)
        return self.wait


def test_each_process_is_called_when_it_is_due() -> None:
    clock = FakeClock()
    stop = Stop()
    fast, slow = Counting("fast", 1), Counting("slow", 10)
    clock_sleep = clock.sleep

    def sleep(seconds: float) -> None:
        clock_sleep(seconds)
        if clock.time > 1100:
            stop.request()

    clock.sleep = sleep  # type: ignore[method-assign]
    assert run_loop([fast, slow], clock, stop, stop_seconds=10)
    assert 90 <= len(fast.accepted) <= 102
    assert 10 <= len(slow.accepted) <= 12
    assert fast.accepted[-1] is False, "the last turn takes no new work"


def test_a_stop_waits_for_running_work_and_no_longer_than_allowed() -> None:
    stop = Stop()
    stop.request()
    assert run_loop([Counting("p", 0.1, work=5)], FakeClock(), stop, stop_seconds=10)
    assert not run_loop([Counting("p", 0.1, work=500)], FakeClock(), stop, stop_seconds=10)


def test_a_second_stop_leaves_at_once() -> None:
    stop = Stop()
    stop.request()
    stop.request()
    process = Counting("p", 0.1, work=5)
    assert not run_loop([process], FakeClock(), stop, stop_seconds=10)
    assert process.accepted == []


def test_a_process_that_can_not_work_holds_up_no_other_and_costs_one_line() -> None:
    clock, stop = FakeClock(), Stop()
    stuck, other = Counting("stuck", 1), Counting("other", 1)

    def step(*, accept_work: bool) -> float:
        stuck.accepted.append(accept_work)
        if len(stuck.accepted) == 5:
            stop.request()
        if len(stuck.accepted) < 4:
            raise JournalBroken("disk full")
        return 1

    stuck.step = step  # type: ignore[method-assign]
    with structlog.testing.capture_logs() as lines:
        assert run_loop([stuck, other], clock, stop, stop_seconds=10)
    assert [line["event"] for line in lines] == ["process_stuck", "process_goes_on"]
    assert len(other.accepted) > 10


def test_once_says_when_a_process_could_not_work() -> None:
    process = Counting("p", 1)

    def step(*, accept_work: bool) -> float:
        raise JournalBroken(f"disk full {accept_work}")

    process.step = step  # type: ignore[method-assign]
    assert not run_loop([process], FakeClock(), Stop(), stop_seconds=10, once=True)


def test_once_ends_when_nothing_is_busy() -> None:
    process = Counting("p", 5, work=3)
    assert run_loop([process], FakeClock(), Stop(), stop_seconds=10, once=True)
    assert process.accepted == [True, False, False]


def test_an_error_that_trying_again_does_not_mend_is_retried_slowly() -> None:
    clock = FakeClock()
    link = Link(clock, lambda: 1.0, initial=1, maximum=60)
    link.failed(Unreachable("x"))
    assert link.wait() == pytest.approx(1)
    link.failed(AuthenticationFailed("x"))
    assert link.wait() == pytest.approx(60)
