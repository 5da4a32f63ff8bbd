# SPDX-License-Identifier: BSD-2-Clause
"""Forgetting: what is older than its configured age goes, a little at a time, by one server at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta

from fleetcore.errors import ConflictError

from fleetd.server.kernel.clock import Clock
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.retention.store import RetentionStore
from fleetd.server.kernel.tally import Count, Tally

DUTY = "prune"
DUTY_SECONDS = 120.0
BATCH = 500


class Retention:
    """Prunes what grows.

    :param ages: by the name of what is kept; what it does not name stays for ever. None: the ages that it declares.
    """

    def __init__(
        self,
        tx: Transactions,
        clock: Clock,
        tally: Tally,
        kept: Iterable[Kept],
        ages: Mapping[str, timedelta] | None = None,
    ) -> None:
        self._store = RetentionStore(tx)
        self._clock = clock
        self._tally = tally
        self._kept = {item.name: item for item in kept}
        self._ages = {item.name: item.age for item in self._kept.values()} if ages is None else ages
        self._me = secrets.token_hex(8)
        self.pruned = Count("pruned_rows", "Rows that were forgotten because of their age", "what", tuple(self._kept))

    def prune(self) -> Mapping[str, int]:
        """How many of each went.

        :raises ConflictError: another server does it just now.
        """
        gone = {}
        for name, age in self._ages.items():
            before = self._clock() - age
            gone[name] = 0
            while True:
                if not self._store.take_duty(DUTY, self._me, DUTY_SECONDS):
                    raise ConflictError("another server prunes just now")
                count = self._store.prune(self._kept[name], before, BATCH)
                gone[name] += count
                self._tally.add(self.pruned, name, count)
                if count < BATCH:
                    break
        return gone

    def run(self) -> None:
        """Prune, for a server's timer: if another one does it already, it is left to that one."""
        if self._store.take_duty(DUTY, self._me, DUTY_SECONDS):
            self.prune()
