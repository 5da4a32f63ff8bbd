# SPDX-License-Identifier: BSD-2-Clause
"""What a capability brings to the server, in one declared object. ``app.py`` lists them, from low to high.

A new capability is a folder with a ``capability.py`` that holds such an object, and one line in ``app.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fastapi import APIRouter
from prometheus_client.core import GaugeMetricFamily, Metric

from fleetd.server.kernel import migrate
from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.retention import Kept
from fleetd.server.kernel.tally import Count, Tally

T = TypeVar("T")


class Live(Protocol):
    """Tells those who listen to a stream what is new."""

    def wake(self) -> None:
        """Look now: something may have changed."""

    def close(self) -> None:
        """End all streams, because the server stops."""


def gauge(name: str, words: str, values: Mapping[Any, float], *labels: str) -> GaugeMetricFamily:
    """A figure for Prometheus, by the values of its labels."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


@dataclass(frozen=True)
class Task:
    """Something that a server does again and again.

    :param seconds: reads from the settings how long it waits in between.
    """

    name: str
    run: Callable[[Services], object]
    seconds: Callable[[Any], float]


@dataclass(frozen=True)
class Capability:
    """A part of the server that a person can name.

    :param build: makes its service, if it has one, from the services that stand below and from ``options``.
    :param options: keyword arguments for ``build``, read from the settings of the server.
    :param ready: called when all services are built.
    :param routers: its routes. :param live: makes what its streams of news are fed by.
    :param tasks: what is done again and again while the server runs.
    :param events: first words of the kinds of events that only the server itself tells.
    :param kept: what of it grows and is forgotten after a while.
    :param counts: what its service counts for metrics, from the start of the process.
    :param figures: metrics that are asked of its service whenever somebody wants to see them.
    """

    name: str
    build: Callable[..., object] | None = None
    options: Callable[[Any], Mapping[str, Any]] = lambda _settings: {}
    ready: Callable[[Services], None] = lambda _services: None
    routers: tuple[APIRouter, ...] = ()
    live: Callable[[Services], Live] | None = None
    tasks: tuple[Task, ...] = ()
    events: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    counts: tuple[Count, ...] = ()
    figures: Callable[[Services], Iterable[Metric]] = lambda _services: ()


class Services:
    """The services of all capabilities over one database.

    :param options: keyword arguments by the name of the capability; who is not in it gets none.
    """

    def __init__(
        self,
        capabilities: Sequence[Capability],
        tx: Transactions,
        clock: Clock,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.capabilities = capabilities
        self.tx = tx
        self.clock = clock
        self.tally = Tally()
        self._by_class: dict[type, Any] = {}
        for capability in capabilities:
            if capability.build is None:
                continue
            made = capability.build(self, **(options or {}).get(capability.name, {}))
            self._by_class[type(made)] = made
            setattr(self, capability.name, made)
        for capability in capabilities:
            capability.ready(self)

    def of(self, service: type[T]) -> T:
        """The service of this class, for example ``services.of(Machines)``."""
        found: T = self._by_class[service]
        return found

    def database_ready(self) -> None:
        """Answer if the database answers and its schema is of this version.

        :raises Busy: it does not answer. :raises InvalidInput: another schema; the message says what to do.
        """
        migrate.ready(self.tx)

    if TYPE_CHECKING:
        # Each service is also an attribute under the name of its capability; ``of`` is the one with a type.
        def __getattr__(self, name: str) -> Any: ...
