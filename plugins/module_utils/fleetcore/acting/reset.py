# SPDX-License-Identifier: BSD-2-Clause

"""Restarts the BMC itself; the machine goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Optional, Union

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
from ..ipmi.session import Session as Ipmi
from ..option import Options, option
from ..ports import Plan
from ..power.options import bmc_options, seconds
from ..power.redfish import open_service
from ..redfish.actions import action_target, spelt
from ..redfish.service import Member, Service
from ..redfish.values import id_of, text
from .base import Change, Connection, carry_out

_RESET = "Manager.Reset"
_KINDS = {"graceful": ("GracefulRestart", "ForceRestart"), "forced": ("ForceRestart", "GracefulRestart")}


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for Manager.Reset.

    :raises InvalidInput: several managers and none is named.
    """
    return _plan(service, RedfishBmc(service, params), params)


def plan_ipmi(ipmi: Ipmi, params: Mapping[str, Any]) -> Plan:
    """Plan for a cold reset, or for ``graceful`` a warm one.

    :raises InvalidInput: a manager is named.
    """
    if params.get("manager") is not None:
        raise InvalidInput.of("manager", "IPMI can't choose among several managers")
    return _plan(ipmi, IpmiBmc(ipmi, params["kind"]), params)


def _plan(connection: Connection, bmc: Union[RedfishBmc, IpmiBmc], params: Mapping[str, Any]) -> Plan:
    clock = connection.clock
    down_timeout, timeout = seconds(params, "down_timeout"), seconds(params, "wait_timeout")

    def facts(answers: Optional[bool], waited: Optional[float]) -> Mapping[str, Any]:
        return {"reset": {"driver": connection.name, "kind": params["kind"], "answers": answers, "seconds": waited}}

    def until_gone() -> None:
        begin = clock.monotonic()
        while not _is_gone(bmc):
            if clock.monotonic() - begin >= down_timeout:
                raise NotVerified(
                    f"{connection.host}: the BMC accepted the reset and still answers as before "
                    f"after {down_timeout:g} s"
                )
            clock.sleep(min(1.0, max(0.05, down_timeout / 20)))

    def apply() -> Mapping[str, Any]:
        if not params["wait"]:
            with contextlib.suppress(TimedOut, Unreachable):
                bmc.restart()
            return facts(None, None)
        begin = clock.monotonic()
        carry_out(bmc.restart, until_gone)  # it may be gone before it answers
        _until_back(connection, bmc, begin, timeout)
        return facts(True, round(clock.monotonic() - begin, 1))

    return Plan({"bmc": "runs"}, {"bmc": "restarted"}, lambda: facts(None, None), apply)


def _is_gone(bmc: Union[RedfishBmc, IpmiBmc]) -> bool:
    try:
        return bmc.is_gone()
    except TransientError:
        return True


def _until_back(connection: Connection, bmc: Union[RedfishBmc, IpmiBmc], begin: float, timeout: float) -> None:
    """Wait until the BMC answers as before.

    A BMC that has not loaded its accounts yet refuses everybody. One that means it locks the account: so a login that
    is refused is tried once more only, later.
    """
    clock = connection.clock
    refused = False
    while True:
        try:
            bmc.is_back()
            return
        except AuthenticationFailed:
            if refused:
                raise
            refused = True
            clock.sleep(min(30.0, timeout))
        except (TransientError, Unsupported, NotFound) as error:
            waited = clock.monotonic() - begin
            if waited >= timeout:
                raise NotVerified(
                    f"{connection.host}: the BMC was reset and does not answer again after {waited:.0f} s: "
                    f"{error.message}",
                    seconds=round(waited, 1),
                ) from error
            clock.sleep(min(3.0, max(0.1, timeout / 50)))


class RedfishBmc:
    """A BMC that is restarted by Manager.Reset.

    :raises Unsupported: it does not offer a reset of this kind.
    """

    def __init__(self, service: Service, params: Mapping[str, Any]) -> None:
        self._service = service
        self._params = params
        self._path, self._manager = _manager(service, params.get("manager"))
        if action_target(self._manager, _RESET) is None:
            raise Unsupported(f"{service.host}: the BMC does not offer to be reset")
        offered = service.action_values(self._manager, _RESET, "ResetType")
        self._type = spelt(_KINDS[params["kind"]], offered)
        if self._type is None:
            words = ", ".join(offered)
            raise Unsupported(f"{service.host}: the BMC offers to be reset by {words} only", allowed=offered)
        self._last = text(self._manager.get("LastResetTime"))

    def restart(self) -> None:
        self._service.act(self._manager, _RESET, {"ResetType": self._type})

    def is_gone(self) -> bool:
        """It refuses to answer, forgot our session, or says that it was reset."""
        response = self._service.send("GET", self._path, renew=False)
        if response.status in (401, 502, 503, 504):
            return True
        if self._last is None:
            return False
        return text((self._service.find(self._path) or {}).get("LastResetTime")) not in (None, self._last)

    def is_back(self) -> None:
        fresh = open_service(bmc_options(self._params), self._service.clock)
        try:
            fresh.get(self._path)
        finally:
            fresh.close()


def _manager(service: Service, name: Optional[str]) -> Member:
    found = service.managers()
    ids = [id_of(path, body) for path, body in found]
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


class IpmiBmc:
    """A BMC that is restarted by IPMI (IPMI 2.0, sections 20.2 and 20.3)."""

    def __init__(self, ipmi: Ipmi, kind: str) -> None:
        self._ipmi = ipmi
        self._command = 2 if kind == "forced" else 3
        self._ask()  # does it answer now?

    def restart(self) -> None:
        self._ipmi.raw(netfn=6, command=self._command)

    def is_gone(self) -> bool:
        self._ask()
        return False

    def is_back(self) -> None:
        self._ipmi.drop()
        self._ask()

    def _ask(self) -> None:
        self._ipmi.raw(netfn=6, command=1)  # Get Device ID


OPTIONS: Options = {
    "kind": option(
        "str",
        "How to restart. Over IPMI V(graceful) is a warm reset and V(forced) a cold one.",
        choices=list(_KINDS),
        default="graceful",
    ),
    "manager": option("str", "Id of the manager, where the machine has several."),
    "wait": option("bool", "Whether to wait until it answers again.", default=True),
    "down_timeout": option("float", "Seconds that the BMC has to go away.", default=60),
    "wait_timeout": option("float", "Seconds that the BMC has until it answers again.", default=600),
}

CHANGE = Change("BMC reset", OPTIONS, plan_redfish, plan_ipmi)
