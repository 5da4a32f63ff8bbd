# SPDX-License-Identifier: BSD-2-Clause
"""Reading sessions, work, waits and history; and the predicate of a process in SQL."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fleetcore.errors import InvalidInput, NotFound
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

    def sessions(self) -> Sequence[LeaseSession]:
        """Those that live, oldest first."""

        def work(connection: Connection) -> list[LeaseSession]:
            query = select(_S).where(_S.c.deadline > self._tx.now(connection)).order_by(_S.c.created_at, _S.c.id)
            return [session_value(row) for row in connection.execute(query)]

        return self._tx.read(work)

    def find(
        self, subject: Subject | str | None = None, process: str | None = None, session: str | None = None
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

    def history(
        self,
        subject: Subject | str | None = None,
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

    def process(self, name: str) -> Process:
        """:raises InvalidInput: none of that name."""
        found = self.processes.get(name)
        if found is None:
            raise InvalidInput(
                f"process: {name[:80]!r} is not one of {', '.join(sorted(self.processes))}", field="process"
            )
        return found

    def explain(self, subject: str, process: str) -> Explanation:
        """Each condition of the predicate, evaluated by what claims use.

        :raises NotFound: no such subject. :raises InvalidInput: no such process.
        """
        asked = self.process(process)
        return self._tx.read(lambda connection: self._explained(connection, asked, subject, self._tx.now(connection)))

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

    def counts(self) -> Mapping[str, WorkCounts]:
        """By process: eligible by the predicate that claims use, in work, in backoff."""

        def work(connection: Connection, process: Process) -> WorkCounts:
            now = self._tx.now(connection)

            def count(query: Select[Any]) -> int:
                return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()

            live = select(_W.c.subject).join(_S, _S.c.id == _W.c.session)
            return WorkCounts(
                count(eligible(self.kinds[process.kind], process, now)),
                count(live.where(_W.c.process == process.name, _S.c.deadline > now)),
                count(select(_B.c.subject).where(_B.c.process == process.name, _B.c.until > now)),
            )

        return {
            name: self._tx.read(functools.partial(work, process=item)) for name, item in sorted(self.processes.items())
        }


# -- predicates


def of_subject(table: Any, subject: Subject | str | None) -> list[ColumnElement[bool]]:
    """The rows of a subject, where an id alone is that of a machine; None: all."""
    if subject is None:
        return []
    about = Subject(subject) if isinstance(subject, str) else subject
    return [table.c.kind == about.kind, table.c.subject == about.id]


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


def _fields(row: Row[Any]) -> dict[str, Any]:
    """The columns by the names of the fields."""
    return {name.removesuffix("_seconds"): value for name, value in row._mapping.items()}


def session_value(row: Row[Any], deadline: datetime | None = None) -> LeaseSession:
    return LeaseSession(
        **{**_fields(row), "info": codec.loads(dict[str, Any], row.info), "deadline": deadline or row.deadline}
    )


def work_value(row: Row[Any]) -> Work:
    return Work(row.subject, row.process, row.session, row.token, row.started_at, row.kind)


def backoff_value(row: Row[Any]) -> Backoff:
    return Backoff(**_fields(row))


def event_value(row: Row[Any]) -> WorkEvent:
    return WorkEvent(**{**row._mapping, "outcome": Outcome(row.outcome)})
