# SPDX-License-Identifier: BSD-2-Clause
"""Figures of the runner for Prometheus. docs/runner.md lists the names."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class RunnerMetrics:
    """One set of figures in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"namespace": "fleet_runner", "registry": self.registry}
        self.polls = Counter("polls", "Looks for work, by process and result", ["process", "result"], **own)
        self.cycles = Counter("cycles", "Power cycle attempts that ended, by outcome", ["outcome"], **own)
        self.failures = Counter("failures", "Failed machines, by process and error code", ["process", "code"], **own)
        stages = (
            "Seconds of a power cycle: queue (request to start), off (start to off), on (off to on), "
            "report (outcome to the server's answer)"
        )
        self.stage = Histogram("stage_seconds", stages, ["stage"], buckets=_SECONDS, **own)
        self.queue_age = Gauge("queue_age_seconds", "Age of the oldest request that waits for this runner", **own)
        self.queue = Gauge("queue", "Requests that wait for this runner", **own)
        self.in_flight = Gauge("in_flight", "Machines in work, by process", ["process"], **own)
        self.controllers = Gauge("controllers", "Power controllers, by state at the last check", ["state"], **own)
        self.waves_stopped = Counter("waves_stopped", "Waves that the failure budget has stopped", **own)
        stopped = "1 while no power cycle is begun because a wave was stopped"
        self.wave_stopped = Gauge("wave_stopped", stopped, **own)
        self.runs = Counter("runs", "Playbook runs started, by process", ["process"], **own)
        outcomes = "Machines done by the other processes, by outcome"
        self.work = Counter("work", outcomes, ["process", "outcome"], **own)
