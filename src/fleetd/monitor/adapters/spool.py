# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reports that wait for the server, on disk: in order, bounded, whole after SIGKILL.

One file per report, ``<number>-<kind>.json``, written to a temporary file first. The oldest go when it is full.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetcore.errors import InvalidInput
from fleetcore.host.files import write_private

_NAME = re.compile(r"^(\d{12})-(event|device)\.json$")


@dataclass(frozen=True)
class Report:
    """``kind`` is ``event`` or ``device``."""

    name: str
    kind: str
    body: Mapping[str, Any]


class Spool:
    """Thread-safe. One process per folder.

    ``dropped`` counts the reports that were given up because the spool was full, unreadable or could not be written. It
    survives a restart; removing the file ``dropped`` starts it anew.

    :raises InvalidInput: the folder can't be made or written.
    """

    def __init__(self, folder: Path, *, max_items: int, max_bytes: int) -> None:
        self._folder = folder
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sizes = {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
        except OSError as error:
            raise InvalidInput(f"monitor.state_dir: {folder}: {error.strerror}", field="monitor.state_dir") from None
        self._sizes = {name: sizes[name] for name in sorted(sizes) if _NAME.match(name)}
        for name in sizes:
            if name.startswith("."):  # of a write that did not end
                self._unlink(name)
        self._last = int(max(self._sizes, default="0" * 12)[:12])
        self.dropped = self._read_dropped()
        self._shrink(0)

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def bytes(self) -> int:
        """Size of what waits."""
        return sum(self._sizes.values())

    def put(self, kind: str, body: Mapping[str, Any]) -> None:
        """Keep a report, on disk when this returns. What can't be kept is counted as dropped.

        :raises InvalidInput: the disk is full or can't be written.
        """
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        with self._lock:
            if len(data) > self._max_bytes:
                self._count(1)
                return
            self._shrink(len(data), 1)
            self._last += 1
            name = f"{self._last:012d}-{kind}.json"
            try:
                write_private(str(self._folder / name), data, "monitor.state_dir")
            except InvalidInput:
                self._count(1)
                raise
            self._sizes[name] = len(data)

    def has(self, kind: str) -> bool:
        """Whether a report of this kind waits."""
        with self._lock:
            return self._oldest(kind) is not None

    def first(self, kind: str) -> Report | None:
        """The oldest report of a kind. One that can't be read is dropped."""
        with self._lock:
            while (name := self._oldest(kind)) is not None:
                try:
                    body = json.loads((self._folder / name).read_bytes())
                except (OSError, ValueError):
                    body = None
                if isinstance(body, dict):
                    return Report(name, kind, body)
                self._forget(name)
                self._count(1)
            return None

    def _oldest(self, kind: str) -> str | None:
        return next((name for name in self._sizes if name[13:-5] == kind), None)

    def remove(self, report: Report) -> None:
        """It arrived. Removing it twice is no error: it may have been dropped meanwhile."""
        with self._lock:
            self._forget(report.name)

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
        self.dropped += number
        with contextlib.suppress(InvalidInput):
            write_private(str(self._folder / "dropped"), f"{self.dropped}\n".encode())

    def _read_dropped(self) -> int:
        try:
            return max(0, int((self._folder / "dropped").read_text(encoding="ascii")))
        except (OSError, ValueError):
            return 0
