# SPDX-License-Identifier: BSD-2-Clause
"""What operators of the server itself need: healthz, metrics, loginstatus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from fleetcore.errors import FleetError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fleetd import __version__
from fleetd.server.devices.service import SOURCES
from fleetd.server.kernel.auth.http import Reader, Who
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.tally import Done
from fleetd.server.machines.facets import MachineFilter
from fleetd.server.powercycles.model import CLOSED, CycleState
from fleetd.server.services import Services

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
    """Counts from the store, made when they are asked for, and what this process did."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """All of them; a handful of queries that count in the database."""
        yield _gauge("fleetd_build_info", "The version that runs; always 1", {(__version__,): 1}, "version")
        yield from self._machines()
        yield from self._powercycles()
        yield self._log()
        yield from self._work()
        yield from self._done()

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not ask the database."""
        return iter(())

    def _machines(self) -> Iterator[Metric]:
        known = self._services.machines
        counts = known.count(MachineFilter(stale_before=known.stale_before()))
        states = {(lifecycle, state.value): count for (lifecycle, state), count in sorted(counts.states.items())}
        yield _gauge(
            "fleetd_machines",
            "Machines by lifecycle and state of their power controller",
            states,
            "lifecycle",
            "powercycle_state",
        )
        yield _gauge(
            "fleetd_machines_condition",
            "Machines by what holds or ails them; one machine may have several",
            {(facet.value,): count for facet, count in counts.facets.items()},
            "condition",
        )

    def _powercycles(self) -> Iterator[Metric]:
        present = self._services.store.count_powercycles()
        by_state = {(item.value,): present.get(item, 0) for item in CycleState}
        yield _gauge("fleetd_powercycles", "Power cycle requests that are kept, by state", by_state, "state")
        due = len(self._services.powercycles.due())
        yield _gauge("fleetd_powercycles_due", "Machines that wait for a runner now", {(): due})
        yield _gauge(
            "fleetd_powercycle_oldest_open_age_seconds",
            "Seconds since the oldest open power cycle request was made; 0 without any",
            {(): self._services.powercycles.oldest_open_age()},
        )

    def _log(self) -> Metric:
        _pruned, last = self._services.events.bounds()
        return CounterMetricFamily("fleetd_events", "Events in the log, since the database was made", last)

    def _work(self) -> Iterator[Metric]:
        counts = {
            (process, state): count
            for process, found in self._services.work.counts().items()
            for state, count in (
                ("eligible", found.eligible),
                ("working", found.working),
                ("backoff", found.backoff),
            )
        }
        yield _gauge(
            "fleetd_work", "Machines by process: eligible for it, in work, in backoff", counts, "process", "state"
        )
        live = Counter((item.component,) for item in self._services.work.sessions())
        yield _gauge("fleetd_sessions", "Sessions that live, by component", live, "component")

    def _done(self) -> Iterator[Metric]:
        for what, (words, label, known) in _COUNTERS.items():
            counts = {**dict.fromkeys(known, 0), **self._services.tally.counts(what)}
            family = CounterMetricFamily(f"fleetd_{what.value}", words, labels=[label] if label else [])
            for which, count in sorted(counts.items()):
                family.add_metric([which] if label else [], count)
            yield family
        made = self._services.store.transaction_counts()
        yield CounterMetricFamily(
            "fleetd_database_retries", "Transactions that were run again: a lock, a serialization failure", made.retried
        )
        yield CounterMetricFamily("fleetd_database_errors", "Transactions that failed for good", made.failed)


# What it means, by what it is told apart (empty: by nothing), and the values that are there from the start.
_COUNTERS: Mapping[Done, tuple[str, str, tuple[str, ...]]] = {
    Done.EVENTS: ("Events of machine monitors that were processed and stored", "", ("",)),
    Done.DOCUMENTS: ("Device documents that were published", "source", tuple(item.value for item in SOURCES)),
    Done.POWERCYCLES: (
        "Power cycle requests that were closed, by how",
        "state",
        tuple(sorted(item.value for item in CLOSED)),
    ),
    Done.APPENDED: ("Events that others appended to the log", "", ("",)),
    Done.PRUNED: ("Rows that were forgotten because of their age", "what", tuple(item.value for item in Kept)),
    Done.LOGINS_FAILED: ("Tokens and logins that were refused", "kind", ("page", "token")),
}


def _gauge(name: str, words: str, values: Mapping[Any, float], *labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def registry(services: Services) -> CollectorRegistry:
    """The figures of one server."""
    found = CollectorRegistry()
    found.register(FleetFigures(services))
    ProcessCollector(registry=found)
    return found
