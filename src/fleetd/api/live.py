# SPDX-License-Identifier: BSD-2-Clause
"""Tells pages that what they show has changed: one look for all that show the same, however many they are.

A page shows a part of the fleet, sorted, or one machine; its *subject* is the query string that says which. While somebody
shows it, the subject is looked at every ``PERIOD``, and its listeners are told when the look differs from the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable

from fastapi.concurrency import run_in_threadpool
from fleetcore.errors import FleetError

from fleetd import logs
from fleetd.api.streams import KEEP_ALIVE

PERIOD = 2.0  # seconds
_log = logs.get("fleetd.api")


class Live:
    """Use it from one event loop.

    :param look: everything that the page of a subject shows, as something with a stable ``repr``.
    """

    def __init__(self, look: Callable[[str], object], period: float = PERIOD) -> None:
        self._look = look
        self._period = period
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    async def listen(self, subject: str) -> AsyncGenerator[str, None]:
        """Server-sent events: ``data: changed`` after a change."""
        changed = asyncio.Event()
        self._listeners.setdefault(subject, set()).add(changed)
        if subject not in self._tasks:
            self._tasks[subject] = asyncio.create_task(self._run(subject))
        try:
            yield ": connected\n\n"
            while not self._closed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
                yield "data: changed\n\n" if changed.is_set() else ": still here\n\n"
                changed.clear()
        finally:
            rest = self._listeners[subject]
            rest.discard(changed)
            if not rest:
                del self._listeners[subject]
                self._tasks.pop(subject).cancel()

    def close(self) -> None:
        """The server stops: all listeners end."""
        self._closed = True
        for listeners in self._listeners.values():
            for item in listeners:
                item.set()

    async def _run(self, subject: str) -> None:
        seen: str | None = None
        while True:
            try:
                found = await run_in_threadpool(self._digest, subject)
                if seen is not None and found != seen:
                    for item in self._listeners.get(subject, ()):
                        item.set()
                seen = found
            except FleetError as exc:
                _log.warning("live_failed", code=exc.code, message=exc.message)
            except Exception:  # noqa: BLE001 - a defect must not silence all listeners
                _log.exception("live_failed")
            await asyncio.sleep(self._period)

    def _digest(self, subject: str) -> str:
        return hashlib.sha256(repr(self._look(subject)).encode("utf-8", "surrogatepass")).hexdigest()
