# SPDX-License-Identifier: BSD-2-Clause
"""Device documents of this machine, collected in a process of their own: memory and hung reads go with it.

``python -m fleetd.monitor.adapters.documents '{"timeout": 30, "deadline": 180}'`` prints one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from fleetd.common import logs

_MARGIN = 30.0  # seconds that the process may take beside its deadline


class Collector:
    """Collects when told to; ``done`` is called from another thread when there is something to :meth:`take`."""

    def __init__(self, tool_seconds: float, collect_seconds: float, done: Callable[[], None]) -> None:
        self._options = json.dumps({"timeout": tool_seconds, "deadline": collect_seconds})
        self._limit = collect_seconds + _MARGIN
        self._done = done
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._document: dict[str, Any] | None = None
        self._closed = False
        self.busy = False
        self._log = logs.get("fleetd.monitor")

    def start(self) -> None:
        """Begin to collect; nothing if that goes on already."""
        if not self.busy:
            self.busy = True
            threading.Thread(target=self._work, name="documents", daemon=True).start()

    def take(self) -> dict[str, Any] | None:
        """A document that is ready, once."""
        with self._lock:
            found, self._document = self._document, None
            return found

    def collect(self) -> dict[str, Any] | None:
        """A document; None if that failed, which is logged."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLEETD_")}
        command = [sys.executable, "-m", "fleetd.monitor.adapters.documents", self._options]
        with self._lock:
            if self._closed:
                return None
            try:
                process = self._process = subprocess.Popen(  # noqa: S603
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
                )
            except OSError as error:  # no memory, no process to be had: the next one is another chance
                self._log.error("collect_failed", message=f"it can't be started: {error.strerror}")
                return None
        try:
            output, problems = process.communicate(timeout=self._limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            output, problems = b"", b"it did not end in time"
        finally:
            self._process = None
        with contextlib.suppress(ValueError):
            document = json.loads(output)
            if isinstance(document, dict):
                return document
        if not self._closed:
            why = problems.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
            self._log.error("collect_failed", message=why or "no document came of it", rc=process.poll())
        return None

    def close(self) -> None:
        """End what is being collected."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.terminate()

    def _work(self) -> None:
        found = self.collect()
        with self._lock:
            self._document = found
        self.busy = False
        self._done()


def main(options: str) -> None:
    """Print the device document of this machine as JSON."""
    from fleetcore.document.model import to_dict  # noqa: PLC0415
    from fleetcore.host.clock import SystemClock  # noqa: PLC0415 - the monitor itself does without the collectors
    from fleetcore.inband.collect.collector import collect  # noqa: PLC0415
    from fleetcore.inband.collect.host import SystemFiles, SystemRunner  # noqa: PLC0415
    from fleetcore.inband.collect.probe import Options  # noqa: PLC0415

    document, _capture = collect(SystemRunner(), SystemFiles(), SystemClock(), Options(**json.loads(options)))
    sys.stdout.write(json.dumps({**to_dict(document), "source": "inband"}))
    sys.stdout.flush()
    os._exit(0)  # a read that hangs in the kernel must not keep it


if __name__ == "__main__":
    main(sys.argv[1])
