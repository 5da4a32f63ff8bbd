# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    Busy,
    PermissionDenied,
    TimedOut,
    Unreachable,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.retry import ExponentialWait, retry


class FakeClock:
    def __init__(self):
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)


def failing(*errors):
    """A call that raises these errors, then returns how often it was called."""
    left = list(errors)

    def call():
        if left:
            raise left.pop(0)
        return len(errors) + 1

    return call


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (ExponentialWait(0.5, 10.0), [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]),
        (ExponentialWait(1.0, 100.0, factor=3.0), [1.0, 3.0, 9.0, 27.0, 81.0, 100.0, 100.0]),
        (ExponentialWait(5.0, 2.0), [2.0] * 7),
        (ExponentialWait(7.0, 60.0, factor=1.0), [7.0] * 7),
    ],
)
def test_the_wait_grows_up_to_the_longest(wait, seconds):
    assert [wait.after(failures) for failures in range(1, 8)] == seconds


def test_no_number_of_failures_is_too_large():
    assert ExponentialWait(1.0, 60.0).after(10**9) == 60.0


def test_before_any_failure_it_is_the_first():
    assert ExponentialWait(1.0, 60.0).after(0) == 1.0


def test_many_callers_are_spread_over_the_later_half():
    wait = ExponentialWait(8.0, 60.0)
    assert [wait.after(1, random) for random in (0.0, 0.5, 1.0)] == [4.0, 6.0, 8.0]


def test_a_call_that_succeeds_is_made_once():
    clock = FakeClock()
    assert retry(failing(), clock, ExponentialWait(1.0, 5.0), 3) == 1
    assert clock.slept == []


def test_transient_errors_are_waited_for():
    clock = FakeClock()
    assert retry(failing(Unreachable("x"), TimedOut("x")), clock, ExponentialWait(1.0, 5.0), 3) == 3
    assert clock.slept == [1.0, 2.0]


def test_the_last_attempt_s_error_is_raised_at_once():
    clock = FakeClock()
    with pytest.raises(TimedOut):
        retry(failing(Unreachable("x"), TimedOut("x")), clock, ExponentialWait(1.0, 5.0), 2)
    assert clock.slept == [1.0]


def test_fatal_errors_are_not_repeated():
    clock = FakeClock()
    with pytest.raises(PermissionDenied):
        retry(failing(PermissionDenied("x")), clock, ExponentialWait(1.0, 5.0), 3)
    assert clock.slept == []


def test_a_caller_may_exclude_a_transient_error():
    clock = FakeClock()
    with pytest.raises(TimedOut):
        retry(
            failing(Unreachable("x"), TimedOut("x")),
            clock,
            ExponentialWait(1.0, 5.0),
            5,
            again=lambda error: not isinstance(error, TimedOut),
        )
    assert clock.slept == [1.0]


def test_who_is_busy_says_when_to_come_back_and_is_believed_up_to_the_longest():
    clock = FakeClock()
    answers = failing(Busy("x", retry_after=3), Busy("x", retry_after=600), Busy("x", retry_after=0))
    assert retry(answers, clock, ExponentialWait(1.0, 5.0), 4) == 4
    assert clock.slept == [3, 5.0, 4.0]
