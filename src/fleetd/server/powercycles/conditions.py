# SPDX-License-Identifier: BSD-2-Clause
"""When a power cycle is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select

from fleetd.server.powercycles import tables
from fleetd.server.work.process import Kind, Since

_P = tables.powercycles
PROCESS = "powercycle"


def due(now: datetime) -> ColumnElement[bool]:
    """Whether a request is open and its wait after a failure is over."""
    return and_(_P.c.finished_at.is_(None), or_(_P.c.not_before.is_(None), _P.c.not_before <= now))


@dataclass(frozen=True)
class PowercycleDue:
    """Somebody wants it power cycled, and its last failed attempt is long enough ago."""

    text: str = "a power cycle is requested and not in backoff"

    def holds(self, kind: Kind, now: datetime) -> ColumnElement[bool]:
        # Few requests are open: from them to their machines, not from each machine to its request.
        return kind.table.c.id.in_(select(_P.c.machine).where(due(now)))

    def since(self, kind: Kind) -> Since | None:
        query = select(_P.c.requested_at).where(_P.c.machine == kind.table.c.id, _P.c.finished_at.is_(None))
        return query.correlate(kind.table).scalar_subquery()
