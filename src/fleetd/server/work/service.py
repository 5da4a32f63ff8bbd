# SPDX-License-Identifier: BSD-2-Clause
"""The use cases around sessions and work."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from fleetcore.errors import InvalidInput

from fleetd.server.kernel.engine import Transactions
from fleetd.server.work.model import (
    MACHINE,
    Cancel,
    Fail,
    Finish,
    Lease,
    LeaseSession,
    NothingToDo,
    Retry,
    SessionExpired,
    Work,
)
from fleetd.server.work.process import FinishedBefore, Kind, Process
from fleetd.server.work.store import WorkStore

T = TypeVar("T")
Jitter = Callable[[], float]  # a share of the wait, 0 and more


class WorkService(WorkStore):
    """Use cases around sessions and work.

    Who owns a session is whose token made it: for others it does not exist.

    :param intervals: process -> seconds, see :meth:`interval` and :meth:`add_due_by_time`.
    :param jitter: added to each backoff, as a share of it.
    """

    def __init__(
        self,
        tx: Transactions,
        intervals: Mapping[str, int] | None = None,
        jitter: Jitter = lambda: random.uniform(0, 0.1),  # noqa: S311 - not a secret
    ) -> None:
        super().__init__(tx)
        self._intervals = dict(intervals or {})
        self._jitter = jitter

    # -- what there is: told by the capabilities that know it

    def add_kind(self, kind: Kind) -> None:
        """Let there be work about things of this kind."""
        self.kinds[kind.name] = kind

    def add(self, *processes: Process) -> None:
        """Let there be these processes."""
        self.processes.update({item.name: item for item in processes})

    def interval(self, process: str, seconds: int) -> int:
        """After how many seconds the work of ``process`` is due again: what the settings say, else ``seconds``."""
        return self._intervals.pop(process, seconds)

    def add_due_by_time(self) -> None:
        """Make a process of each interval that is left: a machine needs it when it was last finished so long ago.

        :raises InvalidInput: an interval for a process that has none.
        """
        guards = self.kinds[MACHINE].guards
        for name, seconds in sorted(self._intervals.items()):
            if name in self.processes:
                raise InvalidInput(f"leases.intervals: {name} has no interval", field="leases.intervals")
            self.add(Process(name, FinishedBefore(name, seconds), guards))

    # -- sessions

    def heartbeat(self, session: str, actor: str) -> tuple[LeaseSession, Sequence[Work]]:
        """Keep it; with the work that it still holds.

        :raises SessionExpired: too late, or it is not ``actor``'s.
        """
        self._own(session, actor)
        return self.poke_session(session), self.find(session=session)

    def end(self, session: str, actor: str) -> None:
        """Give all its work back. Not there: no error."""
        try:
            self._own(session, actor)
        except SessionExpired:
            return
        self.end_session(session)

    def _own(self, session: str, actor: str) -> LeaseSession:
        found = self.get_session(session)
        if found.actor != actor:
            raise SessionExpired(session)
        return found

    # -- work

    def claim(
        self, session: str, actor: str, process: str, count: int = 1, subjects: Sequence[str] | None = None
    ) -> Sequence[Work]:
        """Eligible work, oldest need first; nothing if there is none.

        :raises SessionExpired: see :meth:`heartbeat`. :raises InvalidInput: no such process.
        """
        kind = self.process(process)
        self._own(session, actor)
        try:
            return self.claim_for(session, kind, count, subjects)
        except NothingToDo:
            return []

    def take(self, session: str, actor: str, process: str, subject: str, needed: bool = True) -> Work:
        """Lock one subject. It has to be eligible, unless ``needed`` is false or the process is taken by name.

        :raises WorkConflict: it is locked. :raises NotEligible: the predicate does not hold. :raises NotFound: no such
            subject. :raises SessionExpired: see :meth:`heartbeat`. :raises InvalidInput: no such process.
        """
        kind = self.process(process)
        self._own(session, actor)
        return self.take_for(session, kind, subject, needed and not kind.by_name)

    def finish(self, lease: Lease, actor: str) -> None:
        """Done.

        :raises LeaseLost: it is not held. :raises SessionExpired: see :meth:`heartbeat`.
        """
        kind = self._check(lease, actor)
        self.report(lease, lambda held, now: kind.finished(held, "", now), Finish())

    def fail(self, lease: Lease, actor: str, cause: str, retry: Retry | None = None) -> None:
        """Not done: again after the backoff of the process, or ``retry``; if its need has one of its own, after that.

        :raises LeaseLost: it is not held. :raises SessionExpired: see :meth:`heartbeat`.
        """
        kind = self._check(lease, actor)
        chosen = retry or kind.retry if kind.retry else None
        leave = Fail(cause, chosen, max(0.0, self._jitter()))
        self.report(lease, lambda held, now: kind.failed(held, cause, now), leave)

    def cancel(self, lease: Lease, actor: str, cause: str = "") -> None:
        """Give it back; twice is no error.

        :raises SessionExpired: see :meth:`heartbeat`.
        """
        kind = self._check(lease, actor)
        self.report(lease, lambda held, now: kind.lost(held, cause or "cancelled", now), Cancel(cause))

    def _check(self, lease: Lease, actor: str) -> Process:
        if lease.session is not None:
            self._own(lease.session, actor)
        return self.process(lease.process)
