# SPDX-License-Identifier: BSD-2-Clause
"""The machine that the monitor runs on, and what the monitor remembers there."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetcore.errors import FleetError, InvalidInput
from fleetcore.host.files import write_private
from fleetcore.inband.collect.host import SEARCH_PATH, SystemFiles, SystemRunner

from fleetd.common import logs
from fleetd.monitor.adapters import observe
from fleetd.monitor.adapters.attached import Devices
from fleetd.monitor.config import MonitorSettings
from fleetd.monitor.core import Attached, Flags, Published

_log = logs.get("fleetd.monitor")
_STATIC_SECONDS = 600.0  # what hardly ever changes is read again after this time


class ThisMachine:
    """This machine, as far as an event is about it. Nothing of it raises."""

    def __init__(self, settings: MonitorSettings) -> None:
        self._files = SystemFiles()
        self._quarantine = settings.quarantine_file
        self._busy = settings.busy_file
        self._devices = Devices(SystemRunner(), settings.pyocd_file)
        self._missing = ""
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

    def device(self, attached: Attached) -> dict[str, Any]:
        """The part of an event that is about an attached device; empty when it does not answer."""
        try:
            found = self._devices.ask(attached)
        except FleetError as error:
            if error.message != self._missing:
                _log.warning("device_missing", device=attached.device, code=error.code, message=error.message)
            self._missing = error.message
            return {}
        if self._missing:
            _log.info("device_back", device=attached.device)
        self._missing = ""
        return found

    def flags(self) -> Flags:
        return Flags(_exists(self._quarantine), self._busy is not None and _exists(self._busy))


def _exists(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.exists()
    return False


@dataclass
class FileMemory:
    """Remembers the last device document and what is attached; on disk when it is saved.

    :param path: of the file about the document; the other one stands beside it.
    """

    path: Path

    def load(self) -> Published | None:
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
            found = json.loads(self.path.read_bytes())
            return Published(float(found["at"]), dict(found["failed_drives"]))
        return None

    def save(self, published: Published) -> None:
        _save(self.path, {"at": round(published.at), "failed_drives": dict(published.failed_drives)})

    def attached(self) -> Attached | None:
        """None: the description was never seen."""
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            return Attached.of(json.loads(self._beside.read_bytes()))
        return None

    def save_attached(self, attached: Attached) -> None:
        _save(self._beside, {"AttachedDevice": attached.device, "SSHUserIP": attached.ssh_user_ip})

    @property
    def _beside(self) -> Path:
        return self.path.with_name("attached.json")


def _save(path: Path, data: Mapping[str, Any]) -> None:
    try:
        write_private(str(path), json.dumps(data).encode(), "monitor.state_dir")
    except InvalidInput as error:
        _log.error("state_failed", message=error.message)
