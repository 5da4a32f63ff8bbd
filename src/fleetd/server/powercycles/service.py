# SPDX-License-Identifier: BSD-2-Clause
"""Power cycle requests. ``/json/v1/powercycle`` and ``PowerCycle`` of a description are views of the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fleetcore.errors import ConflictError, InvalidInput, NotFound

from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.ids import new_id
from fleetd.server.kernel.tally import Count, Tally
from fleetd.server.powercycles.conditions import PROCESS, PowercycleDue
from fleetd.server.powercycles.model import CLOSED, CycleState, CycleStep, Powercycle
from fleetd.server.powercycles.store import PowercycleStore
from fleetd.server.work.model import MACHINE, Exit, Fail, Finish, Lease, LeaseLost, Outcome, Retry, Work, WorkConflict
from fleetd.server.work.process import Process
from fleetd.server.work.service import WorkService

REPORTED = frozenset({CycleState.CLAIMED, CycleState.OFF, CycleState.ON, CycleState.VERIFIED, CycleState.FAILED})
DEFAULT_RETRY = Retry(60, 2.0, 3600, attempts=3)
POWERCYCLES = Count(
    "powercycles_closed",
    "Power cycle requests that were closed, by how",
    "state",
    tuple(sorted(item.value for item in CLOSED)),
)


class Powercycles:
    """Use cases around power cycle requests."""

    def __init__(
        self, tx: Transactions, work: WorkService, clock: Clock, tally: Tally, retry: Retry = DEFAULT_RETRY
    ) -> None:
        self._store = PowercycleStore(tx, work, lambda closed: tally.add(POWERCYCLES, closed.state.value))
        self._work = work
        self._clock = clock
        self._retry = retry
        # A need that is a request of a person: it is not kept back by holds.
        work.add(
            Process(
                PROCESS,
                PowercycleDue(),
                exclusion=MACHINE,
                retry=None,
                started=self._started,
                finished=self._finished,
                failed=self._failed,
                lost=self._lost,
            )
        )

    # -- what happens to the work, in its transaction

    def _started(self, held: Work, component: str, now: datetime) -> None:
        self._store.update_open(
            held.subject, lambda request: request.to(CycleState.CLAIMED, now, "claimed", component, not_before=None)
        )

    def _finished(self, held: Work, _words: str, now: datetime) -> None:
        self._store.update_open(held.subject, lambda request: reported(request, CycleState.VERIFIED, now, self._retry))

    def _failed(self, held: Work, cause: str, now: datetime) -> None:
        self._store.update_open(
            held.subject, lambda request: reported(request, CycleState.FAILED, now, self._retry, message=cause)
        )

    def _lost(self, held: Work, cause: str, now: datetime) -> None:
        """Back into the queue: nobody works on it, and the machine may be off."""

        def change(request: Powercycle) -> Powercycle:
            if request.state == CycleState.QUEUED:
                return request
            return request.to(CycleState.QUEUED, now, f"given back: {cause}", not_before=None)

        self._store.update_open(held.subject, change)

    # -- what is asked for

    def request(self, machine: str, requester: str, reason: str = "") -> tuple[Powercycle, bool]:
        """Ask for a power cycle; a machine with an open request keeps that one (the flag says whether it is new).

        :raises NotFound: no such machine.
        """
        return self._store.open(self._new(machine, requester, reason))

    def toggle(self, machine: str, requester: str) -> None:
        """Request one, or cancel the open request.

        :raises NotFound: no such machine. :raises ConflictError: see :meth:`cancel`.
        """
        now = self._clock()
        try:
            self._store.toggle(
                machine,
                self._new(machine, requester, ""),
                lambda previous: cancelled(previous, now, requester),
                unclaimed=True,
            )
        except WorkConflict as exc:
            raise _under_way(exc) from None

    def complete(self, machine: str, runner: str) -> None:
        """The open request of the machine is done. Without one nothing happens: a repeated report is no error.

        :raises NotFound: no such machine.
        """
        now = self._clock()
        self._store.toggle(
            machine, None, lambda previous: reported(previous, CycleState.VERIFIED, now, self._retry, runner=runner)
        )

    def report(
        self,
        request_id: str,
        state: CycleState,
        message: str = "",
        error: Mapping[str, Any] | None = None,
        runner: str = "",
        fencing_token: int | None = None,
    ) -> Powercycle:
        """What a runner did. Repeating the report that closed a request is no error.

        :param fencing_token: of the claim under which it was done. Then a verified or failed request also leaves the
            work. None: nobody may have claimed it; who reports without a token can't know whether it is still theirs.
        :raises NotFound: no such request. :raises ConflictError: it was closed otherwise, or is claimed.
        :raises LeaseLost: the claim of that token is over. :raises SessionExpired: it is, because its session died.
        :raises InvalidInput: a state that can't be reported.
        """
        if state not in REPORTED:
            raise InvalidInput(
                f"state: {state.value} can't be reported, one of {', '.join(sorted(REPORTED))} can", field="state"
            )
        said: dict[str, Any] = {"message": message, "error": error, "runner": runner}
        if fencing_token is not None:
            return self._report_claimed(self.get(request_id), state, fencing_token, said)
        now = self._clock()
        try:
            return self._store.update(
                request_id, lambda previous: reported(previous, state, now, self._retry, **said), unclaimed=True
            )
        except WorkConflict as exc:
            raise ConflictError(
                f"power cycle request {request_id} is claimed: report it with the fencing_token of the claim",
                **exc.details,
            ) from None

    def _report_claimed(
        self, request: Powercycle, state: CycleState, token: int, said: Mapping[str, Any]
    ) -> Powercycle:
        exits: dict[CycleState, Exit] = {CycleState.VERIFIED: Finish(), CycleState.FAILED: Fail(said["message"], None)}
        leave = exits.get(state)

        def under(_held: Work, now: datetime) -> Powercycle:
            def change(previous: Powercycle) -> Powercycle:
                if previous.id != request.id:
                    raise _closed(request)
                return reported(previous, state, now, self._retry, **said)

            changed = self._store.update_open(request.machine, change)
            if changed is None:
                raise _closed(request)
            return changed

        lease = Lease(request.machine, PROCESS, token=token)
        try:
            return self._work.report(lease, under, leave) or request
        except LeaseLost:
            found = self.get(request.id)
            if leave is not None and self._left(lease, found, state):
                return found  # the same report again: its answer was lost
            raise

    def _left(self, lease: Lease, request: Powercycle, state: CycleState) -> bool:
        """Whether the work of that token ended with this report about this request: in one transaction, at one time."""
        wanted = Outcome.FINISHED if state == CycleState.VERIFIED else Outcome.FAILED
        told = {step.at for step in request.steps if step.state == state}
        lines = self._work.history(lease.subject, lease.process, limit=20)
        return any(line.token == lease.token and line.outcome == wanted and line.at in told for line in lines)

    def cancel(self, request_id: str, user: str) -> Powercycle:
        """Close an open request without doing it; cancelling twice is no error.

        :raises NotFound: no such request.
        :raises ConflictError: it is closed otherwise, or a runner has claimed it: the machine may be off, and only its
            holder knows.
        """
        now = self._clock()
        try:
            return self._store.update(request_id, lambda previous: cancelled(previous, now, user), unclaimed=True)
        except WorkConflict as exc:
            raise _under_way(exc) from None

    def get(self, request_id: str) -> Powercycle:
        """:raises NotFound: no such request."""
        found = self._store.get(request_id)
        if found is None:
            raise NotFound(f"no power cycle request {request_id}", powercycle=request_id)
        return found

    def find(
        self,
        machine: str | None = None,
        state: CycleState | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Sequence[Powercycle]:
        """Requests, newest first."""
        return self._store.find(machine, state, limit, after)

    def latest(self, machines: Iterable[str] | None = None) -> Mapping[str, Powercycle]:
        """The open request of each machine, else its newest; ``machines`` None is all."""
        return self._store.latest(machines)

    def counts(self) -> Mapping[CycleState, int]:
        """Requests that are kept, by state."""
        return dict.fromkeys(CycleState, 0) | dict(self._store.count())

    def due(self) -> Sequence[str]:
        """Ids of machines that a runner should power cycle now."""
        return self._store.due(self._clock())

    def oldest_open_age(self) -> float:
        """Seconds that the oldest open request waits; 0: none is open."""
        oldest = self._store.oldest_open()
        return max(0.0, (self._clock() - oldest).total_seconds()) if oldest else 0.0

    def _new(self, machine: str, requester: str, reason: str) -> Powercycle:
        now = self._clock()
        step = CycleStep(CycleState.QUEUED, now, f"requested by {requester}" + (f": {reason}" if reason else ""))
        return Powercycle(new_id(now), machine, CycleState.QUEUED, now, now, requester, reason, steps=(step,))


def reported(
    previous: Powercycle,
    state: CycleState,
    now: datetime,
    retry: Retry,
    *,
    message: str = "",
    error: Mapping[str, Any] | None = None,
    runner: str = "",
) -> Powercycle:
    """The request after a runner's report.

    A report of the state that it has already changes nothing, because a runner and the playbook that outlived it may
    both tell it. But ``off`` with other words says why the machine is still off; only the runner tells that.
    A failure puts it back into the queue for a while, until there were ``retry.attempts``: then it is closed. A failure
    that is reported while it waits there is the same one, sent again, and counts once.

    :raises ConflictError: it is closed, and not by the same report.
    """
    news = state == CycleState.OFF and bool(message) and previous.steps[-1].message != message
    if previous.state == state and not news:
        return previous
    if not previous.open:
        raise _closed(previous)
    waits = previous.state == CycleState.QUEUED and previous.not_before is not None and now < previous.not_before
    if state == CycleState.FAILED and waits:
        return previous
    if state == CycleState.VERIFIED:
        return previous.to(
            state, now, message, runner, finished_at=now, not_before=None, attempts=previous.attempts + 1, error=None
        )
    if state != CycleState.FAILED:
        return previous.to(state, now, message, runner, not_before=None)
    attempts = previous.attempts + 1
    failure: dict[str, Any] = {"code": "failed", "message": message, **(error or {})}
    failed = previous.to(CycleState.FAILED, now, message, runner, attempts=attempts, error=failure)
    seconds = retry.wait(attempts)
    if seconds is None:
        return failed.to(
            CycleState.FAILED, now, f"given up after {attempts} attempts", runner, finished_at=now, not_before=None
        )
    until = now + timedelta(seconds=seconds)
    return failed.to(
        CycleState.QUEUED,
        now,
        f"attempt {attempts} of {retry.attempts} failed; again in {seconds} s",
        not_before=until,
    )


def _closed(request: Powercycle) -> ConflictError:
    return ConflictError(
        f"power cycle request {request.id} is closed: {request.state.value}", state=request.state.value
    )


def _under_way(claimed: WorkConflict) -> ConflictError:
    held = claimed.details
    return ConflictError(
        f"the power cycle of {held['machine']} is under way, {held['holder']} has claimed it: "
        "it can't be cancelled any more",
        **held,
    )


def cancelled(previous: Powercycle, now: datetime, user: str) -> Powercycle:
    """The request after somebody called it off.

    :raises ConflictError: it is closed otherwise.
    """
    if previous.state == CycleState.CANCELLED:
        return previous
    if not previous.open:
        raise _closed(previous)
    return previous.to(CycleState.CANCELLED, now, f"cancelled by {user}", finished_at=now, not_before=None)
