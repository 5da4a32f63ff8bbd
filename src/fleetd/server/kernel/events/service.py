# SPDX-License-Identifier: BSD-2-Clause
"""The log of events: append what others saw, look, follow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fleetd.server.kernel.clock import Clock
from fleetd.server.kernel.events.model import EVERY_EVENT, Event, EventFilter, NewEvent, checked_kind
from fleetd.server.kernel.tally import Done, Tally
from fleetd.server.ports import Store


class Events:
    """Use cases around events. What the server itself changes is in the log already: see ``fleetd.events``."""

    def __init__(self, store: Store, clock: Clock, tally: Tally | None = None) -> None:
        self._store = store
        self._clock = clock
        self._tally = tally or Tally()

    def now(self) -> datetime:
        """The time, for filters that begin a while ago."""
        return self._clock()

    def append(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        """Store what somebody else saw, all or none.

        :raises InvalidInput: a kind that is none, or one of the server's own.
        """
        for item in events:
            checked_kind(item.kind)
        made = self._store.append_events(events)
        self._tally.add(Done.APPENDED, count=len(made))
        return made

    def find(
        self,
        where: EventFilter = EVERY_EVENT,
        limit: int | None = None,
        after: int | None = None,
        before: int | None = None,
    ) -> Sequence[Event]:
        """Newest first, those before the number ``before``; with ``after`` oldest first, those after that number."""
        return self._store.list_events(where, limit, after, before)

    def bounds(self) -> tuple[int, int]:
        """The greatest number that was pruned, and the last one that was given."""
        return self._store.event_bounds()
