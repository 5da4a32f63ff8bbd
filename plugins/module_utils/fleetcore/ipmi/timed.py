# SPDX-License-Identifier: BSD-2-Clause

"""A session of pyghmi that lasts as long as it is told: by itself it gives up by counts of its own."""

from __future__ import annotations

import time
from typing import Any

try:
    from pyghmi.ipmi.private.session import Session
except ImportError:
    Session = object


class TimedSession(Session):  # type: ignore[misc]
    """Gives up when a login, or a command, was not answered for ``seconds``. Till then it asks again.

    pyghmi calls its own methods of these names.
    """

    logontries: int
    timeout: float

    def __new__(cls, *login: Any, seconds: float) -> TimedSession:
        session: TimedSession = super().__new__(cls, *login)
        session._seconds = seconds
        session._begin()
        return session

    def __init__(self, *login: Any, seconds: float) -> None:  # noqa: ARG002  (is there since __new__)
        super().__init__(*login)

    def raw_command(self, *command: Any, **more: Any) -> Any:
        """Send a command."""
        self._begin()
        return super().raw_command(*command, **more)

    def abandon(self) -> None:
        """Log out in the middle of a command, whose answer nobody waits for any more."""
        self.incommand = False
        self.logout()

    def _begin(self) -> None:
        self._end = time.monotonic() + self._seconds

    def _timedout(self) -> None:
        """Ask again, or give up: there was no answer in ``timeout`` seconds, to which this adds one."""
        left = self._end - time.monotonic()
        if left > 0.01:
            self.logontries = max(self.logontries, 1)
            self.timeout = min(self.timeout, left - 1)
        else:
            self.logontries = self.maxtimeout = 0
        super()._timedout()
