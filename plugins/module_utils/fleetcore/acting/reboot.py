# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Restarting a machine so that what was staged is applied."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from ..host.locks import FileLocks
from ..ports import Clock, Locks
from ..power.attempts import open_power
from ..power.base import PowerController, PowerOptions
from ..power.controllers import CONTROLLER_TIMEOUT, controllers_of
from ..power.options import bmc_options
from .base import seconds


def reboot(params: Mapping[str, Any], clock: Clock, locks: Optional[Locks] = None) -> dict[str, Any]:
    """Power cycle the machine: the operating system is asked first, for ``graceful_timeout`` seconds. A machine that is off is
    switched on. Returns what was done, as ``bmc_power`` does. Other power actions on the BMC are waited for.

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
