# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters, counts and orders of machine lists: the SQL does what Python says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.facets import NEVER, RANKED, Facet, MachineFilter, Order, facets, seen_at, sortable
from fleetd.server.machines.model import ControllerState, Description, DeviceSummary, Machine
from fleetd.server.powercycles.model import CycleState, Powercycle

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
STALE = NOW - timedelta(minutes=15)


def described(name: str, **said: object) -> Machine:
    return Machine(name, NOW, NOW, description=replace(Description(), **said))  # type: ignore[arg-type]


FLEET = (
    replace(described("ok", last_updated=NOW), site="b", device=DeviceSummary(vendor="HPE", model="x", serial="9")),
    described("quarantined", is_quarantined=True, maintenance_mode="alice"),
    described("error", powercycle_state=ControllerState.IN_ERROR),
    replace(described("recovering", recovering="Too hot."), site="B", rack="r2", position="U1"),
    replace(described("stale", last_updated=STALE - timedelta(microseconds=1)), rack="r2", position="U0"),
    replace(described("fresh", last_updated=STALE), device=DeviceSummary(vendor="Dell", power_state="off")),
    replace(described("maintained", maintenance_mode="bob"), lifecycle="retired"),
    described("failed"),
    replace(described("contradicted"), device=DeviceSummary(findings=2, worst_finding="critical")),
    replace(described("nearly"), device=DeviceSummary(findings=1, worst_finding="warning")),
    described("open"),
    described("waiting"),
    described("recovered"),
    replace(
        described("collected"), device=DeviceSummary(collected_at="2026-03-01T13:00:00+00:00", vendor="\x00" * 300)
    ),
)


def request(machine: str, state: CycleState, hours: int, finished: bool = True) -> Powercycle:
    at = NOW - timedelta(hours=hours)
    return Powercycle(new_id(at), machine, state, at, at, "alice", finished_at=at if finished else None)


REQUESTS = (
    request("failed", CycleState.VERIFIED, 2),
    request("failed", CycleState.FAILED, 1),
    request("recovered", CycleState.FAILED, 2),
    request("recovered", CycleState.VERIFIED, 1),
    request("open", CycleState.FAILED, 2),
    request("open", CycleState.OFF, 1, finished=False),
    request("waiting", CycleState.QUEUED, 1, finished=False),
)


@pytest.fixture
def fleet(store: Any) -> Any:
    for item in FLEET:
        store.machines.create(item)
    for item in REQUESTS:
        store.powercycles.open(replace(item, finished_at=None))
        store.powercycles.update(item.id, lambda _previous, item=item: item)
    return store


def severity(found: frozenset[Facet]) -> int:
    """The rank of the worst; 0 is worst."""
    return next((rank for rank, item in enumerate(RANKED) if item in found), len(RANKED))


def order_key(
    order: Order, machine: Machine, request: Powercycle | None, stale_before: datetime | None
) -> tuple[int | str | datetime, ...]:
    """What ``order`` compares."""
    device = machine.device or DeviceSummary()
    texts = {
        Order.ID: machine.id,
        Order.POWER: sortable(device.power_state),
        Order.CYCLE: request.state.value if request else "",
        Order.CONTROLLER: machine.description.powercycle_state.value,
        Order.VENDOR: sortable(device.vendor),
        Order.MODEL: sortable(device.model),
        Order.SERIAL: sortable(device.serial),
        Order.SITE: machine.site or "",
    }
    if order in texts:
        return (texts[order],)
    if order == Order.RACK:
        return machine.rack or "", machine.position or ""
    if order == Order.SEEN:
        return (seen_at(machine) or NEVER,)
    return (severity(facets(machine, request, stale_before)),)


def newest(name: str) -> Powercycle | None:
    return max((item for item in REQUESTS if item.machine == name), key=lambda item: item.id, default=None)


def expected(facet: Facet, stale_before: datetime | None) -> list[str]:
    return sorted(item.id for item in FLEET if facet in facets(item, newest(item.id), stale_before))


@pytest.mark.parametrize("stale_before", [None, STALE])
def test_facets_narrow_and_count(fleet: Any, stale_before: datetime | None) -> None:
    counts = fleet.machines.count(MachineFilter(stale_before=stale_before))
    for facet in Facet:
        names = expected(facet, stale_before)
        assert bool(names) == (facet != Facet.STALE or stale_before is not None)
        where = MachineFilter(facet=facet, stale_before=stale_before)
        assert [item.id for item in fleet.machines.find(where)] == names, facet
        assert counts.facets[facet] == fleet.machines.count(where).total == len(names), facet
    assert counts.total == len(FLEET)
    assert counts.states == {
        ("active", ControllerState.IN_ERROR): 1,
        ("active", ControllerState.NOT_AVAILABLE): len(FLEET) - 2,
        ("retired", ControllerState.NOT_AVAILABLE): 1,
    }


def test_what_each_facet_is() -> None:
    assert expected(Facet.TROUBLE, STALE) == ["contradicted", "error", "failed", "quarantined", "recovering", "stale"]
    assert expected(Facet.FINDINGS, STALE) == ["contradicted"]
    assert expected(Facet.CYCLE_OPEN, STALE) == ["open", "waiting"]
    assert expected(Facet.MAINTENANCE, STALE) == ["maintained", "quarantined"]


@pytest.mark.parametrize(("order", "descending"), list(itertools.product(Order, (False, True))))
def test_orders(fleet: Any, order: Order, descending: bool) -> None:
    by_id = sorted(FLEET, key=lambda item: item.id)
    wanted = [
        item.id
        for item in sorted(by_id, key=lambda item: order_key(order, item, newest(item.id), STALE), reverse=descending)
    ]
    where = MachineFilter(stale_before=STALE)
    pages = [fleet.machines.page(where, order, 5, offset, descending) for offset in (0, 5, 10, 15)]
    assert [item.id for page in pages for item in page] == wanted
    assert [len(page) for page in pages] == [5, 5, 4, 0]


def test_filters_and_facets_together(fleet: Any) -> None:
    where = MachineFilter(site="B", q="recov", facet=Facet.TROUBLE)
    assert [item.id for item in fleet.machines.page(where, Order.STATE, 10)] == ["recovering"]
    assert fleet.machines.count(where).total == 1
    assert fleet.machines.count(MachineFilter(q="nothing")).total == 0


def test_what_a_monitor_or_runner_says_counts_at_once(fleet: Any) -> None:
    fleet.machines.set_controller_states({"ok": ControllerState.IN_ERROR}, NOW)
    fleet.machines.update(
        "ok", lambda previous: replace(previous, description=replace(previous.description, recovering="Too hot."))
    )
    counts = fleet.machines.count().facets
    assert (counts[Facet.CONTROLLER_ERROR], counts[Facet.RECOVERING]) == (2, 2)
