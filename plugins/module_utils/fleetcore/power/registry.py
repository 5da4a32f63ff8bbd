# SPDX-License-Identifier: BSD-2-Clause

"""Lists the power drivers in their order. It is written by scripts/check_docs.py --write."""

from __future__ import annotations

from collections.abc import Mapping

from . import command, ipmi, pdu, redfish, tasks, wake_on_lan
from .driver import Driver

DRIVERS: Mapping[str, Driver] = {
    driver.name: driver
    for driver in (
        redfish.DRIVER,
        ipmi.DRIVER,
        pdu.DRIVER,
        wake_on_lan.DRIVER,
        command.DRIVER,
        tasks.DRIVER,
    )
}
