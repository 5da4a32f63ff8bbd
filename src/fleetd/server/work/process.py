# SPDX-License-Identifier: BSD-2-Clause
"""Processes, their conditions, and the kinds of what they are about: declared by the capabilities that know them.

A condition is a small dataclass with its text and its SQL. The scheduler, the counts and ``explain`` use the same SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, Table, func, select

from fleetd.server.work.model import MACHINE, Outcome, Retry, Work
from fleetd.server.work.tables import work_history

Since = ColumnElement[datetime | None]


class Condition(Protocol):
    """One part of a predicate over the rows of a kind's table."""

    @property
    def text(self) -> str:
        """What has to hold, for a person."""

    def holds(self, kind: Kind, now: datetime) -> ColumnElement[bool]:
        """Whether it holds for a row of ``kind.table``."""

    def since(self, kind: Kind) -> Since | None:
        """How old the need is: NULL is older than any time. None: as old as the last change of the row."""


class Simple:
    """A condition whose need is as old as the last change of the subject."""

    def since(self, _kind: Kind) -> Since | None:
        return None


class Aged:
    """A condition that holds when the newest of some times is ``seconds`` old, or there is none."""

    seconds: int

    def times(self, kind: Kind) -> Select[tuple[datetime]]:
        """The times, as a query with one column."""
        raise NotImplementedError

    def holds(self, kind: Kind, now: datetime) -> ColumnElement[bool]:
        query = self.times(kind)
        (time,) = query.selected_columns
        return ~query.where(time > now - timedelta(seconds=self.seconds)).correlate(kind.table).exists()

    def since(self, kind: Kind) -> Since | None:
        query = self.times(kind)
        (time,) = query.selected_columns
        newest: Any = query.with_only_columns(func.max(time)).correlate(kind.table).scalar_subquery()
        return newest  # type: ignore[no-any-return]


@dataclass(frozen=True)
class FinishedBefore(Aged):
    """The work of ``process`` was not finished within the last ``seconds``."""

    process: str
    seconds: int

    @property
    def text(self) -> str:
        return f"{self.process} not finished in the last {self.seconds} s"

    def times(self, kind: Kind) -> Select[tuple[datetime]]:
        return select(work_history.c.at).where(
            work_history.c.kind == kind.name,
            work_history.c.subject == kind.table.c.id,
            work_history.c.process == self.process,
            work_history.c.outcome == Outcome.FINISHED.value,
        )


Hook = Callable[[Work, str, datetime], None]


@dataclass(frozen=True)
class Kind:
    """What work can be about.

    :param table: its rows; ``id`` names a subject, ``updated_at`` says when it last changed.
    :param guards: what has to hold for work that is due by time alone.
    :param exhausted: called with the work and the cause, in the transaction in which it failed too often.
    """

    name: str
    table: Table
    guards: tuple[Condition, ...] = ()
    exhausted: Hook = lambda _work, _cause, _now: None


@dataclass(frozen=True)
class Process:
    """A named kind of work. Its hooks are called in the transaction of the work, and may be called more than once.

    :param need: why a subject wants it; the oldest need is served first. :param guards: what else has to hold.
    :param exclusion: processes of one group exclude each other on a subject; empty: a group of its own.
    :param retry: after failures; None: the need has a backoff of its own.
    :param by_name: it is nobody's need: it is taken by name.
    :param started: called with the component that claimed it. :param finished: when it is done.
    :param failed: called with the cause. :param lost: called with the cause, when it is given back or its session died.
    """

    name: str
    need: Condition
    guards: tuple[Condition, ...] = ()
    exclusion: str = ""
    retry: Retry | None = field(default_factory=Retry)
    kind: str = MACHINE
    by_name: bool = False
    started: Hook = lambda _work, _words, _now: None
    finished: Hook = lambda _work, _words, _now: None
    failed: Hook = lambda _work, _words, _now: None
    lost: Hook = lambda _work, _words, _now: None

    @property
    def group(self) -> str:
        return self.exclusion or self.name

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (*self.guards, self.need)
