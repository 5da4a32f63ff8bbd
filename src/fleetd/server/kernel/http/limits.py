# SPDX-License-Identifier: BSD-2-Clause
"""A limit on failed logins, for each source address and in all.

Tokens can't be guessed; the limit keeps those who try from costing anything, and makes them visible. A token that was
good from an address stays good there: one client with a wrong token does not lock out the others behind its router.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """Failures per minute: of one address, and of all together."""

    per_address: int = 30
    total: int = 600


class _Bucket:
    """Fills with failures and leaks ``size`` of them a minute."""

    def __init__(self, now: float) -> None:
        self.level = 0.0
        self.at = now

    def leak(self, size: int, now: float) -> float:
        self.level = max(0.0, self.level - (now - self.at) * size / 60)
        self.at = now
        return self.level


class FailedLogins:
    """Counts failures; what it remembers is bounded.

    Too many in all: then one failure is too many for an address, but who has none is still heard.

    :param clock: seconds that only grow.
    """

    REMEMBERED = 10_000

    def __init__(self, limit: Limit | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit or Limit()
        self._clock = clock
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()
        self._good: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._all = _Bucket(clock())

    def wait(self, address: str, digest: str) -> int:
        """How many seconds ``address`` has to wait before a token is looked at; 0: none."""
        with self._lock:
            now = self._clock()
            bucket = self._addresses.get(address)
            if bucket is None or (address, digest) in self._good:
                return 0
            size = self._limit.per_address
            room = size if self._all.leak(self._limit.total, now) + 1 <= self._limit.total else 1
            over = bucket.leak(size, now) + 1 - room  # if it fails again
            return math.ceil(over * 60 / size) if over > 0 else 0

    def failed(self, address: str, digest: str) -> None:
        """A token from ``address`` was no good."""
        with self._lock:
            now = self._clock()
            self._good.pop((address, digest), None)
            bucket = self._addresses.setdefault(address, _Bucket(now))
            for item, size in ((bucket, self._limit.per_address), (self._all, self._limit.total)):
                item.leak(size, now)
                item.level += 1
            self._addresses.move_to_end(address)
            if len(self._addresses) > self.REMEMBERED:
                self._addresses.popitem(last=False)

    def succeeded(self, address: str, digest: str) -> None:
        """A token from ``address`` was good."""
        with self._lock:
            self._good[(address, digest)] = None
            self._good.move_to_end((address, digest))
            if len(self._good) > self.REMEMBERED:
                self._good.popitem(last=False)
