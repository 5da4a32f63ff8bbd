# SPDX-License-Identifier: BSD-2-Clause
"""Lists of machines: ``fleetd.facets`` and ``fleetd.ports.MachineFilter`` as SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, case, false, func, or_, select

from fleetd.adapters.sql import tables
from fleetd.domain import PowerCycleState, State
from fleetd.facets import NEVER, PROBLEMS, RANKED, Facet, MachineCounts, Order
from fleetd.ports import MachineFilter

_M, _L, _P = tables.machines, tables.machine_labels, tables.powercycles
_newest = select(func.max(_P.c.id).label("id")).group_by(_P.c.machine).subquery("newest")
# The newest request of each machine that has one.
_C = (
    select(_P.c.machine, _P.c.state, _P.c.finished_at).join(_newest, _newest.c.id == _P.c.id).subquery("newest_request")
)
_OF_CYCLES = frozenset({Facet.CYCLE_FAILED, Facet.CYCLE_OPEN, Facet.TROUBLE, Order.CYCLE, Order.STATE})


def matching(where: MachineFilter, order: Order = Order.ID) -> Select[Any]:
    """The rows of the machines that match, with their newest requests at hand if the filter or ``order`` needs them."""
    source = _with_cycles() if {where.facet, order} & _OF_CYCLES else _M
    return select(_M).select_from(source).where(*_conditions(where))


def counts(connection: Connection, where: MachineFilter) -> MachineCounts:
    """One look over the machines."""
    sums = [
        func.sum(case((_holds(facet, where.stale_before), 1), else_=0)).label(f"facet_{facet.value}") for facet in Facet
    ]
    query = (
        select(_M.c.lifecycle, _M.c.controller, func.count().label("machines"), *sums)
        .select_from(_with_cycles())
        .where(*_conditions(where))
        .group_by(_M.c.lifecycle, _M.c.controller)
    )
    found = connection.execute(query).all()
    return MachineCounts(
        {facet: int(sum(getattr(row, f"facet_{facet.value}") for row in found)) for facet in Facet},
        {(row.lifecycle, PowerCycleState(row.controller)): row.machines for row in found},
    )


def order_by(order: Order, stale_before: datetime | None, descending: bool, dialect: str) -> list[ColumnElement[Any]]:
    """The keys of ``order``; texts are compared by their bytes."""
    keys: dict[Order, tuple[ColumnElement[Any], ...]] = {
        Order.ID: (_M.c.id,),
        Order.POWER: (_M.c.power_state,),
        Order.CYCLE: (_bytes(_C.c.state, dialect),),
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


def _with_cycles() -> FromClause:
    return _M.outerjoin(_C, _C.c.machine == _M.c.id)


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
        Facet.CYCLE_FAILED: and_(_C.c.state == State.FAILED.value, _C.c.finished_at.is_not(None)),
        Facet.CONTROLLER_ERROR: _M.c.controller == PowerCycleState.IN_ERROR.value,
        Facet.RECOVERING: _M.c.recovering,
        Facet.STALE: false() if stale_before is None else _M.c.heard_at < stale_before,
        Facet.CYCLE_OPEN: and_(_C.c.machine.is_not(None), _C.c.finished_at.is_(None)),
        Facet.MAINTENANCE: _M.c.maintenance,
    }
    return conditions[facet]
