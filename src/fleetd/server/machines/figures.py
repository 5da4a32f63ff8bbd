# SPDX-License-Identifier: BSD-2-Clause
"""Figures of machines, counted in the database when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.figures import gauge
from fleetd.server.machines.facets import MachineFilter
from fleetd.server.machines.service import Machines


def figures(services: Services) -> Iterator[Metric]:
    """Machines by state and by what ails them."""
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
