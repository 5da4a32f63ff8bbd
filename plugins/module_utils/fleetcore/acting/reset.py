# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Restarting the BMC itself; the machine goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import (
    AuthenticationFailed,
    InvalidInput,
    NotFound,
    NotVerified,
    TimedOut,
    TransientError,
    Unreachable,
    Unsupported,
)
from ..power.options import bmc_options
from ..power.redfish import open_service
from ..redfish.actions import action_target, spelt
from ..redfish.service import Service
from ..redfish.values import text
from .base import Change, Ipmi, carry_out, seconds

_RESET = "Manager.Reset"
_KINDS = {"graceful": ("GracefulRestart", "ForceRestart"), "forced": ("ForceRestart", "GracefulRestart")}


def prepare_redfish(service: Service, params: Mapping[str, Any]) -> Change:
    """Manager.Reset.

    :raises InvalidInput: several managers and none is named.
    """
    path, manager = _manager(service, params.get("manager"))
    if action_target(manager, _RESET) is None:
        raise Unsupported(f"{service.host}: the BMC does not offer to be reset")
    allowed = service.action_values(manager, _RESET, "ResetType")
    kind = spelt(_KINDS[params["kind"]], allowed)
    if kind is None:
        raise Unsupported(f"{service.host}: the BMC offers to be reset by {', '.join(allowed)} only", allowed=allowed)
    last = text(manager.get("LastResetTime"))

    def gone() -> bool:
        """Refused to answer, forgot our session, or says that it was reset."""
        response = service.send("GET", path, renew=False)
        if response.status in (401, 502, 503, 504):
            return True
        return last is not None and text((service.find(path) or {}).get("LastResetTime")) not in (None, last)

    def back() -> None:
        fresh = open_service(bmc_options(params), service.clock)
        try:
            fresh.get(path)
        finally:
            fresh.close()

    return _change(service, params, lambda: service.act(manager, _RESET, {"ResetType": kind}), gone, back)


def _manager(service: Service, name: Optional[str]) -> tuple[str, Mapping[str, Any]]:
    found = service.managers()
    ids = [text(body.get("Id")) or path.rsplit("/", 1)[-1] for path, body in found]
    if name is not None:
        if name not in ids:
            raise NotFound(f"{service.host}: there is no manager {name!r}; there are: {', '.join(ids)}", managers=ids)
        return found[ids.index(name)]
    if not found:
        raise NotFound(f"{service.host}: the BMC lists no manager")
    if len(found) > 1:
        raise InvalidInput(
            f"{service.host}: several managers: name one of them with `manager`: {', '.join(ids)}", managers=ids
        )
    return found[0]


def prepare_ipmi(driver: Ipmi, params: Mapping[str, Any]) -> Change:
    """Cold reset (IPMI 2.0, section 20.2), or for ``graceful`` a warm one."""
    if params.get("manager") is not None:
        raise InvalidInput("manager: IPMI can't choose among several managers", field="manager")
    command = 2 if params["kind"] == "forced" else 3
    driver.raw(netfn=6, command=1)  # Get Device ID: does it answer now?

    def gone() -> bool:
        driver.raw(netfn=6, command=1)
        return False

    def back() -> None:
        driver.drop()
        driver.raw(netfn=6, command=1)

    return _change(driver, params, lambda: driver.raw(netfn=6, command=command), gone, back)


def _change(
    connection: Any,
    params: Mapping[str, Any],
    act: Callable[[], Any],
    gone: Callable[[], bool],
    back: Callable[[], None],
) -> Change:
    clock = connection.clock
    down_timeout, timeout = seconds(params, "down_timeout"), seconds(params, "wait_timeout")

    def facts(answers: Optional[bool], waited: Optional[float]) -> Mapping[str, Any]:
        return {"reset": {"driver": connection.name, "kind": params["kind"], "answers": answers, "seconds": waited}}

    def apply() -> Mapping[str, Any]:
        if not params["wait"]:
            with contextlib.suppress(TimedOut, Unreachable):
                act()
            return facts(None, None)
        begin = clock.monotonic()

        def until_gone() -> None:
            while not _went(gone):
                if clock.monotonic() - begin >= down_timeout:
                    raise NotVerified(
                        f"{connection.host}: the BMC accepted the reset and still answers as before after {down_timeout:g} s"
                    )
                clock.sleep(min(1.0, max(0.05, down_timeout / 20)))

        carry_out(act, until_gone)  # it may be gone before it answers
        refused = False
        while True:
            try:
                back()
                break
            except AuthenticationFailed:
                # A BMC that has not loaded its accounts yet refuses everybody. One that means it locks the account: so once
                # more only, later.
                if refused:
                    raise
                refused = True
                clock.sleep(min(30.0, timeout))
            except (TransientError, Unsupported, NotFound) as error:
                waited = clock.monotonic() - begin
                if waited >= timeout:
                    raise NotVerified(
                        f"{connection.host}: the BMC was reset and does not answer again after {waited:.0f} s: {error.message}",
                        seconds=round(waited, 1),
                    ) from error
                clock.sleep(min(3.0, max(0.1, timeout / 50)))
        return facts(True, round(clock.monotonic() - begin, 1))

    state = {"bmc": "runs"}
    return Change(state, {"bmc": "restarted"}, apply, facts(None, None))


def _went(gone: Callable[[], bool]) -> bool:
    try:
        return gone()
    except TransientError:
        return True
