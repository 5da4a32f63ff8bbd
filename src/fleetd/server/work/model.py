# SPDX-License-Identifier: BSD-2-Clause
"""Sessions, work and waits: the values, and what decides. Pure.

A component keeps a *session* alive by heartbeats, claims *work* (a process of a subject) with it, and leaves the work
by one of three exits. A *subject* is a kind and an id: ``machine`` is one kind.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleetcore.errors import ConflictError, FleetError

from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.ids import JsonMap

MACHINE = "machine"  # the kind of machines, and the group of processes that need a machine for themselves


@dataclass(frozen=True)
class Subject:
    """What work is about."""

    id: str
    kind: str = MACHINE

    @property
    def details(self) -> dict[str, str]:
        """For ``details`` of an error: ``{"machine": "m1"}``."""
        return {self.kind: self.id}


@dataclass(frozen=True)
class SubjectGone:
    """Told in the transaction in which a subject is deleted: what is known of its work goes, too."""

    subject: Subject


# -- errors


class SessionExpired(ConflictError):
    """The session's deadline has passed (or it never was): it can write nothing any more. Make a new one."""

    def __init__(self, session: str) -> None:
        super().__init__(
            f"session {session[:64]} has expired: what it held is lost, start a new one",
            reason="session_expired",
            session=session[:64],
        )


class WorkConflict(ConflictError):
    """Somebody holds the work, or work that excludes it."""

    def __init__(self, subject: Subject, process: str, holder: str = "") -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"{process} of {subject.id} is locked{by}",
            reason="work_conflict",
            process=process,
            holder=holder,
            **subject.details,
        )


class NotEligible(ConflictError):
    """The subject does not need this work, or must not get it now."""

    def __init__(self, subject: Subject, process: str, unmet: tuple[str, ...]) -> None:
        super().__init__(
            f"{subject.id} is not eligible for {process}: {', '.join(unmet)}",
            reason="not_eligible",
            process=process,
            unmet=list(unmet),
            **subject.details,
        )


class LeaseLost(ConflictError):
    """The work is not held (any more): it ended, or somebody else has it with a newer fencing token."""

    def __init__(self, subject: Subject, process: str) -> None:
        super().__init__(
            f"{process} of {subject.id} is not held with this session and token (any more)",
            reason="lease_lost",
            process=process,
            **subject.details,
        )


class NothingToDo(FleetError):
    """No subject is eligible."""

    code = "nothing_to_do"


# -- values


@dataclass(frozen=True)
class LeaseSession:
    """A live component. ``actor`` is whose token made it; the deadline is in the database's time."""

    id: str
    component: str
    actor: str
    info: JsonMap
    interval: float  # seconds
    created_at: datetime
    deadline: datetime


class _About:
    """Has a subject."""

    subject: str
    kind: str

    @property
    def machine(self) -> str | None:
        """The id of the machine that it is about; None: it is about something else."""
        return self.subject if self.kind == MACHINE else None


@dataclass(frozen=True)
class Work(_About):
    """A lock on a process of a subject. ``token`` is the fencing token, monotonic per subject over all processes."""

    subject: str
    process: str
    session: str
    token: int
    started_at: datetime
    kind: str = MACHINE


@dataclass(frozen=True)
class Lease:
    """Which work a caller says it holds: by its session, its fencing token, or both. The process says of which kind."""

    subject: str
    process: str
    session: str | None = None
    token: int | None = None


class Outcome(enum.StrEnum):
    """What happened to work."""

    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class WorkEvent(_About):
    """A line of the history, written in the transaction that it tells of."""

    id: str
    at: datetime
    subject: str
    process: str
    outcome: Outcome
    session: str
    component: str
    actor: str
    cause: str = ""
    token: int = 0
    kind: str = MACHINE


def of_work(line: WorkEvent) -> Iterator[NewEvent]:
    """The event of work that failed; what was started and done is in the history of work."""
    if line.outcome == Outcome.FAILED:
        about = {} if line.machine else {"kind": line.kind, "subject": line.subject}
        data = {"process": line.process, "component": line.component, "fencing_token": line.token, **about}
        yield NewEvent("work.failed", line.machine, line.actor, line.cause, data)


@dataclass(frozen=True)
class Backoff(_About):
    """A process of a subject is not eligible before ``until``.

    ``interval`` is the last wait without its jitter, in seconds.
    """

    subject: str
    process: str
    until: datetime
    cause: str
    interval: int
    failures: int
    kind: str = MACHINE


@dataclass(frozen=True)
class Retry:
    """Waits between attempts, in whole seconds; after ``attempts`` failures in a row there is no other (None: never).

    ``exponent`` None is a simple backoff: always ``initial``.
    """

    initial: float = 60
    exponent: float | None = 2.0
    maximum: float = 3600
    attempts: int | None = 5

    def next(self, last: float | None) -> int:
        """The wait after one of ``last`` seconds; None: there was none. Odd settings are brought into range."""
        initial = max(1.0, _finite(self.initial))
        maximum = math.floor(max(initial, _finite(self.maximum)))
        if last is None or self.exponent is None:
            return min(math.ceil(initial), maximum)
        exponent = self.exponent if self.exponent >= 1 else 1.0  # NaN is not >= 1
        wait = max(1.0, last) * exponent
        # The quotient of decimal factors (73 * 1.1) is not exact: what is a whole number but for that is one.
        return min(math.ceil(round(wait, 6)), maximum) if wait < maximum else maximum

    def wait(self, failures: int) -> int | None:
        """The wait after so many failures in a row (1 is the first); None: there were enough."""
        if self.attempts is not None and failures >= self.attempts:
            return None
        seconds = self.next(None)
        for _ in range(failures - 1):
            following = self.next(seconds)
            if following == seconds:
                break
            seconds = following
        return seconds

    def after(self, previous: Backoff | None, held: Work, cause: str, now: datetime, jitter: float) -> Backoff | None:
        """The backoff after a failure; None: there were enough.

        :param jitter: share of the wait that is added to it.
        """
        failures = (previous.failures if previous else 0) + 1
        if self.attempts is not None and failures >= self.attempts:
            return None
        interval = self.next(previous.interval if previous else None)
        until = now + timedelta(seconds=interval * (1 + max(0.0, jitter)))
        return Backoff(held.subject, held.process, until, cause, interval, failures, held.kind)


def _finite(seconds: float) -> float:
    """Ten years instead of what a calendar can't add."""
    return min(seconds, 315_360_000.0) if seconds >= 0 else 0.0


# -- exits


@dataclass(frozen=True)
class Finish:
    """Done: the backoff is cleared."""


@dataclass(frozen=True)
class Fail:
    """Not done: again after a backoff. ``retry`` None: what needs the work keeps its own backoff."""

    cause: str
    retry: Retry | None
    jitter: float = 0.0


@dataclass(frozen=True)
class Cancel:
    """Given back as if it had not been taken. Twice is no error."""

    cause: str = ""


Exit = Finish | Fail | Cancel
EXPIRED = "session expired"


@dataclass(frozen=True)
class Explanation(_About):
    """Why a subject is eligible for a process, or not: each condition with whether it holds."""

    subject: str
    process: str
    conditions: tuple[tuple[str, bool], ...]
    work: Work | None = None  # live, of the process or one that excludes it
    backoff: Backoff | None = None
    kind: str = MACHINE

    @property
    def eligible(self) -> bool:
        return all(holds for _text, holds in self.conditions)

    @property
    def unmet(self) -> tuple[str, ...]:
        return tuple(text for text, holds in self.conditions if not holds)


@dataclass(frozen=True)
class WorkCounts:
    """Of one process, for metrics."""

    eligible: int
    working: int
    backoff: int
