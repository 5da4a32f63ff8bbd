# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A capability that is added brings everything with it: its service, routes, events, figures, what it forgets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from fleetcore.errors import InvalidInput
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Connection

from fleetd.server import api
from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Capability, Services
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.retention import Kept, Retention
from fleetd.server.kernel.tally import Count
from fleetd.server.machines.service import Machines

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOOKED = Count("racks_looked_at", "Looks at racks", "rack", ("r1",))
router = APIRouter()


class Racks:
    """Hears which machines go."""

    def __init__(self, services: Services, height: int = 42) -> None:
        self.height = height
        self.machines = services.of(Machines)
        self.heard: list[object] = []
        services.tx.listeners.append(self.heard.append)


@router.get("/api/v1/racks-of-a-test")
def racks() -> dict[str, int]:
    return {"racks": 1}


def pruned(_connection: Connection, before: datetime, _limit: int) -> int:
    return 3 if before == NOW - timedelta(days=7) else 0


ADDED = Capability(
    "racks",
    Racks,
    routers=(router,),
    events=("rack",),
    kept=(Kept("racks", timedelta(days=7), pruned),),
    counts=(LOOKED,),
    figures=lambda services: [GaugeMetricFamily("fleetd_racks", "Racks", services.of(Racks).height)],
)


@pytest.fixture
def services(make_database: Callable[..., Transactions]) -> Services:
    return Services([*CAPABILITIES, ADDED], make_database(), lambda: NOW, {"racks": {"height": 7}})


def test_its_service_is_built_with_those_below_and_its_options(services: Services) -> None:
    made = services.of(Racks)
    assert (made.height, made.machines) == (7, services.of(Machines))
    assert services.racks is made


def test_it_hears_what_happens_in_the_transaction(services: Services) -> None:
    services.of(Machines).create("m1", {})
    assert [item.kind for item in services.of(Racks).heard if isinstance(item, NewEvent)] == ["machine.created"]


def test_nobody_else_tells_its_events(services: Services) -> None:
    with pytest.raises(InvalidInput, match="rack"):
        services.of(Events).append([NewEvent("rack.moved")])


def test_what_it_keeps_is_pruned(services: Services) -> None:
    assert services.of(Retention).prune()["racks"] == 3


def test_its_routes_and_figures_are_served(services: Services) -> None:
    services.tally.add(LOOKED, "r2", 5)
    client: Any = TestClient(api.create(services, Policy("viewer")))
    assert client.get("/api/v1/racks-of-a-test").json() == {"racks": 1}
    figures = client.get("/metrics").text
    assert 'fleetd_racks_looked_at_total{rack="r1"} 0.0' in figures
    assert 'fleetd_racks_looked_at_total{rack="r2"} 5.0' in figures
    assert "fleetd_racks 7.0" in figures
    assert 'fleetd_pruned_rows_total{what="racks"} 0.0' in figures
