# SPDX-License-Identifier: BSD-2-Clause
"""A look into the database, again and again, while somebody listens for what is new."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod

from fleetcore.errors import FleetError

from fleetd.common import logs

PERIOD = 1.0  # seconds
_log = logs.get("fleetd.api")


class Looker(ABC):
    """Looks when it is woken, and once in a period, because another server may have written.

    Use it from one event loop.

    :param name: in logs. :param period: seconds between two looks when nothing wakes it.
    :param gap: seconds between two looks at least, however often it is woken.
    """

    def __init__(self, name: str, period: float, gap: float) -> None:
        self._name = name
        self._period = period
        self._gap = gap
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.looks = 0
        self.closed = False

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def close(self) -> None:
        """The server stops: all listeners end."""
        self.closed = True
        self._ring()
        self.wake()

    def _listen(self) -> None:
        """Somebody listens from now on."""
        self.wake()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        self._begin()
        while self._wanted() and not self.closed:
            self._wake.clear()
            self.looks += 1
            more = False
            try:
                more = await self._look()
            except FleetError as exc:
                _log.warning(f"{self._name}_failed", code=exc.code, message=exc.message)
            except Exception:  # noqa: BLE001 - a defect must not silence all listeners
                _log.exception(f"{self._name}_failed")
            await asyncio.sleep(self._gap)
            if not more:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._period)

    @abstractmethod
    def _wanted(self) -> bool:
        """Whether anybody listens."""

    @abstractmethod
    async def _look(self) -> bool:
        """Look, and tell those who listen; whether there is more to see at once."""

    @abstractmethod
    def _ring(self) -> None:
        """Let all who listen go on."""

    def _begin(self) -> None:  # noqa: B027 - most have nothing to do
        """Forget what was seen before: nobody has listened meanwhile."""
