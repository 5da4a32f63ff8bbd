# SPDX-License-Identifier: BSD-2-Clause
"""Machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fleetd.server.kernel.capability import Capability, Services
from fleetd.server.machines.api import router
from fleetd.server.machines.figures import figures
from fleetd.server.machines.service import EVENTS, Machines
from fleetd.server.powercycles.service import Powercycles
from fleetd.server.work.service import WorkService


def _build(services: Services, **options: Any) -> Machines:
    below = (services.of(WorkService), services.of(Powercycles))
    return Machines(services.tx, *below, services.clock, services.tally, **options)


CAPABILITY = Capability(
    "machines",
    _build,
    options=lambda settings: {"stale_after": timedelta(minutes=settings.machines.stale_minutes)},
    routers=(router,),
    events=("machine", "hold", "controller"),
    counts=(EVENTS,),
    figures=figures,
)
