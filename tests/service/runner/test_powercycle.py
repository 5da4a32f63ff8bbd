# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cycles, on fakes of every port: taken once, told step by step, in waves."""

from __future__ import annotations

import structlog
from fleetcore.errors import FatalError
from fleetcore.ports import PowerState
from runner_fakes import broken, cycled
from runner_world import World
from structlog.testing import capture_logs

from fleetd.runner.config import WaveSettings
from fleetd.runner.ports import EntryState, HostOutcome, HostStep, RunProgress, Wanted


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
    world = World(("a", "b"), WaveSettings(limits={"fleet_rack": 1}))
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


def test_steps_of_a_cycle_that_the_module_has_reported_are_not_told_to_a_closed_request(world: World) -> None:
    world.server.open = [Wanted("a", "r-a"), Wanted("b", "r-b")]
    world.step()
    steps = [HostStep(host, state) for host in "ab" for state in (PowerState.OFF, PowerState.ON)]
    world.server.over = set(world.server.held.values())  # their requests are closed, and the claims with them
    done = HostOutcome("a", True, {"power": {"after": "on", "verified": True, "reported": True}})
    with capture_logs() as lines:
        world.runner.results["cycle-1"] = RunProgress([done], steps=steps)  # of b the outcome is not read yet
        world.step()
        assert not [call for call in world.server.calls if call[0] in (PowerState.OFF, PowerState.ON)]
    assert "step_refused" not in [line["event"] for line in lines]


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
    world = World(tuple("abcd"), WaveSettings(size=2, failure_budget=1))
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
    world = World(tuple("abc"), WaveSettings(size=1, failure_budget=0, resume_seconds=600))
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
