# SPDX-License-Identifier: BSD-2-Clause
"""Figures of work, counted in the database when Prometheus asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.figures import gauge
from fleetd.server.work.service import WorkService


def figures(services: Services) -> Iterator[Metric]:
    """Work by process, and sessions by component."""
    known = services.of(WorkService)
    counts = {
        (process, state): count
        for process, found in known.counts().items()
        for state, count in (("eligible", found.eligible), ("working", found.working), ("backoff", found.backoff))
    }
    yield gauge("fleetd_work", "Machines by process: eligible for it, in work, in backoff", counts, "process", "state")
    live = Counter((item.component,) for item in known.sessions())
    yield gauge("fleetd_sessions", "Sessions that live, by component", live, "component")
