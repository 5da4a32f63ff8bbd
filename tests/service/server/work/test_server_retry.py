# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The waits between attempts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fleetd.server.work.model import Backoff, Retry, Work

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def waits(retry: Retry, count: int) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        found.append(retry.next(found[-1] if found else None))
    return found


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(1, 2, 5), [1, 2, 4, 5, 5]),
        (Retry(60, 1.1, 120), [60, 66, 73, 81, 90, 99, 109, 120, 120]),
        (Retry(1, 0.2, 100), [1, 1, 1]),
        (Retry(0.001, 2, 100), [1, 2, 4]),
        (Retry(0, 0, 0), [1, 1]),
        (Retry(-5, -5, -5), [1, 1]),
        (Retry(60, 2, 10), [60, 60]),  # the maximum is not below the initial wait
        (Retry(1.5, 1.5, 100), [2, 3, 5, 8]),
        (Retry(1, 1e308, 3600), [1, 3600, 3600]),
        (Retry(float("nan"), float("nan"), float("inf")), [1, 1]),
        (Retry(1, 2, float("inf")), [1, 2, 4]),
        (Retry(60, None, 3600), [60, 60]),
    ],
)
def test_waits(retry: Retry, expected: list[int]) -> None:
    assert waits(retry, len(expected)) == expected


def test_a_simple_backoff_stays_after_a_shorter_one() -> None:
    assert Retry(60, None, 3600).next(2) == 60


def test_overflow_is_the_maximum() -> None:
    assert Retry(1, 1e300, 3600).next(1e300) == 3600


def test_the_last_attempt_has_no_backoff() -> None:
    retry, held = Retry(10, 2, 60, attempts=2), Work("m", "p", "s", 1, NOW)
    first = retry.after(None, held, "x", NOW, jitter=-1)
    assert first == Backoff("m", "p", NOW.replace(second=10), "x", 10, 1)
    assert retry.after(first, held, "x", NOW, jitter=0) is None


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        (Retry(60, 2, 3600, attempts=3), [60, 120, None]),
        (Retry(60, 2.0, 100, attempts=None), [60, 100, 100]),
        (Retry(60, 1.1, 3600, attempts=4), [60, 66, 73]),
        (Retry(60, 2, 3600, attempts=1), [None, None]),
    ],
)
def test_the_wait_by_the_number_of_failures(retry: Retry, expected: list[int | None]) -> None:
    assert [retry.wait(number) for number in range(1, len(expected) + 1)] == expected


def test_the_wait_after_very_many_failures() -> None:
    assert Retry(60, None, 3600, attempts=None).wait(10**9) == 60
