# SPDX-License-Identifier: BSD-2-Clause
"""Composition root: puts adapters, services and the API together. Nothing but this and the command line names adapters."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fleetcore.errors import FleetError, InvalidInput

from fleetd.common import logs
from fleetd.common.settings import Settings, split_listen
from fleetd.server import api
from fleetd.server.credentials.cipher import KeyRing, read_keys
from fleetd.server.kernel import backup as backups
from fleetd.server.kernel import migrate
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.http.limits import Limit
from fleetd.server.kernel.http.proxy import Proxies
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.powercycles.service import Backoff
from fleetd.server.services import Services
from fleetd.server.store import SqlStore
from fleetd.server.work.service import default_processes

_FILES = 65_536  # open at once, if the system lets us

_log = logs.get("fleetd")


def utc_now() -> datetime:
    """The clock of everything but tests."""
    return datetime.now(UTC)


def make_store(settings: Settings) -> SqlStore:
    """The store that the settings name; its schema is not looked at."""
    return SqlStore(settings.database.url, settings.database.pool_size)


def migrate_store(store: SqlStore) -> tuple[str | None, str]:
    """Bring the schema to this version: the revisions before and after."""
    return migrate.upgrade(store.engine)


def make_services(settings: Settings, store: SqlStore) -> Services:
    """The use cases over ``store``."""
    cycle = settings.powercycle
    backoff = Backoff(
        cycle.max_attempts, cycle.backoff_initial_seconds, cycle.backoff_exponent, cycle.backoff_maximum_seconds
    )
    processes = default_processes(settings.leases.observe_seconds, settings.leases.intervals)
    return Services(
        store,
        utc_now,
        backoff,
        settings.auth.session_hours,
        processes,
        make_cipher(settings),
        stale_after=timedelta(minutes=settings.machines.stale_minutes),
        ages=make_ages(settings),
    )


def make_ages(settings: Settings) -> dict[Kept, timedelta]:
    """How long what is kept; what is kept for ever is not in it."""
    ages: dict[Kept, timedelta] = {
        what: timedelta(days=getattr(settings.retention, f"{what.value}_days")) for what in Kept if what != Kept.ANSWERS
    }
    ages[Kept.ANSWERS] = timedelta(hours=settings.retention.answers_hours)
    return {what: age for what, age in ages.items() if age}


def make_cipher(settings: Settings) -> KeyRing | None:
    """What encrypts credentials; None without a key.

    :raises InvalidInput: a key or the file can't be used. :raises MissingDependency: see ``KeyRing``.
    """
    given = settings.credentials
    keys = [given.key.get_secret_value()] if given.key else []
    if given.key_file:
        keys += read_keys(given.key_file)
        if not keys:
            raise InvalidInput(
                f"credentials.key_file: {given.key_file} holds no key; `fleetd credential key` makes one"
            )
    return KeyRing(keys) if keys else None


def backup(store: SqlStore, path: Path) -> Mapping[str, int]:
    """See ``adapters.sql.backup``."""
    return backups.backup(store.engine, path)


def restore(store: SqlStore, path: Path) -> tuple[str, Mapping[str, int]]:
    """See ``adapters.sql.backup``."""
    return backups.restore(store.engine, path)


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
        store.ready()
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
            signal.signal(number, _ignore)
        with (
            repeated(services.work.reap, settings.leases.reaper_seconds, "reaper"),
            repeated(services.retention.run, settings.retention.period_seconds, "retention"),
        ):
            _Server(config, ready, lambda: api.end_streams(application)).run(sockets=[listener])
        _log.info("stopped")
    finally:
        store.close()


@contextlib.contextmanager
def repeated(work: Callable[[], object], seconds: float, name: str) -> Iterator[None]:
    """``work`` every ``seconds`` in a thread; what it raises is logged, and it is done again."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(seconds * random.uniform(0.9, 1.1)):  # noqa: S311 - servers take turns
            try:
                work()
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


def _ignore(_number: int, _frame: Any) -> None:
    return


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
