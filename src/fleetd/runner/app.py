# SPDX-License-Identifier: BSD-2-Clause
"""Composition root of ``fleetd runner``: puts the runner's adapters and duties together."""

from __future__ import annotations

import os
import random
import signal
import socket
from pathlib import Path
from typing import Any

from fleetcore.errors import InvalidInput
from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from prometheus_client import start_http_server

import fleetd
from fleetd.common import logs
from fleetd.common.link import Link
from fleetd.common.settings import split_listen
from fleetd.runner.adapters.ansible_runner import AnsibleRunner
from fleetd.runner.adapters.awx import AwxRunner
from fleetd.runner.adapters.journal import FileBrake, SqliteJournal
from fleetd.runner.adapters.leases import SessionLeases
from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.availability import AvailabilityDuty
from fleetd.runner.config import RunnerSettings, Settings
from fleetd.runner.loop import Stop, run_loop
from fleetd.runner.metrics import RunnerMetrics
from fleetd.runner.ports import PlaybookRunner
from fleetd.runner.powercycle import PowercycleDuty
from fleetd.runner.scheduled import ScheduledDuty
from fleetd.runner.tools import Tools
from fleetd.runner.waves import Budget


def run(settings: Settings, *, once: bool = False) -> bool:
    """Run until stopped. True when it ended orderly, and with ``once`` when nothing failed.

    :raises InvalidInput: the settings can't work: no inventory, an empty pattern.
    :raises ConflictError: another runner uses the state directory.
    """
    own = settings.runner
    url = settings.server.reached(own.server_url)
    token = own.token.get_secret_value() if own.token else os.environ.get("FLEETD_TOKEN", "")
    clock = SystemClock()
    http = HttpClient(HttpOptions(url, ca_path=own.ca_path, validate_certs=own.validate_certs, option_prefix="runner."))
    client = ServerClient(http, clock, url, token=token, attempts=1, option_prefix="runner.")
    state_dir = own.state_dir.absolute()
    environment = {"FLEETD_URL": url} | ({"FLEETD_TOKEN": token} if token else {})
    local = AnsibleRunner(state_dir / "runs", environment, forks=own.forks, timeout=own.run_seconds)
    if own.executor != "awx":
        own = own.model_copy(update={"extra_vars": {**_server_variables(own), **own.extra_vars}})
    local.check(own.inventory, own.pattern)
    runner: PlaybookRunner = _awx(own, state_dir / "jobs", local) if own.executor == "awx" else local
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    journal = SqliteJournal(state_dir / "journal.sqlite")
    leases = SessionLeases(client, own.name or socket.gethostname(), journal, own.lease_seconds, _about())
    metrics = RunnerMetrics()
    try:
        if own.metrics_listen is not None:
            serve_metrics(own.metrics_listen, metrics)
        server = HttpWorkServer(client, f"{socket.gethostname()}:{os.getpid()}", leases)
        link = Link(clock, random.random)
        tools = Tools(runner=runner, journal=journal, link=link, metrics=metrics, clock=clock)
        availability = AvailabilityDuty(own, tools, server)
        duties: list[PowercycleDuty | ScheduledDuty] = []
        if "powercycle" in own.processes:
            budget = Budget(own.waves, FileBrake(state_dir / "wave-stopped.json"))
            duties.append(PowercycleDuty(own, tools, server=server, served=lambda: availability.served, budget=budget))
        duties += [
            ScheduledDuty(name, own, tools, leases, lambda: availability.served)
            for name in dict.fromkeys(own.processes)
            if name != "powercycle"
        ]
        logs.get("fleetd.runner").info(
            "runner_started", server=url, inventory=own.inventory, pattern=own.pattern, processes=own.processes
        )
        ended = run_loop([availability, *duties], clock, stop, stop_seconds=own.stop_seconds, once=once)
        if all(duty.settled for duty in duties):
            leases.end()
        logs.get("fleetd.runner").info("runner_stopped", complete=ended)
        failed = availability.failures or any(duty.failures for duty in duties) or link.wait()
        return ended and not (once and failed)
    finally:
        leases.close()
        journal.close()
        client.close()


def _server_variables(own: RunnerSettings) -> dict[str, Any]:
    """Let the playbooks check the server's certificate as the runner does."""
    found: dict[str, Any] = {} if own.validate_certs else {"fleet_server_validate_certs": False}
    return found | ({"fleet_server_ca_path": os.path.abspath(own.ca_path)} if own.ca_path else {})


def _awx(own: RunnerSettings, root: Path, local: AnsibleRunner) -> AwxRunner:
    """:raises InvalidInput: the settings, or the job templates, can't work.

    :raises TransportError: AWX can't be reached.
    """
    awx = own.awx
    if not awx.url or not awx.token_file:
        raise InvalidInput(
            "runner.executor is awx: set runner.awx.url and runner.awx.token_file", field="runner.awx.url"
        )
    path = awx.token_file

    def token() -> str:
        try:
            return path.read_text().strip()
        except OSError as error:
            raise InvalidInput(
                f"runner.awx.token_file: can't read {path}: {error.strerror}", field="runner.awx.token_file"
            ) from error

    options = HttpOptions(awx.url, ca_path=awx.ca_path, validate_certs=awx.validate_certs, option_prefix="runner.awx.")
    runner = AwxRunner(root, HttpClient(options), token, awx.templates, local.hosts, timeout=own.run_seconds)
    needed = [own.playbook, own.check_playbook, own.recover_playbook] if "powercycle" in own.processes else []
    runner.check(needed + [own.definitions[name].playbook for name in own.processes if name != "powercycle"])
    return runner


def _about() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "version": fleetd.__version__}


def serve_metrics(listen: str, metrics: RunnerMetrics) -> None:
    """Answer Prometheus at ``host:port``, in a thread. :raises InvalidInput: it can't listen there."""
    host, port = split_listen(listen)
    try:
        start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise InvalidInput(
            f"runner.metrics_listen: can't listen on {listen}: {error.strerror}", field="runner.metrics_listen"
        ) from error
