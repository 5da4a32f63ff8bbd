# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Live collection of one BMC: drives the walker over a session, a few requests at a time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Optional

from ..errors import AuthenticationFailed, TimedOut, Unreachable
from ..model import Device, Stats, Verdict
from ..ports import Clock, Http
from .interpret import interpret
from .session import Session
from .walker import Outcome, Walker, Want

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
) -> Device:
    """The device document of one machine. Logs in once and always logs out; closes ``http``.

    :param address: of the BMC, for messages.
    :param timeout: seconds for one request.
    :param deadline: seconds for everything; what was not collected by then has the verdict ``timeout``.
    :param walker: a new one, instead of one made of ``sections`` and ``system``.
    :raises FleetError: nothing could be collected: no connection, login refused, no Redfish, or the wrong or no ``system`` named.
    """
    walker = walker or Walker(sections, system)
    begin = clock.monotonic()
    end = begin + deadline
    with Session(http, clock, address, username=username, password=password, timeout=timeout) as session:
        if session.root is not None:
            for want in walker.wants():  # the service root was read before the login
                walker.took(want, Outcome(Verdict.COLLECTED, session.root, status=200))
        _drive(walker, session, clock, end, max(1, concurrency))
    if walker.problem is not None:
        raise walker.problem
    stats = Stats(
        requests=session.requests,
        logins=session.logins,
        bytes=session.received,
        seconds=round(clock.monotonic() - begin, 3),
    )
    if not walker.tree.of("system") and not walker.tree.of("chassis"):
        raise _nothing(walker, address)
    return interpret(walker.tree, walker.coverage(), collected_at=clock.now(), stats=stats)


def _drive(walker: Walker, session: Session, clock: Clock, end: float, concurrency: int) -> None:
    misses = 0
    waiting: list[Want] = []
    running: dict[Future[Outcome], Want] = {}
    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="bmc") as pool:
        while not walker.done:
            waiting.extend(walker.wants())
            if misses >= GIVE_UP_AFTER or clock.monotonic() >= end:
                reason = "the BMC stopped answering" if misses >= GIVE_UP_AFTER else "the deadline was reached"
                for want in waiting:
                    walker.took(want, Outcome(Verdict.TIMEOUT, reason=reason))
                waiting.clear()
                walker.skip_rest(Verdict.TIMEOUT, reason)
            while waiting and len(running) < concurrency:
                want = waiting.pop(0)
                running[pool.submit(session.get, want.url, end)] = want
            finished = wait(running, return_when=FIRST_COMPLETED).done if running else set()
            for future in finished:
                outcome = future.result()
                misses = misses + 1 if outcome.status is None else 0
                walker.took(running.pop(future), outcome)


def _nothing(walker: Walker, address: str) -> Exception:
    coverage = walker.coverage()["system"]
    reason = coverage.reason or "no system and no chassis"
    if coverage.verdict is Verdict.TIMEOUT:
        return TimedOut(f"{address}: {reason}", address=address)
    if coverage.verdict is Verdict.DENIED:
        return AuthenticationFailed(f"{address}: the account may not read the systems ({reason})", address=address)
    return Unreachable(f"{address}: nothing could be collected ({reason})", address=address)
