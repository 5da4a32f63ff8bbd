# SPDX-License-Identifier: BSD-2-Clause

"""The machines of a sweep that are done: a file of JSON lines, from which the next run goes on."""

from __future__ import annotations

import fcntl
import json
from typing import Any, Optional

from ..errors import ConflictError, InvalidInput


class DoneMachines:
    """The open state file of a sweep. It is locked: one sweep at a time.

    A file whose last sweep came to its end is begun anew; one of an interrupted sweep is continued.

    :param read_only: only look.
    :ivar machines: the machines that need not be collected again.
    :raises ConflictError: another sweep has it open.
    :raises InvalidInput: it can't be written, or is something else.
    """

    def __init__(self, path: str, now: str, read_only: bool = False) -> None:
        self.path = path
        self.machines: set[str] = set()
        try:
            # Not "w": what is there is read first, and must survive if another sweep holds it.
            self._file = open(path, "r" if read_only else "a+", encoding="utf-8")  # noqa: SIM115  (closed by close)
        except OSError as error:
            raise InvalidInput.of_path("state_file", path, "written", error) from error
        try:
            if not read_only:
                self._lock()
            unfinished = self._load()
            if not read_only:
                if unfinished:
                    self._file.write("\n")
                if not self.machines:
                    self._file.truncate(0)
                    self._write({"sweep": now})
        except BaseException:
            self._file.close()
            raise

    def add(self, machine: str, result: str) -> None:
        """Note that a machine is done: its document is with the server, in the spool or in its file."""
        self._write({"machine": machine, "result": result})

    def finish(self, now: str) -> None:
        """Note that the sweep came to its end: the next one begins anew."""
        self._write({"finished": now})

    def close(self) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConflictError(f"state_file {self.path}: another sweep is using it now", path=self.path) from error

    def _load(self) -> bool:
        """Read what is there. True if the last line has no end."""
        self._file.seek(0)
        first: Optional[dict[str, Any]] = None
        line = "\n"
        for line in self._file:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None  # the last line of a sweep that was killed
            if first is None:
                first = entry if isinstance(entry, dict) else {}
                if "sweep" not in first:
                    raise InvalidInput(f"state_file {self.path}: is not the journal of a sweep", field="state_file")
            elif isinstance(entry, dict) and isinstance(entry.get("machine"), str):
                self.machines.add(entry["machine"])
            elif isinstance(entry, dict) and "finished" in entry:
                self.machines.clear()
        return not line.endswith("\n")

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
