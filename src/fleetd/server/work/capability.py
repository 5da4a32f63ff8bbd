# SPDX-License-Identifier: BSD-2-Clause
"""Sessions and work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import Metric

from fleetd.server.kernel.capability import Capability, Services, Task, gauge
from fleetd.server.kernel.retention import Kept, prune_rows
from fleetd.server.work import tables
from fleetd.server.work.api import router
from fleetd.server.work.service import WorkService


def _figures(services: Services) -> Iterator[Metric]:
    known = services.of(WorkService)
    counts = {
        (process, state): count
        for process, found in known.counts().items()
        for state, count in (("eligible", found.eligible), ("working", found.working), ("backoff", found.backoff))
    }
    yield gauge("fleetd_work", "Machines by process: eligible for it, in work, in backoff", counts, "process", "state")
    live = Counter((item.component,) for item in known.sessions())
    yield gauge("fleetd_sessions", "Sessions that live, by component", live, "component")


CAPABILITY = Capability(
    "work",
    lambda services, **options: WorkService(services.tx, **options),
    options=lambda settings: {"intervals": settings.leases.intervals},
    ready=lambda services: services.of(WorkService).add_due_by_time(),
    routers=(router,),
    tasks=(
        Task("reaper", lambda services: services.of(WorkService).reap(), lambda given: given.leases.reaper_seconds),
    ),
    events=("work",),
    kept=(
        Kept(
            "work_history",
            timedelta(days=180),
            prune_rows(tables.work_history, ("kind", "subject", "process", "outcome")),
        ),
    ),
    figures=_figures,
)
