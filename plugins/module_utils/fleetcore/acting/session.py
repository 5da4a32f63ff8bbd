# SPDX-License-Identifier: BSD-2-Clause

"""The sessions of a BMC's Redfish service: shown, and ended, so that a BMC that has none left lets in again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Unsupported
from ..option import Options, option
from ..ports import Plan
from ..redfish.service import Service
from ..redfish.values import at, id_of, last_part, link, text
from .base import Change, reach

_FACTS = {
    "username": "UserName",
    "type": "SessionType",
    "created_at": "CreatedTime",
    "address": "ClientOriginIPAddress",
}


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan to end the sessions that are meant. The one in which this is done ends by itself.

    :raises Unsupported: the BMC does not show its sessions.
    """
    found = service.members(_collection(service))
    rows = {path: _row(service, path, body) for path, body in found}
    others = [path for path, row in rows.items() if not row["used_here"]]
    ends = [path for path in others if _is_meant(params, rows[path])]
    facts = {"sessions": list(rows.values()), "ended": [rows[path]["id"] for path in ends]}
    refusals: list[str] = []

    def end() -> None:
        for path in ends:
            try:
                service.delete(path)
            except Unsupported as error:
                if error.details.get("status") != 404:  # it has ended by itself
                    refusals.append(error.message)

    def left() -> Mapping[str, Any]:
        there = {path for path, _body in service.members(_collection(service))}
        return {"left": [rows[path]["id"] for path in ends if path in there]}

    def apply() -> Mapping[str, Any]:
        reach(
            service.clock,
            params,
            end,
            left,
            lambda found: not found["left"],
            "the list of sessions",
            why=lambda _answer: "; ".join(refusals[:1]),
        )
        return facts

    before, after = ([rows[path]["id"] for path in others if path not in gone] for gone in ((), ends))
    return Plan({"sessions": before}, {"sessions": after}, lambda: facts, apply)


def _collection(service: Service) -> str:
    home = link(service.root.get("SessionService"))
    path = link(at(service.root, "Links.Sessions")) or link((service.find(home) or {}).get("Sessions"), home or "")
    if path is None:
        raise Unsupported(f"{service.host}: the BMC has no sessions")
    return path


def _row(service: Service, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the BMC says of a session. Its login may have named another path to it: the last part is the same."""
    shown = {name: text(body.get(key)) for name, key in _FACTS.items()}
    here = service.login.location
    return {"id": id_of(path, body), **shown, "used_here": here is not None and last_part(path) == last_part(here)}


def _is_meant(params: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    if params["state"] != "cleared":
        return False
    return params["whose"] == "all" or (row["username"] is not None and row["username"] == params["username"])


OPTIONS: Options = {
    "state": option(
        "str",
        "V(read) only reads. V(cleared) ends sessions, and checks that they have ended.",
        choices=["read", "cleared"],
        default="read",
    ),
    "whose": option(
        "str",
        """
            With O(state=cleared), which sessions are ended. V(own) are those of the account O(username), whoever has
            begun them with it. V(all) are those of other accounts, too, also of people at the BMC's page or console.

            The session in which the module itself works is not among them. It ends with the module.
        """,
        choices=["own", "all"],
        default="own",
    ),
    "verify_timeout": option("float", "Seconds that the BMC has to end them.", default=30),
}

CHANGE = Change("sessions", OPTIONS, plan_redfish, sessionless=True)
