# SPDX-License-Identifier: BSD-2-Clause

"""Tries the drivers of a machine in the order that it names, with a record of what was tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, TypeVar

from ..document.model import Attempt
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
from ..option import Params
from ..ports import Clock, PowerDriver, PowerState
from .base import check_can
from .driver import Driver
from .names import BMC_DRIVERS, POWER_DRIVERS
from .options import BmcOptions
from .redfish import RedfishDriver
from .registry import DRIVERS

T = TypeVar("T")

# Only errors that say nothing against the next driver lead to it. A refused password would be sent to the same account
# again, an untrusted certificate is not answered with a weaker protocol, and a wrong system name stays wrong.
NEXT_DRIVER = (BadResponse, Busy, MissingDependency, SessionLimit, TimedOut, Unreachable, Unsupported)

Makers = Mapping[str, Callable[[bool], PowerDriver]]
"""Makers of the drivers of a machine, by name, in the order in which they are tried.

They are told whether the machine is known to be the only one behind its BMC: then there is no system to choose.
"""


class Opened(NamedTuple):
    """A driver that answered, which the caller closes; the power state that it read, and what was tried."""

    driver: PowerDriver
    state: PowerState
    attempts: tuple[Attempt, ...]


def open_power(options: BmcOptions, clock: Clock) -> Opened:
    """Open the first driver that answers, of those that need nothing but the BMC; see :func:`open_first`."""

    def make(name: str, alone: bool) -> PowerDriver:
        if name not in BMC_DRIVERS:
            raise Unsupported(f"{name} is no driver of a BMC", driver=name)
        return _open(DRIVERS[name], options, clock, alone)

    return open_first({name: partial(make, name) for name in options.drivers})


def _open(driver: Driver, options: Any, clock: Clock, alone: bool) -> PowerDriver:
    return driver.open(replace(options, system=None) if alone and driver.needs_bmc else options, clock)


def open_first(makers: Makers, state: Optional[str] = None) -> Opened:
    """Open the first driver that answers when it is asked for the power state.

    :param state: pass over drivers that can't bring a machine to it.
    :raises FleetError: none did; the message has every driver's reason, ``details["attempts"]`` too.
    """

    alone = False

    def attempt(name: str) -> tuple[PowerDriver, PowerState]:
        nonlocal alone
        driver = makers[name](alone)
        try:
            if state is not None:
                check_can(driver, state)
            found = driver.power_state()
            if state is not None:
                check_can(driver, state)  # only a BMC that has let in tells what it offers
        except BaseException as error:
            alone = isinstance(driver, RedfishDriver) and isinstance(error, NEXT_DRIVER) and driver.is_alone()
            driver.close()
            raise
        return driver, found

    (driver, found), attempts = first_driver(tuple(makers), attempt)
    return Opened(driver, found, attempts)


def power_drivers(params: Params, clock: Clock) -> Makers:
    """Check the options of all drivers that are named, and give what makes them.

    :raises InvalidInput: an option is wrong, or is missing for a driver.
    """
    makers: dict[str, Callable[[bool], PowerDriver]] = {}
    for name in tuple(params.get("drivers") or BMC_DRIVERS):
        driver = DRIVERS.get(name)
        if driver is None:
            raise InvalidInput.of("drivers", f"{name!r} is not one of {', '.join(POWER_DRIVERS)}")
        if driver.needs_bmc and not params.get("address"):
            raise InvalidInput.of(
                "address", f"the driver {name} needs the address of the BMC (bmc_address in the inventory)"
            )
        if not driver.needs_bmc and not params.get(name):
            raise InvalidInput.of(name, f"the driver {name} needs the option of this name")
        makers[name] = partial(_open, driver, driver.check(params), clock)
    return makers


def first_driver(names: Sequence[str], attempt: Callable[[str], T]) -> tuple[T, tuple[Attempt, ...]]:
    """Return what ``attempt`` returns for the first driver with which it succeeds, and what was tried.

    :raises FleetError: none did; the message has every driver's reason, ``details["attempts"]`` too.
    """
    tried = Tried()
    for name in names:
        try:
            found = attempt(name)
        except FleetError as error:
            if not tried.goes_on(name, error):
                break
        else:
            return found, tried.until(name)
    raise tried.error()


class Tried:
    """Notes the drivers that failed, and tells what that means."""

    def __init__(self) -> None:
        self._attempts: list[Attempt] = []
        self._errors: list[FleetError] = []

    def goes_on(self, name: str, error: FleetError) -> bool:
        """Note the failure; say whether the next driver is tried."""
        self._attempts.append(Attempt(name, error.code, error.message))
        self._errors.append(error)
        return isinstance(error, NEXT_DRIVER)

    def until(self, name: str) -> tuple[Attempt, ...]:
        """Give all attempts, when this one succeeded."""
        return (*self._attempts, Attempt(name))

    def error(self) -> FleetError:
        """Make one error of all of them."""
        errors, tried = self._errors, self._attempts
        if not errors:
            return InvalidInput.of("drivers", "the list is empty")
        # That IPMI does not choose a system is no fault of the options where Redfish, which does, was to be the first.
        said = [item for item in errors if item.details.get("field") != "system"] or errors
        last = said[-1] if not isinstance(said[-1], NEXT_DRIVER) else said[0]
        if len(errors) > 1:
            last.message = "; ".join(f"{item.driver}: {item.reason}" for item in tried)
            last.args = (last.message,)
        last.details["attempts"] = [
            {"driver": item.driver, "error": item.error, "reason": item.reason} for item in tried
        ]
        return last
