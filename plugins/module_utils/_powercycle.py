# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``powercycle``. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .fleetcore.errors import ConflictError, FleetError, InvalidInput, TimedOut, TransientError
from .fleetcore.net.client.base import check_id
from .fleetcore.net.client.machines import Machines
from .fleetcore.net.client.powercycles import Powercycles
from .fleetcore.ports import Plan

OPEN = ("queued", "claimed", "off", "on")
POLL = 2.0  # seconds between two looks at a request

Request = Mapping[str, Any]


class Client(Machines, Powercycles):
    """The resources of the machine server that the module needs."""


def plan(client: Client, params: Mapping[str, Any]) -> Plan:
    """Ask for a power cycle of ``machine``, or call off the one that is open. A machine has at most one open request.

    :raises InvalidInput: an option can't be used. :raises NotFound: no such machine.
    """
    machine = check_id(params["machine"])
    if params["wait_timeout"] <= 0:
        raise InvalidInput.of("wait_timeout", f"{params['wait_timeout']:g} is not more than 0 seconds")
    newest = client.machine(machine)["powercycle"]
    opened = newest if newest and newest["state"] in OPEN else None
    if params["state"] == "cancelled":
        return _cancel(client, newest, opened)
    return _request(client, machine, params, opened)


def _request(client: Client, machine: str, params: Mapping[str, Any], opened: Optional[Request]) -> Plan:
    def preview() -> Mapping[str, Any]:
        return {"powercycle": opened}

    def apply() -> Mapping[str, Any]:
        request = client.request_powercycle(machine, params["reason"], params["requester"])
        if params["wait"]:
            request = _wait(client, request, params["wait_timeout"])
        return {"powercycle": request}

    return Plan({"requested": opened is not None}, {"requested": True}, preview, apply, always=params["wait"])


def _cancel(client: Client, newest: Optional[Request], opened: Optional[Request]) -> Plan:
    def apply() -> Mapping[str, Any]:
        return {"powercycle": client.cancel_powercycle(opened["id"]) if opened else newest}

    return Plan({"requested": opened is not None}, {"requested": False}, lambda: {"powercycle": newest}, apply)


def _wait(client: Client, request: Request, seconds: float) -> Request:
    """Wait until the request was verified and return it. A server that is away for a while is waited for, too.

    :raises FleetError: the runner gave up. :raises ConflictError: somebody called it off.
    :raises TimedOut: neither came in time; the request stays open.
    """
    end = client.clock.monotonic() + seconds
    while request["state"] in OPEN:
        left = end - client.clock.monotonic()
        if left <= 0:
            raise TimedOut(
                f"power cycle of {request['machine']}: {_so_far(request)} after {seconds:g} s; the request stays open",
                seconds=seconds,
                powercycle=dict(request),
            )
        client.clock.sleep(min(POLL, left))
        try:
            request = client.powercycle(request["id"])
        except TransientError:
            continue
    if request["state"] == "verified":
        return request
    if request["state"] == "failed":
        cause = (request["error"] or {}).get("message") or "the runner did not say why"
        raise FleetError(f"power cycle of {request['machine']} failed: {cause}", powercycle=dict(request))
    raise ConflictError(
        f"power cycle of {request['machine']} was not done: {_last(request) or request['state']}",
        powercycle=dict(request),
    )


def _so_far(request: Request) -> str:
    if request["state"] == "queued" and not request["attempts"]:
        return "no runner has taken it"
    return f"it is {request['state']} ({_last(request) or 'no message'})"


def _last(request: Request) -> str:
    """The message of the newest step that has one."""
    return next((step["message"] for step in reversed(request["steps"]) if step.get("message")), "")
