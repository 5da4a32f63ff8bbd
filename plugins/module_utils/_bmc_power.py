# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches a machine for ``bmc_power``, and anything that has a power driver. Private to this collection."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ._server import server_client
from .fleetcore.document.model import to_dict
from .fleetcore.errors import NotVerified
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.locks import FileLocks
from .fleetcore.net.claim import Claim, summary
from .fleetcore.ports import Clock, Plan, PowerDriver, PowerState
from .fleetcore.power.attempts import open_first, power_drivers
from .fleetcore.power.base import PowerController, PowerOptions, PowerResult, PowerStep, plan
from .fleetcore.power.controllers import CONTROLLER_TIMEOUT, controllers_of
from .fleetcore.power.options import seconds

# Of bmc_power, for a runner.
CLAIM: dict[str, Any] = {
    "machine": {"type": "str", "required": True},
    "request": {"type": "str", "required": True},
    "session": {"type": "str", "required": True},
    "fencing_token": {"type": "int", "required": True, "no_log": False},
    "runner": {"type": "str"},
    "event_timeout": {"type": "float", "default": 0},
}


def power_plan(params: Mapping[str, Any]) -> Plan:
    """Ask for the power state, and plan how to get to ``state``."""
    power = PowerOptions(
        graceful_timeout=seconds(params, "graceful_timeout"),
        force=params["force"],
        off_seconds=seconds(params, "off_seconds"),
        verify_timeout=seconds(params, "verify_timeout"),
    )
    clock = SystemClock()
    opened = open_first(power_drivers(params, clock), params["state"])
    planned = plan_power(
        opened.driver,
        clock,
        params["state"],
        power,
        opened.state,
        controllers=controllers_of(opened.driver.name, params),
        controller_timeout=seconds(params, "controller_timeout"),
        notify=_progress(params.get("progress_file")),
        permit=_permit(params),
    )
    planned = replace(planned, besides={"attempts": [to_dict(attempt) for attempt in opened.attempts]})
    if params.get("claim") is not None:
        planned = _reported(planned, params, clock)
    return planned if params.get("final") is not False else _left_to_others(planned)


def _permit(params: Mapping[str, Any]) -> Callable[[], None]:
    """Make what asks the machine server whether the claim under which this is done is still the runner's."""

    def ask() -> None:
        if params.get("claim") is not None:
            with contextlib.closing(server_client(params)) as client:
                Claim.of(params["claim"]).renew(client)

    return ask


def _reported(planned: Plan, params: Mapping[str, Any], clock: Clock) -> Plan:
    """Add to a plan that the machine server is told of a power cycle that was verified: the runner may be gone."""
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
                        "the machine was power cycled, and the machine server has not heard of it in the "
                        f"{patience:g} s after",
                        power=power,
                    )
            if power["verified"] and params.get("final") is not False:
                power["reported"] = claim.done(client, summary(power))
        return {**result, "power": power}

    return replace(planned, apply=apply)


def _left_to_others(planned: Plan) -> Plan:
    """Add to the results of a plan that they don't decide."""

    def marked(act: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        result = act()
        return {**result, "power": {**result["power"], "final": False}}

    return replace(planned, apply=lambda: marked(planned.apply), preview=lambda: marked(planned.preview))


def _progress(path: Optional[str]) -> Callable[[PowerStep], None]:
    """Make what appends each step to a file, as a line of JSON. A file that can't be written stops no power cycle."""

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
    before: Optional[PowerState] = None,
    *,
    controllers: Sequence[str] = (),
    controller_timeout: float = CONTROLLER_TIMEOUT,
    notify: Callable[[PowerStep], None] = lambda _step: None,
    permit: Callable[[], None] = lambda: None,
) -> Plan:
    """Plan how a machine gets to a power state over one driver, which the plan closes.

    :param before: the power state, if it was read just now.
    :param controllers: names of what it goes through, see :func:`.controllers_of`: other power actions there are waited
        for.
    """
    try:
        found = driver.power_state() if before is None else before
        actions = plan(state, found, power, driver.actions)
    except BaseException:
        driver.close()
        raise
    target = PowerState.OFF if state == "off" else PowerState.ON

    def preview() -> Mapping[str, Any]:
        steps = [PowerStep(action) for action in actions]
        after = target if actions and driver.reads_state else found
        result = PowerResult(driver.name, found, after, verified=not actions, steps=steps)
        return {"power": result.to_dict()}

    def apply() -> Mapping[str, Any]:
        with FileLocks(clock).hold(controllers, controller_timeout) as waited:
            known = None if waited else found  # those that were waited for may have switched it
            result = PowerController(driver, clock, power, notify, permit).run(state, known)
        return {"power": result.to_dict(), "warnings": () if result.verified else (unverified(driver, state),)}

    shown = {"power_state": found.value}
    return Plan(
        before=shown,
        after={"power_state": target.value, "actions": ", ".join(actions)} if actions else shown,
        preview=preview,
        apply=apply,
        close=driver.close,
    )


def unverified(driver: PowerDriver, state: str) -> str:
    """Tell a person of a change that nobody could see."""
    return f"{driver.name}: {state} was sent; this driver can't read the power state here, so nothing was verified"
