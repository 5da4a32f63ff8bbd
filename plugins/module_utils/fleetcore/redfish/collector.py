# SPDX-License-Identifier: BSD-2-Clause

"""Live collection of one BMC: drives the walker over a session, a few requests at a time, on threads or in an event
loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Optional

from ..document.model import Device, Stats, Verdict
from ..errors import FleetError, TimedOut, Unreachable
from ..ports import AsyncHttp, Clock, Http, HttpResponse
from .answers import refusal
from .cache import FRESH, Cache
from .interpret import interpret
from .protocol import Protocol
from .session import AsyncSession, Session
from .walker import Walker
from .wants import Outcome, Want

CONCURRENCY = 4
"""Requests at once to one BMC: more make small BMCs slower."""
GIVE_UP_AFTER = 4
"""Time-outs or broken connections in a row after which a BMC counts as gone."""


def collect(
    http: Http,
    clock: Clock,
    address: str,
    *,
    username: Optional[str] = None,
    password: Optional[str] = None,
    sections: Optional[Iterable[str]] = None,
    system: Optional[str] = None,
    timeout: float = 30.0,
    deadline: float = 300.0,
    concurrency: int = CONCURRENCY,
    walker: Optional[Walker] = None,
    cache: Optional[Cache] = None,
) -> Device:
    """The device document of one machine. Logs in once and always logs out; closes ``http``.

    :param address: of the BMC, for messages.
    :param timeout: seconds for one request.
    :param deadline: seconds for everything; what was not collected by then has the verdict ``timeout``.
    :param walker: a new one, instead of one made of ``sections`` and ``system``.
    :param cache: of what this BMC said before; the caller saves it.
    :raises FleetError: nothing could be collected: no connection, login refused, no Redfish, or the wrong or no
        ``system`` named.
    """
    work = _Collection(walker or Walker(sections, system), clock, address, deadline)
    login = {"username": username, "password": password, "timeout": timeout, "end": work.end, "cache": cache}
    with Session(http, clock, address, **login) as session:
        work.start(session)
        with ThreadPoolExecutor(max_workers=max(1, concurrency), thread_name_prefix="bmc") as pool:
            running: dict[Future[Outcome], Want] = {}
            while not work.done:
                for want in work.ready(max(1, concurrency) - len(running)):
                    running[pool.submit(session.get, want.url, want.section in FRESH)] = want
                for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    work.took(running.pop(future), future.result())
    return work.document(session)


async def collect_async(
    http: AsyncHttp,
    clock: Clock,
    address: str,
    *,
    username: Optional[str] = None,
    password: Optional[str] = None,
    sections: Optional[Iterable[str]] = None,
    system: Optional[str] = None,
    timeout: float = 30.0,
    deadline: float = 300.0,
    concurrency: int = CONCURRENCY,
    walker: Optional[Walker] = None,
    cache: Optional[Cache] = None,
) -> Device:
    """:func:`collect` in an event loop. Logs out when it is cancelled, too."""
    work = _Collection(walker or Walker(sections, system), clock, address, deadline)
    login = {"username": username, "password": password, "timeout": timeout, "end": work.end, "cache": cache}
    async with AsyncSession(http, clock, address, **login) as session:
        work.start(session)
        running: dict[asyncio.Task[Outcome], Want] = {}
        try:
            while not work.done:
                for want in work.ready(max(1, concurrency) - len(running)):
                    running[asyncio.ensure_future(session.get(want.url, want.section in FRESH))] = want
                if running:
                    finished, _rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in finished:
                        work.took(running.pop(task), task.result())
        finally:
            for task in running:
                task.cancel()
    return work.document(session)


class _Collection:
    """The walk over one BMC, between walker and session: what is fetched next, when it is given up, and what came of
    it."""

    def __init__(self, walker: Walker, clock: Clock, address: str, deadline: float) -> None:
        self._walker = walker
        self._clock = clock
        self._address = address
        self._begin = clock.monotonic()
        self.end = self._begin + deadline
        self._waiting: deque[Want] = deque()
        self._misses = 0
        self._refused: Optional[int] = None

    def start(self, session: Protocol) -> None:
        """The service root was read before the login."""
        if session.root is not None:
            for want in self._walker.wants():
                self._walker.took(want, Outcome(Verdict.COLLECTED, session.root, status=200))

    @property
    def done(self) -> bool:
        return self._walker.done

    def ready(self, room: int) -> list[Want]:
        """Give the wants to fetch now, no more than ``room``. Each must be answered with :meth:`took`."""
        self._waiting.extend(self._walker.wants())
        gone = self._misses >= GIVE_UP_AFTER
        if gone or self._clock.monotonic() >= self.end:
            reason = "the BMC stopped answering" if gone else "the deadline was reached"
            for want in self._waiting:
                self._walker.took(want, Outcome(Verdict.TIMEOUT, reason=reason))
            self._waiting.clear()
            self._walker.skip_rest(Verdict.TIMEOUT, reason)
        return [self._waiting.popleft() for _number in range(min(room, len(self._waiting)))]

    def took(self, want: Want, outcome: Outcome) -> None:
        self._misses = self._misses + 1 if outcome.status is None else 0
        if want.section == "system" and outcome.status is not None and outcome.status >= 400:
            self._refused = outcome.status
        self._walker.took(want, outcome)

    def document(self, session: Protocol) -> Device:
        """:raises FleetError: see :func:`collect`."""
        walker = self._walker
        if walker.problem is not None:
            raise walker.problem
        stats = Stats(
            requests=session.requests,
            logins=session.logins,
            bytes=session.received,
            seconds=round(self._clock.monotonic() - self._begin, 3),
        )
        if not walker.tree.of("system") and not walker.tree.of("chassis"):
            raise self._nothing()
        return interpret(walker.tree, walker.coverage(), collected_at=self._clock.now(), stats=stats)

    def _nothing(self) -> FleetError:
        """Why there is neither a system nor a chassis, with the code that the modules which act have for it."""
        coverage = self._walker.coverage()["system"]
        reason = coverage.reason or "no system and no chassis"
        if coverage.verdict is Verdict.TIMEOUT:
            return TimedOut(f"{self._address}: {reason}", address=self._address)
        if self._refused is not None and coverage.verdict is not Verdict.ABSENT:
            return refusal(self._address, HttpResponse(self._refused), reason)
        return Unreachable(f"{self._address}: nothing could be collected ({reason})", address=self._address)
