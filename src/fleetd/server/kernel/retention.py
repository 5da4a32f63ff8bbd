# SPDX-License-Identifier: BSD-2-Clause
"""Forgetting: what is older than its age goes, a little at a time, by one server at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleetcore.errors import ConflictError
from sqlalchemy import ColumnElement, Connection, Table, delete, exists, insert, select, update

from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.ids import id_floor
from fleetd.server.kernel.tables import duties
from fleetd.server.kernel.tally import Count, Tally

DUTY = "prune"
DUTY_SECONDS = 120.0
BATCH = 500

Prune = Callable[[Connection, datetime, int], int]
"""Deletes at most so many of what is older than a time, the oldest first, and says how many went."""


@dataclass(frozen=True)
class Kept:
    """What grows, and is forgotten after a while. Documents, machines and open requests are not among it.

    :param name: in the settings, ``retention.<name>_days``, and in metrics.
    :param age: after which it goes, unless the settings say otherwise.
    """

    name: str
    age: timedelta
    prune: Prune


def prune_rows(table: Table, newest_of: tuple[str, ...] = (), closed: ColumnElement[datetime] | None = None) -> Prune:
    """A function for ``Kept.prune`` that deletes rows by their ids, which begin with a time.

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


class Retention:
    """Prunes what grows.

    :param ages: by the name of what is kept; what it does not name stays for ever.
    """

    def __init__(
        self, tx: Transactions, clock: Clock, tally: Tally, kept: Iterable[Kept], ages: Mapping[str, timedelta]
    ) -> None:
        self._tx = tx
        self._clock = clock
        self._tally = tally
        self._kept = {item.name: item for item in kept}
        self._ages = ages
        self._me = secrets.token_hex(8)
        self.pruned = Count("pruned_rows", "Rows that were forgotten because of their age", "what", tuple(self._kept))

    def prune(self) -> Mapping[str, int]:
        """How many of each went.

        :raises ConflictError: another server does it just now.
        """
        return {name: self._prune(self._kept[name], self._clock() - age) for name, age in self._ages.items()}

    def _prune(self, what: Kept, before: datetime) -> int:
        gone = 0
        while True:
            if not self.take_duty(DUTY, self._me, DUTY_SECONDS):
                raise ConflictError("another server prunes just now")
            count = self._tx.write(lambda connection: what.prune(connection, before, BATCH))
            gone += count
            self._tally.add(self.pruned, what.name, count)
            if count < BATCH:
                return gone

    def run(self) -> None:
        """Prune, for a server's timer: if another one does it already, it is left to that one."""
        if self.take_duty(DUTY, self._me, DUTY_SECONDS):
            self.prune()

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
