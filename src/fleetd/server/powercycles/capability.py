# SPDX-License-Identifier: BSD-2-Clause
"""Power cycle requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fleetd.server.kernel.capability import Capability, Services
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.retention.store import prune_rows
from fleetd.server.powercycles import tables
from fleetd.server.powercycles.api import router
from fleetd.server.powercycles.figures import figures
from fleetd.server.powercycles.service import POWERCYCLES, Powercycles
from fleetd.server.work.model import Retry
from fleetd.server.work.service import WorkService


def _build(services: Services, **options: Any) -> Powercycles:
    return Powercycles(services.tx, services.of(WorkService), services.clock, services.tally, **options)


def _options(settings: Any) -> Mapping[str, Any]:
    given = settings.powercycle
    maximum = given.backoff_maximum_seconds
    initial = min(given.backoff_initial_seconds, maximum)
    return {"retry": Retry(initial, given.backoff_exponent, maximum, given.max_attempts)}


CAPABILITY = Capability(
    "powercycles",
    _build,
    options=_options,
    routers=(router,),
    events=("powercycle",),
    kept=(
        Kept(
            "powercycles",
            timedelta(days=730),
            prune_rows(tables.powercycles, ("machine",), tables.powercycles.c.finished_at),
        ),
    ),
    counts=(POWERCYCLES,),
    figures=figures,
)
