# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module that talks to a BMC shares: its options, and what ``bmc_info`` and ``bmc_power`` do with them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.module_utils.basic import env_fallback

from ._boundary import Plan
from .fleetcore.clock import SystemClock
from .fleetcore.drivers.base import PowerController, PowerOptions, PowerResult, PowerStep, plan
from .fleetcore.drivers.options import bmc_options
from .fleetcore.drivers.registry import collect, open_power
from .fleetcore.errors import FleetError, InvalidInput
from .fleetcore.files import safe_name, write_private
from .fleetcore.model import to_dict
from .fleetcore.ports import Clock, PowerDriver, PowerState
from .fleetcore.redfish.capture import Record, replay
from .fleetcore.redfish.capture import read as read_capture

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
    """Read only: the same in check mode, in which no capture is written."""
    if params.get("from_capture"):
        recording = read_capture(params["from_capture"])
        old = to_dict(replay(recording, params.get("sections"), params.get("system")))
        return _reading({"device": old, "attempts": old.get("attempts", [])})
    options = bmc_options(params)
    path = params.get("capture")
    # The password is looked for everywhere; the salt keeps user names from being guessed from their hashes.
    record = Record(secrets=(options.password or "",), salt=os.urandom(16)) if path else None

    def collected() -> dict[str, Any]:
        # Stopped in the middle, it still logs out: BMCs have few sessions, and keep forgotten ones for half an hour.
        signal.signal(signal.SIGTERM, _interrupted)
        return to_dict(collect(options, SystemClock(), params.get("sections"), record))

    def preview() -> Mapping[str, Any]:
        device = collected()
        return {"device": device, "attempts": device.get("attempts", [])}

    def apply() -> Mapping[str, Any]:
        if not path or record is None:
            return preview()
        facts: dict[str, Any] = {"system": options.system, "sections": params.get("sections")}
        try:
            found = collected()
        except FleetError as error:
            _write_capture(path, record, {**facts, "error": error.to_dict()})
            raise
        of_device = {name: found.get(name) for name in ("collected_at", "collector", "attempts")}
        return {
            "device": found,
            "attempts": found.get("attempts", []),
            **_write_capture(path, record, {**facts, **of_device}),
        }

    return Plan(before={}, after={}, preview=preview, apply=apply, always=True)


def _reading(result: Mapping[str, Any]) -> Plan:
    return Plan(before={}, after={}, preview=lambda: result, apply=lambda: result)


def _write_capture(path: str, record: Record, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write what was recorded; the module's return values about it. Nothing to write is a warning."""
    if not record.requests:
        return {"warnings": [f"capture: nothing was read over Redfish, which is all that can be captured; no {path}"]}
    name = safe_name(os.path.basename(path).split(".tar", maxsplit=1)[0])
    write_private(path, record.pack(name, facts), field="capture")
    return {"capture": {"path": path, "requests": len(record.requests), "redacted": record.redacted}}


def power_plan(params: Mapping[str, Any]) -> Plan:
    """Ask the BMC for the power state, and say what would be done to get to ``state``."""
    options = bmc_options(params)
    power = PowerOptions(
        graceful_timeout=seconds(params, "graceful_timeout"),
        force=params["force"],
        off_seconds=seconds(params, "off_seconds"),
        verify_timeout=seconds(params, "verify_timeout"),
    )
    clock = SystemClock()
    driver, attempts = open_power(options, clock)
    more = {"attempts": [to_dict(attempt) for attempt in attempts]}
    return plan_power(driver, clock, params["state"], power, more, _progress(params.get("progress_file")))


def _progress(path: Optional[str]) -> Callable[[PowerStep], None]:
    """Appends each step to a file, as a line of JSON. A file that can't be written stops no power cycle."""

    def note(step: PowerStep) -> None:
        if path:
            with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(step.to_dict()) + "\n")

    return note


def plan_power(
    driver: PowerDriver,
    clock: Clock,
    state: str,
    power: PowerOptions,
    more: Mapping[str, Any],
    notify: Callable[[PowerStep], None] = lambda _step: None,
) -> Plan:
    """What brings a machine to a power state over one driver, which is closed at the end. ``more`` is returned besides."""
    try:
        before = driver.power_state()
        actions = plan(state, before, power)
    except BaseException:
        driver.close()
        raise
    target = PowerState.OFF if state == "off" else PowerState.ON

    def preview() -> Mapping[str, Any]:
        driver.close()
        steps = [PowerStep(action) for action in actions]
        after = target if actions else before
        result = PowerResult(driver.name, before, after, verified=not actions, steps=steps)
        return {"power": result.to_dict(), **more}

    def apply() -> Mapping[str, Any]:
        # Stopped in the middle of a cycle (a time-out of whoever runs the play), the machine is still switched on again.
        signal.signal(signal.SIGTERM, _interrupted)
        try:
            result = PowerController(driver, clock, power, notify).run(state)
        finally:
            driver.close()
        return {"power": result.to_dict(), **more}

    shown = {"power_state": before.value}
    return Plan(
        before=shown,
        after={"power_state": target.value, "actions": list(actions)} if actions else shown,
        preview=preview,
        apply=apply,
    )


def seconds(params: Mapping[str, Any], name: str) -> float:
    value = float(params[name])
    if value < 0:
        raise InvalidInput(f"{name}: {value:g} is less than 0 seconds", field=name)
    return value


def _interrupted(_signal: int, _frame: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what follows is short, and must not be interrupted again
    raise SystemExit("interrupted")
