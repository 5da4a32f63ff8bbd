# SPDX-License-Identifier: BSD-2-Clause
"""Power cycle requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from prometheus_client.core import Metric

from fleetd.server.kernel.capability import Capability, Services, gauge
from fleetd.server.kernel.retention import Kept, prune_rows
from fleetd.server.powercycles import tables
from fleetd.server.powercycles.api import router
from fleetd.server.powercycles.model import CycleState
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


def _figures(services: Services) -> Iterator[Metric]:
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
    figures=_figures,
)
