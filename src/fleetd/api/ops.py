# SPDX-License-Identifier: BSD-2-Clause
"""What operators of the server itself need: healthz, metrics, loginstatus."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from fleetcore.errors import FleetError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fleetd.api.auth import Reader, Who
from fleetd.api.errors import Json
from fleetd.domain import State
from fleetd.services.container import Services

router = APIRouter(tags=["operations"])


@router.get("/healthz", response_class=PlainTextResponse)
def healthz(request: Request) -> Response:
    """200 if the database answers and its schema fits, else 503 with the reason."""
    try:
        request.app.state.services.store.ready()
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
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


class FleetFigures(Collector):
    """Counts from the store, made when they are asked for."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Machines by controller state, power cycle requests by state."""
        machines = GaugeMetricFamily(
            "fleetd_machines", "Machines by state of their power controller", labels=["powercycle_state"]
        )
        counts: dict[str, int] = {}
        for view in self._services.machines.find():
            state = view.machine.description.powercycle_state.value
            counts[state] = counts.get(state, 0) + 1
        for state, count in sorted(counts.items()):
            machines.add_metric([state], count)
        yield machines
        requests = GaugeMetricFamily("fleetd_powercycles", "Power cycle requests by state", labels=["state"])
        present = self._services.store.count_powercycles()
        for item in State:
            requests.add_metric([item.value], present.get(item, 0))
        yield requests
        due = GaugeMetricFamily("fleetd_powercycles_due", "Machines that wait for a runner now")
        due.add_metric([], len(self._services.powercycles.due()))
        yield due
        yield from self._work()

    def _work(self) -> Iterator[Metric]:
        work = GaugeMetricFamily(
            "fleetd_work", "Machines by process: eligible for it, in work, in backoff", labels=["process", "state"]
        )
        for process, counts in self._services.work.counts().items():
            for state, count in (
                ("eligible", counts.eligible),
                ("working", counts.working),
                ("backoff", counts.backoff),
            ):
                work.add_metric([process, state], count)
        yield work
        sessions = GaugeMetricFamily("fleetd_sessions", "Sessions that live")
        sessions.add_metric([], len(self._services.work.sessions()))
        yield sessions

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the database."""
        return iter(())


def registry(services: Services) -> CollectorRegistry:
    """The figures of one server."""
    found = CollectorRegistry()
    found.register(FleetFigures(services))
    return found
