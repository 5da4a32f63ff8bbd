# SPDX-License-Identifier: BSD-2-Clause
"""Sessions and work."""

from __future__ import annotations

from datetime import timedelta

from fleetd.server.kernel.capability import Capability, Task
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.retention.store import prune_rows
from fleetd.server.work import tables
from fleetd.server.work.api import router
from fleetd.server.work.figures import figures
from fleetd.server.work.service import WorkService

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
    figures=figures,
)
