# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner decides: tables of (request, journal) -> plan and of outcome -> next entry."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runner_fakes import broken, cycled

from fleetd.runner import core
from fleetd.runner.ports import Entry, EntryState, HostOutcome, Wanted

NOW = 1_000_000.0
SERVED = frozenset({"a", "b"})
POLICY = core.RetryPolicy(60, 3600, 3)


def entry(state: EntryState, *, machine: str = "a", request: str | None = "q1", **fields: object) -> Entry:
    base = Entry(request or f"{machine}@1", machine, request, state, attempts=1, run="r", changed_at=NOW - 10)
    return replace(base, **fields)  # type: ignore[arg-type]


def test_new_requests_of_served_machines_start_and_others_are_left_alone() -> None:
    plan = core.decide([Wanted("a", "q1"), Wanted("elsewhere", "q2")], [], SERVED, NOW)
    assert [(e.key, e.machine, e.state, e.attempts) for e in plan.start] == [("q1", "a", EntryState.RUNNING, 1)]


@pytest.mark.parametrize(
    "state", [EntryState.RUNNING, EntryState.UNKNOWN, EntryState.VERIFIED, EntryState.FAILED, EntryState.GIVEN_UP]
)
@pytest.mark.parametrize("request_id", ["q1", None])
def test_a_request_that_was_begun_is_not_begun_again(state: EntryState, request_id: str | None) -> None:
    plan = core.decide([Wanted("a", request_id)], [entry(state, request=request_id)], SERVED, NOW)
    assert (plan.start, plan.again, plan.forget) == ((), (), ())
    mine = request_id is not None and state is not EntryState.GIVEN_UP
    assert [e.key for e in plan.reclaim] == (["q1"] if mine else []), "what is offered again is claimed again"


@pytest.mark.parametrize("state", [EntryState.RUNNING, EntryState.UNKNOWN])
def test_another_request_waits_while_its_machine_is_in_flight(state: EntryState) -> None:
    assert core.decide([Wanted("a", "q2")], [entry(state)], SERVED, NOW).start == ()


def test_two_requests_for_one_machine_are_one_cycle() -> None:
    assert len(core.decide([Wanted("a", "q1"), Wanted("a", "q2")], [], SERVED, NOW).start) == 1


def test_an_acknowledged_request_that_is_still_listed_is_told_again_not_repeated() -> None:
    plan = core.decide([Wanted("a", "q1")], [entry(EntryState.DONE)], SERVED, NOW)
    assert (plan.start, [e.key for e in plan.again]) == ((), ["q1"])


def test_without_request_ids_a_listing_after_the_acknowledgement_is_a_new_request() -> None:
    plan = core.decide([Wanted("a")], [entry(EntryState.DONE, request=None)], SERVED, NOW)
    assert [e.key for e in plan.start] == [f"a@{NOW:.6f}"]
    assert plan.forget == ("a@1",)


def test_a_failure_waits_for_its_time() -> None:
    waiting = entry(EntryState.WAITING, not_before=NOW + 1)
    assert core.decide([Wanted("a", "q1")], [waiting], SERVED, NOW).start == ()
    (again,) = core.decide([Wanted("a", "q1")], [waiting], SERVED, NOW + 1).start
    assert (again.key, again.attempts, again.state) == ("q1", 2, EntryState.RUNNING)


def test_without_request_ids_a_withdrawn_request_is_forgotten_with_its_failures() -> None:
    given_up = entry(EntryState.GIVEN_UP, request=None)
    assert core.decide([], [given_up], SERVED, NOW).forget == ("a@1",)
    assert core.decide([Wanted("a")], [given_up], SERVED, NOW) == core.Decision()


def test_with_request_ids_a_request_in_backoff_is_remembered_while_it_is_not_listed() -> None:
    assert core.decide([], [entry(EntryState.WAITING), entry(EntryState.DONE, request="q0")], SERVED, NOW).forget == ()
    assert set(core.decide([], [entry(EntryState.WAITING)], SERVED, NOW + core.KEEP_SECONDS + 1).forget) == {"q1"}


def test_nothing_in_flight_or_untold_is_ever_forgotten() -> None:
    rows = [
        entry(s, request=f"q{s}")
        for s in (EntryState.RUNNING, EntryState.UNKNOWN, EntryState.VERIFIED, EntryState.FAILED)
    ]
    assert core.decide([], rows, SERVED, NOW + 10 * core.KEEP_SECONDS).forget == ()


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (cycled("a"), EntryState.VERIFIED),
        (HostOutcome("a", True, {"power": {"verified": False}}), EntryState.FAILED),
        (HostOutcome("a", True, {}), EntryState.FAILED),
        (broken("a"), EntryState.FAILED),
        (broken("a", "not_verified", may_be_off=True), EntryState.UNKNOWN),
        (broken("a", "not_verified", power="off"), EntryState.UNKNOWN),
        (broken("a", "conflict", power="off", reason="lease_lost"), EntryState.FAILED),
        (
            HostOutcome("a", False, {"power": {"after": "off"}}, {"code": "not_verified", "message": "x"}),
            EntryState.UNKNOWN,
        ),
    ],
)
def test_settle(outcome: HostOutcome, state: EntryState) -> None:
    assert core.settle(entry(EntryState.RUNNING), outcome, NOW).state is state


def test_a_machine_that_was_off_has_been_cycled_once_it_is_on() -> None:
    on_again = HostOutcome("a", True, {"power": {"before": "off", "after": "on"}})
    assert core.resolve(entry(EntryState.UNKNOWN), on_again, NOW).state is EntryState.VERIFIED


def test_a_machine_that_was_on_counts_as_failed_because_nobody_knows() -> None:
    was_on = HostOutcome("a", True, {"power": {"before": "on", "after": "on"}})
    resolved = core.resolve(entry(EntryState.UNKNOWN), was_on, NOW)
    assert (resolved.state, resolved.detail["error"]["code"]) == (EntryState.FAILED, "interrupted")


def test_a_machine_that_can_not_be_made_sure_stays_unknown() -> None:
    assert core.resolve(entry(EntryState.UNKNOWN), broken("a"), NOW).state is EntryState.UNKNOWN


def test_retries_double_up_to_the_maximum_and_end() -> None:
    assert [POLICY.delay(n) for n in (1, 2, 3, 7, 5000)] == [60, 120, 240, 3600, 3600]
    failed = entry(EntryState.FAILED, request=None, attempts=2)
    waiting = core.after_report(failed, NOW, POLICY, 0.0)
    assert (waiting.state, waiting.not_before) == (EntryState.WAITING, NOW + 120)
    assert core.after_report(failed, NOW, POLICY, 1.0).not_before == NOW + 150
    assert core.after_report(replace(failed, attempts=3), NOW, POLICY, 0.0).state is EntryState.GIVEN_UP


def test_a_server_with_request_ids_counts_itself() -> None:
    after = core.after_report(entry(EntryState.FAILED, attempts=9), NOW, POLICY, 0.0)
    assert (after.state, after.not_before) == (EntryState.WAITING, NOW)


@pytest.mark.parametrize(
    "name",
    [
        "all:!x",
        "a*",
        "rack[1:3]",
        "!a",
        "&a",
        "~a",
        "a,b",
        "h:22",
        "",
        "a b",
        "@file",
        "-x",
        "all",
        "ungrouped",
        "localhost",
        "a\n",
    ],
)
def test_names_that_a_pattern_could_mistake_are_refused(name: str) -> None:
    assert core.exact_names(["r1/s-2.example_x", name]) == (["r1/s-2.example_x"], [name])
