# SPDX-License-Identifier: BSD-2-Clause
"""Figures of the runner for Prometheus. docs/runner.md lists the names."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class RunnerMetrics:
    """One set of figures in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.polls = Counter(
            "fleet_runner_polls", "Looks for work, by process and result", ["process", "result"], registry=own
        )
        self.cycles = Counter(
            "fleet_runner_cycles", "Power cycle attempts that ended, by outcome", ["outcome"], registry=own
        )
        self.failures = Counter(
            "fleet_runner_failures", "Failed machines, by process and error code", ["process", "code"], registry=own
        )
        self.stage = Histogram(
            "fleet_runner_stage_seconds",
            "Seconds of a power cycle: queue (request to start), off (start to off), on (off to on), "
            "report (outcome to the server's answer)",
            ["stage"], buckets=_SECONDS, registry=own,
        )  # fmt: skip
        self.queue_age = Gauge(
            "fleet_runner_queue_age_seconds", "Age of the oldest request that waits for this runner", registry=own
        )
        self.queue = Gauge("fleet_runner_queue", "Requests that wait for this runner", registry=own)
        self.in_flight = Gauge("fleet_runner_in_flight", "Machines in work, by process", ["process"], registry=own)
        self.controllers = Gauge(
            "fleet_runner_controllers", "Power controllers, by state at the last check", ["state"], registry=own
        )
        self.waves_stopped = Counter(
            "fleet_runner_waves_stopped", "Waves that the failure budget has stopped", registry=own
        )
        self.wave_stopped = Gauge(
            "fleet_runner_wave_stopped", "1 while no power cycle is begun because a wave was stopped", registry=own
        )
        self.runs = Counter("fleet_runner_runs", "Playbook runs started, by process", ["process"], registry=own)
        self.work = Counter(
            "fleet_runner_work",
            "Machines done by the other processes, by outcome",
            ["process", "outcome"],
            registry=own,
        )
