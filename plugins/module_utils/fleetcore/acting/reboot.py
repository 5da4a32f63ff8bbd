# SPDX-License-Identifier: BSD-2-Clause

"""Restarts a machine so that what was staged is applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Callable, Optional, TypeVar

from ..errors import FleetError
from ..host.locks import FileLocks
from ..option import Options, option
from ..ports import Clock, Locks
from ..power.attempts import open_power
from ..power.base import PowerController, PowerOptions
from ..power.controllers import CONTROLLER_TIMEOUT, controllers_of
from ..power.options import bmc_options, seconds
from .base import read_back

T = TypeVar("T")

OPTIONS: Options = {
    "reboot": option(
        "bool",
        """
            Whether to restart the machine when that is needed, so that the settings get effective now, and to wait
            until they are.

            The operating system is asked to shut down, for O(graceful_timeout) seconds; then the power is cut. A
            machine that is off is switched on.
        """,
        default=False,
    ),
    "graceful_timeout": option(
        "float",
        "With O(reboot=true), seconds that the operating system has to shut down. With V(0) it is not asked.",
        default=300,
    ),
    "verify_timeout": option("float", "Seconds that the BMC has to show what was staged.", default=60),
    "apply_timeout": option(
        "float", "With O(reboot=true), seconds that the machine has to apply it and the BMC to show it.", default=1200
    ),
}
"""Of changes that are staged for the next boot."""


def reboot(params: Mapping[str, Any], clock: Clock, locks: Optional[Locks] = None) -> dict[str, Any]:
    """Power cycle the machine; the operating system is asked first, for ``graceful_timeout`` seconds.

    A machine that is off is switched on. Other power actions on the BMC are waited for. Returns what was done, as
    ``bmc_power`` does.

    :raises FleetError: as of :meth:`PowerController.run`.
    """
    options = dataclasses.replace(bmc_options(params), drivers=("redfish",))
    driver = open_power(options, clock).driver
    try:
        power = PowerOptions(graceful_timeout=seconds(params, "graceful_timeout"))
        with (locks or FileLocks(clock)).hold(controllers_of(driver.name, params), CONTROLLER_TIMEOUT):
            return PowerController(driver, clock, power).run("cycle").to_dict()
    finally:
        driver.close()


def reboot_until(
    params: Mapping[str, Any],
    clock: Clock,
    read: Callable[[], T],
    good: Callable[[T], bool],
    what: str,
    staged: Any,
) -> tuple[dict[str, Any], T]:
    """Reboot, then read until what was staged is in effect, for ``apply_timeout`` seconds.

    Returns what was done and what was read.

    :param staged: what waits for the reboot: ``details["staged"]`` of an error.
    :raises FleetError: the machine did not come back, or what was staged is not in effect.
    """
    try:
        power = reboot(params, clock)
        return power, read_back(clock, read, good, what, timeout=seconds(params, "apply_timeout"))
    except FleetError as error:
        error.details.setdefault("staged", staged)
        raise
