# SPDX-License-Identifier: BSD-2-Clause

"""Names the power drivers in their order. It is written by scripts/check_docs.py --write."""

from __future__ import annotations

from typing import Literal

DriverName = Literal["redfish", "ipmi", "pdu", "wake_on_lan", "command", "tasks"]

BMC_DRIVERS: tuple[DriverName, ...] = ("redfish", "ipmi")
"""Those that talk to a BMC, and what is tried when none is named."""

POWER_DRIVERS: tuple[DriverName, ...] = (*BMC_DRIVERS, "pdu", "wake_on_lan", "command", "tasks")
"""All that a machine may name. Those that don't talk to a BMC can only switch power; other modules pass over them."""
