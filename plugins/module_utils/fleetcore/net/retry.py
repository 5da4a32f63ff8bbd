# SPDX-License-Identifier: BSD-2-Clause

"""The one exponential wait between attempts, and the loop that tries again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, TypeVar

from ..errors import TransientError
from ..ports import Clock

T = TypeVar("T")
_MOST = 60  # of the exponent: further failures wait no longer, and a float still holds the power


@dataclass(frozen=True)
class ExponentialWait:
    """The wait after failures in a row: ``first`` seconds, then ``factor`` times as long, at most ``longest``."""

    first: float
    longest: float
    factor: float = 2.0

    def after(self, failures: int, random: float = 1.0) -> float:
        """Seconds to wait after this many failures (1: after the first).

        :param random: from 0 to 1. Less than 1 shortens the wait, by half at most, so that many callers don't come
            back at once.
        """
        wait = self.first * self.factor ** min(max(failures - 1, 0), _MOST)
        return min(self.longest, wait) * (0.5 + random / 2)


def retry(
    call: Callable[[], T],
    clock: Clock,
    wait: ExponentialWait,
    attempts: int,
    again: Callable[[TransientError], bool] = lambda _error: True,
) -> T:
    """Return what ``call`` returns; after a ``TransientError`` wait and call again, ``attempts`` times in all.

    The wait is longer when the error's details ask for it (``retry_after``), but never longer than ``wait.longest``.

    :param again: False for a transient error that another attempt would only repeat.
    :raises FleetError: the last error, or the first one that is not to be repeated.
    """
    failures = 0
    while True:
        try:
            return call()
        except TransientError as error:
            failures += 1
            if failures >= attempts or not again(error):
                raise
            asked = error.details.get("retry_after", 0)
        clock.sleep(min(max(wait.after(failures), asked), wait.longest))
