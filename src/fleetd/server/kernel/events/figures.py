# SPDX-License-Identifier: BSD-2-Clause
"""Figures of the event log, counted in the database when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.events.service import Events


def figures(services: Services) -> Iterator[Metric]:
    """How much was written into the log."""
    _pruned, last = services.of(Events).bounds()
    yield CounterMetricFamily("fleetd_events", "Events in the log, since the database was made", last)
