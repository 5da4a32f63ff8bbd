# SPDX-License-Identifier: BSD-2-Clause
"""What lists of machines are narrowed, counted and ordered by: the words for it. ``lists.py`` has them in SQL.

:func:`facets` says them of one machine that was read already, for the page; a test compares both.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fleetcore.document.findings import CRITICAL
from fleetcore.document.values import time_of

from fleetd.server.machines.model import ControllerState, Machine
from fleetd.server.powercycles.model import CycleState, Powercycle


class Facet(enum.StrEnum):
    """A fact about a machine. The order is that of severity."""

    QUARANTINED = "quarantined"
    CYCLE_FAILED = "cycle_failed"  # its newest power cycle request
    CONTROLLER_ERROR = "controller_error"
    FINDINGS = "findings"  # critical ones: another machine or BMC than it should be
    RECOVERING = "recovering"
    STALE = "stale"  # its monitor fell silent
    CYCLE_OPEN = "cycle_open"
    MAINTENANCE = "maintenance"
    TROUBLE = "trouble"  # any of ``PROBLEMS``


RANKED = tuple(item for item in Facet if item != Facet.TROUBLE)
PROBLEMS = tuple(item for item in RANKED if item not in (Facet.CYCLE_OPEN, Facet.MAINTENANCE))


class Order(enum.StrEnum):
    """What a list is ordered by; equal ones by id."""

    ID = "id"
    STATE = "state"  # the worst first
    POWER = "power"
    CYCLE = "cycle"
    CONTROLLER = "controller"
    VENDOR = "vendor"
    MODEL = "model"
    SERIAL = "serial"
    SITE = "site"
    RACK = "rack"
    SEEN = "seen"  # the longest silent first


@dataclass(frozen=True)
class MachineCounts:
    """Of the machines of a filter. ``states``: by lifecycle and state of the power controller."""

    facets: Mapping[Facet, int]
    states: Mapping[tuple[str, ControllerState], int]

    @property
    def total(self) -> int:
        return sum(self.states.values())


def facets(machine: Machine, request: Powercycle | None, stale_before: datetime | None) -> frozenset[Facet]:
    """All that hold.

    :param request: the machine's newest power cycle request. :param stale_before: a monitor whose last word is older
        is silent; machines that never had one are not.
    """
    said = machine.description
    heard = said.last_updated
    found = {
        Facet.QUARANTINED: said.is_quarantined,
        Facet.CYCLE_FAILED: request is not None and not request.open and request.state == CycleState.FAILED,
        Facet.CONTROLLER_ERROR: said.powercycle_state == ControllerState.IN_ERROR,
        Facet.FINDINGS: machine.device is not None and machine.device.worst_finding == CRITICAL,
        Facet.RECOVERING: bool(said.recovering),
        Facet.STALE: stale_before is not None and heard is not None and heard < stale_before,
        Facet.CYCLE_OPEN: request is not None and request.open,
        Facet.MAINTENANCE: bool(said.maintenance_mode),
    }
    found[Facet.TROUBLE] = any(found[item] for item in PROBLEMS)
    return frozenset(item for item, holds in found.items() if holds)


def seen_at(machine: Machine) -> datetime | None:
    """When anything was last known of it: its monitor's last event, or its last collection."""
    times = [machine.description.last_updated]
    collected = machine.device.collected_at if machine.device else None
    if collected:
        times.append(time_of(collected))
    return max((time for time in times if time), default=None)


NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def sortable(text: str | None) -> str:
    """A text of a device as a column keeps it."""
    return (text or "").replace("\x00", "")[:255]


@dataclass(frozen=True)
class MachineFilter:
    """Every part that is given has to match. ``labels`` are exact; ``q`` is looked for in ``Machine.search_text``.

    ``hold`` is one kind, ``any``, or ``none`` of them.
    ``stale_before`` is what the facet ``stale`` means: see ``facets``.
    """

    site: str | None = None
    rack: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    q: str | None = None
    lifecycle: str | None = None
    hold: str | None = None
    power_state: str | None = None
    controller: ControllerState | None = None
    credential: str | None = None
    powercycle: bool | None = None  # whether a request is open
    facet: Facet | None = None
    stale_before: datetime | None = None


EVERY_MACHINE = MachineFilter()
