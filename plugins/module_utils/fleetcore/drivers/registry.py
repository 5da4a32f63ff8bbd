# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Drivers in the order that the machine names, with a record of what was tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Callable, Optional, TypeVar

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
from ..model import Attempt, Device
from ..ports import Clock, PowerDriver
from ..redfish.collector import collect as collect_redfish
from .options import BmcOptions

# Drivers are imported when they are used: sushy costs 0.5 s of CPU to import, pyghmi 0.2 s, and each module run pays it.
# ruff: noqa: PLC0415

T = TypeVar("T")

# Only errors that say nothing against the next driver lead to it. A refused password would be sent to the same account again,
# an untrusted certificate is not answered with a weaker protocol, and a wrong system name stays wrong.
NEXT_DRIVER = (BadResponse, Busy, MissingDependency, SessionLimit, TimedOut, Unreachable, Unsupported)


def open_power(options: BmcOptions, clock: Clock) -> tuple[PowerDriver, tuple[Attempt, ...]]:
    """The first driver that reports a power state, and what was tried. The caller closes it.

    :raises FleetError: none did; the message has every driver's reason, ``details["attempts"]`` too.
    """

    def attempt(name: str) -> PowerDriver:
        driver = _driver(name, options, clock)
        try:
            driver.power_state()
        except BaseException:
            driver.close()
            raise
        return driver

    return first_driver(options, attempt)


def collect(options: BmcOptions, clock: Clock, sections: Optional[Iterable[str]] = None) -> Device:
    """The device document from the first driver that can collect one; ``attempts`` in it says what was tried.

    :raises FleetError: see :func:`open_power`.
    """
    asked = None if sections is None else tuple(sections)

    def attempt(name: str) -> Device:
        if name == "ipmi":
            from .ipmi import collect_ipmi

            return collect_ipmi(options, clock, asked)
        return collect_redfish(
            options.http(),
            clock,
            options.host,
            username=options.username,
            password=options.password,
            sections=asked,
            system=options.system,
            timeout=options.timeout,
            deadline=options.deadline,
        )

    device, attempts = first_driver(options, attempt)
    return dataclasses.replace(device, attempts=attempts)


def _driver(name: str, options: BmcOptions, clock: Clock) -> PowerDriver:
    if name == "ipmi":
        from .ipmi import IpmiDriver

        return IpmiDriver(options, clock)
    from .redfish import RedfishDriver

    return RedfishDriver(options, clock)


def first_driver(options: BmcOptions, attempt: Callable[[str], T]) -> tuple[T, tuple[Attempt, ...]]:
    """What ``attempt`` returns for the first driver with which it succeeds, and what was tried; see :func:`open_power`."""
    tried: list[Attempt] = []
    errors: list[FleetError] = []
    for name in options.drivers:
        try:
            found = attempt(name)
        except FleetError as error:
            tried.append(Attempt(name, error.code, error.message))
            errors.append(error)
            if not isinstance(error, NEXT_DRIVER):
                break
        else:
            return found, (*tried, Attempt(name))
    if not errors:
        raise InvalidInput("drivers: the list is empty", field="drivers")
    last = errors[-1] if not isinstance(errors[-1], NEXT_DRIVER) else errors[0]
    if len(errors) > 1:
        last.message = "; ".join(f"{item.driver}: {item.reason}" for item in tried)
        last.args = (last.message,)
    last.details["attempts"] = [{"driver": item.driver, "error": item.error, "reason": item.reason} for item in tried]
    raise last
