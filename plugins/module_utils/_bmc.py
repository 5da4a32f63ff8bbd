# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module that talks to a BMC shares: its options, and what ``bmc_info`` and ``bmc_power`` do with them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional
from urllib.parse import urlsplit

from ansible.module_utils.basic import env_fallback

from ._boundary import Plan
from ._server import server_client
from .fleetcore.document.model import to_dict
from .fleetcore.errors import FleetError, NotVerified
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.files import safe_name, write_private
from .fleetcore.host.locks import FileLocks
from .fleetcore.net.claim import Claim, summary
from .fleetcore.ports import Clock, PowerDriver, PowerState
from .fleetcore.power.base import PowerController, PowerOptions, PowerResult, PowerStep, plan
from .fleetcore.power.controllers import CONTROLLER_TIMEOUT, controllers_of
from .fleetcore.power.options import DRIVERS, MIB_NAMES, POWER_DRIVERS, TASK_ACTIONS, BmcOptions, bmc_options, seconds
from .fleetcore.power.registry import collect, open_first, power_drivers, replay
from .fleetcore.redfish.cache import Cache
from .fleetcore.redfish.capture import Record
from .fleetcore.redfish.capture import read as read_capture

# Documented by doc_fragments/bmc.py.
BMC: dict[str, Any] = {
    "address": {"type": "str", "required": True},
    "username": {"type": "str", "fallback": (env_fallback, ["BMC_USERNAME"])},
    "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["BMC_PASSWORD"])},
    "drivers": {"type": "list", "elements": "str", "choices": list(POWER_DRIVERS), "default": list(DRIVERS)},
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

# What the modules that act have besides. Documented by doc_fragments/acting.py.
EXPECTED: dict[str, Any] = {"expected_serial": {"type": "str"}, "expected_uuid": {"type": "str"}}

# One outlet, documented by doc_fragments/outlet.py.
OUTLET: dict[str, Any] = {
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "default": 161},
    "vendor": {"type": "str", "choices": [*MIB_NAMES, "generic"], "default": "apc"},
    "oid": {"type": "str"},
    "on_value": {"type": "int"},
    "off_value": {"type": "int"},
    "state_oid": {"type": "str"},
    "state_on_value": {"type": "int"},
    "state_off_value": {"type": "int"},
    "name_oid": {"type": "str"},
    "version": {"type": "str", "choices": ["1", "2c", "3"], "default": "2c"},
    "community": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "context": {"type": "str"},
    "auth_protocol": {"type": "str", "choices": ["md5", "sha", "sha256"], "default": "sha"},
    "auth_password": {"type": "str", "no_log": True},
    "priv_protocol": {"type": "str", "choices": ["des", "aes", "aes256"], "default": "aes"},
    "priv_password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 5},
}
# Of the module wake_on_lan, and of the driver.
WAKE: dict[str, Any] = {
    "mac": {"type": "str", "required": True},
    "broadcast": {"type": "str", "default": "255.255.255.255"},
    "port": {"type": "int", "default": 9},
    "source_address": {"type": "str"},
    "count": {"type": "int", "default": 3},
    "probe_host": {"type": "str"},
    "probe_port": {"type": "int", "default": 22},
}
_ARGV = {"type": "list", "elements": "str"}
COMMAND: dict[str, Any] = {
    "machine": {"type": "str"},
    **dict.fromkeys(("on", "off", "shutdown", "reset", "nmi", "cycle", "state"), _ARGV),
    "state_on": {"type": "str"},
    "state_off": {"type": "str"},
    "timeout": {"type": "float", "default": 60},
}
TASKS: dict[str, Any] = {
    "file": {"type": "path", "required": True},
    "machine": {"type": "str", "required": True},
    "inventory": {"type": "list", "elements": "str", "required": True},
    "actions": {"type": "list", "elements": "str", "choices": list(TASK_ACTIONS), "default": ["on", "off"]},
    "reads_state": {"type": "bool", "default": True},
    "variables": {"type": "dict"},
    "timeout": {"type": "float", "default": 120},
}
# What bmc_power has besides: the drivers that are no BMC. Documented by doc_fragments/power.py.
POWER: dict[str, Any] = {
    **BMC,
    **EXPECTED,
    "address": {"type": "str"},
    "pdu": {"type": "list", "elements": "dict", "options": {**OUTLET, "outlet": {"type": "str", "required": True}}},
    "outlet_delay": {"type": "float", "default": 0},
    "wake_on_lan": {"type": "dict", "options": WAKE},
    "command": {"type": "dict", "options": COMMAND},
    "tasks": {"type": "dict", "options": TASKS},
    "controller": {"type": "str"},
    "controller_timeout": {"type": "float", "default": CONTROLLER_TIMEOUT},
}


# Of bmc_power, for a runner.
CLAIM: dict[str, Any] = {
    "machine": {"type": "str", "required": True},
    "request": {"type": "str", "required": True},
    "session": {"type": "str", "required": True},
    "fencing_token": {"type": "int", "required": True, "no_log": False},
    "runner": {"type": "str"},
    "event_timeout": {"type": "float", "default": 0},
}


def info_plan(params: Mapping[str, Any]) -> Plan:
    """Read only: the same in check mode, in which no capture is written."""
    if params.get("from_capture"):
        recording = read_capture(params["from_capture"])
        old = to_dict(replay(recording, params.get("sections"), params.get("system")))
        return _reading({"device": old, "attempts": old.get("attempts", [])})
    options = bmc_options(params)
    path = params.get("capture")
    record = new_record(options) if path else None
    cache = cache_of(params, options)

    def collected() -> dict[str, Any]:
        return to_dict(collect(options, SystemClock(), params.get("sections"), record, cache))

    def preview() -> Mapping[str, Any]:
        device = collected()
        return {"device": device, "attempts": device.get("attempts", [])}

    def apply() -> Mapping[str, Any]:
        result = read()
        if cache is not None:
            cache.save()
        return result

    def read() -> Mapping[str, Any]:
        if not path or record is None:
            return preview()
        facts = capture_facts(options, params.get("sections"))
        try:
            found = collected()
        except FleetError as error:
            write_capture(path, record, {**facts, "error": error.to_dict()})
            raise
        written = write_capture(path, record, {**facts, **document_facts(found)})
        return {"device": found, "attempts": found.get("attempts", []), **written}

    return Plan(before={}, after={}, preview=preview, apply=apply, always=True)


def _reading(result: Mapping[str, Any]) -> Plan:
    return Plan(before={}, after={}, preview=lambda: result, apply=lambda: result)


def cache_of(params: Mapping[str, Any], options: BmcOptions) -> Optional[Cache]:
    """What the BMC said before, if there is a folder for it."""
    folder = params.get("cache_dir")
    return Cache(folder, urlsplit(options.base_url).netloc) if folder else None


def new_record(options: BmcOptions) -> Record:
    """For one BMC. The password is looked for everywhere; the salt keeps user names from being guessed from their hashes."""
    return Record(secrets=(options.password or "",), salt=os.urandom(16))


def capture_facts(options: BmcOptions, sections: Optional[list[str]]) -> dict[str, Any]:
    """What a capture keeps of the question."""
    return {"address": options.host, "system": options.system, "sections": sections}


def document_facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a capture keeps of the document that was made of it."""
    return {name: document.get(name) for name in ("collected_at", "collector", "attempts")}


def write_capture(path: str, record: Record, facts: Mapping[str, Any], field: str = "capture") -> Mapping[str, Any]:
    """Write what was recorded; the module's return values about it. Nothing to write is a warning."""
    if record.silent:
        return {"warnings": [f"{field}: the BMC said nothing; no {path}"]}
    name = safe_name(os.path.basename(path).split(".tar", maxsplit=1)[0])
    write_private(path, record.pack(name, facts), field=field)
    return {
        "capture": {"path": path, "requests": len(record.requests) + len(record.commands), "redacted": record.redacted}
    }


def power_plan(params: Mapping[str, Any]) -> Plan:
    """Ask for the power state, and say what would be done to get to ``state``."""
    power = PowerOptions(
        graceful_timeout=seconds(params, "graceful_timeout"),
        force=params["force"],
        off_seconds=seconds(params, "off_seconds"),
        verify_timeout=seconds(params, "verify_timeout"),
    )
    clock = SystemClock()
    driver, attempts = open_first(power_drivers(params, clock), params["state"])
    more = {"attempts": [to_dict(attempt) for attempt in attempts]}
    planned = plan_power(
        driver,
        clock,
        params["state"],
        power,
        more,
        controllers_of(driver.name, params),
        seconds(params, "controller_timeout"),
        _progress(params.get("progress_file")),
        _permit(params),
    )
    if params.get("claim") is not None:
        planned = _reported(planned, params, clock)
    return planned if params.get("final") is not False else _left_to_others(planned)


def _permit(params: Mapping[str, Any]) -> Callable[[], None]:
    """Asks the machine server whether the claim under which this is done is still the runner's."""

    def ask() -> None:
        if params.get("claim") is not None:
            with contextlib.closing(server_client(params)) as client:
                Claim.of(params["claim"]).renew(client)

    return ask


def _reported(planned: Plan, params: Mapping[str, Any], clock: Clock) -> Plan:
    """The same, and the machine server is told of a power cycle that was verified: the runner may be gone."""
    claim, patience = Claim.of(params["claim"]), seconds(params["claim"], "event_timeout")

    def apply() -> Mapping[str, Any]:
        result = planned.apply()
        power = dict(result["power"])
        if params["state"] != "cycle":
            return result
        with contextlib.closing(server_client(params)) as client:
            if patience:
                power["heard"] = claim.heard_again(client, clock, patience)
                power["verified"] = power["heard"]
                if not power["heard"]:
                    raise NotVerified(
                        f"the machine was power cycled, and the machine server has not heard of it in the {patience:g} s after",
                        power=power,
                    )
            if power["verified"] and params.get("final") is not False:
                power["reported"] = claim.done(client, summary(power))
        return {**result, "power": power}

    return replace(planned, apply=apply)


def _left_to_others(planned: Plan) -> Plan:
    """The same, and the result says that it does not decide."""

    def marked(act: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        result = act()
        return {**result, "power": {**result["power"], "final": False}}

    return replace(planned, apply=lambda: marked(planned.apply), preview=lambda: marked(planned.preview))


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
    controllers: Sequence[str] = (),
    controller_timeout: float = CONTROLLER_TIMEOUT,
    notify: Callable[[PowerStep], None] = lambda _step: None,
    permit: Callable[[], None] = lambda: None,
) -> Plan:
    """What brings a machine to a power state over one driver, which is closed at the end. ``more`` is returned besides.

    :param controllers: through which it goes, see :func:`.controllers_of`: other power actions on them are waited for.
    """
    try:
        before = driver.power_state()
        actions = plan(state, before, power, driver.actions)
    except BaseException:
        driver.close()
        raise
    target = PowerState.OFF if state == "off" else PowerState.ON

    def preview() -> Mapping[str, Any]:
        driver.close()
        steps = [PowerStep(action) for action in actions]
        after = target if actions and driver.reads_state else before
        result = PowerResult(driver.name, before, after, verified=not actions, steps=steps)
        return {"power": result.to_dict(), **more}

    def apply() -> Mapping[str, Any]:
        try:
            with FileLocks(clock).hold(controllers, controller_timeout):
                result = PowerController(driver, clock, power, notify, permit).run(state)
        finally:
            driver.close()
        return {"power": result.to_dict(), **more, "warnings": () if result.verified else (unverified(driver, state),)}

    shown = {"power_state": before.value}
    return Plan(
        before=shown,
        after={"power_state": target.value, "actions": ", ".join(actions)} if actions else shown,
        preview=preview,
        apply=apply,
    )


def unverified(driver: PowerDriver, state: str) -> str:
    """What to tell a person of a change that nobody could see."""
    return f"{driver.name}: {state} was sent; this driver can't read the power state here, so nothing was verified"
