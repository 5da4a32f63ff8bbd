# SPDX-License-Identifier: BSD-2-Clause
"""/healthz, /metrics, /loginstatus: for those who run the server itself."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from fleetcore.errors import FleetError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from fleetd import __version__
from fleetd.server.kernel.auth.http import Reader, Who
from fleetd.server.kernel.capability import Services, gauge
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.retention import Retention

router = APIRouter(tags=["operations"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthz(request: Request) -> Response:
    """200 if the database answers and its schema fits, else 503 with the reason."""
    try:
        state.of(request).services.database_ready()
    except FleetError as exc:
        return PlainTextResponse(f"{exc.message}\n", 503)
    return PlainTextResponse("ok\n")


@router.get("/loginstatus/")
def loginstatus(who: Who) -> Response:
    """Who you are to this server; an empty email is nobody."""
    return Json({"email": who.name, "roles": list(who.roles)})


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request, _who: Reader) -> Response:
    """For Prometheus; needs a token that may read."""
    return Response(generate_latest(state.of(request).registry), media_type=CONTENT_TYPE_LATEST)


class FleetFigures(Collector):
    """What each capability counts, made when it is asked for, and what this process did."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """All of them; a handful of queries that count in the database."""
        services = self._services
        yield gauge("fleetd_build_info", "The version that runs; always 1", {(__version__,): 1}, "version")
        for capability in services.capabilities:
            yield from capability.figures(services)
        counts = [count for capability in services.capabilities for count in capability.counts]
        for count in (*counts, services.of(Retention).pruned):
            labels = [count.label] if count.label else []
            family = CounterMetricFamily(f"fleetd_{count.name}", count.words, labels=labels)
            for which, number in sorted(services.tally.counts(count).items()):
                family.add_metric([which] if labels else [], number)
            yield family
        retried, failed = services.tx.retried, services.tx.failed
        yield CounterMetricFamily(
            "fleetd_database_retries", "Transactions that were run again: a lock, a serialization failure", retried
        )
        yield CounterMetricFamily("fleetd_database_errors", "Transactions that failed for good", failed)

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the database."""
        return iter(())


def registry(services: Services) -> CollectorRegistry:
    """The figures of one server."""
    found = CollectorRegistry()
    found.register(FleetFigures(services))
    ProcessCollector(registry=found)
    return found
