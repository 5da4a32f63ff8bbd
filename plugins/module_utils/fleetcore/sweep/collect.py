# SPDX-License-Identifier: BSD-2-Clause

"""Reads the hardware of one machine from its BMC, over the first driver that can, or from a capture."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any, Optional

from ..document.model import Device
from ..errors import FleetError, Unsupported
from ..ports import Clock
from ..power.attempts import Tried, first_driver
from ..power.ipmi import open_session, refuse_system
from ..power.options import BmcOptions
from ..redfish.cache import Cache
from ..redfish.capture import Recording
from ..redfish.collector import collect as collect_redfish
from ..redfish.collector import collect_async as collect_redfish_async
from ..redfish.record import Record, RecordingWalker
from ..redfish.replay import replay as replay_redfish

# pyghmi costs 0.2 s of CPU to import: only where it is used.
# ruff: noqa: PLC0415

READERS = ("redfish", "ipmi")
"""Drivers over which hardware can be read."""


def check_collects(name: str) -> None:
    """Check that hardware can be read over a driver.

    :raises Unsupported: it can only switch power.
    """
    if name not in READERS:
        raise Unsupported(f"{name} can only switch power", driver=name)


def collect(
    options: BmcOptions,
    clock: Clock,
    sections: Optional[Iterable[str]] = None,
    record: Optional[Record] = None,
    cache: Optional[Cache] = None,
) -> Device:
    """Make the device document over the first driver that can collect one; ``attempts`` in it says what was tried.

    The deadline of the options is for all drivers together.

    :param record: takes down what the BMC says, also when it ends with an error.
    :param cache: of what the BMC said before; the caller saves it.
    :raises FleetError: as of :func:`first_driver`.
    """
    asked = None if sections is None else tuple(sections)
    end = clock.monotonic() + options.deadline

    def attempt(name: str) -> Device:
        check_collects(name)
        left = _left(options, clock, end)
        if name == "ipmi":
            return _collect_ipmi(left, clock, asked, record)
        return collect_redfish(left.http(), clock, left.host, **_redfish(left, asked, record), cache=cache)

    device, attempts = first_driver(options.drivers, attempt)
    return dataclasses.replace(device, attempts=attempts)


async def collect_async(
    options: BmcOptions,
    clock: Clock,
    sections: Optional[Iterable[str]] = None,
    pool: Optional[Executor] = None,
    record: Optional[Record] = None,
    cache: Optional[Cache] = None,
) -> Device:
    """:func:`collect` in an event loop.

    :param pool: threads for drivers that block (IPMI); None: the loop's own.
    """
    asked = None if sections is None else tuple(sections)
    end = clock.monotonic() + options.deadline
    tried = Tried()
    for name in options.drivers:
        try:
            check_collects(name)
            left = _left(options, clock, end)
            if name == "ipmi":
                loop = asyncio.get_running_loop()
                device = await loop.run_in_executor(pool, _collect_ipmi, left, clock, asked, record)
            else:
                device = await collect_redfish_async(
                    left.http_async(), clock, left.host, **_redfish(left, asked, record), cache=cache
                )
        except FleetError as error:
            if not tried.goes_on(name, error):
                break
        else:
            return dataclasses.replace(device, attempts=tried.until(name))
    raise tried.error()


def _left(options: BmcOptions, clock: Clock, end: float) -> BmcOptions:
    return dataclasses.replace(options, deadline=max(1.0, end - clock.monotonic()))


def _redfish(options: BmcOptions, sections: Optional[tuple[str, ...]], record: Optional[Record]) -> dict[str, Any]:
    walker = RecordingWalker(record, sections, options.system) if record is not None else None
    return {
        "walker": walker,
        "username": options.username,
        "password": options.password,
        "sections": sections,
        "system": options.system,
        "timeout": options.timeout,
        "deadline": options.deadline,
    }


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
