# SPDX-License-Identifier: BSD-2-Clause

"""Reads the hardware of one machine from its BMC, over the first driver that can, or from a capture."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Optional

from ..document.model import Device
from ..errors import FleetError, Unsupported
from ..ports import Clock
from ..power.attempts import Tried
from ..power.ipmi import open_session, refuse_system
from ..power.options import BmcOptions
from ..redfish.cache import Cache
from ..redfish.capture import Recording
from ..redfish.collector import collect as collect_redfish
from ..redfish.record import Record, RecordingWalker
from ..redfish.replay import replay as replay_redfish
from ..redfish.walker import Walker

# pyghmi costs 0.2 s of CPU to import: only where it is used.
# ruff: noqa: PLC0415


async def collect(
    options: BmcOptions,
    clock: Clock,
    sections: Optional[Iterable[str]] = None,
    pool: Optional[Executor] = None,
    record: Optional[Record] = None,
    cache: Optional[Cache] = None,
) -> Device:
    """Make the device document over the first driver that can collect one; ``attempts`` in it says what was tried.

    The deadline of the options is for all drivers together.

    :param pool: threads for drivers that block (IPMI); None: they may block the event loop.
    :param record: takes down what the BMC says, also when it ends with an error.
    :param cache: of what the BMC said before; the caller saves it.
    :raises FleetError: no driver could; ``details["attempts"]`` has the reason of each.
    """
    asked = None if sections is None else tuple(sections)
    end = clock.monotonic() + options.deadline
    tried = Tried()
    for name in options.drivers:
        left = dataclasses.replace(options, deadline=max(1.0, end - clock.monotonic()))
        try:
            if name == "redfish":
                device = await _collect_redfish(left, clock, asked, record, cache)
            elif name != "ipmi":
                raise Unsupported(f"{name} can only switch power", driver=name)
            elif pool is None:
                device = _collect_ipmi(left, clock, asked, record)
            else:
                loop = asyncio.get_running_loop()
                device = await loop.run_in_executor(pool, _collect_ipmi, left, clock, asked, record)
        except FleetError as error:
            if not tried.goes_on(name, error):
                break
        else:
            return dataclasses.replace(device, attempts=tried.until(name))
    raise tried.error()


async def _collect_redfish(
    options: BmcOptions,
    clock: Clock,
    sections: Optional[tuple[str, ...]],
    record: Optional[Record],
    cache: Optional[Cache],
) -> Device:
    asked = (sections, options.system)
    return await collect_redfish(
        options.http_async(),
        clock,
        options.host,
        Walker(*asked) if record is None else RecordingWalker(record, *asked),
        username=options.username,
        password=options.password,
        timeout=options.timeout,
        deadline=options.deadline,
        cache=cache,
    )


def _collect_ipmi(
    options: BmcOptions, clock: Clock, sections: Optional[tuple[str, ...]], record: Optional[Record]
) -> Device:
    from ..ipmi.collector import collect as collect_ipmi

    return collect_ipmi(open_session(options, clock, record), sections, options.deadline)


def replay(recording: Recording, sections: Optional[Iterable[str]] = None, system: Optional[str] = None) -> Device:
    """Make the device document of a capture: as it was when it was recorded, but for ``stats``.

    Without ``sections`` and ``system`` those of the recording count.

    :raises FleetError: as :func:`collect`.
    """
    if recording.driver == "ipmi":
        from ..ipmi.collector import replay as replay_ipmi

        refuse_system(system)
        address = str(recording.facts.get("address") or "the capture")
        device = replay_ipmi(recording.commands, address, recording.sections(sections))
        return dataclasses.replace(device, collected_at=recording.collected_at, attempts=recording.attempts("ipmi"))
    return replay_redfish(recording, sections, system)
