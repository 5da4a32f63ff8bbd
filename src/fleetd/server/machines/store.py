# SPDX-License-Identifier: BSD-2-Clause
"""Machines in SQL, ordered by id. An update is a function ``(previous) -> next``, applied to the locked row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleetcore.errors import ConflictError, NotFound
from sqlalchemy import Connection, Select, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fleetd.server.kernel.engine import Transactions
from fleetd.server.machines import lists, rows, tables
from fleetd.server.machines.facets import EVERY_MACHINE, MachineCounts, MachineFilter, Order
from fleetd.server.machines.model import BmcAccess, ControllerState, Machine, of_machine
from fleetd.server.work.model import Subject, SubjectGone

_M, _L, _PENDING = tables.machines, tables.machine_labels, tables.pending_powercycle_states
_FEW = 20
_CHUNK = 500  # machines of one statement
Change = Callable[[Machine], Machine]


class MachineStore:
    """Machines, and what was said of the controllers of machines that are not known yet."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx

    # -- one machine

    def create(self, machine: Machine) -> Machine:
        """Insert it. A power cycle state that was kept aside for its id is applied.

        :raises ConflictError: it exists.
        """
        try:
            return self._tx.write(lambda connection: self._insert(connection, _apply_pending(connection, machine)))
        except IntegrityError:
            raise ConflictError(f"machine {machine.id} exists already", machine=machine.id) from None

    def get(self, machine_id: str) -> Machine | None:
        """The machine with that id."""
        return self._tx.read(lambda connection: _one(connection, machine_id))

    def of_bmc(self, bmc: BmcAccess) -> Sequence[Machine]:
        """Machines whose BMC has that address or that MAC; a few of them, if they are many."""
        same = or_(_M.c.bmc_address == bmc.address, and_(_M.c.bmc_mac == (bmc.mac or ""), _M.c.bmc_mac != ""))
        query = select(_M).where(same).order_by(_M.c.id).limit(_FEW)
        return self._tx.read(lambda connection: [rows.machine(row) for row in connection.execute(query)])

    def locked(self, machine_id: str) -> Machine:
        """The machine, which nobody else changes until the open transaction ends.

        :raises NotFound: no such machine.
        """
        found = self._tx.write(lambda connection: _one(connection, machine_id, lock=True))
        if found is None:
            raise NotFound(f"no machine {machine_id}", machine=machine_id)
        return found

    def write(self, previous: Machine, machine: Machine) -> Machine:
        """Store the next value of a machine that is locked."""

        def work(connection: Connection) -> Machine:
            if machine == previous:
                return machine
            connection.execute(update(_M).where(_M.c.id == machine.id).values(rows.machine_row(machine)))
            if machine.labels != previous.labels:
                connection.execute(delete(_L).where(_L.c.machine == machine.id))
                _insert_labels(connection, machine)
            self._tx.tell(of_machine(previous, machine))
            return machine

        return self._tx.write(work)

    def update(self, machine_id: str, change: Change) -> Machine:
        """Apply ``change``.

        :raises NotFound: no such machine.
        """

        def work(_connection: Connection) -> Machine:
            previous = self.locked(machine_id)
            return self.write(previous, change(previous))

        return self._tx.write(work)

    def upsert(self, machine_id: str, now: datetime, change: Change) -> Machine:
        """Apply ``change``; a machine that did not exist is created first (with what was kept aside for it)."""

        def work(connection: Connection) -> Machine:
            previous = _one(connection, machine_id, lock=True)
            if previous is not None:
                return self.write(previous, change(previous))
            machine = Machine(machine_id, created_at=now, updated_at=now)
            return self._insert(connection, change(_apply_pending(connection, machine)))

        return self._tx.write(work, again_on_conflict=True)

    def delete(self, machine_id: str, check: Callable[[Machine], None] | None = None) -> None:
        """Delete it with everything of it.

        :param check: called with the machine in the transaction; what it raises keeps the machine.
        :raises NotFound: no such machine.
        """

        def work(connection: Connection) -> None:
            machine = self.locked(machine_id)
            if check:
                check(machine)
            connection.execute(delete(_M).where(_M.c.id == machine_id))
            self._tx.tell([SubjectGone(Subject(machine_id)), *of_machine(machine, None)])

        self._tx.write(work)

    def set_controller_states(self, states: Mapping[str, ControllerState], now: datetime) -> None:
        """Store what a runner says about controllers, all in one transaction; unknown ids are kept aside."""

        def work(connection: Connection) -> None:
            names = sorted(states)  # one order of locks: no deadlock between two reports
            for start in range(0, len(names), _CHUNK):
                self._set_states(connection, {name: states[name] for name in names[start : start + _CHUNK]}, now)

        self._tx.write(work, again_on_conflict=True)

    def _set_states(self, connection: Connection, states: Mapping[str, ControllerState], now: datetime) -> None:
        query = select(_M).where(_M.c.id.in_(list(states))).order_by(_M.c.id)
        known = [rows.machine(row) for row in connection.execute(query.with_for_update())]
        for machine in known:
            description = replace(machine.description, powercycle_state=states[machine.id])
            self.write(machine, replace(machine, description=description))
        aside = sorted(states.keys() - {machine.id for machine in known})
        if aside:
            connection.execute(delete(_PENDING).where(_PENDING.c.machine.in_(aside)))
            made = [{"machine": name, "state": states[name].value, "updated_at": now} for name in aside]
            connection.execute(insert(_PENDING), made)

    def _insert(self, connection: Connection, machine: Machine) -> Machine:
        connection.execute(insert(_M).values(rows.machine_row(machine)))
        _insert_labels(connection, machine)
        self._tx.tell(of_machine(None, machine))
        return machine

    # -- lists

    def some(self, machine_ids: Sequence[str]) -> Sequence[Machine]:
        """Those of these ids that exist, by id; at most some hundreds at once."""
        return self._find(select(_M).where(_M.c.id.in_(list(machine_ids))).order_by(_M.c.id))

    def find(
        self, where: MachineFilter = EVERY_MACHINE, limit: int | None = None, after: str | None = None
    ) -> Sequence[Machine]:
        """At most ``limit`` machines whose id sorts after ``after``."""
        query = lists.matching(where).order_by(_M.c.id).limit(limit)
        return self._find(query if after is None else query.where(_M.c.id > after))

    def page(
        self, where: MachineFilter, order: Order, limit: int, offset: int = 0, descending: bool = False
    ) -> Sequence[Machine]:
        """``limit`` machines after the first ``offset`` in that order; those that are equal in it are ordered by id."""
        keys = lists.order_by(order, where.stale_before, descending, self._tx.engine.dialect.name)
        return self._find(lists.matching(where).order_by(*keys, _M.c.id).limit(limit).offset(offset))

    def count(self, where: MachineFilter = EVERY_MACHINE) -> MachineCounts:
        """How many match, by facet and by state."""
        return self._tx.read(lambda connection: lists.counts(connection, where))

    def _find(self, query: Select[Any]) -> list[Machine]:
        return self._tx.read(lambda connection: [rows.machine(row) for row in connection.execute(query)])


def _one(connection: Connection, machine_id: str, lock: bool = False) -> Machine | None:
    query = select(_M).where(_M.c.id == machine_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    return rows.machine(row) if row else None


def _insert_labels(connection: Connection, machine: Machine) -> None:
    if machine.labels:
        connection.execute(insert(_L), rows.label_rows(machine))


def _apply_pending(connection: Connection, machine: Machine) -> Machine:
    state = connection.execute(
        select(_PENDING.c.state).where(_PENDING.c.machine == machine.id).with_for_update()
    ).scalar()
    if state is None:
        return machine
    connection.execute(delete(_PENDING).where(_PENDING.c.machine == machine.id))
    return replace(machine, description=replace(machine.description, powercycle_state=ControllerState(state)))
