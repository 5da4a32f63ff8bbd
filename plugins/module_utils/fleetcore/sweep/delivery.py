# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Documents on their way out: a short queue, sent in batches by one thread, put into files while the server is down.

Memory holds no more than the queue and one batch, however slow the receiver is: who collects waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional
from urllib.parse import quote

from ..errors import AuthenticationFailed, FatalError, FleetError, InvalidInput, PermissionDenied, TransientError

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


class Spool:
    """Documents in files of one directory, one per machine: a newer one replaces the older.

    :raises InvalidInput: the directory can't be made.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"spool {path}: can't be made ({(error.strerror or str(error)).lower()})", field="spool"
            ) from error

    def put(self, machine: str, document: Document) -> None:
        write_json(self._file(machine), {"machine": machine, "device": document})

    def items(self) -> Iterator[Item]:
        """What is there, one at a time."""
        for name in self._names():
            try:
                with open(os.path.join(self.path, name), encoding="utf-8") as handle:
                    entry = json.load(handle)
                yield str(entry["machine"]), entry["device"]
            except (OSError, ValueError, LookupError, TypeError):
                continue  # not ours, or gone

    def remove(self, machine: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._file(machine))

    def __len__(self) -> int:
        return sum(1 for _name in self._names())

    def _names(self) -> list[str]:
        return sorted(name for name in os.listdir(self.path) if name.endswith(".json"))

    def _file(self, machine: str) -> str:
        return os.path.join(self.path, file_name(machine) + ".json")


def file_name(machine: str) -> str:
    """A machine's id as the name of a file."""
    name = quote(machine, safe=" ")
    return ("%2E" + name[1:] if name.startswith(".") else name)[:200]


def write_json(path: str, content: Any) -> None:
    """Write a whole file or none."""
    with open(path + ".part", "w", encoding="utf-8") as handle:
        json.dump(content, handle, ensure_ascii=False, separators=(",", ":"))
    os.replace(path + ".part", path)


class Outbox:
    """Takes documents in an event loop and brings them to the server.

    While the server does not answer, they go to the spool; every ``retry_seconds``, and once at the end, it is tried again.
    Documents that an earlier sweep left in the spool are sent first.

    :param publish: None: there is no server; documents are delivered to ``directory`` only, or nowhere.
    :param directory: documents are written there, too, as ``<machine>.json``.
    :param delivered: called in the event loop.
    :ivar problem: why the server takes nothing at all (the token is refused, ...): the sweep had better stop.
    :ivar down: why the server can't be reached now.
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
        on_event: Callable[..., None] = lambda *_args, **_facts: None,
    ) -> None:
        self._publish = publish
        self._spool = spool
        self._delivered = delivered
        self._directory = directory
        self._monotonic = monotonic
        self._retry_seconds = retry_seconds
        self._on_event = on_event
        self._retry_at = 0.0
        self._left_behind = False  # something is in the spool
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")
        self._queue: asyncio.Queue[Optional[Item]] = asyncio.Queue(maxsize=QUEUE)
        self.problem: Optional[FleetError] = None
        self.down: Optional[FleetError] = None

    async def put(self, machine: str, document: Document) -> None:
        """Hand a document over; waits while the queue is full."""
        await self._queue.put((machine, document))

    async def finish(self) -> None:
        """No more will come."""
        await self._queue.put(None)

    async def run(self) -> None:
        """Deliver until :meth:`finish`."""
        try:
            await self._flush_spool()
            last = False
            while not last:
                batch = [await self._queue.get()]
                while len(batch) < BATCH and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                last = batch[-1] is None
                items = [item for item in batch if item is not None]
                if items:
                    await self._deliver(items)
                del batch, items
                if self._left_behind and (last or not self._blocked()):
                    await self._flush_spool()
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def _deliver(self, items: list[Item]) -> None:
        if self._directory is not None:
            items = [item for item in items if await self._written(self._directory, *item)]
        if self._publish is None:
            for machine, _document in items:
                self._delivered(machine, "collected", None)
        elif self._blocked():
            await self._keep(items)
        else:
            await self._send(items)

    async def _written(self, directory: str, machine: str, document: Document) -> bool:
        try:
            await self._in_thread(write_json, os.path.join(directory, file_name(machine) + ".json"), document)
        except OSError as error:
            message = f"directory {directory}: {(error.strerror or str(error)).lower()}"
            self._delivered(machine, "refused", InvalidInput(message, field="directory").to_dict())
            return False
        return True

    def _blocked(self) -> bool:
        return self.problem is not None or (self.down is not None and self._monotonic() < self._retry_at)

    async def _send(self, items: list[Item]) -> None:
        try:
            results = await self._results(items)
        except TransientError as error:
            self._went_down(error)
            await self._keep(items)
        except FatalError as error:
            self.problem = error
            await self._keep(items)
        else:
            self._came_up()
            kept = []
            for item, result in zip(items, results):
                if self._not_allowed(result):
                    kept.append(item)
                    continue
                if self._spool is not None:
                    self._spool.remove(item[0])  # an older one, that must not come after this one
                self._told(item[0], result)
            await self._keep(kept)

    async def _results(self, items: list[Item]) -> list[dict[str, Any]]:
        """:raises TransientError, FatalError: the server takes nothing now, or nothing at all."""
        if self._publish is None:
            return []
        try:
            results: list[dict[str, Any]] = await self._in_thread(self._publish, items)
        except (TransientError, FatalError):
            raise
        except FleetError as error:  # one of them is too large, or not to the server's taste
            if len(items) == 1:
                return [{"error": error.to_dict()}]
            return [(await self._results([item]))[0] for item in items]
        return results

    def _told(self, machine: str, result: Mapping[str, Any]) -> None:
        error = result.get("error")
        if isinstance(error, Mapping):
            self._delivered(machine, "refused", error)
        else:
            self._delivered(machine, "published" if result.get("changed") else "unchanged", None)

    def _not_allowed(self, result: Mapping[str, Any]) -> bool:
        """Does the server refuse whoever sends, and not this document?"""
        error = result.get("error")
        if not isinstance(error, Mapping) or error.get("code") not in _NOBODYS:
            return False
        self.problem = PermissionDenied(str(error.get("message")), **dict(error.get("details") or {}))
        return True

    async def _keep(self, items: list[Item]) -> None:
        for machine, document in items:
            if self._spool is None:
                error = self.problem or self.down
                self._delivered(machine, "refused", error.to_dict() if error else None)
                continue
            try:
                await self._in_thread(self._spool.put, machine, document)
            except OSError as error_:
                message = f"spool {self._spool.path}: {(error_.strerror or str(error_)).lower()}"
                self._delivered(machine, "refused", InvalidInput(message, field="spool").to_dict())
            else:
                self._left_behind = True
                self._delivered(machine, "spooled", None)

    async def _flush_spool(self) -> None:
        """Send what is in the spool, in batches, as long as the server takes it."""
        if self._spool is None or self._publish is None or self.problem is not None:
            return
        items = self._spool.items()
        while True:
            batch = await self._in_thread(_take, items, BATCH)
            if not batch:
                self._left_behind = False
                return
            self._left_behind = True
            try:
                results = await self._results(batch)
            except TransientError as error:
                self._went_down(error)
                return
            except FatalError as error:
                self.problem = error
                return
            self._came_up()
            for (machine, _document), result in zip(batch, results):
                if self._not_allowed(result):
                    continue
                self._spool.remove(machine)  # one that the server refuses would be refused for ever
                self._delivered(machine, "unspooled", result.get("error"))
            if self.problem is not None:
                return

    def _went_down(self, error: FleetError) -> None:
        if self.down is None:
            self._on_event("server_down", message=error.message)
        self.down = error
        self._retry_at = self._monotonic() + self._retry_seconds

    def _came_up(self) -> None:
        if self.down is not None:
            self._on_event("server_up", message="the machine server answers again")
        self.down = None


def _take(items: Iterator[Item], count: int) -> list[Item]:
    return [item for _number, item in zip(range(count), items)]
