# SPDX-License-Identifier: BSD-2-Clause
"""The event bus of changed descriptions: one look for all who listen, however many they are.

A request that changed something wakes the bus at once; once in a ``PERIOD`` it looks anyway, because another server on
the same database may have changed something. Without listeners it does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from fastapi.concurrency import run_in_threadpool
from fleetcore.errors import FleetError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetd import logs
from fleetd.api import wire
from fleetd.services.container import Services

PERIOD = 1.0  # seconds
GAP = 0.05  # seconds between two looks, however much happens
_CHUNK = 500  # machines of one query
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_log = logs.get("fleetd.api")


class Subscription:
    """Of one listener to one machine."""

    def __init__(self, machine: str, known: asyncio.Event) -> None:
        self.machine = machine
        self.changed = asyncio.Event()
        self._known = known

    async def ready(self) -> None:
        """Wait until the present description is known: every change from then on is told."""
        await self._known.wait()

    async def wait(self, seconds: float) -> bool:
        """Whether it changed since the last call; False after ``seconds`` without a change. Several changes are one."""
        try:
            await asyncio.wait_for(self.changed.wait(), seconds)
        except TimeoutError:
            return False
        self.changed.clear()
        return True


class Updates:
    """Use it from one event loop."""

    def __init__(self, services: Services, period: float = PERIOD) -> None:
        self._services = services
        self._period = period
        self._listeners: dict[str, set[Subscription]] = {}
        self._known: dict[str, asyncio.Event] = {}
        self._seen: dict[str, str | None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.looks = 0
        self.closed = False

    @contextlib.contextmanager
    def subscribe(self, machine: str) -> Iterator[Subscription]:
        """Listen to a machine, known or not, within the context."""
        known = self._known.setdefault(machine, asyncio.Event())
        made = Subscription(machine, known)
        self._listeners.setdefault(machine, set()).add(made)
        self.wake()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            yield made
        finally:
            rest = self._listeners[machine]
            rest.discard(made)
            if not rest:
                del self._listeners[machine], self._known[machine]
                self._seen.pop(machine, None)

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def close(self) -> None:
        """The server stops: all listeners end."""
        self.closed = True
        for listeners in self._listeners.values():
            for item in listeners:
                item.changed.set()

    async def _run(self) -> None:
        while self._listeners:
            self._wake.clear()
            try:
                self._compare(await run_in_threadpool(self._look, tuple(self._listeners)))
            except FleetError as exc:
                _log.warning("updates_failed", code=exc.code, message=exc.message)
            except Exception:  # noqa: BLE001 - a defect must not silence all listeners
                _log.exception("updates_failed")
            await asyncio.sleep(GAP)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._period)

    def _compare(self, found: Mapping[str, str | None]) -> None:
        for machine, digest in found.items():
            listeners = self._listeners.get(machine)
            if not listeners:
                continue
            if machine in self._seen and self._seen[machine] != digest:
                for item in listeners:
                    item.changed.set()
            self._seen[machine] = digest
            self._known[machine].set()

    def _look(self, machines: Collection[str]) -> dict[str, str | None]:
        self.looks += 1
        wanted = sorted(machines)
        found: dict[str, str | None] = dict.fromkeys(wanted)
        for start in range(0, len(wanted), _CHUNK):
            for view in self._services.machines.some(wanted[start : start + _CHUNK]):
                text = json.dumps(wire.description(view.machine, view.power_cycle))
                found[view.machine.id] = hashlib.sha256(text.encode()).hexdigest()
        return found


class Wake:
    """Wakes those who look for changes after each request that may have made one."""

    def __init__(self, app: ASGIApp, wake: Sequence[Callable[[], None]]) -> None:
        self.app = app
        self.wake = wake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self.app(scope, receive, send)
            return

        async def then_wake(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                for wake in self.wake:
                    wake()

        await self.app(scope, receive, then_wake)
