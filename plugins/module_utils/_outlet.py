# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``pdu_outlet`` and ``wake_on_lan`` do with their options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._bmc import plan_power
from ._boundary import Plan
from .fleetcore.host.clock import SystemClock
from .fleetcore.ports import PowerAction, PowerState
from .fleetcore.power.base import PowerController, PowerOptions
from .fleetcore.power.controllers import outlet_controllers
from .fleetcore.power.options import seconds
from .fleetcore.power.pdu import outlets_driver
from .fleetcore.power.wake_on_lan import WakeOnLanDriver, wake_options


def outlet_plan(params: Mapping[str, Any]) -> Plan:
    """Switch outlets of one PDU, and read back that they are switched."""
    clock = SystemClock()
    power = PowerOptions(
        graceful_timeout=0,
        off_seconds=seconds(params, "off_seconds"),
        verify_timeout=seconds(params, "verify_timeout"),
    )
    entries = [{**params, "outlet": outlet} for outlet in params["outlet"]]
    driver = outlets_driver(entries, clock, seconds(params, "outlet_delay"), power.verify_timeout)
    return plan_power(driver, clock, params["state"], power, {}, outlet_controllers(entries))


def wake_plan(params: Mapping[str, Any]) -> Plan:
    """Send the packet, and wait for the machine when it is known how to ask it."""
    options = wake_options(params)
    clock = SystemClock()
    driver = WakeOnLanDriver(options, clock)
    before = driver.power_state()
    state = {"power_state": before.value}
    preview = {
        "wake": {"mac": options.mac, "before": before.value, "after": before.value, "verified": before is PowerState.ON}
    }

    def apply() -> Mapping[str, Any]:
        after = PowerState.UNKNOWN
        if options.probe is None:
            driver.set_power(PowerAction.ON)
        else:
            power = PowerOptions(verify_timeout=seconds(params, "wait_timeout"))
            after = PowerController(driver, clock, power).run("on").after
        verified = after is PowerState.ON
        return {"wake": {"mac": options.mac, "before": before.value, "after": after.value, "verified": verified}}

    after = state if before is PowerState.ON else {"power_state": "on"}
    return Plan(before=state, after=after, preview=lambda: preview, apply=apply)
