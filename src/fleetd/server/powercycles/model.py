# SPDX-License-Identifier: BSD-2-Clause
"""A request to power cycle a machine."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.http.answers import Shape
from fleetd.server.kernel.ids import JsonMap


class CycleState(enum.StrEnum):
    """Of a power cycle request."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    OFF = "off"
    ON = "on"
    VERIFIED = "verified"
    FAILED = "failed"
    CANCELLED = "cancelled"


CLOSED = frozenset({CycleState.VERIFIED, CycleState.FAILED, CycleState.CANCELLED})


@dataclass(frozen=True)
class CycleStep:
    """One thing that happened to a request."""

    state: CycleState
    at: datetime
    message: str = ""
    runner: str = ""


@dataclass(frozen=True)
class Powercycle:
    """A request to power cycle a machine, until it is closed. A machine has at most one that is open."""

    id: str
    machine: str
    state: CycleState
    requested_at: datetime
    updated_at: datetime
    requester: str = ""
    reason: str = ""
    finished_at: datetime | None = None
    not_before: datetime | None = None  # set by backoff: not in the list of work before
    attempts: int = 0  # that failed or succeeded
    error: JsonMap | None = None
    steps: tuple[CycleStep, ...] = ()

    @property
    def open(self) -> bool:
        return self.finished_at is None

    def to(self, state: CycleState, now: datetime, message: str = "", runner: str = "", **changes: Any) -> Powercycle:
        """The next value: in ``state``, with a step for it."""
        step = CycleStep(state, now, message, runner)
        return replace(self, state=state, updated_at=now, steps=(*self.steps, step), **changes)


POWERCYCLE = Shape(Powercycle)  # in JSON, by itself and in its machine


def of_powercycle(before: Powercycle | None, after: Powercycle) -> Iterator[NewEvent]:
    """An event for each new state of a request, those within one change too: failed, then queued again."""
    steps = after.steps[len(before.steps) :] if before else after.steps
    state = before.state if before else None
    for step in steps:
        if step.state != state:
            actor = step.runner or (after.requester if before is None else "")
            data = {"powercycle": after.id, "attempts": after.attempts}
            yield NewEvent(f"powercycle.{step.state.value}", after.machine, actor, step.message, data)
        state = step.state
