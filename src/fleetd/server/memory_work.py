# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd.server.ports.WorkStore`` in memory, for tests: what the SQL one must behave like."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from fleetcore.errors import NotFound

from fleetd.server.kernel.events import model as events
from fleetd.server.kernel.events.model import Event, NewEvent
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.model import Machine
from fleetd.server.powercycles.model import Powercycle
from fleetd.server.work.model import (
    EXPIRED,
    RESTED,
    UNLOCKED,
    Backoff,
    Cancel,
    Change,
    Exit,
    Explanation,
    Facts,
    Fail,
    Finish,
    Lease,
    LeaseLost,
    LeaseSession,
    NotEligible,
    NothingToDo,
    Outcome,
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


class MemoryWork:
    """The part of ``MemoryStore`` for sessions and work."""

    _lock: threading.RLock
    _machines: dict[str, Machine]
    _requests: dict[str, Powercycle]
    _observed: dict[str, dict[str, datetime]]

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lease_sessions: dict[str, LeaseSession] = {}
        self._work: dict[tuple[str, str], tuple[Work, str]] = {}  # by machine and exclusion, with it
        self._fences: dict[str, int] = {}
        self._backoffs: dict[tuple[str, str], Backoff] = {}
        self._events: list[WorkEvent] = []
        self._log: list[Event] = []
        self._last = self._pruned = 0

    def _forget_work(self, machine: str) -> None:
        self._work = {key: item for key, item in self._work.items() if key[0] != machine}
        self._backoffs = {key: item for key, item in self._backoffs.items() if key[0] != machine}
        self._events = [item for item in self._events if item.machine != machine]

    # -- steps that are told of

    def _tell(self, events: Iterable[NewEvent]) -> list[Event]:
        made = []
        for item in events:
            self._last += 1
            made.append(Event(item.kind, item.machine, item.actor, item.message, item.data, self._last, self._clock()))
        self._log += made
        return made

    def _put_machine(self, machine: Machine) -> Machine:
        previous = self._machines.get(machine.id)
        self._machines[machine.id] = machine
        self._tell(events.of_machine(previous, machine))
        return machine

    def _put_request(self, request: Powercycle) -> Powercycle:
        previous = self._requests.get(request.id)
        self._requests[request.id] = request
        self._tell(events.of_powercycle(previous, request))
        return request

    # -- sessions

    def open_session(self, component: str, actor: str, info: Mapping[str, Any], interval: float) -> LeaseSession:
        with self._lock:
            now = self._clock()
            deadline = now + timedelta(seconds=interval)
            made = LeaseSession(new_id(now), component, actor, dict(info), interval, now, deadline)
            self._lease_sessions[made.id] = made
            return made

    def poke_session(self, session: str) -> LeaseSession:
        with self._lock:
            found = self.get_session(session)
            poked = replace(found, deadline=self._clock() + timedelta(seconds=found.interval))
            self._lease_sessions[session] = poked
            return poked

    def get_session(self, session: str) -> LeaseSession:
        with self._lock:
            found = self._lease_sessions.get(session)
            if found is None or found.deadline <= self._clock():
                raise SessionExpired(session)
            return found

    def end_session(self, session: str, processes: Processes) -> None:
        with self._lock:
            found = self._lease_sessions.get(session)
            if found is not None:
                self._bury(found, processes, "session ended" if self._lives(session) else EXPIRED)

    def list_sessions(self) -> Sequence[LeaseSession]:
        with self._lock:
            found = sorted(self._lease_sessions.values(), key=lambda item: (item.created_at, item.id))
            return [item for item in found if self._lives(item.id)]

    def reap(self, processes: Processes) -> int:
        with self._lock:
            for item in self._lease_sessions.values():
                latest = self._clock() + timedelta(seconds=item.interval)
                self._lease_sessions[item.id] = replace(item, deadline=min(item.deadline, latest))
            dead = [item for item in self._lease_sessions.values() if not self._lives(item.id)]
            for item in dead:
                self._bury(item, processes, EXPIRED)
            return len(dead)

    def _lives(self, session: str) -> bool:
        found = self._lease_sessions.get(session)
        return found is not None and found.deadline > self._clock()

    def _bury(self, session: LeaseSession, processes: Processes, cause: str) -> None:
        for key in [key for key, (item, _group) in self._work.items() if item.session == session.id]:
            self._drop(key, processes, cause)
        del self._lease_sessions[session.id]

    # -- claims

    def claim(
        self, session: str, process: Process, count: int, processes: Processes, machines: Sequence[str] | None = None
    ) -> Sequence[Work]:
        with self._lock:
            self.get_session(session)
            found = [self._facts(name) for name in self._machines if machines is None or name in machines]
            found = [facts for facts in found if not _unmet(self._evaluate(process, facts))]
            found.sort(key=lambda facts: (process.need.since(facts) or _EVER, facts.subject.machine.id))
            if not found:
                raise NothingToDo(f"no machine is eligible for {process.name}")
            return [self._start(facts.subject, process, session, processes) for facts in found[:count]]

    def take(self, session: str, process: Process, machine: str, processes: Processes, needed: bool = True) -> Work:
        with self._lock:
            self.get_session(session)
            found = self.explain(process, machine)
            if found.work is not None:
                holder = self._lease_sessions[found.work.session].component
                raise WorkConflict(machine, process.name, f"{holder} ({found.work.process})")
            if needed and not found.eligible:
                raise NotEligible(machine, process.name, found.unmet)
            return self._start(self._subject(machine), process, session, processes)

    def transact(self, lease: Lease, change: Change, leave: Exit | None = None) -> Subject:
        with self._lock:
            key, held = next(
                (
                    (key, item)
                    for key, (item, _group) in self._work.items()
                    if (item.machine, item.process) == (lease.machine, lease.process)
                    and lease.session in (None, item.session)
                    and lease.token in (None, item.token)
                ),
                (None, None),
            )
            session = lease.session or (held.session if held else None)
            if session is not None:
                self.get_session(session)
            if key is None or held is None:
                if isinstance(leave, Cancel) and lease.session is not None:
                    return self._subject(lease.machine)
                raise LeaseLost(lease.machine, lease.process)
            now = self._clock()
            changed = change(self._subject(lease.machine), now)
            if leave is not None:
                changed = self._leave(key, held, leave, changed, now)
            self._write(changed)
            return changed

    # -- looks

    def list_work(
        self, machine: str | None = None, process: str | None = None, session: str | None = None
    ) -> Sequence[Work]:
        with self._lock:
            found = [item for item, _group in self._work.values() if self._lives(item.session)]
        return sorted(
            (
                item
                for item in found
                if machine in (None, item.machine)
                and process in (None, item.process)
                and session in (None, item.session)
            ),
            key=lambda item: (item.machine, item.process),
        )

    def work_history(
        self, machine: str | None = None, process: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[WorkEvent]:
        with self._lock:
            found = sorted(self._events, key=lambda item: item.id, reverse=True)
        return [
            item
            for item in found
            if machine in (None, item.machine)
            and process in (None, item.process)
            and (after is None or item.id < after)
        ][:limit]

    def _refuse_held(self, machine: str, process: str) -> None:
        """:raises WorkConflict: somebody holds it."""
        for held in self.list_work(machine, process):
            raise WorkConflict(machine, process, self._lease_sessions[held.session].component)

    def list_backoffs(self, machine: str | None = None) -> Sequence[Backoff]:
        with self._lock:
            now = self._clock()
            found = [self._backoffs[key] for key in sorted(self._backoffs)]
        return [item for item in found if item.until > now and machine in (None, item.machine)]

    def explain(self, process: Process, machine: str) -> Explanation:
        with self._lock:
            self._subject(machine)
            held = self._work.get((machine, process.group))
            return Explanation(
                machine,
                process.name,
                self._evaluate(process, self._facts(machine)),
                held[0] if held and self._lives(held[0].session) else None,
                next((item for item in self.list_backoffs(machine) if item.process == process.name), None),
            )

    def count_work(self, process: Process) -> WorkCounts:
        with self._lock:
            eligible = [name for name in self._machines if not _unmet(self._evaluate(process, self._facts(name)))]
            waiting = [item for item in self.list_backoffs() if item.process == process.name]
            return WorkCounts(len(eligible), len(self.list_work(process=process.name)), len(waiting))

    def _evaluate(self, process: Process, facts: Facts) -> tuple[tuple[str, bool], ...]:
        name = facts.subject.machine.id
        held = self._work.get((name, process.group))
        waits = self._backoffs.get((name, process.name))
        return (
            *((item.text, item.holds(facts)) for item in process.conditions),
            (UNLOCKED, held is None or not self._lives(held[0].session)),
            (RESTED, waits is None or waits.until <= facts.now),
        )

    # -- steps

    def _facts(self, machine: str) -> Facts:
        lines = [line for line in self._events if line.machine == machine and line.outcome is Outcome.FINISHED]
        finished = {line.process: line.at for line in sorted(lines, key=lambda line: line.at)}
        return Facts(self._subject(machine), self._observed.get(machine, {}), self._clock(), finished)

    def _subject(self, machine: str) -> Subject:
        if machine not in self._machines:
            raise NotFound(f"no machine {machine}", machine=machine)
        request = next((item for item in self._requests.values() if item.machine == machine and item.open), None)
        return Subject(self._machines[machine], request)

    def _write(self, changed: Subject) -> None:
        self._put_machine(changed.machine)
        if changed.request is not None:
            self._put_request(changed.request)

    def _start(self, subject: Subject, process: Process, session: str, processes: Processes) -> Work:
        name = subject.machine.id
        key = (name, process.group)
        if key in self._work:
            self._drop(key, processes, EXPIRED)
            subject = self._subject(name)
        self._fences[name] = self._fences.get(name, 0) + 1
        now = self._clock()
        made = Work(name, process.name, session, self._fences[name], now)
        self._work[key] = (made, process.group)
        self._line(made, Outcome.STARTED, now)
        self._write(process.started(subject, now, self._lease_sessions[session].component))
        return made

    def _drop(self, key: tuple[str, str], processes: Processes, cause: str) -> None:
        held, _group = self._work.pop(key)
        now = self._clock()
        self._line(held, Outcome.CANCELLED, now, cause)
        process = processes.get(held.process)
        if process is not None:
            self._write(process.lost(self._subject(held.machine), now, cause))

    def _leave(self, key: tuple[str, str], held: Work, leave: Exit, subject: Subject, now: datetime) -> Subject:
        del self._work[key]
        name = (held.machine, held.process)
        if isinstance(leave, Cancel):
            self._line(held, Outcome.CANCELLED, now, leave.cause)
        elif isinstance(leave, Finish):
            self._line(held, Outcome.FINISHED, now)
            self._backoffs.pop(name, None)
        else:
            self._line(held, Outcome.FAILED, now, leave.cause)
            subject = self._back_off(held, leave, subject, now)
        return subject

    def _back_off(self, held: Work, leave: Fail, subject: Subject, now: datetime) -> Subject:
        if leave.retry is None:
            return subject
        name = (held.machine, held.process)
        following = leave.retry.after(self._backoffs.pop(name, None), Lease(*name), leave.cause, now, leave.jitter)
        if following is None:
            return quarantined(subject, held.process, leave.cause, now)
        self._backoffs[name] = following
        return subject

    def _line(self, item: Work, outcome: Outcome, now: datetime, cause: str = "") -> None:
        session = self._lease_sessions[item.session]
        line = happened(item, outcome, session.component, session.actor, now, cause)
        self._events.append(line)
        self._tell(events.of_work(line))


_EVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")


def _unmet(conditions: tuple[tuple[str, bool], ...]) -> bool:
    return not all(holds for _text, holds in conditions)
