# SPDX-License-Identifier: BSD-2-Clause
"""Forgetting, and who does it. Ids begin with a time, so their primary keys find what is old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, insert, select, update

from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.ids import id_floor
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.tables import duties


class RetentionStore:
    """What one server does for all of them, and the deletions themselves."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx

    def prune(self, what: Kept, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` of what is older than ``before``, the oldest first; how many."""
        return self._tx.write(lambda connection: what.prune(connection, before, limit))

    def take_duty(self, name: str, holder: str, seconds: float) -> bool:
        """Whether ``holder`` is the one who does ``name`` for the next ``seconds``; taking it again makes it longer."""

        def work(connection: Connection) -> bool:
            row = connection.execute(select(duties).where(duties.c.name == name).with_for_update()).first()
            now = self._tx.now(connection)
            values = {"holder": holder, "until": now + timedelta(seconds=seconds)}
            if row is None:
                connection.execute(insert(duties).values(name=name, **values))
            elif row.until > now and row.holder != holder:
                return False
            else:
                connection.execute(update(duties).where(duties.c.name == name).values(**values))
            return True

        return self._tx.write(work, again_on_conflict=True)


def prune_rows(
    table: Table, newest_of: tuple[str, ...] = (), closed: ColumnElement[datetime] | None = None
) -> Callable[[Connection, datetime, int], int]:
    """A function for ``Kept.prune`` that deletes rows by their ids.

    :param newest_of: columns; of the rows that have them in common, the newest stays.
    :param closed: a column with the time since when a row may go; a row without one stays.
    """

    def prune(connection: Connection, before: datetime, limit: int) -> int:
        query = select(table.c.id).where(table.c.id < id_floor(before))
        if closed is not None:
            query = query.where(closed < before)
        if newest_of:
            newer = table.alias()
            alike = [newer.c[name] == table.c[name] for name in newest_of]
            query = query.where(exists().where(newer.c.id > table.c.id, *alike))
        ids = connection.execute(query.order_by(table.c.id).limit(limit)).scalars().all()
        connection.execute(delete(table).where(table.c.id.in_(ids)))
        return len(ids)

    return prune
