# SPDX-License-Identifier: BSD-2-Clause
"""One task that looks for all who listen: at once when it is woken, else once in its period."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

from fleetcore.errors import FleetError

from fleetd.common import logs

_log = logs.get("fleetd.api")


class Watching:
    """Looks while there are listeners. Use it from one event loop.

    :ivar failed: event of the log when a look fails.
    :ivar looks: how often it has looked; for tests.
    :param listeners: those who listen now; falsy when there is none.
    :param period: seconds between two looks when nothing wakes it.
    :param gap: seconds between two looks at least, however often it is woken.
    """

    failed = "watching_failed"

    def __init__(self, listeners: Collection[object], period: float, gap: float) -> None:
        self._all = listeners
        self._period = period
        self._gap = gap
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.looks = 0
        self.closed = False

    def wake(self) -> None:
        """Something may have changed."""
        self._wake.set()

    async def _look(self) -> bool:
        """Look once; whether there is more to see at once."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Forget what was seen before anybody listened."""

    def _heard(self) -> None:
        """Look soon, because somebody has begun to listen."""
        self.wake()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        self._begin()
        while self._all and not self.closed:
            self._wake.clear()
            more = False
            self.looks += 1
            try:
                more = await self._look()
            except FleetError as exc:
                _log.warning(self.failed, code=exc.code, message=exc.message)
            except Exception:  # noqa: BLE001 - a defect must not silence all listeners
                _log.exception(self.failed)
            await asyncio.sleep(self._gap)
            if not more:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._period)
