# SPDX-License-Identifier: BSD-2-Clause
"""Sessions, work and backoff: the values, the processes' predicates, and what decides. Pure; the stores apply it.

A component keeps a *session* alive by heartbeats, claims *work* (machine, process) with it, and leaves the work by one of
three exits. A predicate is declared once, as data: a store in memory evaluates it in Python, one in SQL compiles it, and
within a store the scheduler, the counts and ``explain`` use the same.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from fleetcore.errors import ConflictError, FleetError

from fleetd.server.kernel.ids import JsonMap, new_id
from fleetd.server.machines.model import Annotation, Machine
from fleetd.server.powercycles.model import Powercycle

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

    def __init__(self, machine: str, process: str, holder: str = "") -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"{process} of {machine} is locked{by}",
            reason="work_conflict",
            machine=machine,
            process=process,
            holder=holder,
        )


class NotEligible(ConflictError):
    """The machine does not need this work, or must not get it now."""

    def __init__(self, machine: str, process: str, unmet: tuple[str, ...]) -> None:
        super().__init__(
            f"{machine} is not eligible for {process}: {', '.join(unmet)}",
            reason="not_eligible",
            machine=machine,
            process=process,
            unmet=list(unmet),
        )


class LeaseLost(ConflictError):
    """The work is not held (any more): it ended, or somebody else has it with a newer fencing token."""

    def __init__(self, machine: str, process: str) -> None:
        super().__init__(
            f"{process} of {machine} is not held with this session and token (any more)",
            reason="lease_lost",
            machine=machine,
            process=process,
        )


class NothingToDo(FleetError):
    """No machine is eligible."""

    code = "nothing_to_do"


# -- values

POWERCYCLE = "powercycle"  # the process whose need is a request of its own


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


@dataclass(frozen=True)
class Work:
    """A lock on (machine, process). ``token`` is the fencing token, monotonic per machine over all processes."""

    machine: str
    process: str
    session: str
    token: int
    started_at: datetime


@dataclass(frozen=True)
class Lease:
    """Which work a caller says it holds: by its session, its fencing token, or both."""

    machine: str
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
class WorkEvent:
    """A line of the history, written in the transaction that it tells of."""

    id: str
    at: datetime
    machine: str
    process: str
    outcome: Outcome
    session: str
    component: str
    actor: str
    cause: str = ""
    token: int = 0


def happened(work: Work, outcome: Outcome, component: str, actor: str, now: datetime, cause: str = "") -> WorkEvent:
    """The line that tells what happened to ``work``."""
    return WorkEvent(
        new_id(now), now, work.machine, work.process, outcome, work.session, component, actor, cause, work.token
    )


@dataclass(frozen=True)
class Backoff:
    """(machine, process) is not eligible before ``until``. ``interval`` is the last wait without its jitter, in seconds."""

    machine: str
    process: str
    until: datetime
    cause: str
    interval: int
    failures: int


@dataclass(frozen=True)
class Retry:
    """Waits between attempts, in whole seconds; ``attempts`` failures in a row quarantine the machine (None: never).

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

    def after(
        self, previous: Backoff | None, lease: Lease, cause: str, now: datetime, jitter: float = 0.0
    ) -> Backoff | None:
        """The backoff after a failure; None: there were enough, the machine is to be quarantined.

        :param jitter: share of the wait that is added to it.
        """
        failures = (previous.failures if previous else 0) + 1
        if self.attempts is not None and failures >= self.attempts:
            return None
        interval = self.next(previous.interval if previous else None)
        until = now + timedelta(seconds=interval * (1 + max(0.0, jitter)))
        return Backoff(lease.machine, lease.process, until, cause, interval, failures)


def _finite(seconds: float) -> float:
    """Ten years instead of what a calendar can't add."""
    return min(seconds, 315_360_000.0) if seconds >= 0 else 0.0


@dataclass(frozen=True)
class Subject:
    """What work changes: the machine and its open power cycle request."""

    machine: Machine
    request: Powercycle | None = None


Change = Callable[[Subject, datetime], Subject]


def unchanged(subject: Subject, _now: datetime) -> Subject:
    """The change that is none."""
    return subject


def quarantined(subject: Subject, process: str, cause: str, now: datetime) -> Subject:
    """The machine after too many failures: latched, only a person lifts it."""
    note = Annotation(f"Quarantined: {process} failed too often: {cause}", "fleetd", now)
    description = replace(subject.machine.description, is_quarantined=True, annotation=note)
    return replace(subject, machine=replace(subject.machine, description=description))


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


# -- predicates


@dataclass(frozen=True)
class Facts:
    """What a predicate looks at. ``observed`` is when each source last published a device document, ``finished`` when each process
    was last finished.
    """

    subject: Subject
    observed: Mapping[str, datetime]
    now: datetime
    finished: Mapping[str, datetime] = field(default_factory=dict)


class Condition(Protocol):
    """One part of a predicate. A store in SQL has to know every class of them: see ``adapters/sql/work.py``."""

    @property
    def text(self) -> str:
        """What has to hold, for a person."""

    def holds(self, facts: Facts) -> bool: ...

    def since(self, facts: Facts) -> datetime | None:
        """How old the need is; None: older than any time."""


class _Condition:
    def since(self, facts: Facts) -> datetime | None:
        return facts.subject.machine.updated_at


@dataclass(frozen=True)
class LifecycleIn(_Condition):
    """The machine is in one of these states."""

    states: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"lifecycle is {' or '.join(self.states)}" if self.states else "never by itself: it is taken by name"

    def holds(self, facts: Facts) -> bool:
        return facts.subject.machine.lifecycle in self.states


@dataclass(frozen=True)
class LifecycleNotIn(_Condition):
    """The machine is in none of these states."""

    states: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"lifecycle is not {' or '.join(self.states)}"

    def holds(self, facts: Facts) -> bool:
        return facts.subject.machine.lifecycle not in self.states


@dataclass(frozen=True)
class HasBmc(_Condition):
    """The server knows how its BMC is reached."""

    text: str = "its BMC is known"

    def holds(self, facts: Facts) -> bool:
        return facts.subject.machine.bmc is not None


@dataclass(frozen=True)
class NotQuarantined(_Condition):
    """No latched quarantine."""

    text: str = "not quarantined"

    def holds(self, facts: Facts) -> bool:
        return not facts.subject.machine.description.is_quarantined


@dataclass(frozen=True)
class NotHeld(_Condition):
    """No hold at all: maintenance, quarantine, recovery."""

    text: str = "no hold: maintenance, quarantine, recovery"

    def holds(self, facts: Facts) -> bool:
        return not facts.subject.machine.description.held()


@dataclass(frozen=True)
class PowercycleDue(_Condition):
    """Somebody wants it power cycled, and its last failed attempt is long enough ago."""

    text: str = "a power cycle is requested and not in backoff"

    def holds(self, facts: Facts) -> bool:
        request = facts.subject.request
        return request is not None and request.open and (request.not_before is None or request.not_before <= facts.now)

    def since(self, facts: Facts) -> datetime | None:
        return facts.subject.request.requested_at if facts.subject.request else None


class _Aged(_Condition):
    """Holds when what :meth:`since` tells of is ``seconds`` old, or never was."""

    seconds: int

    def holds(self, facts: Facts) -> bool:
        last = self.since(facts)
        return last is None or last <= facts.now - timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class DocumentOlder(_Aged):
    """``source`` has published nothing within the last ``seconds``."""

    source: str
    seconds: int

    @property
    def text(self) -> str:
        return f"no {self.source} device document of the last {self.seconds} s"

    def since(self, facts: Facts) -> datetime | None:
        return facts.observed.get(self.source)


@dataclass(frozen=True)
class FinishedBefore(_Aged):
    """The work of ``process`` was not finished within the last ``seconds``."""

    process: str
    seconds: int

    @property
    def text(self) -> str:
        return f"{self.process} not finished in the last {self.seconds} s"

    def since(self, facts: Facts) -> datetime | None:
        return facts.finished.get(self.process)


UNLOCKED = "no live work that excludes it"
RESTED = "not in backoff"


@dataclass(frozen=True)
class Process:
    """A named kind of work.

    :param need: why a machine wants it; the oldest need is served first. :param guards: what else has to hold.
    :param exclusion: processes of one group exclude each other on a machine; empty: a group of its own.
    :param retry: after failures; None: the need has a backoff of its own.
    :param started: applied to the machine when work is claimed. :param lost: when it is cancelled or its session died.
    """

    name: str
    need: Condition
    guards: tuple[Condition, ...] = ()
    exclusion: str = ""
    retry: Retry | None = field(default_factory=Retry)
    started: Callable[[Subject, datetime, str], Subject] = lambda subject, _now, _component: subject
    lost: Callable[[Subject, datetime, str], Subject] = lambda subject, _now, _cause: subject

    @property
    def group(self) -> str:
        return self.exclusion or self.name

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (*self.guards, self.need)


Processes = Mapping[str, Process]


@dataclass(frozen=True)
class Explanation:
    """Why a machine is eligible for a process, or not: each condition with whether it holds."""

    machine: str
    process: str
    conditions: tuple[tuple[str, bool], ...]
    work: Work | None = None  # live, of the process or one that excludes it
    backoff: Backoff | None = None

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
