# SPDX-License-Identifier: BSD-2-Clause
"""Machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from prometheus_client.core import Metric

from fleetd.server.kernel.capability import Capability, Services, gauge
from fleetd.server.machines.api import router
from fleetd.server.machines.facets import MachineFilter
from fleetd.server.machines.service import EVENTS, Machines
from fleetd.server.powercycles.service import Powercycles
from fleetd.server.work.service import WorkService


def _build(services: Services, **options: Any) -> Machines:
    below = (services.of(WorkService), services.of(Powercycles))
    return Machines(services.tx, *below, services.clock, services.tally, **options)


def _figures(services: Services) -> Iterator[Metric]:
    known = services.of(Machines)
    counts = known.count(MachineFilter(stale_before=known.stale_before()))
    yield gauge(
        "fleetd_machines",
        "Machines by lifecycle and state of their power controller",
        {(lifecycle, state.value): count for (lifecycle, state), count in sorted(counts.states.items())},
        "lifecycle",
        "powercycle_state",
    )
    yield gauge(
        "fleetd_machines_condition",
        "Machines by what holds or ails them; one machine may have several",
        {(facet.value,): count for facet, count in counts.facets.items()},
        "condition",
    )


CAPABILITY = Capability(
    "machines",
    _build,
    options=lambda settings: {"stale_after": timedelta(minutes=settings.machines.stale_minutes)},
    routers=(router,),
    events=("machine", "hold", "controller"),
    counts=(EVENTS,),
    figures=_figures,
)
