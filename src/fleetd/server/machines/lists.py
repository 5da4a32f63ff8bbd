# SPDX-License-Identifier: BSD-2-Clause
"""Filters, counts and orders of lists of machines in SQL: see ``facets.py`` for the words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fleetcore.document.findings import CRITICAL
from sqlalchemy import ColumnElement, Connection, Select, case, exists, false, func, or_, select

from fleetd.server.machines import tables
from fleetd.server.machines.facets import NEVER, PROBLEMS, RANKED, Facet, MachineCounts, MachineFilter, Order
from fleetd.server.machines.model import ControllerState
from fleetd.server.powercycles.model import CycleState
from fleetd.server.powercycles.tables import powercycles

_M, _L, _P = tables.machines, tables.machine_labels, powercycles
_N = _P.alias("newer")
# Machines whose newest request failed, and those with an open one: few, and found by indexes.
_FAILED = select(_P.c.machine).where(
    _P.c.state == CycleState.FAILED.value,
    _P.c.finished_at.is_not(None),
    ~exists().where(_N.c.machine == _P.c.machine, _N.c.id > _P.c.id),
)
_OPEN = select(_P.c.machine).where(_P.c.finished_at.is_(None))
_HOLDS = {
    "maintenance": _M.c.maintenance,
    "quarantine": _M.c.quarantined,
    "recovery": _M.c.recovering,
    "any": _M.c.held,
    "none": ~_M.c.held,
}
# The state of a machine's newest request.
_CYCLE = (
    select(_P.c.state).where(_P.c.machine == _M.c.id).order_by(_P.c.id.desc()).limit(1).correlate(_M).scalar_subquery()
)


def matching(where: MachineFilter) -> Select[Any]:
    """The rows of the machines that match."""
    return select(_M).where(*_conditions(where))


def counts(connection: Connection, where: MachineFilter) -> MachineCounts:
    """One look over the machines."""
    sums = [
        func.sum(case((_holds(facet, where.stale_before), 1), else_=0)).label(f"facet_{facet.value}") for facet in Facet
    ]
    query = (
        select(_M.c.lifecycle, _M.c.controller, func.count().label("machines"), *sums)
        .where(*_conditions(where))
        .group_by(_M.c.lifecycle, _M.c.controller)
    )
    found = connection.execute(query).all()
    return MachineCounts(
        {facet: int(sum(getattr(row, f"facet_{facet.value}") for row in found)) for facet in Facet},
        {(row.lifecycle, ControllerState(row.controller)): row.machines for row in found},
    )


def order_by(order: Order, stale_before: datetime | None, descending: bool, dialect: str) -> list[ColumnElement[Any]]:
    """The keys of ``order``; texts are compared by their bytes."""
    keys: dict[Order, tuple[ColumnElement[Any], ...]] = {
        Order.ID: (_M.c.id,),
        Order.POWER: (_M.c.power_state,),
        Order.CYCLE: (_bytes(_CYCLE, dialect),),
        Order.CONTROLLER: (_bytes(_M.c.controller, dialect),),
        Order.VENDOR: (_M.c.vendor,),
        Order.MODEL: (_M.c.model,),
        Order.SERIAL: (_M.c.serial,),
        Order.SITE: (_bytes(_M.c.site, dialect),),
        Order.RACK: (_bytes(_M.c.rack, dialect), _bytes(_M.c.position, dialect)),
        Order.SEEN: (func.coalesce(_M.c.seen_at, NEVER),),
    }
    if order == Order.STATE:
        ranks = [(_holds(facet, stale_before), rank) for rank, facet in enumerate(RANKED)]
        chosen: tuple[ColumnElement[Any], ...] = (case(*ranks, else_=len(RANKED)),)
    else:
        chosen = keys[order]
    return [key.desc() if descending else key for key in chosen]


def _bytes(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    text = func.coalesce(column, "")
    return text.collate("C") if dialect == "postgresql" else text


def _conditions(where: MachineFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if where.site is not None:
        found.append(_M.c.site == where.site)
    if where.rack is not None:
        found.append(_M.c.rack == where.rack)
    for name, value in where.labels.items():
        found.append(_M.c.id.in_(select(_L.c.machine).where(_L.c.name == name, _L.c.value == value)))
    for column, wanted in (
        (_M.c.lifecycle, where.lifecycle),
        (_M.c.power_state, where.power_state),
        (_M.c.controller, where.controller),
        (_M.c.credential, where.credential),
    ):
        if wanted is not None:
            found.append(column == wanted)
    if where.hold is not None:
        found.append(_HOLDS[where.hold])
    if where.powercycle is not None:
        found.append(_M.c.id.in_(_OPEN) if where.powercycle else _M.c.id.not_in(_OPEN))
    if where.q:
        found.append(_M.c.search.contains(where.q.lower(), autoescape=True))
    if where.facet is not None:
        found.append(_holds(where.facet, where.stale_before))
    return found


def _holds(facet: Facet, stale_before: datetime | None) -> ColumnElement[bool]:
    if facet == Facet.TROUBLE:
        return or_(*(_holds(item, stale_before) for item in PROBLEMS))
    conditions: dict[Facet, ColumnElement[bool]] = {
        Facet.QUARANTINED: _M.c.quarantined,
        Facet.CYCLE_FAILED: _M.c.id.in_(_FAILED),
        Facet.CONTROLLER_ERROR: _M.c.controller == ControllerState.IN_ERROR.value,
        Facet.FINDINGS: func.coalesce(_M.c.worst_finding, "") == CRITICAL,
        Facet.RECOVERING: _M.c.recovering,
        Facet.STALE: false() if stale_before is None else _M.c.heard_at < stale_before,
        Facet.CYCLE_OPEN: _M.c.id.in_(_OPEN),
        Facet.MAINTENANCE: _M.c.maintenance,
    }
    return conditions[facet]
