# SPDX-License-Identifier: BSD-2-Clause
"""Reading sessions, work, waits and history; and the predicate of a process in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fleetcore.errors import NotFound
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, select

from fleetd.server.kernel import codec
from fleetd.server.kernel.engine import Transactions
from fleetd.server.work import tables
from fleetd.server.work.model import (
    Backoff,
    Explanation,
    LeaseSession,
    Outcome,
    SessionExpired,
    Subject,
    Work,
    WorkCounts,
    WorkEvent,
)
from fleetd.server.work.process import Kind, Process

_S, _W, _B, _H = tables.lease_sessions, tables.work, tables.backoffs, tables.work_history
UNLOCKED = "no live work that excludes it"
RESTED = "not in backoff"


class WorkLooks:
    """Answers questions about sessions and work. Capabilities fill ``kinds`` and ``processes`` with what they know."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx
        self.kinds: dict[str, Kind] = {}
        self.processes: dict[str, Process] = {}

    def get_session(self, session: str) -> LeaseSession:
        """:raises SessionExpired: its deadline has passed."""

        def work(connection: Connection) -> LeaseSession:
            row = connection.execute(select(_S).where(_S.c.id == session)).first()
            if row is None or row.deadline <= self._tx.now(connection):
                raise SessionExpired(session)
            return session_value(row)

        return self._tx.read(work)

    def list_sessions(self) -> Sequence[LeaseSession]:
        """Those that live, oldest first."""

        def work(connection: Connection) -> list[LeaseSession]:
            query = select(_S).where(_S.c.deadline > self._tx.now(connection)).order_by(_S.c.created_at, _S.c.id)
            return [session_value(row) for row in connection.execute(query)]

        return self._tx.read(work)

    def list_work(
        self, subject: Subject | None = None, process: str | None = None, session: str | None = None
    ) -> Sequence[Work]:
        """Work of live sessions, by subject and process."""

        def work(connection: Connection) -> list[Work]:
            query = select(_W).join(_S, _S.c.id == _W.c.session).where(_S.c.deadline > self._tx.now(connection))
            for column, value in ((_W.c.process, process), (_W.c.session, session)):
                if value is not None:
                    query = query.where(column == value)
            query = query.where(*of_subject(_W, subject)).order_by(_W.c.kind, _W.c.subject, _W.c.process)
            return [work_value(row) for row in connection.execute(query)]

        return self._tx.read(work)

    def work_history(
        self,
        subject: Subject | None = None,
        process: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Sequence[WorkEvent]:
        """At most ``limit`` lines, newest first, older than the one with id ``after``."""
        query = select(_H).where(*of_subject(_H, subject)).order_by(_H.c.id.desc()).limit(limit)
        if process is not None:
            query = query.where(_H.c.process == process)
        if after is not None:
            query = query.where(_H.c.id < after)
        return self._tx.read(lambda connection: [event_value(row) for row in connection.execute(query)])

    def list_backoffs(self, subject: Subject | None = None) -> Sequence[Backoff]:
        """Those that last still."""

        def work(connection: Connection) -> list[Backoff]:
            query = select(_B).where(_B.c.until > self._tx.now(connection), *of_subject(_B, subject))
            return [
                backoff_value(row) for row in connection.execute(query.order_by(_B.c.kind, _B.c.subject, _B.c.process))
            ]

        return self._tx.read(work)

    def explain(self, process: Process, subject: str) -> Explanation:
        """Each condition of the predicate, evaluated by what :meth:`claim` uses.

        :raises NotFound: no such subject.
        """
        return self._tx.read(lambda connection: self._explained(connection, process, subject, self._tx.now(connection)))

    def _explained(self, connection: Connection, process: Process, subject: str, now: datetime) -> Explanation:
        kind, about = self.kinds[process.kind], Subject(subject, process.kind)
        predicate = _predicate(kind, process, now)
        columns = [condition.label(f"c{number}") for number, (_text, condition) in enumerate(predicate)]
        row = connection.execute(select(*columns).where(kind.table.c.id == subject)).first()
        if row is None:
            raise NotFound(f"no {kind.name} {subject}", **about.details)
        live = select(_W).join(_S, _S.c.id == _W.c.session)
        live = live.where(*of_subject(_W, about), _W.c.exclusion == process.group, _S.c.deadline > now)
        held = connection.execute(live).first()
        query = select(_B).where(*of_subject(_B, about), _B.c.process == process.name, _B.c.until > now)
        waits = connection.execute(query).first()
        return Explanation(
            subject,
            process.name,
            tuple((text, bool(holds)) for (text, _condition), holds in zip(predicate, row, strict=True)),
            work_value(held) if held else None,
            backoff_value(waits) if waits else None,
            kind.name,
        )

    def count_work(self, process: Process) -> WorkCounts:
        """Eligible by the predicate that :meth:`claim` uses, in work, in backoff."""

        def work(connection: Connection) -> WorkCounts:
            now = self._tx.now(connection)

            def count(query: Select[Any]) -> int:
                return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()

            live = select(_W.c.subject).join(_S, _S.c.id == _W.c.session)
            return WorkCounts(
                count(eligible(self.kinds[process.kind], process, now)),
                count(live.where(_W.c.process == process.name, _S.c.deadline > now)),
                count(select(_B.c.subject).where(_B.c.process == process.name, _B.c.until > now)),
            )

        return self._tx.read(work)


# -- predicates


def of_subject(table: Any, subject: Subject | None) -> list[ColumnElement[bool]]:
    """The rows of a subject; None: all."""
    return [table.c.kind == subject.kind, table.c.subject == subject.id] if subject else []


def _predicate(kind: Kind, process: Process, now: datetime) -> list[tuple[str, ColumnElement[bool]]]:
    """The conditions with their SQL, the two that every process has included."""
    ids = kind.table.c.id
    live = select(literal(1)).select_from(_W.join(_S, _S.c.id == _W.c.session))
    live = live.where(_W.c.kind == kind.name, _W.c.subject == ids, _W.c.exclusion == process.group, _S.c.deadline > now)
    waits = select(literal(1)).where(
        _B.c.kind == kind.name, _B.c.subject == ids, _B.c.process == process.name, _B.c.until > now
    )
    return [
        *((item.text, item.holds(kind, now)) for item in process.conditions),
        (UNLOCKED, ~live.correlate(kind.table).exists()),
        (RESTED, ~waits.correlate(kind.table).exists()),
    ]


def oldest(kind: Kind, process: Process) -> list[ColumnElement[Any]]:
    """The order of service: those whose need has no beginning, then the oldest."""
    since = process.need.since(kind)
    columns = kind.table.c
    return [columns.updated_at, columns.id] if since is None else [since.is_not(None), since, columns.id]


def eligible(kind: Kind, process: Process, now: datetime) -> Select[Any]:
    return select(kind.table.c.id).where(and_(*(holds for _text, holds in _predicate(kind, process, now))))


# -- rows and values


def session_value(row: Row[Any], deadline: datetime | None = None) -> LeaseSession:
    return LeaseSession(
        row.id,
        row.component,
        row.actor,
        codec.loads(dict[str, Any], row.info),
        row.interval_seconds,
        row.created_at,
        deadline or row.deadline,
    )


def work_value(row: Row[Any]) -> Work:
    return Work(row.subject, row.process, row.session, row.token, row.started_at, row.kind)


def backoff_value(row: Row[Any]) -> Backoff:
    return Backoff(row.subject, row.process, row.until, row.cause, row.interval_seconds, row.failures, row.kind)


def event_value(row: Row[Any]) -> WorkEvent:
    return WorkEvent(**{**row._mapping, "outcome": Outcome(row.outcome)})
