# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Documents on their way out of a sweep: a short queue, sent in batches by one thread, in the spool while the server is down.

Memory holds no more than the queue and one batch, however slow the server is: who collects waits.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Callable, Optional

from ..errors import AuthenticationFailed, FatalError, FleetError, InvalidInput, PermissionDenied
from ..host.files import safe_name
from ..host.spool import Outbox, Report, Spool

Document = Mapping[str, Any]
Item = tuple[str, Document]
Publish = Callable[[Sequence[Item]], list[dict[str, Any]]]
"""Blocking: many documents -> one result each, ``{"changed": bool, "error": {code, message, details} | None}``."""
Delivered = Callable[[str, str, Optional[Mapping[str, Any]]], None]
"""Told of each document: ``published``, ``unchanged``, ``collected`` (there is no server), ``spooled``, ``refused`` with the error;
``unspooled`` when it went out of the spool, with the error if the server refused it."""
# What the server says of single documents that is true of all: whoever sends them may not.
_NOBODYS = (PermissionDenied.code, AuthenticationFailed.code)

QUEUE = 32
BATCH = 16
RETRY_SECONDS = 15.0


def sweep_spool(path: str) -> Spool:
    """Documents in files of one directory, one per machine: a newer one replaces the older.

    :raises InvalidInput: the directory can't be made.
    """
    return Spool(path, "spool", keys=("machine", "device"))


def file_name(machine: str) -> str:
    """A machine's id as the name of a file, without its ending."""
    return safe_name(machine, keep=" ")


class ServerGate:
    """Whether the server is asked: not for ``retry_seconds`` after it could not be reached, never again once it refused the sender.

    :param told: ``(event, message)`` when it goes down and when it answers again.
    :ivar problem: why the server takes nothing at all (the token is refused, ...).
    """

    def __init__(self, monotonic: Callable[[], float], retry_seconds: float, told: Callable[[str, str], None]) -> None:
        self._monotonic = monotonic
        self._retry_seconds = retry_seconds
        self._told = told
        self._retry_at: Optional[float] = None
        self.problem: Optional[FleetError] = None

    def wait(self) -> float:
        if self.problem is not None:
            return float("inf")
        return 0.0 if self._retry_at is None else max(0.0, self._retry_at - self._monotonic())

    def worked(self) -> None:
        if self._retry_at is not None:
            self._told("server_up", "the machine server answers again")
        self._retry_at = None

    def failed(self, error: FleetError) -> None:
        if isinstance(error, FatalError):
            self.problem = error
            return
        if self._retry_at is None:
            self._told("server_down", error.message)
        self._retry_at = self._monotonic() + self._retry_seconds


class Delivery:
    """Takes documents in an event loop and brings them to the server.

    While the server does not answer, they go to the spool; every ``retry_seconds``, and once at the end, it is tried again.
    Documents that an earlier sweep left in the spool are sent first.

    :param publish: None: there is no server; documents are delivered to ``directory`` only, or nowhere.
    :param spool: needed with ``publish``.
    :param directory: documents are written there, too, as ``<machine>.json``.
    :param delivered: called in the event loop.
    """

    def __init__(
        self,
        publish: Optional[Publish],
        spool: Optional[Spool],
        delivered: Delivered,
        *,
        directory: Optional[str] = None,
        monotonic: Callable[[], float],
        retry_seconds: float = RETRY_SECONDS,
        on_event: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._delivered = delivered
        self._directory = directory
        self._on_event = on_event
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")
        self._queue: asyncio.Queue[Optional[Item]] = asyncio.Queue(maxsize=QUEUE)
        self._loop = asyncio.get_running_loop()
        self._gate = ServerGate(monotonic, retry_seconds, self._server)
        self._outbox: Optional[Outbox] = None
        if publish is not None:
            if spool is None:
                raise ValueError("a sweep that publishes needs a spool")
            self._outbox = Outbox(spool, partial(_send, publish), self._gate, self, batch=BATCH)

    @property
    def problem(self) -> Optional[FleetError]:
        """Why the server takes nothing at all: the sweep had better stop."""
        return self._gate.problem

    async def put(self, machine: str, document: Document) -> None:
        """Hand a document over; waits while the queue is full."""
        await self._queue.put((machine, document))

    async def finish(self) -> None:
        """No more will come."""
        await self._queue.put(None)

    async def run(self) -> None:
        """Deliver until :meth:`finish`."""
        try:
            if self._outbox is not None:
                await self._in_thread(self._outbox.flush)
            last = False
            while not last:
                batch = [await self._queue.get()]
                while len(batch) < BATCH and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                last = batch[-1] is None
                await self._in_thread(self._deliver, [item for item in batch if item is not None])
                del batch
            if self._outbox is not None and self.problem is None:
                await self._in_thread(partial(self._outbox.flush, now=True))
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._thread, function, *arguments)

    # -- in the thread ---------------------------------------------------------------------------------------------------

    def _deliver(self, items: Sequence[Item]) -> None:
        if self._directory is not None:
            items = [item for item in items if self._written(self._directory, *item)]
        if self._outbox is None:
            for machine, _document in items:
                self._tell(machine, "collected")
        elif items:
            self._outbox.offer(
                [Report("", {"machine": machine, "device": device}, file_name(machine)) for machine, device in items]
            )

    def _written(self, directory: str, machine: str, document: Document) -> bool:
        path = os.path.join(directory, file_name(machine) + ".json")
        try:
            with open(path + ".part", "w", encoding="utf-8") as handle:
                json.dump(document, handle, ensure_ascii=False, separators=(",", ":"))
            os.replace(path + ".part", path)
        except OSError as error:
            message = f"directory {directory}: {(error.strerror or str(error)).lower()}"
            self._tell(machine, "refused", InvalidInput(message, field="directory").to_dict())
            return False
        return True

    def left(self, report: Report, answer: Any, waited: bool) -> None:
        result = {"error": answer.to_dict()} if isinstance(answer, FleetError) else answer
        error = result.get("error")
        if waited:
            self._tell(report.body["machine"], "unspooled", error)
        elif error:
            self._tell(report.body["machine"], "refused", error)
        else:
            self._tell(report.body["machine"], "published" if result.get("changed") else "unchanged")

    def kept(self, report: Report) -> None:
        self._tell(report.body["machine"], "spooled")

    def lost(self, report: Report, error: FleetError) -> None:
        self._tell(report.body["machine"], "refused", error.to_dict())

    def _tell(self, machine: str, result: str, error: Optional[Mapping[str, Any]] = None) -> None:
        self._loop.call_soon_threadsafe(self._delivered, machine, result, error)

    def _server(self, event: str, message: str) -> None:
        self._loop.call_soon_threadsafe(self._on_event, event, {"message": message})


def _send(publish: Publish, reports: Sequence[Report]) -> list[Any]:
    results = publish([(report.body["machine"], report.body["device"]) for report in reports])
    return [_refusal_of_all(result) or result for result in results]


def _refusal_of_all(result: Mapping[str, Any]) -> Optional[PermissionDenied]:
    """The error, if the server refuses whoever sends, and not this document."""
    error = result.get("error") or {}
    if error.get("code") not in _NOBODYS:
        return None
    return PermissionDenied(str(error.get("message")), **dict(error.get("details") or {}))
