# SPDX-License-Identifier: BSD-2-Clause

"""Reports on their way to a server that may be away. What can't be sent now waits in files, which survive a SIGKILL."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Protocol, Union

from ..errors import BadResponse, FleetError, InvalidInput, TransportError
from .files import write_private

_NUMBERED = re.compile(r"\d{12}-(\w+)\.json")


@dataclass(frozen=True)
class Report:
    """Something that is to reach the server.

    :param name: of its file in the spool, without ``.json``. Empty: the spool numbers it.
    """

    kind: str
    body: Mapping[str, Any]
    name: str = ""


class Spool:
    """A folder with one JSON file for each report that waits. Files and folder are private. Thread-safe.

    :param field: the option that names the folder, for errors.
    :param kinds: the kinds of numbered reports. They are kept in the order in which they came, and the folder belongs
        to one process. None: each report brings its own name, a newer one replaces the older one of that name, and
        processes may share the folder.
    :param keys: what every report has. A JSON file without one of them is not a report.
    :param max_items: when there are more, or more than ``max_bytes``, the oldest are dropped.
    :ivar dropped: numbered reports that were given up: the spool was full, or the file could not be written or read.
        The count survives a restart; removing the file ``dropped`` starts it anew.
    :raises InvalidInput: the folder can't be made or read.
    """

    def __init__(
        self,
        folder: Union[str, Path],
        field: str,
        *,
        kinds: Optional[Sequence[str]] = None,
        keys: Sequence[str] = (),
        max_items: float = math.inf,
        max_bytes: float = math.inf,
    ) -> None:
        self._folder = Path(folder)
        self._field = field
        self._kinds = kinds
        self._keys = keys
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sizes = {entry.name: entry.stat().st_size for entry in os.scandir(self._folder)}
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise InvalidInput(f"{field}: {folder} can't be made or read ({why})", field=field) from error
        self._sizes = {name: sizes[name] for name in sorted(sizes) if self._kind(name) is not None}
        if kinds is not None:
            for name in sizes:
                if name.startswith("."):  # a write that did not end
                    self._unlink(name)
        self._last = 0 if kinds is None else int(max(self._sizes, default="0")[:12])
        self.dropped = self._read_dropped()
        self._shrink(0)

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def folder(self) -> str:
        return str(self._folder)

    @property
    def bytes(self) -> int:
        """Size of what waits."""
        return sum(self._sizes.values())

    def put(self, report: Report) -> None:
        """Keep a report: it is on disk when this returns. One that is larger than the whole spool is dropped.

        :raises InvalidInput: the disk is full or can't be written.
        """
        data = json.dumps(report.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        with self._lock:
            if len(data) > self._max_bytes:
                self._count(1)
                return
            self._shrink(len(data), 1)
            name = f"{report.name or self._next_number(report.kind)}.json"
            try:
                write_private(str(self._folder / name), data, self._field)
            except InvalidInput:
                self._count(1)
                raise
            self._sizes[name] = len(data)

    def has(self, kind: str) -> bool:
        """Whether a report of this kind waits."""
        with self._lock:
            return any(self._kind(name) == kind for name in self._sizes)

    def first(self, kind: str, count: int = 1, *, newest: bool = False) -> list[Report]:
        """Read the oldest reports of a kind, at most ``count``. One that can't be read is forgotten; a numbered one is
        dropped.

        :param newest: the newest ones, newest first.
        """
        found: list[Report] = []
        with self._lock:
            names = [name for name in self._sizes if self._kind(name) == kind]
            for name in reversed(names) if newest else names:
                if len(found) == count:
                    break
                try:
                    body = json.loads((self._folder / name).read_bytes())
                except (OSError, ValueError):
                    body = None
                if isinstance(body, dict) and all(key in body for key in self._keys):
                    found.append(Report(kind, body, name[: -len(".json")]))
                elif self._kinds is None:
                    del self._sizes[name]  # somebody else's, or sent by another process
                else:
                    self._forget(name)
                    self._count(1)
        return found

    def remove(self, report: Report) -> None:
        """Forget a report that came from :meth:`first`. It may be gone already."""
        with self._lock:
            self._forget(report.name + ".json")

    def _kind(self, name: str) -> Optional[str]:
        """The kind of the report in a file; None: the file is not ours."""
        if self._kinds is None:
            return "" if name.endswith(".json") and not name.startswith(".") else None
        numbered = _NUMBERED.fullmatch(name)
        return numbered[1] if numbered and numbered[1] in self._kinds else None

    def _next_number(self, kind: str) -> str:
        self._last += 1
        return f"{self._last:012d}-{kind}"

    def _shrink(self, room: int, items: int = 0) -> None:
        """Drop the oldest until there is room for so many more bytes and items."""
        gone = 0
        while self._sizes and (len(self._sizes) + items > self._max_items or self.bytes + room > self._max_bytes):
            self._forget(next(iter(self._sizes)))
            gone += 1
        if gone:
            self._count(gone)

    def _forget(self, name: str) -> None:
        self._sizes.pop(name, None)
        self._unlink(name)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / name).unlink()

    def _count(self, number: int) -> None:
        if self._kinds is not None:
            self.dropped += number
            with contextlib.suppress(InvalidInput):
                write_private(str(self._folder / "dropped"), f"{self.dropped}\n".encode())

    def _read_dropped(self) -> int:
        try:
            return max(0, int((self._folder / "dropped").read_text(encoding="ascii")))
        except (OSError, ValueError):
            return 0


class Gate(Protocol):
    """Decides when the server may be asked again: ``wait`` gives the seconds until then. It is told how each attempt
    went.
    """

    def wait(self) -> float: ...

    def worked(self) -> None: ...

    def failed(self, error: FleetError) -> None: ...


class Listener(Protocol):
    """Hears what becomes of each report, in the thread that sends.

    ``left``: the server took it or will never take it (the answer is a FleetError); ``waited``: it came from the spool.
    ``kept``: it is in the spool. ``lost``: it could be neither sent nor kept.
    """

    def left(self, report: Report, answer: Any, waited: bool, /) -> None: ...

    def kept(self, report: Report, /) -> None: ...

    def lost(self, report: Report, error: FleetError, /) -> None: ...


class Outbox:
    """Sends the reports of one kind in the order in which they were offered, each at least once.

    What can't be sent now is kept in the spool and goes first later. What the server will never take leaves, too, so
    that it does not hold up the rest. So does, unless ``strict``, a report that the server fails on (HTTP 500 and the
    like) while it takes the newest one: the fault is in the report, or in what the server makes of it.

    :param send: blocking. Takes reports and returns one answer for each. A ``TransportError`` that it raises, or
        returns as an answer, means "not now": the report is kept. Any other FleetError means "never".
    :param gate: when the server may be asked again.
    :param batch: reports that are sent from the spool in one call, at most.
    :param strict: the order counts: nothing is sent before what waits longer.
    """

    def __init__(
        self,
        spool: Spool,
        send: Callable[[Sequence[Report]], Sequence[Any]],
        gate: Gate,
        listener: Listener,
        *,
        kind: str = "",
        batch: int = 1,
        strict: bool = False,
    ) -> None:
        self._spool = spool
        self._send = send
        self._strict = strict
        self._gate = gate
        self._listener = listener
        self._kind = kind
        self._batch = batch
        self._flying: list[Report] = []
        self._lock = threading.Lock()

    def offer(self, reports: Sequence[Report]) -> bool:
        """Send reports after those that wait, or keep them. True if all of them have left."""
        self.flush()
        if self._spool.has(self._kind) or self._gate.wait():
            self._keep(reports)
            return False
        self._flying = list(reports)
        kept = [report for report, _error in self._deliver(reports, waited=False)]
        with self._lock:
            rescued, self._flying = not self._flying, []
        if not rescued:
            self._keep(kept)
        return not kept

    def flush(self, stop: Callable[[], bool] = lambda: False, *, now: bool = False) -> int:
        """Send what waits until it is all gone, the server fails or ``stop`` says so. Returns how many reports left.

        :param now: the first attempt does not wait for the gate.
        """
        sent = 0
        while (now or not self._gate.wait()) and not stop():
            now = False
            reports = self._spool.first(self._kind, self._batch)
            if not reports:
                break
            kept = self._deliver(reports, waited=True)
            if kept and self._takes_the_newest(kept):
                kept = [(report, error) for report, error in kept if not self._left_now(report, waited=True)]
                sent += 1
            sent += len(reports) - len(kept)
            if kept:
                break
        return sent

    def _takes_the_newest(self, kept: _Kept) -> bool:
        """Whether the server fails on these only: it does on each of them, and takes the newest report that waits."""
        if self._strict or not all(_failed_on(error) for _report, error in kept):
            return False
        newest = self._spool.first(self._kind, newest=True)
        if not newest or newest[0].name in [report.name for report, _error in kept]:
            return False
        return not self._deliver(newest, waited=True)

    def wait(self) -> Optional[float]:
        """Seconds until what waits may be sent; None if nothing waits."""
        return self._gate.wait() if self._spool.has(self._kind) else None

    def keep_flying(self) -> None:
        """Put what is being sent right now into the spool: the process ends without waiting for the server's answer."""
        with self._lock:
            self._keep(self._flying)
            self._flying = []

    def _keep(self, reports: Sequence[Report]) -> None:
        for report in reports:
            try:
                self._spool.put(report)
            except InvalidInput as error:
                self._listener.lost(report, error)
            else:
                self._listener.kept(report)

    def _deliver(self, reports: Sequence[Report], *, waited: bool) -> _Kept:
        """Send; returns the reports that did not leave, and why."""
        answers = self._answers(reports)
        takes = not all(isinstance(answer, TransportError) for answer in answers)
        if takes:
            self._gate.worked()
        kept: _Kept = []
        for report, answer in zip(reports, answers):
            if not isinstance(answer, TransportError):
                self._left(report, answer, waited)
                continue
            if takes and not self._strict and _failed_on(answer) and self._left_now(report, waited):
                continue
            if not kept or kept[-1][1] is not answer:
                self._gate.failed(answer)
            kept.append((report, answer))
        return kept

    def _left_now(self, report: Report, waited: bool) -> bool:
        """Send one that the server failed on again, as it takes others: it may have been away for that moment. What it
        still fails on leaves, too."""
        (answer,) = self._answers([report])
        if isinstance(answer, TransportError) and not _failed_on(answer):
            return False
        self._left(report, answer, waited)
        return True

    def _left(self, report: Report, answer: Any, waited: bool) -> None:
        if waited:
            self._spool.remove(report)
        self._listener.left(report, answer, waited)

    def _answers(self, reports: Sequence[Report]) -> Sequence[Any]:
        """One answer for each: the server's, or the error that it was."""
        try:
            return self._send(reports)
        except FleetError as error:
            if len(reports) == 1 or (isinstance(error, TransportError) and (self._strict or not _failed_on(error))):
                return [error] * len(reports)
        answers: list[Any] = []  # the server does not take one of them
        for report in reports:
            gone = answers and isinstance(answers[-1], TransportError) and not _failed_on(answers[-1])
            answers.append(answers[-1] if gone else self._answers([report])[0])
        return answers


_Kept = list[tuple[Report, TransportError]]


def _failed_on(error: TransportError) -> bool:
    """The server itself failed, and it may be because of what it was sent."""
    return isinstance(error, BadResponse) and error.details.get("status", 0) >= 500
