# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module that talks to a BMC shares: its options, and what ``bmc_info`` and ``bmc_power`` do with them."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from ._boundary import Plan
from .fleetcore.clock import SystemClock
from .fleetcore.drivers.base import PowerController, PowerOptions, PowerResult, PowerStep, plan
from .fleetcore.drivers.options import bmc_options
from .fleetcore.drivers.registry import collect, open_power
from .fleetcore.errors import InvalidInput
from .fleetcore.model import to_dict
from .fleetcore.ports import PowerState

# Documented by doc_fragments/bmc.py.
BMC: dict[str, Any] = {
    "address": {"type": "str", "required": True},
    "username": {"type": "str", "fallback": (env_fallback, ["BMC_USERNAME"])},
    "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["BMC_PASSWORD"])},
    "drivers": {"type": "list", "elements": "str", "choices": ["redfish", "ipmi"], "default": ["redfish", "ipmi"]},
    "redfish_scheme": {"type": "str", "choices": ["https", "http"], "default": "https"},
    "redfish_port": {"type": "int"},
    "ipmi_port": {"type": "int", "default": 623},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "fingerprint": {"type": "str"},
    "timeout": {"type": "float", "default": 30},
    "deadline": {"type": "float", "default": 300},
    "system": {"type": "str"},
}


def info_plan(params: Mapping[str, Any]) -> Plan:
    """Read only: the same in check mode."""
    options = bmc_options(params)

    def read() -> Mapping[str, Any]:
        # Stopped in the middle, it still logs out: BMCs have few sessions, and keep forgotten ones for half an hour.
        signal.signal(signal.SIGTERM, _interrupted)
        device = to_dict(collect(options, SystemClock(), params.get("sections")))
        return {"device": device, "attempts": device.get("attempts", [])}

    return Plan(before={}, after={}, preview=read, apply=read)


def power_plan(params: Mapping[str, Any]) -> Plan:
    """Ask the BMC for the power state, and say what would be done to get to ``state``."""
    options = bmc_options(params)
    power = PowerOptions(
        graceful_timeout=_seconds(params, "graceful_timeout"),
        force=params["force"],
        off_seconds=_seconds(params, "off_seconds"),
        verify_timeout=_seconds(params, "verify_timeout"),
    )
    clock = SystemClock()
    driver, attempts = open_power(options, clock)
    try:
        before = driver.power_state()
        actions = plan(params["state"], before, power)
    except BaseException:
        driver.close()
        raise
    tried = [to_dict(attempt) for attempt in attempts]
    target = PowerState.OFF if params["state"] == "off" else PowerState.ON

    def preview() -> Mapping[str, Any]:
        driver.close()
        steps = [PowerStep(action) for action in actions]
        after = target if actions else before
        result = PowerResult(driver.name, before, after, verified=not actions, steps=steps)
        return {"power": result.to_dict(), "attempts": tried}

    def apply() -> Mapping[str, Any]:
        # Stopped in the middle of a cycle (a time-out of whoever runs the play), the machine is still switched on again.
        signal.signal(signal.SIGTERM, _interrupted)
        try:
            result = PowerController(driver, clock, power).run(params["state"])
        finally:
            driver.close()
        return {"power": result.to_dict(), "attempts": tried}

    shown = {"power_state": before.value}
    return Plan(
        before=shown,
        after={"power_state": target.value, "actions": list(actions)} if actions else shown,
        preview=preview,
        apply=apply,
    )


def _seconds(params: Mapping[str, Any], name: str) -> float:
    value = float(params[name])
    if value < 0:
        raise InvalidInput(f"{name}: {value:g} is less than 0 seconds", field=name)
    return value


def _interrupted(_signal: int, _frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is short, and must not be interrupted again
    raise SystemExit("interrupted")
