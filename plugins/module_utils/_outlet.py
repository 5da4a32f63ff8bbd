# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches for ``pdu_outlet`` and ``wake_on_lan``. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._bmc_power import plan_power
from .fleetcore.host.clock import SystemClock
from .fleetcore.option import Options, option
from .fleetcore.ports import Plan, PowerAction, PowerState
from .fleetcore.power.base import PowerController, PowerOptions
from .fleetcore.power.options import seconds
from .fleetcore.power.pdu import OUTLET, controllers, open_outlets, outlets_of
from .fleetcore.power.wake_on_lan import WAKE, WakeOnLanDriver, wake_options

OUTLET_OPTIONS: Options = {
    **OUTLET,
    "outlet": option(
        "list",
        """
            Number of the outlet, as printed on the PDU, or its name, which has to be that of exactly one outlet.

            Several are switched one after the other, as the supplies of one machine. It counts as on when all are on,
            as off when all are off. If one can't be switched off, those before it are switched on again.
        """,
        elements="str",
        required=True,
    ),
    "state": option(
        "str",
        """
            V(on) and V(off) do nothing to an outlet that is so already. V(cycle) switches off, waits O(off_seconds),
            and switches on.
        """,
        choices=["on", "off", "cycle"],
        required=True,
    ),
    "outlet_delay": option("float", "Seconds between one outlet and the next.", default=0),
    "off_seconds": option("float", "Seconds that O(state=cycle) leaves the outlet off.", default=5),
    "verify_timeout": option("float", "Seconds that the PDU has to show the state.", default=30),
}
"""Of ``pdu_outlet``."""
WAKE_OPTIONS: Options = {
    **WAKE,
    "wait_timeout": option(
        "float",
        "With O(probe_host), seconds that the machine has to answer. The packets are sent up to three times in them.",
        default=300,
    ),
}
"""Of ``wake_on_lan``."""


def outlet_plan(params: Mapping[str, Any]) -> Plan:
    """Switch outlets of one PDU, and read back that they are switched."""
    clock = SystemClock()
    power = PowerOptions(
        graceful_timeout=0,
        off_seconds=seconds(params, "off_seconds"),
        verify_timeout=seconds(params, "verify_timeout"),
    )
    seconds(params, "outlet_delay")
    asked = {**params, "pdu": [{**params, "outlet": outlet} for outlet in params["outlet"]]}
    driver = open_outlets(outlets_of(asked), clock)
    return plan_power(driver, clock, params["state"], power, controllers=controllers(asked))


def wake_plan(params: Mapping[str, Any]) -> Plan:
    """Send the packet, and wait for the machine when it is known how to ask it."""
    options = wake_options(params)
    clock = SystemClock()
    driver = WakeOnLanDriver(options, clock)
    before = driver.power_state()
    state = {"power_state": before.value}

    def facts(after: PowerState) -> Mapping[str, Any]:
        verified = after is PowerState.ON
        wake = {"mac": options["mac"], "before": before.value, "after": after.value, "verified": verified}
        return {"wake": wake}

    def apply() -> Mapping[str, Any]:
        if driver.reads_state:
            power = PowerOptions(verify_timeout=seconds(params, "wait_timeout"))
            return facts(PowerController(driver, clock, power).run("on").after)
        driver.set_power(PowerAction.ON)
        return facts(PowerState.UNKNOWN)

    after = state if before is PowerState.ON else {"power_state": "on"}
    return Plan(before=state, after=after, preview=lambda: facts(before), apply=apply)
