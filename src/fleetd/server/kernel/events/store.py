# SPDX-License-Identifier: BSD-2-Clause
"""The log: only ever appended to, with numbers that become visible in their order.

A reader that has seen number n must never find a smaller one later: its cursor has passed it. Numbers of a sequence
do not do that, because transactions commit in another order than they took their numbers. Here the numbers come from
one row, which a transaction updates as its last statement before the commit. The row stays locked until that commit is
visible, so the next number is given only then; a transaction that fails gives its numbers back. The lock is the last
one that a transaction takes, so it can't be part of a deadlock, and it is held for no longer than a commit lasts.
SQLite has one writer anyway; CockroachDB orders transactions on the row, or lets one of them try again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fleetd.server.kernel import codec, tables
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.events.model import EVERY_EVENT, Event, EventFilter, NewEvent

_E, _LOG = tables.events, tables.event_log


class EventStore:
    """The log. An event that is told in a transaction is written as its last step."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx
        tx.before_commit.append(self._write_told)

    def _write_told(self, connection: Connection, told: Sequence[object]) -> None:
        waiting = [item for item in told if isinstance(item, NewEvent)]
        if waiting:
            self._append(connection, waiting)

    def _append(self, connection: Connection, events: Sequence[NewEvent]) -> list[Event]:
        dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
        made = dialect.insert(_LOG).values(id=1, last=len(events), pruned=0)
        made = made.on_conflict_do_update(index_elements=[_LOG.c.id], set_={"last": _LOG.c.last + len(events)})
        last: int = connection.execute(made.returning(_LOG.c.last)).scalar_one()
        now = self._tx.now(connection)
        first = last - len(events) + 1
        numbered = [Event(**vars(item), seq=first + place, at=now) for place, item in enumerate(events)]
        connection.execute(insert(_E), [{**asdict(item), "data": codec.dumps(item.data)} for item in numbered])
        return numbered

    def append(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        """Number and store them, all or none."""
        return self._tx.write(lambda connection: self._append(connection, events)) if events else []

    def find(
        self,
        where: EventFilter = EVERY_EVENT,
        limit: int | None = None,
        after: int | None = None,
        before: int | None = None,
    ) -> Sequence[Event]:
        """Find newest first those numbered below ``before``; with ``after`` oldest first those numbered above it."""
        query = select(_E).order_by(_E.c.seq.asc() if after is not None else _E.c.seq.desc()).limit(limit)
        if after is not None:
            query = query.where(_E.c.seq > after)
        if before is not None:
            query = query.where(_E.c.seq < before)
        if where.machine is not None:
            query = query.where(_E.c.machine == where.machine)
        if where.kind is not None:
            words = _E.c.kind.startswith(f"{where.kind}.", autoescape=True)
            query = query.where(or_(_E.c.kind == where.kind, words))
        if where.since is not None:
            query = query.where(_E.c.at >= where.since)
        return self._tx.read(lambda connection: [_event(row) for row in connection.execute(query)])

    def bounds(self) -> tuple[int, int]:
        """The greatest number that was pruned, and the last one that was given; 0: none."""
        row = self._tx.read(lambda connection: connection.execute(select(_LOG.c.pruned, _LOG.c.last)).first())
        return (row.pruned, row.last) if row else (0, 0)


def _event(row: Row[Any]) -> Event:
    return Event(row.kind, row.machine, row.actor, row.message, codec.loads(dict[str, Any], row.data), row.seq, row.at)


def prune_events(connection: Connection, before: datetime, limit: int) -> int:
    """Forget from the beginning of the log, without a gap: what is left begins after the last one that went."""
    found = connection.execute(select(_E.c.seq, _E.c.at).order_by(_E.c.seq).limit(limit)).all()
    kept = next((place for place, row in enumerate(found) if row.at >= before), len(found))
    if kept:
        last = found[kept - 1].seq
        connection.execute(delete(_E).where(_E.c.seq <= last))
        connection.execute(update(_LOG).where(_LOG.c.id == 1).values(pruned=last))
    return kept
