# SPDX-License-Identifier: BSD-2-Clause

"""Live collection of one BMC: drives the walker over a session in an event loop, a few requests at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Optional

from ..document.model import Device, Stats, Verdict
from ..errors import AuthenticationFailed, TimedOut, Unreachable
from ..ports import AsyncHttp, Clock
from .cache import FRESH, Cache
from .interpret import interpret
from .session import AsyncSession
from .walker import Walker
from .wants import Outcome, Want

CONCURRENCY = 4
"""Requests at once to one BMC: more make small BMCs slower."""
GIVE_UP_AFTER = 4
"""Time-outs or broken connections in a row after which a BMC counts as gone."""


async def collect(
    http: AsyncHttp,
    clock: Clock,
    address: str,
    walker: Walker,
    *,
    username: Optional[str] = None,
    password: Optional[str] = None,
    timeout: float = 30.0,
    deadline: float = 300.0,
    cache: Optional[Cache] = None,
) -> Device:
    """Make the device document of one machine. Logs in once and always logs out, also when it is cancelled; closes
    ``http``.

    :param address: of the BMC, for messages.
    :param walker: a new one.
    :param timeout: seconds for one request.
    :param deadline: seconds for everything; what was not collected by then has the verdict ``timeout``.
    :param cache: of what this BMC said before; the caller saves it.
    :raises FleetError: nothing could be collected: no connection, login refused, no Redfish, or the wrong or no
        system named.
    """
    begin = clock.monotonic()
    end = begin + deadline
    login = {"username": username, "password": password, "timeout": timeout, "end": end, "cache": cache}
    async with AsyncSession(http, clock, address, **login) as session:
        await _walk(walker, session, clock, end)
    if walker.problem is not None:
        raise walker.problem
    if not walker.tree.of("system") and not walker.tree.of("chassis"):
        raise _nothing(walker, address)
    stats = Stats(
        requests=session.requests,
        logins=session.logins,
        bytes=session.received,
        seconds=round(clock.monotonic() - begin, 3),
    )
    return interpret(walker.tree, walker.coverage(), collected_at=clock.now(), stats=stats)


async def _walk(walker: Walker, session: AsyncSession, clock: Clock, end: float) -> None:
    """Fetch what the walker wants, until it has all, the deadline is reached or the BMC stops answering."""
    if session.root is not None:  # read before the login
        for want in walker.wants():
            walker.took(want, Outcome(Verdict.COLLECTED, session.root, status=200))
    waiting: deque[Want] = deque()
    running: dict[asyncio.Task[Outcome], Want] = {}
    misses = 0
    try:
        while not walker.done:
            waiting.extend(walker.wants())
            gone = misses >= GIVE_UP_AFTER
            if gone or clock.monotonic() >= end:
                reason = "the BMC stopped answering" if gone else "the deadline was reached"
                for want in waiting:
                    walker.took(want, Outcome(Verdict.TIMEOUT, reason=reason))
                waiting.clear()
                walker.skip_rest(Verdict.TIMEOUT, reason)
            while waiting and len(running) < CONCURRENCY:
                want = waiting.popleft()
                running[asyncio.ensure_future(session.get(want.url, want.section in FRESH))] = want
            if running:
                finished, _rest = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    outcome = task.result()
                    misses = misses + 1 if outcome.status is None else 0
                    walker.took(running.pop(task), outcome)
    finally:
        for task in running:
            task.cancel()


def _nothing(walker: Walker, address: str) -> Exception:
    coverage = walker.coverage()["system"]
    reason = coverage.reason or "no system and no chassis"
    if coverage.verdict is Verdict.TIMEOUT:
        return TimedOut(f"{address}: {reason}", address=address)
    if coverage.verdict is Verdict.DENIED:
        return AuthenticationFailed(f"{address}: the account may not read the systems ({reason})", address=address)
    return Unreachable(f"{address}: nothing could be collected ({reason})", address=address)
