# SPDX-License-Identifier: BSD-2-Clause
"""Figures of power cycles, counted in the database when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.figures import gauge
from fleetd.server.powercycles.model import CycleState
from fleetd.server.powercycles.service import Powercycles


def figures(services: Services) -> Iterator[Metric]:
    """Requests by state, and how long they wait."""
    known = services.of(Powercycles)
    present = known.counts()
    yield gauge(
        "fleetd_powercycles",
        "Power cycle requests that are kept, by state",
        {(item.value,): present.get(item, 0) for item in CycleState},
        "state",
    )
    yield gauge("fleetd_powercycles_due", "Machines that wait for a runner now", {(): len(known.due())})
    yield gauge(
        "fleetd_powercycle_oldest_open_age_seconds",
        "Seconds since the oldest open power cycle request was made; 0 without any",
        {(): known.oldest_open_age()},
    )
