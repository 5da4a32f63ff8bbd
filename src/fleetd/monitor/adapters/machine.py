# SPDX-License-Identifier: BSD-2-Clause
"""The machine that the monitor runs on, and what the monitor remembers there."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetcore.errors import InvalidInput
from fleetcore.host.files import write_private
from fleetcore.inband.collect.host import SEARCH_PATH, SystemFiles

from fleetd.common import logs
from fleetd.monitor.adapters import observe
from fleetd.monitor.config import MonitorSettings
from fleetd.monitor.core import Flags, Published

_STATIC_SECONDS = 600.0  # what hardly ever changes is read again after this time


class ThisMachine:
    """This machine, as far as an event is about it. Nothing of it raises."""

    def __init__(self, settings: MonitorSettings) -> None:
        self._files = SystemFiles()
        self._quarantine = settings.quarantine_file
        self._busy = settings.busy_file
        self._standalone: dict[str, Any] = {}
        self._read_at = 0.0

    def standalone(self) -> dict[str, Any]:
        now = time.monotonic()
        if not self._standalone or now - self._read_at > _STATIC_SECONDS:
            self._standalone = observe.standalone(
                self._files, lambda program: shutil.which(program, path=SEARCH_PATH) is not None
            )
            self._read_at = now
        return self._standalone

    def server(self) -> dict[str, Any]:
        return observe.server(self._files)

    def flags(self) -> Flags:
        return Flags(_exists(self._quarantine), self._busy is not None and _exists(self._busy))


def _exists(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.exists()
    return False


@dataclass
class FileMemory:
    """Remembers the last device document; on disk when ``save`` returns."""

    path: Path

    def load(self) -> Published | None:
        try:
            found = json.loads(self.path.read_bytes())
            return Published(float(found["at"]), dict(found["failed_drives"]))
        except (OSError, ValueError, TypeError, LookupError):
            return None

    def save(self, published: Published) -> None:
        data = json.dumps({"at": round(published.at), "failed_drives": dict(published.failed_drives)})
        try:
            write_private(str(self.path), data.encode(), "monitor.state_dir")
        except InvalidInput as error:
            logs.get("fleetd.monitor").error("state_failed", message=error.message)
