# SPDX-License-Identifier: BSD-2-Clause
"""The log of events: append what others saw, look, follow."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime

from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.events.model import Event, NewEvent, checked_kind
from fleetd.server.kernel.events.store import EventStore
from fleetd.server.kernel.tally import Count, Tally

APPENDED = Count("events_appended", "Events that others appended to the log")


class Events(EventStore):
    """Use cases around events. What the server itself changes is in the log already.

    :param reserved: first words of the kinds that only the server tells.
    """

    def __init__(self, tx: Transactions, clock: Clock, tally: Tally, reserved: Set[str] = frozenset()) -> None:
        super().__init__(tx)
        self._clock = clock
        self._tally = tally
        self.reserved = reserved

    def now(self) -> datetime:
        """The time, for filters that begin a while ago."""
        return self._clock()

    def append(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        """Store what somebody else saw, all or none.

        :raises InvalidInput: a kind that is none, or one of the server's own.
        """
        for item in events:
            checked_kind(item.kind, self.reserved)
        made = super().append(events)
        self._tally.add(APPENDED, count=len(made))
        return made
