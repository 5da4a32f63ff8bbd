# SPDX-License-Identifier: BSD-2-Clause
"""Follows the changes of the machine's own description, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fleetcore.errors import FleetError, TransientError
from fleetcore.net.retry import ExponentialWait

from fleetd.common import logs

_WAIT = ExponentialWait(1.0, 60.0)  # seconds between attempts
_REFUSED = ExponentialWait(300.0, 300.0)


def pause(failures: int, error: FleetError | None, random: float) -> float:
    """Seconds before the stream is opened again; longest where trying again is not likely to help."""
    helps = error is None or isinstance(error, TransientError)
    return (_WAIT if helps else _REFUSED).after(failures + 1, random)


@dataclass
class Follower:
    """Calls ``told`` when the stream opens and at each change; opens it again when it breaks.

    :param updates: a stream; see :meth:`fleetcore.net.client.server.ServerClient.description_updates`.
    """

    updates: Callable[[], Iterator[None]]
    told: Callable[[], None]
    random: Callable[[], float]
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self) -> None:
        threading.Thread(target=self.run, name="follow", daemon=True).start()

    def stop(self) -> None:
        """No new attempts. A stream that is open ends with the process."""
        self._stop.set()

    def run(self) -> None:
        failures = 0
        said = ""
        while not self._stop.is_set():
            error: FleetError | None = None
            try:
                for _change in self.updates():
                    failures, said = 0, ""
                    self.told()
                    if self._stop.is_set():
                        return
            except FleetError as caught:
                error = caught
                if error.code != said and not self._stop.is_set():
                    said = error.code
                    logs.get("fleetd.monitor").info(
                        "stream_lost", message=f"{error.message}; polling meanwhile", code=error.code
                    )
            self._stop.wait(pause(failures, error, self.random()))
            failures += 1
