# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One loop for all duties, and the link to the server: no time passes."""

from __future__ import annotations

import pytest
import structlog
from fleetcore.errors import AuthenticationFailed, Unreachable
from runner_fakes import FakeClock

from fleetd.common.link import Link
from fleetd.runner.loop import Stop, run_loop
from fleetd.runner.ports import JournalBroken


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
