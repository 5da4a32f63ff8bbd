# SPDX-License-Identifier: BSD-2-Clause
"""Keeps a session alive while its owner works, and tells it when the session is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from fleetcore.errors import ConflictError, FleetError


class SessionKeeper:
    """A thread of heartbeats.

    The session counts as lost when the server says so, and also when no heartbeat got through for ``interval`` seconds:
    by then the server may have given the work away. Any other error is tried again until that time.

    :param poke: sends one heartbeat; raises ConflictError when the session is gone. It must time out within the
        interval.
    :param interval: of the session, in seconds, which was made or poked just before ``start``.
    :param on_lost: called once, in the thread: stop what is going on.
    """

    def __init__(
        self,
        poke: Callable[[], object],
        interval: float,
        on_lost: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poke = poke
        self._interval = interval
        self._on_lost = on_lost
        self._clock = clock
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="session-keeper", daemon=True)
        self._deadline = 0.0

    @property
    def lost(self) -> bool:
        """Whether the session is lost: also when the thread has not noticed yet, because the machine slept."""
        return self._lost.is_set() or self._clock() >= self._deadline

    def start(self) -> None:
        """Begin; the deadline is ``interval`` from now."""
        self._deadline = self._clock() + self._interval
        self._thread.start()

    def stop(self) -> None:
        """No more heartbeats. Safe to call twice."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._interval)

    def __enter__(self) -> SessionKeeper:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _loop(self) -> None:
        wait = self._interval / 2
        while not self._stop.wait(wait):
            sent = self._clock()
            if sent >= self._deadline:
                break
            try:
                self._poke()
            except ConflictError:
                break
            except FleetError:
                # The deadline stands; more often than otherwise, but not in a hurry.
                wait = max(0.0, min(self._interval / 10, self._deadline - self._clock()))
            else:
                self._deadline = sent + self._interval
                wait = self._interval / 2
        if not self._stop.is_set():
            self._lost.set()
            self._on_lost()
