# SPDX-License-Identifier: BSD-2-Clause
"""What processes ask of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement

from fleetd.server.machines import tables
from fleetd.server.work.process import Kind, Simple

_M = tables.machines


@dataclass(frozen=True)
class LifecycleIn(Simple):
    """The machine is in one of these states."""

    states: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"lifecycle is {' or '.join(self.states)}" if self.states else "never by itself: it is taken by name"

    def holds(self, _kind: Kind, _now: datetime) -> ColumnElement[bool]:
        # One is compared, so that an index gives them in the order of service.
        return _M.c.lifecycle == self.states[0] if len(self.states) == 1 else _M.c.lifecycle.in_(self.states)


@dataclass(frozen=True)
class LifecycleNotIn(Simple):
    """The machine is in none of these states."""

    states: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"lifecycle is not {' or '.join(self.states)}"

    def holds(self, _kind: Kind, _now: datetime) -> ColumnElement[bool]:
        return _M.c.lifecycle.not_in(self.states)


class _Fact(Simple):
    """A condition that is a column's, whatever the time."""

    text: str
    column: ColumnElement[bool]

    def holds(self, _kind: Kind, _now: datetime) -> ColumnElement[bool]:
        return self.column


class HasBmc(_Fact):
    """The server knows how its BMC is reached."""

    text = "its BMC is known"
    column = _M.c.bmc.is_not(None)


class NotQuarantined(_Fact):
    """No latched quarantine."""

    text = "not quarantined"
    column = ~_M.c.quarantined


class NotHeld(_Fact):
    """No hold at all: maintenance, quarantine, recovery."""

    text = "no hold: maintenance, quarantine, recovery"
    column = ~_M.c.held
