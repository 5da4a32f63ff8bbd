# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own capabilities: tokens, the log of events, requests that are done once, forgetting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from prometheus_client.core import CounterMetricFamily, Metric

from fleetd.server.kernel.auth.service import LOGINS_FAILED, Tokens
from fleetd.server.kernel.capability import Capability, Services, Task
from fleetd.server.kernel.events.api import router
from fleetd.server.kernel.events.service import APPENDED, Events
from fleetd.server.kernel.events.store import prune_events
from fleetd.server.kernel.http.streams import Feed
from fleetd.server.kernel.idempotency import Requests, prune_answers
from fleetd.server.kernel.retention import Kept, Retention


def _events(services: Services) -> Events:
    reserved = frozenset(word for capability in services.capabilities for word in capability.events)
    return Events(services.tx, services.clock, services.tally, reserved)


def _retention(services: Services, ages: Mapping[str, timedelta] | None = None) -> Retention:
    """What ``ages`` does not name has the age that its capability declares; 0 is for ever."""
    kept = [item for capability in services.capabilities for item in capability.kept]
    every = {**{item.name: item.age for item in kept}, **(ages or {})}
    finite = {name: age for name, age in every.items() if age}
    return Retention(services.tx, services.clock, services.tally, kept, finite)


def _ages(settings: Any) -> Mapping[str, Any]:
    """``retention.<name>_days`` of the settings."""
    given = settings.retention.model_dump()
    days = {
        name.removesuffix("_days"): timedelta(days=value) for name, value in given.items() if name.endswith("_days")
    }
    return {"ages": {**days, "answers": timedelta(hours=settings.retention.answers_hours)}}


def _figures(services: Services) -> Iterator[Metric]:
    _pruned, last = services.of(Events).bounds()
    yield CounterMetricFamily("fleetd_events", "Events in the log, since the database was made", last)


EVENTS = Capability(
    "events",
    _events,
    events=("fleetd",),
    kept=(Kept("events", timedelta(days=90), prune_events),),
    counts=(APPENDED,),
    figures=_figures,
    routers=(router,),
    live=lambda services: Feed(services.of(Events)),
)
TOKENS = Capability(
    "tokens",
    lambda services, **options: Tokens(services.tx, services.clock, services.tally, **options),
    options=lambda settings: {"session_hours": settings.auth.session_hours},
    events=("token",),
    counts=(LOGINS_FAILED,),
)
REQUESTS = Capability(
    "requests",
    lambda services: Requests(services.tx, services.clock),
    kept=(Kept("answers", timedelta(hours=24), prune_answers),),
)
RETENTION = Capability(
    "retention",
    _retention,
    options=_ages,
    tasks=(
        Task(
            "retention",
            lambda services: services.of(Retention).run(),
            lambda settings: settings.retention.period_seconds,
        ),
    ),
)
