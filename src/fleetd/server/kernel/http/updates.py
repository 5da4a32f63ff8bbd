# SPDX-License-Identifier: BSD-2-Clause
"""Tells who listens to a subject that it looks different now: one look for all, however many they are.

A subject is for example a machine's description, or what a page shows. A request that changed something may wake the
bus at once. Once in its period it looks anyway, because another server on the same database may have changed something.
Without listeners it does nothing. It does not say what happened: that is in the log of events, see ``streams``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetd.server.kernel.http.looking import PERIOD, Looker

GAP = 0.05  # seconds between two looks, however much happens
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Look = Callable[[Sequence[str]], Mapping[str, object]]


class Subscription:
    """Of one listener to one subject."""

    def __init__(self, known: asyncio.Event) -> None:
        self.changed = asyncio.Event()
        self._known = known

    async def ready(self) -> None:
        """Wait until the present look is known: every change from then on is told."""
        await self._known.wait()

    async def wait(self, seconds: float) -> bool:
        """Whether it changed since the last call; False after ``seconds`` without a change. Several changes are one."""
        try:
            await asyncio.wait_for(self.changed.wait(), seconds)
        except TimeoutError:
            return False
        self.changed.clear()
        return True


class Updates(Looker):
    """Tells who listens to a subject that it changed.

    :param look: each subject with what it looks like now, as something with a stable ``repr``.
    """

    def __init__(self, look: Look, period: float = PERIOD, gap: float = GAP) -> None:
        super().__init__("updates", period, gap)
        self._look_at = look
        self._listeners: dict[str, set[Subscription]] = {}
        self._known: dict[str, asyncio.Event] = {}
        self._seen: dict[str, str] = {}

    @contextlib.contextmanager
    def subscribe(self, subject: str) -> Iterator[Subscription]:
        """Listen to a subject within the context."""
        known = self._known.setdefault(subject, asyncio.Event())
        made = Subscription(known)
        self._listeners.setdefault(subject, set()).add(made)
        self._listen()
        try:
            yield made
        finally:
            rest = self._listeners[subject]
            rest.discard(made)
            if not rest:
                del self._listeners[subject], self._known[subject]
                self._seen.pop(subject, None)

    def _wanted(self) -> bool:
        return bool(self._listeners)

    def _ring(self) -> None:
        for known in self._known.values():
            known.set()
        for listeners in self._listeners.values():
            for item in listeners:
                item.changed.set()

    async def _look(self) -> bool:
        self._compare(await run_in_threadpool(self._digests, tuple(self._listeners)))
        return False

    def _compare(self, found: Mapping[str, str]) -> None:
        for subject, digest in found.items():
            listeners = self._listeners.get(subject)
            if not listeners:
                continue
            if subject in self._seen and self._seen[subject] != digest:
                for item in listeners:
                    item.changed.set()
            self._seen[subject] = digest
            self._known[subject].set()

    def _digests(self, subjects: Collection[str]) -> dict[str, str]:
        found = self._look_at(sorted(subjects))
        return {
            name: hashlib.sha256(repr(it).encode("utf-8", "surrogatepass")).hexdigest() for name, it in found.items()
        }


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
