# SPDX-License-Identifier: BSD-2-Clause
"""Server-sent events: the answer that never ends, and the feed of the event log.

The feed looks into the log once for all who listen, and keeps the newest events. A listener is a number: what it has
seen. It takes what follows from the newest events, or from the log if it is further behind. So there is no queue per
client that could grow or overflow, and a slow client costs nothing but its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fleetcore.errors import FleetError
from starlette.types import Message, Send

from fleetd.common import logs
from fleetd.server.kernel.events.model import EVERY_EVENT, Event, EventFilter
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.http.looking import PERIOD, Looker

KEEP_ALIVE = 15.0  # seconds without anything else to say
SEND_SECONDS = 60.0  # a client that takes nothing for so long is let go
ASK_SECONDS = 30.0  # between two looks whether who listens still may
GAP = 0.02  # seconds between two looks, however much happens
PAGE = 500
_KEPT = 2000  # newest events
_log = logs.get("fleetd.api")


class EventStream(StreamingResponse):
    """``text/event-stream`` of ``lines``.

    It ends with them, when the client has taken nothing for ``SEND_SECONDS``, or when it may not listen any more.

    :param allowed: whether it still may; asked every ``ASK_SECONDS``, because a stream outlives tokens and logins.
    """

    media_type = "text/event-stream"

    def __init__(self, lines: AsyncGenerator[str, None], allowed: Callable[[], bool], status_code: int = 200) -> None:
        super().__init__(_while(lines, allowed), status_code)  # OpenAPI takes the status from this signature

    async def stream_response(self, send: Send) -> None:
        async def patient(message: Message) -> None:
            await asyncio.wait_for(send(message), SEND_SECONDS)

        with contextlib.suppress(TimeoutError):
            await super().stream_response(patient)


async def _while(lines: AsyncGenerator[str, None], allowed: Callable[[], bool]) -> AsyncIterator[str]:
    time = asyncio.get_running_loop().time
    asked = time()
    async with contextlib.aclosing(lines):
        async for text in lines:
            if time() - asked >= ASK_SECONDS:
                if not await run_in_threadpool(allowed):
                    return
                asked = time()
            yield text


@dataclass(frozen=True)
class News:
    """What a listener gets: events, perhaps none; ``seen`` is the number up to which it now knows all.

    ``missing`` is set on the first news of a listener whose place in the log is gone: the numbers that it can't get.
    """

    events: Sequence[Event]
    seen: int
    missing: tuple[int, int] | None = None


class Feed(Looker):
    """What is new in the log, for all who follow it."""

    def __init__(self, events: Events, period: float = PERIOD) -> None:
        super().__init__("feed", period, GAP)
        self._events = events
        self._bells: set[asyncio.Event] = set()
        self._newest: deque[Event] = deque(maxlen=_KEPT)
        self._last: int | None = None

    def _wanted(self) -> bool:
        return bool(self._bells)

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    async def follow(
        self, where: EventFilter = EVERY_EVENT, after: int | None = None, keep_alive: float = KEEP_ALIVE
    ) -> AsyncIterator[News]:
        """What happens after the number ``after`` (None: from now on), without an end. No news is told of, too.

        :raises Busy: the database does not answer at the start.
        """
        with self._listening() as bell:
            pruned, last = await run_in_threadpool(self._events.bounds)
            missing = None
            if after is not None and after < pruned:
                missing = after + 1, pruned
            elif after is not None and after > last:  # a number of another database: a backup was restored
                missing, after = (last + 1, after), last
            seen = last if after is None else after
            yield News((), seen, missing)
            time = asyncio.get_running_loop().time
            quiet = time() + keep_alive
            while not self.closed:
                bell.clear()
                try:
                    news = await self._following(where, seen, max(last, self._last or 0))
                except FleetError as exc:
                    _log.warning("feed_failed", code=exc.code, message=exc.message)
                    await asyncio.sleep(self._period)
                else:
                    if news is not None:
                        seen = news.seen
                        if news.events:
                            yield news
                            quiet = time() + keep_alive
                        continue
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(bell.wait(), quiet - time())
                if time() >= quiet:
                    yield News((), seen)
                    quiet = time() + keep_alive

    async def _following(self, where: EventFilter, seen: int, last: int) -> News | None:
        """The next news of a listener; None: there is none now."""
        if seen >= last:
            return None
        if self._newest and self._newest[0].seq <= seen + 1:
            behind = [item for item in self._newest if item.seq > seen]
            return News([item for item in behind if where.matches(item)], self._newest[-1].seq) if behind else None
        found = await run_in_threadpool(self._events.find, where, PAGE, seen)
        if len(found) == PAGE:
            return News(found, found[-1].seq)
        return News(found, max([last, *(item.seq for item in found[-1:])]))

    @contextlib.contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        bell = asyncio.Event()
        self._bells.add(bell)
        self._listen()
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def _begin(self) -> None:
        self._last = None  # what happened while nobody listened is not among the newest
        self._newest.clear()

    async def _look(self) -> bool:
        """Read what is new; whether there may be more."""
        if self._last is None:
            _pruned, self._last = await run_in_threadpool(self._events.bounds)
            self._ring()  # it may be further than where those who listen already are
            return False
        found = await run_in_threadpool(self._events.find, EVERY_EVENT, PAGE, self._last)
        if found:
            self._newest.extend(found)
            self._last = found[-1].seq
            self._ring()
        return len(found) == PAGE
