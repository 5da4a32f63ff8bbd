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

from ._bmc_options import POWER_OPTIONS
from ._server import SERVER_OPTIONS, server_client
from .fleetcore.document.model import to_dict
from .fleetcore.errors import NotVerified
from .fleetcore.host.clock import SystemClock
from .fleetcore.host.locks import FileLocks
from .fleetcore.net.claim import Claim, summary
from .fleetcore.net.client.server import ServerClient
from .fleetcore.option import Options, option
from .fleetcore.ports import Clock, Plan, PowerDriver, PowerState
from .fleetcore.power import expected
from .fleetcore.power.attempts import open_first, power_drivers
from .fleetcore.power.base import STATES, PowerController, PowerOptions, PowerResult, PowerStep, plan
from .fleetcore.power.controllers import CONTROLLER_TIMEOUT, controllers_of
from .fleetcore.power.options import seconds

OPTIONS: Options = {
    "state": option(
        "str",
        """
            V(on) and V(off) do nothing to a machine that is already on or off.

            V(off) asks the operating system to shut down, and fails when it does not within O(graceful_timeout); with
            O(force=true) the power is then cut.

            V(cycle) switches off (asks the operating system first, cuts the power after O(graceful_timeout)), waits
            O(off_seconds), and switches on. A machine that is off is switched on.

            V(reset) restarts without asking the operating system and without cutting the power. V(nmi) sends a
            diagnostic interrupt.
        """,
        choices=list(STATES),
        required=True,
    ),
    "graceful_timeout": option(
        "float",
        "Seconds that the operating system has to shut down. With V(0) it is not asked and the power is cut at once.",
        default=60,
    ),
    "force": option(
        "bool",
        "Whether O(state=off) cuts the power when the operating system did not shut down in time. A cycle always does.",
        default=False,
    ),
    "off_seconds": option("float", "Seconds that a power cycle leaves the machine without power.", default=5),
    "verify_timeout": option(
        "float",
        """
            Seconds that the BMC has, after an action, to report the state that was asked for.

            A BMC that does not is told again before, and has all of them after the last time.
        """,
        default=60,
    ),
    "progress_file": option(
        "path",
        """
            A file to which each step is appended as it happens, one JSON object per line, as in RV(power.steps). It is
            created when it is not there.

            For a program that watches. What can't be written there is only in the result.
        """,
    ),
    "claim": option(
        "dict",
        """
            The claim of a power cycle request at the machine server, under which this is done. For a runner.

            The server is asked, just before the power is taken away, whether the claim still holds, which renews it. If
            not, or if the server does not answer, nothing is done and the module fails. A power cycle that was verified
            is reported to the server.

            Needs O(server_url), and a token of scope runner.
        """,
        options={
            "machine": option("str", "Id of the machine.", required=True),
            "request": option("str", "Id of the power cycle request.", required=True),
            "session": option("str", "The session that holds the claim.", required=True),
            "fencing_token": option("int", "The claim's fencing token.", required=True, no_log=False),
            "runner": option("str", "Who reports it, for people to see."),
            "event_timeout": option(
                "float",
                """
                    Seconds in which the machine server has to hear of the machine again, from the monitor on it, once
                    it is on. A power cycle is verified only then.

                    With V(0) the power state is all that counts.
                """,
                default=0,
            ),
        },
    ),
    "final": option(
        "bool",
        """
            Whether this task decides that the machine was power cycled. With V(false) the tasks that follow on the
            machine do, when none of them fails.

            For a runner, which takes it from RV(power.final); nothing is reported to the machine server then.
        """,
        default=True,
    ),
    "server_url": {
        **SERVER_OPTIONS["server_url"],
        "description": f"{SERVER_OPTIONS['server_url']['description']} Needed with O(claim) only.",
    },
    **expected.OPTIONS,
    **POWER_OPTIONS,
}
"""Of ``bmc_power``, beside those of the BMC and of the machine server."""


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
            with contextlib.closing(server_client(params, ServerClient)) as client:
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
        with contextlib.closing(server_client(params, ServerClient)) as client:
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
