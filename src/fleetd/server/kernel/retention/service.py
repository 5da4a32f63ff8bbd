# SPDX-License-Identifier: BSD-2-Clause
"""Forgetting: what is older than its configured age goes, a little at a time, by one server at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta

from fleetcore.errors import ConflictError

from fleetd.server.kernel.clock import Clock
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.tally import Done, Tally
from fleetd.server.ports import Store

DUTY = "prune"
DUTY_SECONDS = 120.0
BATCH = 500
DEFAULT_AGES: Mapping[Kept, timedelta] = {
    Kept.EVENTS: timedelta(days=90),
    Kept.DEVICE_HISTORY: timedelta(days=730),
    Kept.WORK_HISTORY: timedelta(days=180),
    Kept.POWERCYCLES: timedelta(days=730),
    Kept.AUDIT: timedelta(days=1095),
    Kept.ANSWERS: timedelta(hours=24),
}


class Retention:
    """Prunes what ``ages`` names; what it does not name stays for ever."""

    def __init__(
        self, store: Store, clock: Clock, ages: Mapping[Kept, timedelta] | None = None, tally: Tally | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._tally = tally or Tally()
        self._ages = DEFAULT_AGES if ages is None else ages
        self._me = secrets.token_hex(8)

    def prune(self) -> Mapping[Kept, int]:
        """How many of each went.

        :raises ConflictError: another server does it just now.
        """
        gone = {}
        for what, age in self._ages.items():
            before = self._clock() - age
            gone[what] = 0
            while True:
                if not self._store.take_duty(DUTY, self._me, DUTY_SECONDS):
                    raise ConflictError("another server prunes just now")
                count = self._store.prune(what, before, BATCH)
                gone[what] += count
                self._tally.add(Done.PRUNED, what.value, count)
                if count < BATCH:
                    break
        return gone

    def run(self) -> None:
        """The same, for a server's timer: leave it to another one that does it already."""
        if self._store.take_duty(DUTY, self._me, DUTY_SECONDS):
            self.prune()
