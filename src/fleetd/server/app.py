# SPDX-License-Identifier: BSD-2-Clause
"""Composition: the list of capabilities, and the server that is made of them."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import random
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI
from fleetcore.errors import FleetError

from fleetd.common import logs
from fleetd.common.settings import split_listen
from fleetd.server import api
from fleetd.server.config import Settings
from fleetd.server.credentials import capability as credentials
from fleetd.server.devices import capability as devices
from fleetd.server.inventory import capability as inventory
from fleetd.server.kernel import migrate, parts
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine
from fleetd.server.kernel.http.limits import Limit
from fleetd.server.kernel.http.proxy import Proxies
from fleetd.server.legacy import capability as legacy
from fleetd.server.machines import capability as machines
from fleetd.server.page import capability as page
from fleetd.server.powercycles import capability as powercycles
from fleetd.server.work import capability as work

_FILES = 65_536  # open at once, if the system lets us

_log = logs.get("fleetd")


def utc_now() -> datetime:
    """The clock of everything but tests."""
    return datetime.now(UTC)


# From low to high: each is built with the services of those before it.
CAPABILITIES = (
    parts.EVENTS,
    parts.TOKENS,
    parts.REQUESTS,
    parts.RETENTION,
    work.CAPABILITY,
    powercycles.CAPABILITY,
    machines.CAPABILITY,
    credentials.CAPABILITY,
    devices.CAPABILITY,
    inventory.CAPABILITY,
    legacy.CAPABILITY,
    page.CAPABILITY,
)


def make_store(settings: Settings) -> Transactions:
    """The database that the settings name; its schema is not looked at."""
    return Transactions(make_engine(settings.database.url, settings.database.pool_size))


def make_services(settings: Settings, store: Transactions) -> Services:
    """The use cases over ``store``, as the settings say."""
    options = {capability.name: capability.options(settings) for capability in CAPABILITIES}
    return Services(CAPABILITIES, store, utc_now, options)


def make_app(settings: Settings, services: Services) -> FastAPI:
    """The ASGI application."""
    auth = settings.auth
    proxies = Proxies(
        tuple(ipaddress.ip_network(item) for item in auth.trusted_proxies),
        auth.proxy_user_header,
        auth.proxy_groups_header,
        auth.proxy_scopes,
        auth.proxy_default_scope,
    )
    failures = Limit(auth.failed_logins_per_minute, auth.failed_logins_total_per_minute)
    policy = Policy(auth.anonymous_scope, auth.legacy_open, auth.secure_cookies, proxies, failures)
    server = settings.server
    return api.create(services, policy, server.max_body_bytes, server.body_seconds, server.max_header_bytes)


class _Server(uvicorn.Server):
    """uvicorn that says when it answers, and when it is about to wait for its requests to end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


def serve(settings: Settings, on_ready: Callable[[str], None] = lambda url: None) -> None:  # noqa: ARG005
    """Serve until SIGTERM or SIGINT; requests in progress are finished first.

    :param on_ready: called with the URL once connections are answered; the log has it too (``listening``).
    :raises InvalidInput: the database's schema is of another version. :raises OSError: the address can't be had.
    """
    _more_files()
    store = make_store(settings)
    try:
        migrate.ready(store)
        host, port = split_listen(settings.server.listen)
        listener = _listen(host, port)
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"

        def ready() -> None:
            _log.info("listening", url=url, public_url=settings.server.url or url)
            on_ready(url)

        services = make_services(settings, store)
        application = make_app(settings, services)
        config = uvicorn.Config(
            application,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=settings.server.shutdown_seconds,
            access_log=settings.log.level == "debug",
            proxy_headers=False,
        )
        # uvicorn raises the signal again when it has stopped: a clean stop is exit code 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        with contextlib.ExitStack() as running:
            for task in (task for capability in CAPABILITIES for task in capability.tasks):
                run = functools.partial(task.run, services)
                running.enter_context(repeated(run, task.seconds(settings), task.name))
            _Server(config, ready, lambda: api.end_streams(application)).run(sockets=[listener])
        _log.info("stopped")
    finally:
        store.close()


@contextlib.contextmanager
def repeated(task: Callable[[], object], seconds: float, name: str) -> Iterator[None]:
    """``task`` every ``seconds`` in a thread; what it raises is logged, and it is done again."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(seconds * random.uniform(0.9, 1.1)):  # noqa: S311 - servers take turns
            try:
                task()
            except FleetError as exc:
                _log.warning(f"{name}_failed", code=exc.code, message=exc.message)
            except Exception:  # noqa: BLE001 - a defect must not end the thread
                _log.exception(f"{name}_failed")

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def _more_files() -> None:
    """Each connection is an open file, and the usual limit of 1,024 is for programs that wait with select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off for sockets that say TCP only; with it small answers take 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise OSError(exc.errno, f"can't listen on {host}:{port} (server.listen): {exc.strerror}") from None
    return listener
