# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Drivers in the order that the machine names, with a record of what was tried."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Callable, Optional, TypeVar

from ..document.model import Attempt, Device
from ..errors import (
    BadResponse,
    Busy,
    FleetError,
    InvalidInput,
    MissingDependency,
    SessionLimit,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ..ports import Clock, PowerDriver
from ..redfish.cache import Cache
from ..redfish.capture import Record, Recording, RecordingWalker
from ..redfish.capture import replay as replay_redfish
from ..redfish.collector import collect as collect_redfish
from ..redfish.collector import collect_async as collect_redfish_async
from .base import check_can
from .options import DRIVERS, POWER_DRIVERS, BmcOptions, bmc_options

# Drivers are imported when they are used: sushy costs 0.5 s of CPU to import, pyghmi 0.2 s, and each module run pays it.
# ruff: noqa: PLC0415

T = TypeVar("T")

# Only errors that say nothing against the next driver lead to it. A refused password would be sent to the same account again,
# an untrusted certificate is not answered with a weaker protocol, and a wrong system name stays wrong.
NEXT_DRIVER = (BadResponse, Busy, MissingDependency, SessionLimit, TimedOut, Unreachable, Unsupported)


Makers = Mapping[str, Callable[[], PowerDriver]]
"""What makes each driver of a machine, by name, in the order in which they are tried."""


def open_power(
    options: BmcOptions, clock: Clock, state: Optional[str] = None
) -> tuple[PowerDriver, tuple[Attempt, ...]]:
    """:func:`open_first` over the BMC's own drivers."""
    return open_first(_of_bmc(options, clock), state)


def open_first(makers: Makers, state: Optional[str] = None) -> tuple[PowerDriver, tuple[Attempt, ...]]:
    """The first driver that answers when asked for the power state, and what was tried. The caller closes it.

    :param state: pass over drivers that can't bring a machine to it.
    :raises FleetError: none did; the message has every driver's reason, ``details["attempts"]`` too.
    """

    def attempt(name: str) -> PowerDriver:
        driver = makers[name]()
        try:
            if state is not None:
                check_can(driver, state)
            driver.power_state()
            if state is not None:
                check_can(driver, state)  # only a BMC that has let in tells what it offers
        except BaseException:
            driver.close()
            raise
        return driver

    return first_driver(tuple(makers), attempt)


def power_drivers(params: Mapping[str, Any], clock: Clock) -> Makers:
    """The drivers that the options name, each with the options of its name; all of them are checked.

    :param params: ``drivers``, the options of the BMC, ``pdu``, ``outlet_delay``, ``wake_on_lan``, ``command`` and ``tasks``.
    :raises InvalidInput: an option is wrong, or is missing for a driver.
    """
    names = tuple(params.get("drivers") or DRIVERS)
    makers: dict[str, Callable[[], PowerDriver]] = {}
    for name in names:
        if name in DRIVERS:
            if not params.get("address"):
                raise InvalidInput(
                    f"address: the driver {name} needs the address of the BMC (bmc_address in the inventory)",
                    field="address",
                )
            makers[name] = _of_bmc(bmc_options(params), clock)[name]
        elif name not in POWER_DRIVERS:
            raise InvalidInput(f"drivers: {name!r} is not one of {', '.join(POWER_DRIVERS)}", field="drivers")
        elif not params.get(name):
            raise InvalidInput(f"{name}: the driver {name} needs the option of this name", field=name)
        else:
            makers[name] = _maker(name, params, clock)
    return makers


def _of_bmc(options: BmcOptions, clock: Clock) -> Makers:
    def make(name: str) -> PowerDriver:
        if name == "ipmi":
            from .ipmi import IpmiDriver

            return IpmiDriver(options, clock)
        if name != "redfish":
            raise Unsupported(f"{name} is no driver of a BMC", driver=name)
        from .redfish import RedfishDriver

        return RedfishDriver(options, clock)

    return {name: partial(make, name) for name in options.drivers}


def _maker(name: str, params: Mapping[str, Any], clock: Clock) -> Callable[[], PowerDriver]:
    if name == "pdu":
        from .pdu import outlets_driver, pdu_options

        for entry in params["pdu"]:
            pdu_options(entry)
        delay, timeout = float(params.get("outlet_delay") or 0.0), float(params.get("verify_timeout") or 30.0)
        return partial(outlets_driver, params["pdu"], clock, delay, timeout)
    if name == "wake_on_lan":
        from .wake_on_lan import WakeOnLanDriver, wake_options

        return partial(WakeOnLanDriver, wake_options(params["wake_on_lan"]), clock)
    if name == "command":
        from .command import CommandDriver, command_options

        return partial(CommandDriver, command_options(params["command"]), clock)
    from .tasks import TaskDriver, task_options

    return partial(TaskDriver, task_options(params["tasks"]), clock)


def check_collects(name: str) -> None:
    """Is it a driver over which hardware can be read?

    :raises Unsupported: it can only switch power.
    """
    if name not in DRIVERS:
        raise Unsupported(f"{name} can only switch power", driver=name)


def collect(
    options: BmcOptions,
    clock: Clock,
    sections: Optional[Iterable[str]] = None,
    record: Optional[Record] = None,
    cache: Optional[Cache] = None,
) -> Device:
    """The device document from the first driver that can collect one; ``attempts`` in it says what was tried.

    The deadline of the options is for all drivers together.

    :param record: takes down what the BMC says, also when it ends with an error.
    :param cache: of what the BMC said before; the caller saves it.
    :raises FleetError: see :func:`open_power`.
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
    tried = _Tried()
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
    from .ipmi import collect_ipmi

    return collect_ipmi(options, clock, sections, record)


def replay(recording: Recording, sections: Optional[Iterable[str]] = None, system: Optional[str] = None) -> Device:
    """The device document of a capture: as it was when it was recorded, but for ``stats``.

    Without ``sections`` and ``system`` those of the recording count.

    :raises FleetError: as :func:`collect`.
    """
    if recording.driver == "ipmi":
        from .ipmi import replay_ipmi

        return replay_ipmi(recording, sections, system)
    return replay_redfish(recording, sections, system)


def first_driver(names: Sequence[str], attempt: Callable[[str], T]) -> tuple[T, tuple[Attempt, ...]]:
    """What ``attempt`` returns for the first driver with which it succeeds, and what was tried; see :func:`open_first`."""
    tried = _Tried()
    for name in names:
        try:
            found = attempt(name)
        except FleetError as error:
            if not tried.goes_on(name, error):
                break
        else:
            return found, tried.until(name)
    raise tried.error()


class _Tried:
    """The drivers that failed, and what that means."""

    def __init__(self) -> None:
        self._attempts: list[Attempt] = []
        self._errors: list[FleetError] = []

    def goes_on(self, name: str, error: FleetError) -> bool:
        """Note the failure. Is the next driver tried?"""
        self._attempts.append(Attempt(name, error.code, error.message))
        self._errors.append(error)
        return isinstance(error, NEXT_DRIVER)

    def until(self, name: str) -> tuple[Attempt, ...]:
        """All attempts, when this one succeeded."""
        return (*self._attempts, Attempt(name))

    def error(self) -> FleetError:
        """The one error of all of them."""
        errors, tried = self._errors, self._attempts
        if not errors:
            return InvalidInput("drivers: the list is empty", field="drivers")
        last = errors[-1] if not isinstance(errors[-1], NEXT_DRIVER) else errors[0]
        if len(errors) > 1:
            last.message = "; ".join(f"{item.driver}: {item.reason}" for item in tried)
            last.args = (last.message,)
        last.details["attempts"] = [
            {"driver": item.driver, "error": item.error, "reason": item.reason} for item in tried
        ]
        return last
