# SPDX-License-Identifier: BSD-2-Clause
"""The operator's command that hears of changes."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence

from fleetd.common import logs

_SECONDS = 60.0


class Hook:
    """Runs a command with a text on its input, one at a time; of texts that come meanwhile it gets the last."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = list(argv)
        self._lock = threading.Lock()
        self._next: str | None = None
        self._running = False
        self._log = logs.get("fleetd.monitor")

    def notify(self, text: str) -> None:
        """Returns at once."""
        with self._lock:
            self._next = text
            if self._running or not self._argv:
                return
            self._running = True
        threading.Thread(target=self._work, name="hook", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                text, self._next = self._next, None
                if text is None:
                    self._running = False
                    return
            try:
                done = subprocess.run(  # noqa: S603 - the operator's own command
                    self._argv, input=text.encode(), stdout=subprocess.DEVNULL, timeout=_SECONDS, check=False
                )
            except (OSError, subprocess.SubprocessError) as error:
                self._log.warning("hook_failed", command=self._argv[0], message=str(error))
            else:
                if done.returncode:
                    self._log.warning("hook_failed", command=self._argv[0], rc=done.returncode)
