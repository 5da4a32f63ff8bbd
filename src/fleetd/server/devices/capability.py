# SPDX-License-Identifier: BSD-2-Clause
"""Device documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fleetd.server.devices import tables
from fleetd.server.devices.api import router
from fleetd.server.devices.service import DOCUMENTS, Devices
from fleetd.server.kernel.capability import Capability, Services
from fleetd.server.kernel.retention import Kept, prune_rows
from fleetd.server.machines.service import Machines
from fleetd.server.work.service import WorkService


def _build(services: Services, **options: Any) -> Devices:
    below = (services.of(WorkService), services.of(Machines))
    return Devices(services.tx, *below, services.clock, services.tally, **options)


CAPABILITY = Capability(
    "devices",
    _build,
    options=lambda settings: {"observe_seconds": settings.leases.observe_seconds},
    routers=(router,),
    events=("device",),
    kept=(Kept("device_history", timedelta(days=730), prune_rows(tables.device_history, ("machine", "source"))),),
    counts=(DOCUMENTS,),
)
