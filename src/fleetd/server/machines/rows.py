# SPDX-License-Identifier: BSD-2-Clause
"""Rows to values and back, and the reads and writes of one row that transactions are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fleetcore.errors import NotFound
from sqlalchemy import Connection, Row, delete, insert, select, update

from fleetd.server.kernel import codec, tables
from fleetd.server.kernel.auth.model import Scope, Token
from fleetd.server.kernel.events import model as events
from fleetd.server.kernel.events.store import tell
from fleetd.server.machines.facets import seen_at, sortable
from fleetd.server.machines.model import BmcAccess, ControllerState, Description, DeviceSummary, Machine
from fleetd.server.powercycles.model import CycleState, CycleStep, Powercycle

_M, _P, _L = tables.machines, tables.powercycles, tables.machine_labels
_PENDING = tables.pending_powercycle_states


def one_machine(connection: Connection, machine_id: str, lock: bool = False) -> Machine | None:
    query = select(_M).where(_M.c.id == machine_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return machine(row) if row else None


def locked_machine(connection: Connection, machine_id: str) -> Machine:
    machine = one_machine(connection, machine_id, lock=True)
    if machine is None:
        raise NotFound(f"no machine {machine_id}", machine=machine_id)
    return machine


def machine(row: Row[Any]) -> Machine:
    return Machine(
        id=row.id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        labels=codec.loads(dict[str, str], row.labels),
        site=row.site,
        rack=row.rack,
        position=row.position,
        lifecycle=row.lifecycle,
        bmc=codec.loads(BmcAccess, row.bmc) if row.bmc else None,
        description=codec.loads(Description, row.description),
        device=codec.loads(DeviceSummary, row.device) if row.device else None,
        version=row.version,
    )


def machine_row(machine: Machine) -> dict[str, Any]:
    device = machine.device or DeviceSummary()
    return {
        "id": machine.id,
        "site": machine.site,
        "rack": machine.rack,
        "position": machine.position,
        "lifecycle": machine.lifecycle,
        "labels": codec.dumps(machine.labels),
        "bmc": codec.dumps(machine.bmc) if machine.bmc else None,
        "description": codec.dumps(machine.description),
        "held": bool(machine.description.held()),
        "quarantined": machine.description.is_quarantined,
        "maintenance": bool(machine.description.maintenance_mode),
        "recovering": bool(machine.description.recovering),
        "controller": machine.description.powercycle_state.value,
        "power_state": sortable(device.power_state),
        "vendor": sortable(device.vendor),
        "model": sortable(device.model),
        "serial": sortable(device.serial),
        "heard_at": machine.description.last_updated,
        "seen_at": seen_at(machine),
        "credential": machine.bmc.credential if machine.bmc else None,
        "worst_finding": device.worst_finding,
        "device": codec.dumps(machine.device) if machine.device else None,
        "search": machine.search_text(),
        "version": machine.version,
        "created_at": machine.created_at,
        "updated_at": machine.updated_at,
    }


def insert_machine(connection: Connection, machine: Machine) -> Machine:
    connection.execute(insert(_M).values(machine_row(machine)))
    insert_labels(connection, machine)
    tell(connection, events.of_machine(None, machine))
    return machine


def insert_labels(connection: Connection, machine: Machine) -> None:
    if machine.labels:
        rows = [{"machine": machine.id, "name": name, "value": value} for name, value in machine.labels.items()]
        connection.execute(insert(_L), rows)


def write_machine(connection: Connection, previous: Machine, machine: Machine) -> Machine:
    if machine == previous:
        return machine
    connection.execute(update(_M).where(_M.c.id == machine.id).values(machine_row(machine)))
    if machine.labels != previous.labels:
        connection.execute(delete(_L).where(_L.c.machine == machine.id))
        insert_labels(connection, machine)
    tell(connection, events.of_machine(previous, machine))
    return machine


def apply_pending(connection: Connection, machine: Machine) -> Machine:
    state = connection.execute(
        select(_PENDING.c.state).where(_PENDING.c.machine == machine.id).with_for_update()
    ).scalar()
    if state is None:
        return machine
    connection.execute(delete(_PENDING).where(_PENDING.c.machine == machine.id))
    return replace(machine, description=replace(machine.description, powercycle_state=ControllerState(state)))


def open_powercycle(connection: Connection, machine: str) -> Powercycle | None:
    query = select(_P).where(_P.c.machine == machine, _P.c.finished_at.is_(None)).with_for_update()
    row = connection.execute(query).first()
    return powercycle(row) if row else None


def insert_powercycle(connection: Connection, request: Powercycle) -> Powercycle:
    connection.execute(insert(_P).values(powercycle_row(request)))
    tell(connection, events.of_powercycle(None, request))
    return request


def write_powercycle(
    connection: Connection, previous: Powercycle, change: Callable[[Powercycle], Powercycle]
) -> Powercycle:
    changed = change(previous)
    if changed != previous:
        connection.execute(update(_P).where(_P.c.id == previous.id).values(powercycle_row(changed)))
        tell(connection, events.of_powercycle(previous, changed))
    return changed


def powercycle(row: Row[Any]) -> Powercycle:
    return Powercycle(
        id=row.id,
        machine=row.machine,
        state=CycleState(row.state),
        requested_at=row.requested_at,
        updated_at=row.updated_at,
        requester=row.requester,
        reason=row.reason,
        finished_at=row.finished_at,
        not_before=row.not_before,
        attempts=row.attempts,
        error=codec.loads(dict[str, Any], row.error) if row.error else None,
        steps=codec.loads(tuple[CycleStep, ...], row.steps),
    )


def powercycle_row(request: Powercycle) -> dict[str, Any]:
    return {
        "id": request.id,
        "machine": request.machine,
        "state": request.state.value,
        "requester": request.requester,
        "reason": request.reason,
        "requested_at": request.requested_at,
        "updated_at": request.updated_at,
        "finished_at": request.finished_at,
        "not_before": request.not_before,
        "attempts": request.attempts,
        "error": codec.dumps(request.error) if request.error is not None else None,
        "steps": codec.dumps(request.steps),
    }


def token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scope=Scope(row.scope),
        digest=row.digest,
        created_at=row.created_at,
        machine=row.machine,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
