# SPDX-License-Identifier: BSD-2-Clause
"""Composition root of ``fleetd monitor``: puts the monitor's parts together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fleetcore.errors import ConflictError, InvalidInput
from fleetcore.host.clock import SystemClock
from fleetcore.host.spool import Spool
from fleetcore.net.client.base import check_id
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions

import fleetd
from fleetd.common import logs
from fleetd.common.link import Link
from fleetd.monitor import core
from fleetd.monitor.adapters.documents import Collector
from fleetd.monitor.adapters.follow import Follower
from fleetd.monitor.adapters.hook import Hook
from fleetd.monitor.adapters.machine import FileMemory, ThisMachine
from fleetd.monitor.adapters.outbox import DEVICE, EVENT, KINDS, Outboxes
from fleetd.monitor.agent import Agent, parts
from fleetd.monitor.config import MonitorSettings, Settings
from fleetd.monitor.core import Host

_LONGEST_PAUSE = 30.0  # between two attempts to reach the server
_STOP_SECONDS = 2.0  # a stop waits so long for what is being sent


def report(settings: Settings, *, device: bool) -> dict[str, Any]:
    """``{"event", "device"}`` as they would be sent; nothing is written or sent."""
    own = settings.monitor
    machine, memory = ThisMachine(own), _memory(own)
    about = parts(machine, memory.attached(), memory.load())
    event = core.event(_host(own), about, machine.flags(), 0)
    return {"event": event} | ({"device": _collector(own).collect()} if device else {})


def run(settings: Settings, *, once: bool = False, device: bool = False) -> bool:
    """Run until stopped. With ``once`` send one event, and with ``device`` a document, and say whether they arrived.

    :raises InvalidInput: the settings can't work. :raises ConflictError: another monitor uses the state directory.
    """
    own = settings.monitor
    url = settings.server.reached(own.server_url)
    host = _host(own)
    clock = SystemClock()
    http = HttpClient(
        HttpOptions(
            url, ca_path=own.ca_path, validate_certs=own.validate_certs, timeout=own.request_seconds,
            option_prefix="monitor.",
        )
    )  # fmt: skip
    client = ServerClient(http, clock, url, token=_token(own), attempts=1, option_prefix="monitor.")
    state_dir = own.state_dir.absolute()
    log = logs.get("fleetd.monitor")
    with _only_one(state_dir), contextlib.closing(client):
        spool = Spool(
            state_dir / "spool", "monitor.state_dir", kinds=KINDS, max_items=own.spool_items, max_bytes=own.spool_bytes
        )
        links = {kind: Link(clock, random.random, log="fleetd.monitor", maximum=_LONGEST_PAUSE) for kind in KINDS}
        publish = partial(client.publish_device, host.name, source="inband")
        outbox = Outboxes(spool, {EVENT: client.post_event, DEVICE: publish}, links)
        wake, stop = threading.Event(), threading.Event()
        agent = Agent(
            host,
            own,
            machine=ThisMachine(own), documents=_collector(own, wake.set),
            memory=_memory(own), outbox=outbox,
            describe=lambda: client.description(host.name), heard=Hook([] if once else own.on_description).notify,
            clock=clock, wall=time.time, random=random.random,
        )  # fmt: skip
        if once:
            return _once(agent, device=device)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())

        def told() -> None:
            agent.description_changed()
            wake.set()

        follower = Follower(lambda: client.description_updates(host.name, http, own.quiet_seconds), told, random.random)
        log.info("monitor_started", server=url, machine=host.name, spooled=len(spool), dropped=spool.dropped)
        follower.start()
        _work(agent, wake, stop)
        follower.stop()
        log.info("monitor_stopped", spooled=len(spool), dropped=spool.dropped)
        return True


def _once(agent: Agent, *, device: bool) -> bool:
    """Send what waits, an event, and if wanted a device document; True if all of it arrived."""
    agent.poll()
    arrived = agent.outbox.offer("event", agent.event())
    if device:
        document = agent.documents.collect()
        arrived = document is not None and agent.publish(document) and arrived
    return arrived and not agent.outbox.refused


def _work(agent: Agent, wake: threading.Event, stop: threading.Event) -> None:
    """Step by step in a thread until ``stop``, which a request that is under way must not hold up."""
    crashed: list[BaseException] = []

    def work() -> None:
        try:
            while not stop.is_set():
                wake.wait(agent.step(stop.is_set))
                wake.clear()
            end = agent.clock.monotonic() + _STOP_SECONDS
            agent.outbox.flush(lambda: agent.clock.monotonic() > end)
        except BaseException as error:  # noqa: BLE001 - told to the main thread, which ends the process
            crashed.append(error)
            stop.set()

    worker = threading.Thread(target=work, name="monitor", daemon=True)
    worker.start()
    stop.wait()
    wake.set()
    agent.documents.close()
    worker.join(_STOP_SECONDS)
    if worker.is_alive():
        agent.outbox.keep_flying()
    if crashed:
        raise crashed[0]


def _host(own: MonitorSettings) -> Host:
    """:raises InvalidInput: the machine's id can't stand in a URL."""
    started = SystemClock().now()
    return Host(
        check_id(own.machine or socket.gethostname(), "monitor.machine"), f"fleetd {fleetd.__version__}", started
    )


def _token(own: MonitorSettings) -> str:
    """:raises InvalidInput: the file can't be read."""
    if own.token is not None:
        return own.token.get_secret_value()
    if own.token_file is None:
        return os.environ.get("FLEETD_TOKEN", "")
    try:
        return own.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise InvalidInput(
            f"monitor.token_file: {own.token_file} can't be read ({why})", field="monitor.token_file"
        ) from None


def _memory(own: MonitorSettings) -> FileMemory:
    return FileMemory(own.state_dir.absolute() / "published.json")


def _collector(own: MonitorSettings, done: Callable[[], None] = lambda: None) -> Collector:
    return Collector(own.tool_seconds, own.collect_seconds, done)


@contextlib.contextmanager
def _only_one(state_dir: Path) -> Iterator[None]:
    """:raises ConflictError: another monitor uses the directory. :raises InvalidInput: it can't be written."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(
            f"monitor.state_dir: {state_dir} can't be written ({error.strerror}); another folder: --state-dir",
            field="monitor.state_dir",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise ConflictError(f"another monitor uses {state_dir}; give each its own monitor.state_dir") from None
    try:
        yield
    finally:
        os.close(handle)
