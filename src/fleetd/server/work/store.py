# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd.server.ports.WorkStore`` in SQL.

Locks are taken in one order: session, machine, work. A session's row is locked against deletion (not against heartbeats)
through each of its transactions, and only then the time is read: the reaper waits for a transaction that was in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar

from fleetcore.errors import NotFound
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError

from fleetd.server.kernel import codec, tables
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.events import model as events
from fleetd.server.kernel.events.store import tell
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines import rows
from fleetd.server.work.model import (
    EXPIRED,
    RESTED,
    UNLOCKED,
    Backoff,
    Cancel,
    Change,
    Condition,
    DocumentOlder,
    Exit,
    Explanation,
    Fail,
    Finish,
    FinishedBefore,
    HasBmc,
    Lease,
    LeaseLost,
    LeaseSession,
    LifecycleIn,
    LifecycleNotIn,
    NotEligible,
    NotHeld,
    NothingToDo,
    NotQuarantined,
    Outcome,
    PowercycleDue,
    Process,
    Processes,
    SessionExpired,
    Subject,
    Work,
    WorkConflict,
    WorkCounts,
    WorkEvent,
    happened,
    quarantined,
)

_M, _P, _D = tables.machines, tables.powercycles, tables.devices
_S, _W, _F, _B, _H = tables.lease_sessions, tables.work, tables.fences, tables.backoffs, tables.work_history
_LOOKS = 5  # at candidates that others were faster with
_READ_BEFORE = timedelta(seconds=1)  # a heartbeat may be written between reading the time and reading the sessions
T = TypeVar("T")


class SqlWork:
    """The part of ``SqlStore`` for sessions and work.

    :param clock: in the place of the database's, for tests; None: the database's.
    """

    _tx: Transactions
    _clock: Callable[[], datetime] | None

    def _now(self, connection: Connection) -> datetime:
        """The database's time of now, not of the transaction's start."""
        if self._clock is not None:
            return self._clock()
        if connection.dialect.name == "sqlite":
            now = func.strftime("%Y-%m-%d %H:%M:%f000", "now")
        else:
            now = func.clock_timestamp()
        found: datetime = connection.execute(select(type_coerce(now, tables.UtcDateTime))).scalar_one()
        return found

    # -- sessions

    def open_session(self, component: str, actor: str, info: Mapping[str, Any], interval: float) -> LeaseSession:
        def work(connection: Connection) -> LeaseSession:
            now = self._now(connection)
            made = LeaseSession(
                new_id(now), component, actor, dict(info), interval, now, now + timedelta(seconds=interval)
            )
            connection.execute(
                insert(_S).values(
                    id=made.id,
                    component=component,
                    actor=actor,
                    info=codec.dumps(made.info),
                    interval_seconds=interval,
                    created_at=made.created_at,
                    deadline=made.deadline,
                )
            )
            return made

        return self._tx.write(work)

    def poke_session(self, session: str) -> LeaseSession:
        def work(connection: Connection) -> LeaseSession:
            row, now = self._live(connection, session, change=True)
            deadline = now + timedelta(seconds=row.interval_seconds)
            connection.execute(update(_S).where(_S.c.id == session).values(deadline=deadline))
            return _session(row, deadline)

        return self._tx.write(work)

    def get_session(self, session: str) -> LeaseSession:
        def work(connection: Connection) -> LeaseSession:
            row = connection.execute(select(_S).where(_S.c.id == session)).first()
            if row is None or row.deadline <= self._now(connection):
                raise SessionExpired(session)
            return _session(row)

        return self._tx.read(work)

    def end_session(self, session: str, processes: Processes) -> None:
        def work(connection: Connection) -> None:
            row = connection.execute(select(_S).where(_S.c.id == session).with_for_update()).first()
            if row is not None:
                now = self._now(connection)
                self._bury(connection, row, processes, now, EXPIRED if row.deadline <= now else "session ended")

        self._tx.write(work)

    def list_sessions(self) -> Sequence[LeaseSession]:
        def work(connection: Connection) -> list[LeaseSession]:
            query = select(_S).where(_S.c.deadline > self._now(connection)).order_by(_S.c.created_at, _S.c.id)
            return [_session(row) for row in connection.execute(query)]

        return self._tx.read(work)

    def reap(self, processes: Processes) -> int:
        def look(connection: Connection) -> tuple[list[str], dict[str, datetime]]:
            """Dead sessions, and those whose deadline is too late, with the latest that can be."""
            now = self._now(connection)
            dead, ahead = [], {}
            for row in connection.execute(select(_S.c.id, _S.c.deadline, _S.c.interval_seconds)):
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
                self._bury(connection, row, processes, self._now(connection), EXPIRED)
                return 1

            return work

        dead, ahead = self._tx.read(look)
        for session, latest in ahead.items():
            self._tx.write(bring_back(session, latest))
        return sum(self._tx.write(bury(session)) for session in dead)

    def _bury(self, connection: Connection, row: Row[Any], processes: Processes, now: datetime, cause: str) -> None:
        held = connection.execute(select(_W).where(_W.c.session == row.id).order_by(_W.c.machine, _W.c.process)).all()
        for item in held:
            _drop(connection, item, row, processes, now, cause)
        connection.execute(delete(_S).where(_S.c.id == row.id))

    def _live(self, connection: Connection, session: str, change: bool = False) -> tuple[Row[Any], datetime]:
        """The fence: the session's row, locked, and the time at which it was not dead."""
        query = select(_S).where(_S.c.id == session).with_for_update(key_share=True, read=not change)
        row = connection.execute(query).first()
        now = self._now(connection)
        if row is None or row.deadline <= now:
            raise SessionExpired(session)
        return row, now

    # -- claims

    def claim(
        self, session: str, process: Process, count: int, processes: Processes, machines: Sequence[str] | None = None
    ) -> Sequence[Work]:
        def work(connection: Connection) -> list[Work]:
            row, now = self._live(connection, session)
            for _look in range(_LOOKS):
                query = _eligible(process, now).order_by(*_oldest(process.need)).limit(count)
                if machines is not None:
                    query = query.where(_M.c.id.in_(list(machines)))
                locked = connection.execute(query.with_for_update(of=_M, skip_locked=True)).scalars().all()
                if not locked:
                    break
                sure = locked
                if connection.dialect.name != "sqlite":  # where one writes at a time
                    # Somebody may have let go of a lock between the snapshot and ours: look again, now that nobody else can.
                    query = _eligible(process, now).where(_M.c.id.in_(locked))
                    again = set(connection.execute(query).scalars())
                    sure = [name for name in locked if name in again]
                if sure:
                    return [_start(connection, name, process, row, processes, now) for name in sure]
            raise NothingToDo(f"no machine is eligible for {process.name}")

        return self._tx.write(work, again_on_conflict=True)

    def take(self, session: str, process: Process, machine: str, processes: Processes, needed: bool = True) -> Work:
        def work(connection: Connection) -> Work:
            row, now = self._live(connection, session)
            rows.locked_machine(connection, machine)
            found = _explain(connection, process, machine, now)
            if found.work is not None:
                raise WorkConflict(machine, process.name, _holder(connection, found.work))
            if needed and not found.eligible:
                raise NotEligible(machine, process.name, found.unmet)
            return _start(connection, machine, process, row, processes, now)

        try:
            return self._tx.write(work)
        except IntegrityError:  # two who found it free
            raise WorkConflict(machine, process.name) from None

    def transact(self, lease: Lease, change: Change, leave: Exit | None = None) -> Subject:
        def work(connection: Connection) -> Subject:
            session = lease.session or _session_of(connection, lease)
            row, now = self._live(connection, session)
            subject = _subject(connection, lease.machine)
            query = select(_W).where(
                _W.c.machine == lease.machine, _W.c.process == lease.process, _W.c.session == session
            )
            if lease.token is not None:
                query = query.where(_W.c.token == lease.token)
            held = connection.execute(query.with_for_update()).first()
            if held is None:
                if isinstance(leave, Cancel):
                    return subject
                raise LeaseLost(lease.machine, lease.process)
            changed = change(subject, now)
            if leave is not None:
                changed = _leave(connection, held, row, leave, changed, now)
            _write(connection, subject, changed)
            return changed

        return self._tx.write(work)

    # -- looks

    def list_work(
        self, machine: str | None = None, process: str | None = None, session: str | None = None
    ) -> Sequence[Work]:
        def work(connection: Connection) -> list[Work]:
            query = select(_W).join(_S, _S.c.id == _W.c.session).where(_S.c.deadline > self._now(connection))
            for column, value in ((_W.c.machine, machine), (_W.c.process, process), (_W.c.session, session)):
                if value is not None:
                    query = query.where(column == value)
            return [_work(row) for row in connection.execute(query.order_by(_W.c.machine, _W.c.process))]

        return self._tx.read(work)

    def _in_work(self, connection: Connection, process: str) -> set[str]:
        """Machines with live work of ``process``."""
        query = select(_W.c.machine).join(_S, _S.c.id == _W.c.session)
        query = query.where(_W.c.process == process, _S.c.deadline > self._now(connection))
        return set(connection.execute(query).scalars())

    def _refuse_held(self, connection: Connection, machine: str, process: str) -> None:
        """:raises WorkConflict: somebody holds it."""
        query = select(_S.c.component).join(_W, _S.c.id == _W.c.session)
        query = query.where(_W.c.machine == machine, _W.c.process == process, _S.c.deadline > self._now(connection))
        holder: str | None = connection.execute(query).scalar()
        if holder is not None:
            raise WorkConflict(machine, process, holder)

    def work_history(
        self, machine: str | None = None, process: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[WorkEvent]:
        query = select(_H).order_by(_H.c.id.desc()).limit(limit)
        if machine is not None:
            query = query.where(_H.c.machine == machine)
        if process is not None:
            query = query.where(_H.c.process == process)
        if after is not None:
            query = query.where(_H.c.id < after)
        return self._tx.read(lambda connection: [_event(row) for row in connection.execute(query)])

    def list_backoffs(self, machine: str | None = None) -> Sequence[Backoff]:
        def work(connection: Connection) -> list[Backoff]:
            query = select(_B).where(_B.c.until > self._now(connection)).order_by(_B.c.machine, _B.c.process)
            if machine is not None:
                query = query.where(_B.c.machine == machine)
            return [_backoff(row) for row in connection.execute(query)]

        return self._tx.read(work)

    def explain(self, process: Process, machine: str) -> Explanation:
        return self._tx.read(lambda connection: _explain(connection, process, machine, self._now(connection)))

    def count_work(self, process: Process) -> WorkCounts:
        def work(connection: Connection) -> WorkCounts:
            now = self._now(connection)

            def count(query: Select[Any]) -> int:
                return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()

            live = select(_W.c.machine).join(_S, _S.c.id == _W.c.session)
            return WorkCounts(
                count(_eligible(process, now)),
                count(live.where(_W.c.process == process.name, _S.c.deadline > now)),
                count(select(_B.c.machine).where(_B.c.process == process.name, _B.c.until > now)),
            )

        return self._tx.read(work)


# -- predicates


def _predicate(process: Process, now: datetime) -> list[tuple[str, ColumnElement[bool]]]:
    """The conditions with their SQL, the two that every process has included."""
    live = select(literal(1)).select_from(_W.join(_S, _S.c.id == _W.c.session))
    live = live.where(_W.c.machine == _M.c.id, _W.c.exclusion == process.group, _S.c.deadline > now)
    waits = select(literal(1)).where(_B.c.machine == _M.c.id, _B.c.process == process.name, _B.c.until > now)
    return [
        *((item.text, _sql(item, now)) for item in process.conditions),
        (UNLOCKED, ~live.correlate(_M).exists()),
        (RESTED, ~waits.correlate(_M).exists()),
    ]


def _sql(condition: Condition, now: datetime) -> ColumnElement[bool]:
    found: ColumnElement[bool]
    if isinstance(condition, LifecycleIn):
        states = condition.states
        # One is compared, so that an index gives them in the order of service.
        found = _M.c.lifecycle == states[0] if len(states) == 1 else _M.c.lifecycle.in_(states)
    elif isinstance(condition, LifecycleNotIn):
        found = _M.c.lifecycle.not_in(condition.states)
    elif isinstance(condition, HasBmc):
        found = _M.c.bmc.is_not(None)
    elif isinstance(condition, NotQuarantined):
        found = ~_M.c.quarantined
    elif isinstance(condition, NotHeld):
        found = ~_M.c.held
    elif isinstance(condition, PowercycleDue):
        due = or_(_P.c.not_before.is_(None), _P.c.not_before <= now)
        # Few requests are open: from them to their machines, not from each machine to its request.
        found = _M.c.id.in_(select(_P.c.machine).where(_P.c.finished_at.is_(None), due))
    elif isinstance(condition, DocumentOlder):
        limit = now - timedelta(seconds=condition.seconds)
        found = ~_document(condition).where(_D.c.updated_at > limit).correlate(_M).exists()
    elif isinstance(condition, FinishedBefore):
        limit = now - timedelta(seconds=condition.seconds)
        found = ~_finished(condition).where(_H.c.at > limit).correlate(_M).exists()
    else:
        raise TypeError(f"no SQL for {type(condition).__name__}")
    return found


def _open_request() -> Select[Any]:
    return select(_P.c.requested_at).where(_P.c.machine == _M.c.id, _P.c.finished_at.is_(None))


def _document(condition: DocumentOlder) -> Select[Any]:
    return select(_D.c.updated_at).where(_D.c.machine == _M.c.id, _D.c.source == condition.source)


def _finished(condition: FinishedBefore) -> Select[Any]:
    return select(_H.c.at).where(
        _H.c.machine == _M.c.id, _H.c.process == condition.process, _H.c.outcome == Outcome.FINISHED.value
    )


def _oldest(need: Condition) -> list[Any]:
    """The order of service: those whose need has no beginning, then the oldest."""
    since: Any = None
    if isinstance(need, PowercycleDue):
        since = _open_request().correlate(_M).scalar_subquery()
    elif isinstance(need, DocumentOlder):
        since = _document(need).correlate(_M).scalar_subquery()
    elif isinstance(need, FinishedBefore):
        since = _finished(need).with_only_columns(func.max(_H.c.at)).correlate(_M).scalar_subquery()
    if since is None:
        return [_M.c.updated_at, _M.c.id]
    return [since.is_not(None), since, _M.c.id]


def _eligible(process: Process, now: datetime) -> Select[Any]:
    return select(_M.c.id).where(and_(*(condition for _text, condition in _predicate(process, now))))


def _explain(connection: Connection, process: Process, machine: str, now: datetime) -> Explanation:
    predicate = _predicate(process, now)
    columns = [condition.label(f"c{number}") for number, (_text, condition) in enumerate(predicate)]
    row = connection.execute(select(*columns).where(_M.c.id == machine)).first()
    if row is None:
        raise NotFound(f"no machine {machine}", machine=machine)
    live = select(_W).join(_S, _S.c.id == _W.c.session)
    live = live.where(_W.c.machine == machine, _W.c.exclusion == process.group, _S.c.deadline > now)
    held = connection.execute(live).first()
    query = select(_B).where(_B.c.machine == machine, _B.c.process == process.name, _B.c.until > now)
    waits = connection.execute(query).first()
    return Explanation(
        machine,
        process.name,
        tuple((text, bool(holds)) for (text, _condition), holds in zip(predicate, row, strict=True)),
        _work(held) if held else None,
        _backoff(waits) if waits else None,
    )


# -- steps of a transaction; the machine is locked


def _start(
    connection: Connection, machine: str, process: Process, session: Row[Any], processes: Processes, now: datetime
) -> Work:
    dead = select(_W, _S.c.component, _S.c.actor).join(_S, _S.c.id == _W.c.session)
    dead = dead.where(_W.c.machine == machine, _W.c.exclusion == process.group, _S.c.deadline <= now)
    for item in connection.execute(dead).all():
        _drop(connection, item, item, processes, now, EXPIRED)
    done = connection.execute(update(_F).where(_F.c.machine == machine).values(token=_F.c.token + 1))
    if not done.rowcount:
        connection.execute(insert(_F).values(machine=machine, token=1))
    token = connection.execute(select(_F.c.token).where(_F.c.machine == machine)).scalar_one()
    made = Work(machine, process.name, session.id, token, now)
    connection.execute(
        insert(_W).values(
            machine=machine,
            process=process.name,
            exclusion=process.group,
            session=session.id,
            token=token,
            started_at=now,
        )
    )
    _log(connection, made, session, Outcome.STARTED, now)
    subject = _subject(connection, machine)
    _write(connection, subject, process.started(subject, now, session.component))
    return made


def _drop(
    connection: Connection, item: Row[Any], session: Row[Any], processes: Processes, now: datetime, cause: str
) -> None:
    """Cancel work whose session is gone."""
    held = _work(item)
    subject = _subject(connection, held.machine)
    gone = connection.execute(delete(_W).where(_W.c.machine == held.machine, _W.c.token == held.token))
    if not gone.rowcount:
        return
    _log(connection, held, session, Outcome.CANCELLED, now, cause)
    process = processes.get(held.process)
    if process is not None:
        _write(connection, subject, process.lost(subject, now, cause))


def _leave(
    connection: Connection, item: Row[Any], session: Row[Any], leave: Exit, subject: Subject, now: datetime
) -> Subject:
    held = _work(item)
    connection.execute(delete(_W).where(_W.c.machine == held.machine, _W.c.token == held.token))
    backoff = (_B.c.machine == held.machine, _B.c.process == held.process)
    if isinstance(leave, Cancel):
        _log(connection, held, session, Outcome.CANCELLED, now, leave.cause)
    elif isinstance(leave, Finish):
        _log(connection, held, session, Outcome.FINISHED, now)
        connection.execute(delete(_B).where(*backoff))
    else:
        _log(connection, held, session, Outcome.FAILED, now, leave.cause)
        if leave.retry is not None:
            subject = _back_off(connection, held, leave, subject, now)
    return subject


def _back_off(connection: Connection, held: Work, leave: Fail, subject: Subject, now: datetime) -> Subject:
    assert leave.retry is not None  # noqa: S101
    key = (_B.c.machine == held.machine, _B.c.process == held.process)
    row = connection.execute(select(_B).where(*key)).first()
    lease = Lease(held.machine, held.process)
    following = leave.retry.after(_backoff(row) if row else None, lease, leave.cause, now, leave.jitter)
    connection.execute(delete(_B).where(*key))
    if following is None:
        return quarantined(subject, held.process, leave.cause, now)
    connection.execute(
        insert(_B).values(
            machine=following.machine,
            process=following.process,
            until=following.until,
            cause=following.cause,
            interval_seconds=following.interval,
            failures=following.failures,
        )
    )
    return subject


def _subject(connection: Connection, machine: str) -> Subject:
    return Subject(rows.locked_machine(connection, machine), rows.open_powercycle(connection, machine))


def _write(connection: Connection, previous: Subject, changed: Subject) -> None:
    rows.write_machine(connection, previous.machine, changed.machine)
    if previous.request is not None and changed.request is not None:
        request = changed.request
        rows.write_powercycle(connection, previous.request, lambda _previous: request)


def _log(
    connection: Connection, item: Work, session: Row[Any], outcome: Outcome, now: datetime, cause: str = ""
) -> None:
    line = happened(item, outcome, session.component, session.actor, now, cause)
    connection.execute(insert(_H).values({**asdict(line), "outcome": outcome.value}))
    tell(connection, events.of_work(line))


def _holder(connection: Connection, item: Work) -> str:
    row = connection.execute(select(_S.c.component).where(_S.c.id == item.session)).first()
    return f"{row.component} ({item.process})" if row else item.process


def _session_of(connection: Connection, lease: Lease) -> str:
    query = select(_W.c.session).where(
        _W.c.machine == lease.machine, _W.c.process == lease.process, _W.c.token == lease.token
    )
    found: str | None = connection.execute(query).scalar()
    if found is None:
        raise LeaseLost(lease.machine, lease.process)
    return found


# -- rows and values


def _session(row: Row[Any], deadline: datetime | None = None) -> LeaseSession:
    return LeaseSession(
        row.id,
        row.component,
        row.actor,
        codec.loads(dict[str, Any], row.info),
        row.interval_seconds,
        row.created_at,
        deadline or row.deadline,
    )


def _work(row: Row[Any]) -> Work:
    return Work(row.machine, row.process, row.session, row.token, row.started_at)


def _backoff(row: Row[Any]) -> Backoff:
    return Backoff(row.machine, row.process, row.until, row.cause, row.interval_seconds, row.failures)


def _event(row: Row[Any]) -> WorkEvent:
    return WorkEvent(
        row.id,
        row.at,
        row.machine,
        row.process,
        Outcome(row.outcome),
        row.session,
        row.component,
        row.actor,
        row.cause,
        row.token,
    )
