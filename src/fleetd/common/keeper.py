# SPDX-License-Identifier: BSD-2-Clause
"""Keeps a session alive while its owner works, and tells it when the session is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from fleetcore.errors import ConflictError, FleetError


@dataclass
class SessionKeeper:
    """A thread of heartbeats.

    The session counts as lost when the server says so, and also when no heartbeat got through for ``interval`` seconds:
    by then the server may have given the work away. Any other error is tried again until that time.

    :param poke: sends one heartbeat; raises ConflictError when the session is gone. It must time out within the
        interval.
    :param interval: of the session, in seconds, which was made or poked just before ``start``.
    :param on_lost: called once, in the thread: stop what is going on.
    """

    poke: Callable[[], object]
    interval: float
    on_lost: Callable[[], object] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _lost: threading.Event = field(default_factory=threading.Event, init=False)
    _deadline: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="session-keeper", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether the session is lost: also when the thread has not noticed yet, because the machine slept."""
        return self._lost.is_set() or self.clock() >= self._deadline

    def start(self) -> None:
        """Begin; the deadline is ``interval`` from now."""
        self._deadline = self.clock() + self.interval
        self._thread.start()

    def stop(self) -> None:
        """No more heartbeats. Safe to call twice."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self.interval)

    def __enter__(self) -> SessionKeeper:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _loop(self) -> None:
        wait = self.interval / 2
        while not self._stop.wait(wait):
            sent = self.clock()
            if sent >= self._deadline:
                break
            try:
                self.poke()
            except ConflictError:
                break
            except FleetError:
                # The deadline stands; more often than otherwise, but not in a hurry.
                wait = max(0.0, min(self.interval / 10, self._deadline - self.clock()))
            else:
                self._deadline = sent + self.interval
                wait = self.interval / 2
        if not self._stop.is_set():
            self._lost.set()
            self.on_lost()
