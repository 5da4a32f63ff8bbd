# SPDX-License-Identifier: BSD-2-Clause
"""Power cycle requests in SQL. A write first locks the machine, as those do who claim its power cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from fleetcore.errors import NotFound
from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from fleetd.server.kernel import codec
from fleetd.server.kernel.engine import Transactions
from fleetd.server.powercycles import tables
from fleetd.server.powercycles.conditions import PROCESS, due
from fleetd.server.powercycles.model import CycleState, CycleStep, Powercycle, of_powercycle
from fleetd.server.work.model import Subject
from fleetd.server.work.service import WorkService

_P = tables.powercycles
Change = Callable[[Powercycle], Powercycle]


class PowercycleStore:
    """Requests, newest first.

    :param closed: called with each request that was closed, when that is committed.
    """

    def __init__(self, tx: Transactions, work: WorkService, closed: Callable[[Powercycle], None]) -> None:
        self._tx = tx
        self._work = work
        self._closed = closed

    def open(self, request: Powercycle) -> tuple[Powercycle, bool]:
        """Insert it, or answer the one that is open for the machine; the flag says whether it was inserted.

        :raises NotFound: no such machine.
        """

        def work(connection: Connection) -> tuple[Powercycle, bool]:
            self._work.lock(Subject(request.machine))
            present = _open(connection, request.machine)
            return (present, False) if present is not None else (self._insert(connection, request), True)

        return self._tx.write(work, again_on_conflict=True)

    def get(self, request_id: str) -> Powercycle | None:
        """The request with that id."""
        return next(iter(self._find(select(_P).where(_P.c.id == request_id))), None)

    def find(
        self,
        machine: str | None = None,
        state: CycleState | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Sequence[Powercycle]:
        """At most ``limit`` requests, newest first, older than the one with id ``after``."""
        query = select(_P).order_by(_P.c.id.desc()).limit(limit)
        if machine is not None:
            query = query.where(_P.c.machine == machine)
        if state is not None:
            query = query.where(_P.c.state == state.value)
        if after is not None:
            query = query.where(_P.c.id < after)
        return self._find(query)

    def due(self, now: datetime) -> Sequence[str]:
        """Machines with an open request whose wait is over and which nobody has claimed, oldest request first."""
        query = select(_P.c.machine).where(due(now)).order_by(_P.c.id)

        def work(connection: Connection) -> list[str]:
            claimed = {item.subject for item in self._work.find(process=PROCESS)}
            return [name for name in connection.execute(query).scalars() if name not in claimed]

        return self._tx.read(work)

    def update(self, request_id: str, change: Change, unclaimed: bool = False) -> Powercycle:
        """Apply ``change``.

        :param unclaimed: an open one only if nobody holds the power cycle of its machine.
        :raises NotFound: no such request. :raises WorkConflict: somebody holds it.
        """

        def work(connection: Connection) -> Powercycle:
            query = select(_P).where(_P.c.id == request_id)
            row = connection.execute(query).first()
            if row is None:
                raise NotFound(f"no power cycle request {request_id}", powercycle=request_id)
            self._work.lock(Subject(row.machine))
            row = connection.execute(query.with_for_update()).one()
            if unclaimed and row.finished_at is None:
                self._work.refuse_held(PROCESS, Subject(row.machine))
            return self._write(connection, _powercycle(row), change)

        return self._tx.write(work)

    def update_open(self, machine: str, change: Change) -> Powercycle | None:
        """Apply ``change`` to the open request of a machine that is locked; None: there is none."""

        def work(connection: Connection) -> Powercycle | None:
            present = _open(connection, machine)
            return self._write(connection, present, change) if present is not None else None

        return self._tx.write(work)

    def toggle(
        self, machine: str, opened: Powercycle | None, closed: Change | None, unclaimed: bool = False
    ) -> Powercycle | None:
        """Send the machine's open request through ``closed``; if there is none, insert ``opened``.

        Either may be None: then that case changes nothing. The answer is the request that was touched.

        :param unclaimed: close it only if nobody holds the power cycle of the machine.
        :raises NotFound: no such machine. :raises WorkConflict: somebody holds it.
        """

        def work(connection: Connection) -> Powercycle | None:
            self._work.lock(Subject(machine))
            present = _open(connection, machine)
            if present is not None:
                if unclaimed:
                    self._work.refuse_held(PROCESS, Subject(machine))
                return self._write(connection, present, closed) if closed else None
            return self._insert(connection, opened) if opened is not None else None

        return self._tx.write(work, again_on_conflict=True)

    def latest(self, machines: Iterable[str] | None = None) -> Mapping[str, Powercycle]:
        """The open request of each machine, else its newest; ``machines`` None is all."""
        newest = select(func.max(_P.c.id)).group_by(_P.c.machine)
        query = select(_P).where(or_(_P.c.id.in_(newest), _P.c.finished_at.is_(None)))
        if machines is not None:
            query = query.where(_P.c.machine.in_(list(machines)))
        return {item.machine: item for item in sorted(self._find(query), key=lambda item: (item.open, item.id))}

    def count(self) -> Mapping[CycleState, int]:
        """Requests by state; states without any are missing."""
        query = select(_P.c.state, func.count()).group_by(_P.c.state)
        return self._tx.read(
            lambda connection: {CycleState(state): count for state, count in connection.execute(query)}
        )

    def oldest_open(self) -> datetime | None:
        """When the open request that waits the longest was made; None: none is open."""
        query = select(func.min(_P.c.requested_at)).where(_P.c.finished_at.is_(None))
        return self._tx.read(lambda connection: connection.execute(query).scalar())

    def _find(self, query: Select[Any]) -> list[Powercycle]:
        return self._tx.read(lambda connection: [_powercycle(row) for row in connection.execute(query)])

    def _insert(self, connection: Connection, request: Powercycle) -> Powercycle:
        connection.execute(insert(_P).values(powercycle_row(request)))
        self._tx.tell(of_powercycle(None, request))
        return request

    def _write(self, connection: Connection, previous: Powercycle, change: Change) -> Powercycle:
        changed = change(previous)
        if changed != previous:
            connection.execute(update(_P).where(_P.c.id == previous.id).values(powercycle_row(changed)))
            self._tx.tell(of_powercycle(previous, changed))
            if previous.open and not changed.open:
                self._tx.afterwards(lambda: self._closed(changed))
        return changed


def _open(connection: Connection, machine: str) -> Powercycle | None:
    query = select(_P).where(_P.c.machine == machine, _P.c.finished_at.is_(None)).with_for_update()
    row = connection.execute(query).first()
    return _powercycle(row) if row else None


def _powercycle(row: Row[Any]) -> Powercycle:
    return Powercycle(
        **{
            **row._mapping,
            "state": CycleState(row.state),
            "error": codec.loads(dict[str, Any], row.error) if row.error else None,
            "steps": codec.loads(tuple[CycleStep, ...], row.steps),
        }
    )


def powercycle_row(request: Powercycle) -> dict[str, Any]:
    """Values of the table's columns."""
    return {
        **{name: getattr(request, name) for name in request.__dataclass_fields__},
        "state": request.state.value,
        "error": codec.dumps(request.error) if request.error is not None else None,
        "steps": codec.dumps(request.steps),
    }
