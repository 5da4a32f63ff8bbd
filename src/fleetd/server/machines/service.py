# SPDX-License-Identifier: BSD-2-Clause
"""Machines: create, change, delete, and what people and monitors say about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fleetcore.errors import InvalidInput, NotFound

from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.errors import VersionMismatch
from fleetd.server.kernel.ids import ID_RULE, is_machine_id
from fleetd.server.kernel.tally import Count, Tally
from fleetd.server.machines import tables
from fleetd.server.machines.conditions import LifecycleIn, LifecycleNotIn, NotHeld
from fleetd.server.machines.facets import EVERY_MACHINE, MachineCounts, MachineFilter, Order
from fleetd.server.machines.holds import Change
from fleetd.server.machines.model import (
    Annotation,
    BmcAccess,
    ControllerState,
    Description,
    Machine,
)
from fleetd.server.machines.store import MachineStore
from fleetd.server.powercycles.model import Powercycle
from fleetd.server.powercycles.service import Powercycles
from fleetd.server.work.model import MACHINE, Work
from fleetd.server.work.process import Kind, Process
from fleetd.server.work.service import WorkService

EVENTS = Count("machine_events", "Events of machine monitors that were processed and stored")
WRITABLE = ("labels", "site", "rack", "position", "lifecycle", "bmc")


@dataclass(frozen=True)
class MachineView:
    """A machine with its newest power cycle request."""

    machine: Machine
    powercycle: Powercycle | None

    @property
    def power_cycle(self) -> bool:
        """``PowerCycle`` of the description: whether a request is open."""
        return self.powercycle is not None and self.powercycle.open


def checked_id(machine_id: str) -> str:
    """The id.

    :raises InvalidInput: it can't name a machine.
    """
    if not is_machine_id(machine_id):
        raise InvalidInput(f"id: {machine_id[:80]!r} can't name a machine: {ID_RULE}", field="id")
    return machine_id


class Machines:
    """Use cases around machines."""

    def __init__(
        self,
        tx: Transactions,
        work: WorkService,
        powercycles: Powercycles,
        clock: Clock,
        tally: Tally,
        stale_after: timedelta = timedelta(minutes=15),
    ) -> None:
        self._store = MachineStore(tx)
        self._powercycles = powercycles
        self._clock = clock
        self._tally = tally
        self._stale_after = stale_after
        free = (NotHeld(),)
        work.add_kind(Kind(MACHINE, tables.machines, (LifecycleNotIn(("retired",)), *free), self._quarantine))
        work.add(
            Process("onboard", LifecycleIn(("new",)), free, MACHINE),
            Process("provision", LifecycleIn(("provisioning",)), free, MACHINE),
            Process("release", LifecycleIn(("releasing",)), free, MACHINE),
            # By people and plays that want a machine for themselves.
            Process("manual", LifecycleIn(()), exclusion=MACHINE, by_name=True),
        )

    def _quarantine(self, held: Work, cause: str, now: datetime) -> None:
        """After too many failures: latched, only a person lifts it."""
        note = Annotation(f"Quarantined: {held.process} failed too often: {cause}", "fleetd", now)
        self._store.update(
            held.subject,
            lambda machine: replace(
                machine, description=replace(machine.description, is_quarantined=True, annotation=note)
            ),
        )

    def create(self, machine_id: str, values: Mapping[str, Any]) -> MachineView:
        """Create a machine from its writable fields.

        :raises ConflictError: it exists. :raises InvalidInput: its id.
        """
        now = self._clock()
        machine = Machine(checked_id(machine_id), created_at=now, updated_at=now)
        return MachineView(self._store.create(replace(machine, **values)), None)

    def get(self, machine_id: str) -> MachineView:
        """:raises NotFound: no such machine."""
        machine = self._store.get(machine_id)
        if machine is None:
            raise NotFound(f"no machine {machine_id}", machine=machine_id)
        return self._views([machine])[0]

    def find(
        self, where: MachineFilter = EVERY_MACHINE, limit: int | None = None, after: str | None = None
    ) -> Sequence[MachineView]:
        """Machines by id."""
        return self._views(self._store.find(where, limit, after), every=not limit)

    def page(
        self, where: MachineFilter, order: Order, limit: int, offset: int = 0, descending: bool = False
    ) -> Sequence[MachineView]:
        """A part of those that match, in any order."""
        return self._views(self._store.page(where, order, limit, offset, descending))

    def count(self, where: MachineFilter = EVERY_MACHINE) -> MachineCounts:
        """How many match."""
        return self._store.count(where)

    def stale_before(self) -> datetime:
        """A monitor whose last word is older is silent."""
        return self._clock() - self._stale_after

    def some(self, machine_ids: Sequence[str]) -> Sequence[MachineView]:
        """Those of these ids that exist."""
        return self._views(self._store.some(machine_ids))

    def change(
        self, machine_id: str, change: Callable[[Machine], Mapping[str, Any]], if_match: int | None = None
    ) -> MachineView:
        """Replace writable fields by what ``change`` returns for the present machine. Nothing new: the version stays.

        :raises VersionMismatch: ``if_match`` is not the machine's version. :raises NotFound: no such machine.
        """
        now = self._clock()

        def work(previous: Machine) -> Machine:
            _check_version(previous, if_match)
            changed = replace(previous, **change(previous))
            if changed == previous:
                return previous
            return replace(changed, version=previous.version + 1, updated_at=now)

        return self._views([self._store.update(machine_id, work)])[0]

    def set_bmc(self, machine_id: str, bmc: BmcAccess | None, if_match: int | None = None) -> MachineView:
        """Store how its BMC is reached; None forgets it."""
        return self.change(machine_id, lambda _previous: {"bmc": bmc}, if_match)

    def delete(self, machine_id: str, if_match: int | None = None) -> None:
        """Delete it with its requests, documents and history.

        :raises NotFound: no such machine. :raises VersionMismatch: see :meth:`change`.
        """
        self._store.delete(machine_id, lambda machine: _check_version(machine, if_match))

    def _views(self, machines: Sequence[Machine], every: bool = False) -> Sequence[MachineView]:
        """Each with its newest request; ``every``: so many that the requests of all are looked at."""
        latest = self._powercycles.latest(None if every else [item.id for item in machines])
        return [MachineView(machine, latest.get(machine.id)) for machine in machines]

    # -- for capabilities above

    def look(self, machine_id: str) -> Machine | None:
        """The machine alone, if there is one."""
        return self._store.get(machine_id)

    def of_bmc(self, bmc: BmcAccess) -> Sequence[Machine]:
        """Machines that are registered with the address or the MAC of this BMC; a few of them, if they are many."""
        return self._store.of_bmc(bmc)

    def locked(self, machine_id: str) -> Machine:
        """The machine, which nobody else changes until the open transaction ends.

        :raises NotFound: no such machine.
        """
        return self._store.locked(machine_id)

    def write(self, previous: Machine, machine: Machine) -> None:
        """Store the next value of a machine that is locked."""
        self._store.write(previous, machine)

    # -- the description

    def set_powercycle_states(self, states: Mapping[str, ControllerState]) -> None:
        """What a runner says about the controllers of machines, known ones or not: all or nothing.

        :raises InvalidInput: an id that can't name a machine.
        """
        for machine_id in states:
            checked_id(machine_id)
        self._store.set_controller_states(states, self._clock())

    def describe(self, machine_id: str, change: Change) -> None:
        """Apply a pure function of the description.

        :raises NotFound: no such machine.
        """
        now = self._clock()
        self._store.update(machine_id, lambda previous: _described(previous, change, now))

    def observe(self, machine_id: str, change: Change) -> None:
        """Apply a pure function to what a machine says of itself; one that is not known yet is created."""
        now = self._clock()
        self._store.upsert(checked_id(machine_id), now, lambda previous: _described(previous, change, now))
        self._tally.add(EVENTS)


def _described(machine: Machine, change: Change, now: datetime) -> Machine:
    return replace(machine, description=change(machine.description, now), updated_at=now)


def _check_version(machine: Machine, if_match: int | None) -> None:
    if if_match is not None and machine.version != if_match:
        raise VersionMismatch(
            f"machine {machine.id} is at version {machine.version}, not {if_match}: read it again",
            machine=machine.id,
            version=machine.version,
        )


# -- pure changes of a description


def set_note(message: str, user: str) -> Change:
    """A person's note; an empty message clears it."""
    return lambda previous, now: replace(previous, note=Annotation(message, user, now))


def remove_device(user: str) -> Change:
    """Forget what was attached: dimensions, temperature, battery; the holds and notes stay."""
    names = ("dimensions", "supplied_dimensions", "ssh_user_ip", "temperature", "battery", "device_uptime")
    fresh = {name: getattr(Description(), name) for name in (*names, "recovering", "recovery_start")}
    return lambda previous, now: replace(
        previous, annotation=Annotation("Requested device removal", user, now), **fresh
    )
