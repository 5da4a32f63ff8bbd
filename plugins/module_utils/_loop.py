# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs work in an event loop so that it can be interrupted. Private to this collection."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Optional, TypeVar

from . import _boundary

T = TypeVar("T")


def run_in_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end.

    An interruption while the loop waits cancels ``work`` alone, which logs out. What is raised into a loop cancels all
    that runs in it, a login whose answer is on its way, too.
    """
    stopped: Optional[BaseException] = None

    async def whole() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(interruption: BaseException) -> bool:
            nonlocal stopped
            waits = task is not None and asyncio.current_task(loop) is None
            if task is not None and waits:
                stopped = interruption
                loop.call_soon_threadsafe(task.cancel)
            return waits

        _boundary.stopping.append(stop)
        try:
            return await work
        except asyncio.CancelledError:
            if stopped is not None:
                raise stopped from None
            raise
        finally:
            _boundary.stopping.remove(stop)

    return asyncio.run(whole())
