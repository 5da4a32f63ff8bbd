# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was lost on the way: outcomes, answers, claims, the journal, the runner itself."""

from __future__ import annotations

from typing import Any

import pytest
from fleetcore.ports import PowerState
from runner_fakes import broken, cycled
from runner_world import World

from fleetd.runner.ports import EntryState, HostOutcome, HostStep, JournalBroken, Wanted


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
