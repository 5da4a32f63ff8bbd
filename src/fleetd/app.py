# SPDX-License-Identifier: BSD-2-Clause
"""Composition root: puts adapters, services and the API together. Nothing but this and the command line names adapters."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import uvicorn
from fastapi import FastAPI
from fleetcore.errors import FleetError, InvalidInput

from fleetd import api, logs
from fleetd.adapters.cipher import KeyRing, read_keys
from fleetd.adapters.sql import migrate
from fleetd.adapters.sql.store import SqlStore
from fleetd.api.auth import Policy
from fleetd.config import Settings, split_listen
from fleetd.services.container import Services
from fleetd.services.powercycles import Backoff
from fleetd.services.work import default_processes

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
    return Services(store, utc_now, backoff, settings.auth.session_hours, processes, make_cipher(settings))


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


def make_app(settings: Settings, services: Services) -> FastAPI:
    """The ASGI application."""
    auth = settings.auth
    policy = Policy(auth.anonymous_scope, auth.legacy_open, auth.secure_cookies)
    return api.create(services, policy, settings.server.max_body_bytes)


class _Server(uvicorn.Server):
    """uvicorn that says when it answers."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def serve(settings: Settings, on_ready: Callable[[str], None] = lambda url: None) -> None:  # noqa: ARG005
    """Serve until SIGTERM or SIGINT; requests in progress are finished first.

    :param on_ready: called with the URL once connections are answered; the log has it too (``listening``).
    :raises InvalidInput: the database's schema is of another version. :raises OSError: the address can't be had.
    """
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
        config = uvicorn.Config(
            make_app(settings, services),
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=settings.server.shutdown_seconds,
            access_log=settings.log.level == "debug",
            proxy_headers=False,
        )
        # uvicorn raises the signal again when it has stopped: a clean stop is exit code 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ignore)
        with repeated(services.work.reap, settings.leases.reaper_seconds, "reaper"):
            _Server(config, ready).run(sockets=[listener])
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


def _ignore(_number: int, _frame: Any) -> None:
    return


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise OSError(exc.errno, f"can't listen on {host}:{port} (server.listen): {exc.strerror}") from None
    return listener
