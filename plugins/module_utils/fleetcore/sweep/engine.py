# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The sweep: so many collections at once over a list of machines, each result handed on as soon as it is there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Optional, Union

from ..document.model import Device, Verdict, to_dict
from ..errors import FleetError
from ..host.spool import Spool
from ..ports import Clock
from ..power.options import BmcOptions
from .delivery import RETRY_SECONDS, Delivery, Publish
from .done import DoneMachines

CONCURRENCY = 64
MAX_FAILURES = 1000
"""Failures that are listed with their messages; further ones are only counted."""
_INCOMPLETE = (Verdict.DENIED, Verdict.FAILED, Verdict.TIMEOUT)

OnEvent = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Target:
    """One machine. Small: there is one for each machine of the fleet, and nothing else that grows with it.

    :param source: how to reach its BMC, or the path of a capture of it.
    :param credential: name of the login to use in place of the one in ``source``.
    """

    machine: str
    source: Callable[[], Union[BmcOptions, str]]
    credential: Optional[str] = None


Collect = Callable[[Target], Awaitable[Device]]


@dataclass
class Summary:
    """What came of a sweep. ``collected`` counts documents; ``incomplete`` those with a section that failed.

    :ivar problem: why the server takes nothing at all (the token is refused, ...); what was collected is in the spool.
    """

    total: int = 0
    skipped: int = 0
    collected: int = 0
    incomplete: int = 0
    failed: int = 0
    published: int = 0
    changed: int = 0
    spooled: int = 0
    refused: int = 0
    interrupted: bool = False
    requests: int = 0
    logins: int = 0
    bytes: int = 0
    seconds: float = 0.0
    peak_documents: int = 0
    by_driver: Counter[str] = field(default_factory=Counter)
    by_error: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    problem: Optional[FleetError] = None

    @property
    def done(self) -> int:
        """Machines whose turn is over."""
        return self.skipped + self.collected + self.failed


class Sweep:
    """One sweep.

    :param targets: which machines, each once.
    :param collect: reads the BMC of a target; raises FleetError.
    :param publish: see :data:`delivery.Publish`; None: no server.
    :param spool: what can't be published waits here; needed with ``publish``.
    :param done: machines done before are skipped; those done now are added. A machine that failed is not done.
    :param keep: gets every document by machine, if they are wanted in memory.
    :param retry_seconds: how long the server is left alone after it could not be reached.
    :param on_event: told what happens: ``(event, facts)``; called in the event loop, must be quick.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        collect: Collect,
        clock: Clock,
        *,
        publish: Optional[Publish] = None,
        spool: Optional[Spool] = None,
        directory: Optional[str] = None,
        done: Optional[DoneMachines] = None,
        keep: Optional[dict[str, Any]] = None,
        concurrency: int = CONCURRENCY,
        retry_seconds: float = RETRY_SECONDS,
        on_event: OnEvent = lambda _event, _facts: None,
    ) -> None:
        before = done.machines if done else set()
        self._targets = [target for target in targets if target.machine not in before]
        self._collect = collect
        self._clock = clock
        self._done = done
        self._keep = keep
        self._concurrency = max(1, concurrency)
        self._on_event = on_event
        self._next = 0
        self._stopping = False
        self._documents = 0
        self._running: set[asyncio.Future[Any]] = set()
        self.summary = Summary(total=len(targets), skipped=len(targets) - len(self._targets))
        self._spool = spool
        self._delivery = partial(
            Delivery,
            publish,
            spool,
            self._delivered,
            directory=directory,
            monotonic=clock.monotonic,
            retry_seconds=retry_seconds,
            on_event=on_event,
        )

    @property
    def running(self) -> int:
        """Collections under way."""
        return len(self._running)

    def stop(self) -> None:
        """Begin no more, break off those under way (they log out), deliver what was collected. To be called in the event loop."""
        if self._stopping:
            return
        self._stopping = True
        self.summary.interrupted = self._next < len(self._targets) or bool(self._running)
        self._on_event("stopping", {"running": len(self._running)})
        for task in self._running:
            task.cancel()

    async def run(self) -> Summary:
        """Sweep; returns when everything is delivered or in the spool."""
        begin = self._clock.monotonic()
        delivery = self._delivery()
        delivering: asyncio.Future[Any] = asyncio.ensure_future(delivery.run())
        workers = [
            asyncio.ensure_future(self._work(delivery)) for _number in range(min(self._concurrency, len(self._targets)))
        ]
        try:
            working: asyncio.Future[Any] = asyncio.gather(*workers)
            await asyncio.wait({working, delivering}, return_when=asyncio.FIRST_COMPLETED)
            if delivering.done():
                delivering.result()  # it ends first only by a bug
            await working
            await delivery.finish()
            await delivering
        finally:
            for task in (*workers, delivering):
                task.cancel()
        self.summary.seconds = round(self._clock.monotonic() - begin, 3)
        if self._spool is not None:
            self.summary.spooled = len(self._spool)
        self.summary.problem = delivery.problem
        if self._done is not None and not self.summary.interrupted and delivery.problem is None:
            self._done.finish(self._clock.now())
        return self.summary

    async def _work(self, delivery: Delivery) -> None:
        while not self._stopping and self._next < len(self._targets):
            if delivery.problem is not None:
                self.stop()
                return
            target = self._targets[self._next]
            self._next += 1
            task = asyncio.ensure_future(self._one(target))
            self._running.add(task)
            try:
                document = await task
            except asyncio.CancelledError:
                return
            except FleetError as error:
                self._failed(target.machine, error.to_dict())
            except Exception as error:  # noqa: BLE001  (one machine's trouble is not the fleet's)
                self._failed(target.machine, _bug(error))
            else:
                await delivery.put(target.machine, document)
                del document
            finally:
                self._running.discard(task)
                task.cancel()
            del task

    async def _one(self, target: Target) -> dict[str, Any]:
        device = await self._collect(target)
        summary = self.summary
        summary.collected += 1
        summary.incomplete += any(item.verdict in _INCOMPLETE for item in device.coverage.values())
        if device.attempts:
            summary.by_driver[device.attempts[-1].driver or "?"] += 1
        if device.stats:
            summary.requests += device.stats.requests or 0
            summary.logins += device.stats.logins or 0
            summary.bytes += device.stats.bytes or 0
        self._documents += 1
        summary.peak_documents = max(summary.peak_documents, self._documents)
        document: dict[str, Any] = to_dict(device)
        if self._keep is not None:
            self._keep[target.machine] = document
        return document

    def _delivered(self, machine: str, result: str, error: Optional[Mapping[str, Any]]) -> None:
        summary = self.summary
        if result == "unspooled":
            summary.published += error is None
            if error is not None:
                self._note(machine, error, "publish")
            return
        self._documents -= 1
        if result == "refused":
            summary.refused += 1
            self._note(machine, error or {}, "publish")
            return
        summary.published += result in ("published", "unchanged")
        summary.changed += result == "published"
        if self._done is not None:
            self._done.add(machine, result)

    def _failed(self, machine: str, error: Mapping[str, Any]) -> None:
        self.summary.failed += 1
        self._note(machine, error, "collect")

    def _note(self, machine: str, error: Mapping[str, Any], stage: str) -> None:
        code = str(error.get("code") or "failed")
        self.summary.by_error[code] += 1
        entry = {"machine": machine, "stage": stage, "code": code, "message": str(error.get("message") or "")[:500]}
        if len(self.summary.failures) < MAX_FAILURES:
            self.summary.failures.append(entry)
        self._on_event("failure", entry)


def _bug(error: Exception) -> dict[str, Any]:
    return {
        "code": "bug",
        "message": f"This is a bug in baremetal.fleet, please report it: {type(error).__name__}: {str(error)[:200]}",
    }
