# SPDX-License-Identifier: BSD-2-Clause
"""The processes that this server knows, and the use cases around sessions and work."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleetcore.errors import InvalidInput

from fleetd.server.kernel.tally import Done, Tally
from fleetd.server.ports import Store
from fleetd.server.powercycles import service as powercycles
from fleetd.server.powercycles.model import CLOSED, CycleState
from fleetd.server.work.model import (
    Backoff,
    Cancel,
    DocumentOlder,
    Exit,
    Explanation,
    Fail,
    Finish,
    FinishedBefore,
    HasBmc,
    Lease,
    LeaseSession,
    LifecycleIn,
    LifecycleNotIn,
    NotHeld,
    NothingToDo,
    NotQuarantined,
    PowercycleDue,
    Process,
    Processes,
    Retry,
    SessionExpired,
    Subject,
    Work,
    WorkCounts,
    WorkEvent,
    unchanged,
)

POWERCYCLE = powercycles.PROCESS
MACHINE = "machine"  # the group of processes that need a machine for themselves
MANUAL = "manual"
Jitter = Callable[[], float]  # a share of the wait, 0 and more


def _cycle_started(subject: Subject, now: datetime, component: str) -> Subject:
    if subject.request is None:
        return subject
    return replace(subject, request=subject.request.to(CycleState.CLAIMED, now, "claimed", component, not_before=None))


def _cycle_lost(subject: Subject, now: datetime, cause: str) -> Subject:
    """Back into the queue: nobody works on it, and the machine may be off."""
    request = subject.request
    if request is None or request.state == CycleState.QUEUED:
        return subject
    return replace(subject, request=request.to(CycleState.QUEUED, now, f"given back: {cause}", not_before=None))


def _known(*processes: Process) -> Processes:
    return {item.name: item for item in processes}


def default_processes(observe_seconds: int = 86_400, intervals: Mapping[str, int] | None = None) -> Processes:
    """Ours. A need that is a request of a person (``powercycle``) is not kept back by holds; the others are.

    :param observe_seconds: a device document of that age is collected again.
    :param intervals: process -> seconds: for the collections in the place of ``observe_seconds``; each other name is a process that
        a machine needs when its work was last finished that long ago.
    :raises InvalidInput: an interval for a process that has none.
    """
    given = dict(intervals or {})
    oob, inband = (given.pop(name, observe_seconds) for name in ("collect_oob", "collect_inband"))
    known = _known(
        Process(POWERCYCLE, PowercycleDue(), exclusion=MACHINE, retry=None, started=_cycle_started, lost=_cycle_lost),
        Process("collect_oob", DocumentOlder("oob", oob), (LifecycleNotIn(("retired",)), HasBmc(), NotQuarantined())),
        Process("collect_inband", DocumentOlder("inband", inband), (LifecycleIn(("active",)), NotHeld())),
        Process("onboard", LifecycleIn(("new",)), (NotHeld(),), MACHINE),
        Process("provision", LifecycleIn(("provisioning",)), (NotHeld(),), MACHINE),
        Process("release", LifecycleIn(("releasing",)), (NotHeld(),), MACHINE),
        # Nobody's need: taken by name, by people and plays that want a machine for themselves.
        Process(MANUAL, LifecycleIn(()), (), MACHINE),
    )
    for name in given:
        if name in known:
            raise InvalidInput(f"leases.intervals: {name} has no interval", field="leases.intervals")
    guards = (LifecycleNotIn(("retired",)), NotHeld())
    return {**known, **_known(*(Process(n, FinishedBefore(n, s), guards) for n, s in sorted(given.items())))}


class WorkService:
    """Use cases around sessions and work.

    Who owns a session is whose token made it: for others it does not exist.

    :param jitter: added to each backoff, as a share of it.
    """

    def __init__(
        self,
        store: Store,
        cycle_backoff: powercycles.Backoff,
        processes: Processes | None = None,
        jitter: Jitter = lambda: random.uniform(0, 0.1),  # noqa: S311 - not a secret
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._cycle_backoff = cycle_backoff
        self._jitter = jitter
        self._tally = tally or Tally()
        self.processes = processes or default_processes()

    def process(self, name: str) -> Process:
        """:raises InvalidInput: none of that name."""
        found = self.processes.get(name)
        if found is None:
            raise InvalidInput(
                f"process: {name[:80]!r} is not one of {', '.join(sorted(self.processes))}", field="process"
            )
        return found

    # -- sessions

    def start(self, component: str, actor: str, info: Mapping[str, Any], interval: float) -> LeaseSession:
        """A new session."""
        return self._store.open_session(component, actor, info, interval)

    def heartbeat(self, session: str, actor: str) -> tuple[LeaseSession, Sequence[Work]]:
        """Keep it; with the work that it still holds.

        :raises SessionExpired: too late, or it is not ``actor``'s.
        """
        self._own(session, actor)
        return self._store.poke_session(session), self._store.list_work(session=session)

    def end(self, session: str, actor: str) -> None:
        """Give all its work back. Not there: no error."""
        try:
            self._own(session, actor)
        except SessionExpired:
            return
        self._store.end_session(session, self.processes)

    def sessions(self) -> Sequence[LeaseSession]:
        """Those that live."""
        return self._store.list_sessions()

    def reap(self) -> int:
        """Give the work of dead sessions back; how many sessions there were."""
        return self._store.reap(self.processes)

    def _own(self, session: str, actor: str) -> LeaseSession:
        found = self._store.get_session(session)
        if found.actor != actor:
            raise SessionExpired(session)
        return found

    # -- work

    def claim(
        self, session: str, actor: str, process: str, count: int = 1, machines: Sequence[str] | None = None
    ) -> Sequence[Work]:
        """Eligible work, oldest need first; nothing if there is none.

        :raises SessionExpired: see :meth:`heartbeat`. :raises InvalidInput: no such process.
        """
        kind = self.process(process)
        self._own(session, actor)
        try:
            return self._store.claim(session, kind, count, self.processes, machines)
        except NothingToDo:
            return []

    def take(self, session: str, actor: str, process: str, machine: str, needed: bool = True) -> Work:
        """Lock one machine; ``manual`` needs no need, the others unless ``needed`` is false.

        :raises WorkConflict: it is locked. :raises NotEligible: the predicate does not hold. :raises NotFound: no such
            machine. :raises SessionExpired: see :meth:`heartbeat`. :raises InvalidInput: no such process.
        """
        kind = self.process(process)
        self._own(session, actor)
        return self._store.take(session, kind, machine, self.processes, needed and process != MANUAL)

    def finish(self, lease: Lease, actor: str) -> None:
        """Done; of a power cycle: verified.

        :raises LeaseLost: it is not held. :raises SessionExpired: see :meth:`heartbeat`.
        """
        self._check(lease, actor)
        self._leave(lease, CycleState.VERIFIED, "", Finish())

    def fail(self, lease: Lease, actor: str, cause: str, retry: Retry | None = None) -> None:
        """Not done: again after the backoff of the process, or ``retry``; a power cycle after the one of its request.

        :raises LeaseLost: it is not held. :raises SessionExpired: see :meth:`heartbeat`.
        """
        kind = self._check(lease, actor)
        chosen = retry or kind.retry if kind.retry else None
        self._leave(lease, CycleState.FAILED, cause, Fail(cause, chosen, max(0.0, self._jitter())))

    def cancel(self, lease: Lease, actor: str, cause: str = "") -> None:
        """Give it back; twice is no error.

        :raises SessionExpired: see :meth:`heartbeat`.
        """
        kind = self._check(lease, actor)
        words = cause or "cancelled"
        self._store.transact(lease, lambda subject, now: kind.lost(subject, now, words), Cancel(cause))

    def _leave(self, lease: Lease, state: CycleState, cause: str, leave: Exit) -> None:
        left = self._store.transact(lease, self._cycle(lease, state, cause), leave)
        if lease.process == POWERCYCLE and left.request is not None and left.request.finished_at is not None:
            self._tally.add(Done.POWERCYCLES, left.request.state.value)

    def _check(self, lease: Lease, actor: str) -> Process:
        if lease.session is not None:
            self._own(lease.session, actor)
        return self.process(lease.process)

    def _cycle(self, lease: Lease, state: CycleState, cause: str) -> Callable[[Subject, datetime], Subject]:
        """What an exit means for an open power cycle request."""
        if lease.process != POWERCYCLE:
            return unchanged

        def change(subject: Subject, now: datetime) -> Subject:
            if subject.request is None or subject.request.state in CLOSED:
                return subject
            request = powercycles.reported(subject.request, state, now, self._cycle_backoff, message=cause)
            return replace(subject, request=request)

        return change

    # -- looks

    def find(
        self, machine: str | None = None, process: str | None = None, session: str | None = None
    ) -> Sequence[Work]:
        """Live work."""
        return self._store.list_work(machine, process, session)

    def history(
        self, machine: str | None = None, process: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[WorkEvent]:
        """What happened, newest first."""
        return self._store.work_history(machine, process, limit, after)

    def backoffs(self, machine: str | None = None) -> Sequence[Backoff]:
        """What waits."""
        return self._store.list_backoffs(machine)

    def explain(self, machine: str, process: str) -> Explanation:
        """:raises NotFound: no such machine. :raises InvalidInput: no such process."""
        return self._store.explain(self.process(process), machine)

    def counts(self) -> Mapping[str, WorkCounts]:
        """By process."""
        return {name: self._store.count_work(item) for name, item in sorted(self.processes.items())}
