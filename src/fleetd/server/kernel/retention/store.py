# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd.server.ports.RetentionStore`` in SQL. Ids begin with a time, so their primary keys find what is old."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, exists, insert, select, update

from fleetd.server.kernel import tables
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.ids import id_floor
from fleetd.server.kernel.retention.model import Kept

_E, _LOG, _A, _D = tables.events, tables.event_log, tables.answers, tables.duties


class SqlRetention:
    """The part of ``SqlStore`` that forgets."""

    _tx: Transactions

    def _now(self, connection: Connection) -> datetime:
        raise NotImplementedError

    def prune(self, what: Kept, before: datetime, limit: int) -> int:
        if what == Kept.EVENTS:
            return self._tx.write(lambda connection: _prune_events(connection, before, limit))
        if what == Kept.ANSWERS:
            return self._tx.write(lambda connection: _prune_answers(connection, before, limit))
        table, query = _old(what, before)

        def work(connection: Connection) -> int:
            ids = connection.execute(query.order_by(table.c.id).limit(limit)).scalars().all()
            connection.execute(delete(table).where(table.c.id.in_(ids)))
            return len(ids)

        return self._tx.write(work)

    def take_duty(self, name: str, holder: str, seconds: float) -> bool:
        def work(connection: Connection) -> bool:
            row = connection.execute(select(_D).where(_D.c.name == name).with_for_update()).first()
            now = self._now(connection)
            values = {"holder": holder, "until": now + timedelta(seconds=seconds)}
            if row is None:
                connection.execute(insert(_D).values(name=name, **values))
            elif row.until > now and row.holder != holder:
                return False
            else:
                connection.execute(update(_D).where(_D.c.name == name).values(**values))
            return True

        return self._tx.write(work, again_on_conflict=True)


def _old(what: Kept, before: datetime) -> tuple[Table, Select[Any]]:
    """The ids of what may go: old, and not the newest of its kind."""
    same: tuple[str, ...]
    if what == Kept.AUDIT:
        table, same = tables.audit, ()
    elif what == Kept.DEVICE_HISTORY:
        table, same = tables.device_history, ("machine", "source")
    elif what == Kept.WORK_HISTORY:
        table, same = tables.work_history, ("machine", "process", "outcome")
    else:
        table, same = tables.powercycles, ("machine",)
    query = select(table.c.id).where(table.c.id < id_floor(before))
    if what == Kept.POWERCYCLES:
        query = query.where(table.c.finished_at < before)
    if same:
        newer = table.alias()
        alike = [newer.c[name] == table.c[name] for name in same]
        query = query.where(exists().where(newer.c.id > table.c.id, *alike))
    return table, query


def _prune_events(connection: Connection, before: datetime, limit: int) -> int:
    """From the beginning of the log, without a gap: what is left begins after the last one that went."""
    found = connection.execute(select(_E.c.seq, _E.c.at).order_by(_E.c.seq).limit(limit)).all()
    kept = next((place for place, row in enumerate(found) if row.at >= before), len(found))
    if kept:
        last = found[kept - 1].seq
        connection.execute(delete(_E).where(_E.c.seq <= last))
        connection.execute(update(_LOG).where(_LOG.c.id == 1).values(pruned=last))
    return kept


def _prune_answers(connection: Connection, before: datetime, limit: int) -> int:
    found = connection.execute(
        select(_A.c.actor, _A.c.key).where(_A.c.at < before).order_by(_A.c.at).limit(limit)
    ).all()
    for row in found:
        connection.execute(delete(_A).where(_A.c.actor == row.actor, _A.c.key == row.key, _A.c.at < before))
    return len(found)
