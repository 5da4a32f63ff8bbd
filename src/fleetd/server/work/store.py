# SPDX-License-Identifier: BSD-2-Clause
"""Sessions, work, waits and history in SQL. All times are the database's.

Locks are taken in one order: session, subject, work. A session's row is locked against deletion (not against
heartbeats) through each of its transactions, and only then the time is read: the reaper waits for a transaction that
was in time. All that a session does first looks whether its deadline has passed; then it is ``SessionExpired``, and
nothing was written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fleetcore.errors import NotFound
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from fleetd.server.kernel import codec
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.ids import new_id
from fleetd.server.work import tables
from fleetd.server.work.looks import (
    WorkLooks,
    backoff_value,
    eligible,
    of_subject,
    oldest,
    session_value,
    work_value,
)
from fleetd.server.work.model import (
    EXPIRED,
    Cancel,
    Exit,
    Fail,
    Finish,
    Lease,
    LeaseLost,
    LeaseSession,
    NotEligible,
    NothingToDo,
    Outcome,
    SessionExpired,
    Subject,
    SubjectGone,
    Work,
    WorkConflict,
    WorkEvent,
    of_work,
)
from fleetd.server.work.process import Process

_S, _W, _F, _B, _H = tables.lease_sessions, tables.work, tables.fences, tables.backoffs, tables.work_history
_LOOKS = 5  # at candidates that others were faster with
_READ_BEFORE = timedelta(seconds=1)  # a heartbeat may be written between reading the time and reading the sessions
T = TypeVar("T")


class WorkStore(WorkLooks):
    """Sessions, claims and exits."""

    def __init__(self, tx: Transactions) -> None:
        super().__init__(tx)
        tx.listeners.append(self._forget)

    def _forget(self, happening: object) -> None:
        """Delete what is known of a subject that is gone; its fencing token stays."""
        if not isinstance(happening, SubjectGone):
            return

        def work(connection: Connection) -> None:
            for table in (_W, _B, _H):
                connection.execute(delete(table).where(*of_subject(table, happening.subject)))

        self._tx.write(work)

    # -- sessions

    def start(self, component: str, actor: str, info: Mapping[str, Any], interval: float) -> LeaseSession:
        """Open a session; its deadline is ``interval`` seconds from now."""

        def work(connection: Connection) -> LeaseSession:
            now = self._tx.now(connection)
            made = LeaseSession(
                new_id(now), component, actor, dict(info), interval, now, now + timedelta(seconds=interval)
            )
            connection.execute(insert(_S).values({**asdict(made), "info": codec.dumps(made.info)}))
            return made

        return self._tx.write(work)

    def poke_session(self, session: str) -> LeaseSession:
        """The heartbeat: the deadline is ``interval`` seconds from now again.

        :raises SessionExpired: too late.
        """

        def work(connection: Connection) -> LeaseSession:
            row, now = self._live(connection, session, change=True)
            deadline = now + timedelta(seconds=row.interval_seconds)
            connection.execute(update(_S).where(_S.c.id == session).values(deadline=deadline))
            return session_value(row, deadline)

        return self._tx.write(work)

    def end_session(self, session: str) -> None:
        """Cancel its work and forget it. One that is not there (any more) is no error."""

        def work(connection: Connection) -> None:
            row = connection.execute(select(_S).where(_S.c.id == session).with_for_update()).first()
            if row is not None:
                now = self._tx.now(connection)
                self._bury(connection, row, now, EXPIRED if row.deadline <= now else "session ended")

        self._tx.write(work)

    def reap(self) -> int:
        """Cancel the work of dead sessions and forget them; how many there were. Several servers may do it at once.

        A deadline that is further away than its interval was written before the clock was set back: it is brought to
        ``interval`` from now, so that work of the dead is not locked until the clock has caught up.
        """

        def look(connection: Connection) -> tuple[list[str], dict[str, datetime]]:
            """Dead sessions, and those whose deadline is too late, with the latest that can be."""
            now = self._tx.now(connection)
            dead, ahead = [], {}
            for row in connection.execute(select(_S.c.id, _S.c.deadline, _S.c.interval)):
                latest = now + timedelta(seconds=row.interval_seconds)
                if row.deadline <= now:
                    dead.append(row.id)
                elif row.deadline > latest + _READ_BEFORE:
                    ahead[row.id] = latest
            return dead, ahead

        def bring_back(session: str, latest: datetime) -> Callable[[Connection], None]:
            change = update(_S).where(_S.c.id == session, _S.c.deadline > latest + _READ_BEFORE)

            def work(connection: Connection) -> None:
                connection.execute(change.values(deadline=latest))

            return work

        def bury(session: str) -> Callable[[Connection], int]:
            def work(connection: Connection) -> int:
                query = select(_S).where(_S.c.id == session).with_for_update(skip_locked=True)
                row = connection.execute(query).first()
                if row is None:
                    return 0  # another server does it
                self._bury(connection, row, self._tx.now(connection), EXPIRED)
                return 1

            return work

        dead, ahead = self._tx.read(look)
        for session, latest in ahead.items():
            self._tx.write(bring_back(session, latest))
        return sum(self._tx.write(bury(session)) for session in dead)

    def _bury(self, connection: Connection, row: Row[Any], now: datetime, cause: str) -> None:
        query = select(_W).where(_W.c.session == row.id).order_by(_W.c.kind, _W.c.subject, _W.c.process)
        for item in connection.execute(query).all():
            self._drop(connection, item, row, now, cause)
        connection.execute(delete(_S).where(_S.c.id == row.id))

    def _live(self, connection: Connection, session: str, change: bool = False) -> tuple[Row[Any], datetime]:
        """The fence: the session's row, locked, and the time at which it was not dead."""
        query = select(_S).where(_S.c.id == session).with_for_update(key_share=True, read=not change)
        row = connection.execute(query).first()
        now = self._tx.now(connection)
        if row is None or row.deadline <= now:
            raise SessionExpired(session)
        return row, now

    # -- claims

    def lock(self, subject: Subject) -> None:
        """Keep others from writing to the subject until the open transaction ends.

        :raises NotFound: there is none.
        """
        table = self.kinds[subject.kind].table
        query = select(table.c.id).where(table.c.id == subject.id).with_for_update()
        if self._tx.write(lambda connection: connection.execute(query).first()) is None:
            raise NotFound(f"no {subject.kind} {subject.id}", **subject.details)

    def claim_for(
        self, session: str, process: Process, count: int, subjects: Sequence[str] | None = None
    ) -> Sequence[Work]:
        """Lock up to ``count`` eligible subjects, oldest need first; ``subjects`` narrows the choice.

        :raises NothingToDo: none is eligible. :raises SessionExpired: too late.
        """
        kind = self.kinds[process.kind]
        ids = kind.table.c.id

        def work(connection: Connection) -> list[Work]:
            row, now = self._live(connection, session)
            for _look in range(_LOOKS):
                query = eligible(kind, process, now).order_by(*oldest(kind, process)).limit(count)
                if subjects is not None:
                    query = query.where(ids.in_(list(subjects)))
                locked = connection.execute(query.with_for_update(of=kind.table, skip_locked=True)).scalars().all()
                if not locked:
                    break
                sure = locked
                if connection.dialect.name != "sqlite":  # where one writes at a time
                    # Somebody may have let go of a lock between the snapshot and ours: look again, now that nobody
                    # else can.
                    query = eligible(kind, process, now).where(ids.in_(locked))
                    again = set(connection.execute(query).scalars())
                    sure = [name for name in locked if name in again]
                if sure:
                    return [self._start(connection, Subject(name, kind.name), process, row, now) for name in sure]
            raise NothingToDo(f"no {kind.name} is eligible for {process.name}")

        return self._tx.write(work, again_on_conflict=True)

    def take_for(self, session: str, process: Process, subject: str, needed: bool = True) -> Work:
        """Lock one subject. ``needed`` False: whatever the predicate and the backoff say.

        :raises WorkConflict: it is locked. :raises NotEligible: the predicate does not hold.
        :raises NotFound: no such subject. :raises SessionExpired: too late.
        """
        about = Subject(subject, process.kind)

        def work(connection: Connection) -> Work:
            row, now = self._live(connection, session)
            self.lock(about)
            found = self._explained(connection, process, subject, now)
            if found.work is not None:
                raise WorkConflict(about, process.name, _holder(connection, found.work))
            if needed and not found.eligible:
                raise NotEligible(about, process.name, found.unmet)
            return self._start(connection, about, process, row, now)

        try:
            return self._tx.write(work)
        except IntegrityError:  # two who found it free
            raise WorkConflict(about, process.name) from None

    def report(self, lease: Lease, change: Callable[[Work, datetime], T], leave: Exit | None = None) -> T | None:
        """Leave the work by one of the exits, if any, and call ``change``: in one transaction, under the lock.

        For the capability of a process, too: hooks are not called.

        :returns: what ``change`` does; None for ``Cancel`` of work that is not held (any more): then nothing happens.
        :raises LeaseLost: it is not held so.
        :raises SessionExpired: the session named, or that of the token, is dead.
        """
        subject = Subject(lease.subject, self.processes[lease.process].kind)
        mine = [*of_subject(_W, subject), _W.c.process == lease.process]
        if lease.token is not None:
            mine.append(_W.c.token == lease.token)

        def work(connection: Connection) -> T | None:
            session = lease.session or connection.execute(select(_W.c.session).where(*mine)).scalar()
            if session is None:
                raise LeaseLost(subject, lease.process)
            row, now = self._live(connection, session)
            self.lock(subject)
            item = connection.execute(select(_W).where(*mine, _W.c.session == session).with_for_update()).first()
            if item is None:
                if isinstance(leave, Cancel):
                    return None
                raise LeaseLost(subject, lease.process)
            held = work_value(item)
            if leave is not None:
                self._leave(connection, held, row, leave, now)
            return change(held, now)

        return self._tx.write(work)

    def refuse_held(self, process: str, subject: Subject) -> None:
        """:raises WorkConflict: somebody holds it."""

        def work(connection: Connection) -> str | None:
            query = select(_S.c.component).join(_W, _S.c.id == _W.c.session)
            query = query.where(
                *of_subject(_W, subject), _W.c.process == process, _S.c.deadline > self._tx.now(connection)
            )
            return connection.execute(query).scalar()

        holder = self._tx.read(work)
        if holder is not None:
            raise WorkConflict(subject, process, holder)

    # -- steps of a transaction; the subject is locked

    def _start(
        self, connection: Connection, subject: Subject, process: Process, session: Row[Any], now: datetime
    ) -> Work:
        dead = select(_W, _S.c.component, _S.c.actor).join(_S, _S.c.id == _W.c.session)
        dead = dead.where(*of_subject(_W, subject), _W.c.exclusion == process.group, _S.c.deadline <= now)
        for item in connection.execute(dead).all():
            self._drop(connection, item, item, now, EXPIRED)
        about = {"kind": subject.kind, "subject": subject.id}
        if not connection.execute(update(_F).where(*of_subject(_F, subject)).values(token=_F.c.token + 1)).rowcount:
            connection.execute(insert(_F).values(**about, token=1))
        token = connection.execute(select(_F.c.token).where(*of_subject(_F, subject))).scalar_one()
        held = Work(subject.id, process.name, session.id, token, now, subject.kind)
        connection.execute(insert(_W).values({**asdict(held), "exclusion": process.group}))
        self._log(connection, held, session, Outcome.STARTED, now)
        process.started(held, session.component, now)
        return held

    def _drop(self, connection: Connection, item: Row[Any], session: Row[Any], now: datetime, cause: str) -> None:
        """Cancel work whose session is gone."""
        held = work_value(item)
        with contextlib.suppress(NotFound):
            self.lock(Subject(held.subject, held.kind))
        if not self._delete(connection, held):
            return
        self._log(connection, held, session, Outcome.CANCELLED, now, cause)
        process = self.processes.get(held.process)
        if process is not None:
            process.lost(held, cause, now)

    def _leave(self, connection: Connection, held: Work, session: Row[Any], leave: Exit, now: datetime) -> None:
        self._delete(connection, held)
        waits = (*of_subject(_B, Subject(held.subject, held.kind)), _B.c.process == held.process)
        if isinstance(leave, Cancel):
            self._log(connection, held, session, Outcome.CANCELLED, now, leave.cause)
        elif isinstance(leave, Finish):
            self._log(connection, held, session, Outcome.FINISHED, now)
            connection.execute(delete(_B).where(*waits))
        else:
            self._log(connection, held, session, Outcome.FAILED, now, leave.cause)
            self._back_off(connection, held, leave, now, waits)

    def _back_off(
        self,
        connection: Connection,
        held: Work,
        leave: Fail,
        now: datetime,
        waits: Sequence[ColumnElement[bool]],
    ) -> None:
        if leave.retry is None:
            return
        row = connection.execute(select(_B).where(*waits)).first()
        following = leave.retry.after(backoff_value(row) if row else None, held, leave.cause, now, leave.jitter)
        connection.execute(delete(_B).where(*waits))
        if following is None:
            self.kinds[held.kind].exhausted(held, leave.cause, now)
            return
        connection.execute(insert(_B).values(asdict(following)))

    def _delete(self, connection: Connection, held: Work) -> int:
        mine = (*of_subject(_W, Subject(held.subject, held.kind)), _W.c.token == held.token)
        return connection.execute(delete(_W).where(*mine)).rowcount

    def _log(
        self, connection: Connection, held: Work, session: Row[Any], outcome: Outcome, now: datetime, cause: str = ""
    ) -> None:
        about = {name: getattr(held, name) for name in ("kind", "subject", "process", "session", "token")}
        by = {"component": session.component, "actor": session.actor}
        line = WorkEvent(id=new_id(now), at=now, outcome=outcome, cause=cause, **by, **about)
        connection.execute(insert(_H).values({**asdict(line), "outcome": outcome.value}))
        self._tx.tell(of_work(line))


def _holder(connection: Connection, item: Work) -> str:
    row = connection.execute(select(_S.c.component).where(_S.c.id == item.session)).first()
    return f"{row.component} ({item.process})" if row else item.process
