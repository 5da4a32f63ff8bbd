# SPDX-License-Identifier: BSD-2-Clause

"""The log of hardware events (SEL, IML): read and clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

from ..document.model import to_dict
from ..document.parts import LogEntry
from ..errors import InvalidInput, NotFound, Unsupported
from ..ipmi.sel import read_log
from ..ipmi.session import Session as Ipmi
from ..option import Options, option
from ..ports import Plan
from ..redfish.actions import action_target
from ..redfish.quirks import is_event_log
from ..redfish.service import Member, Service
from ..redfish.values import at, id_of, link, links, text
from .base import Change, Connection, reach

_CLEAR = "LogService.ClearLog"
_CLEAR_WORDS = ("clear", "erase")
_POLL_CLEAR = 0.5


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for the log that is named, or the only one with hardware events.

    :raises NotFound: no such log. :raises InvalidInput: several.
    """
    return _plan(service, RedfishLog(service, text(params.get("log")), params["state"] == "cleared"), params)


def plan_ipmi(ipmi: Ipmi, params: Mapping[str, Any]) -> Plan:
    """Plan for the SEL.

    :raises InvalidInput: a log is named.
    """
    if params.get("log") is not None:
        raise InvalidInput.of("log", "IPMI has one log only")
    return _plan(ipmi, IpmiLog(ipmi), params)


def _plan(connection: Connection, log: Union[RedfishLog, IpmiLog], params: Mapping[str, Any]) -> Plan:
    limit = int(params["limit"])
    if limit < 0:
        raise InvalidInput.of("limit", f"{limit} is less than 0")
    entries = log.read()
    before = {"log": log.name, "entries": len(entries)}

    def facts(cleared: bool) -> Mapping[str, Any]:
        shown = entries[-limit:] if limit else entries
        return {
            "log": {
                "driver": connection.name,
                "name": log.name,
                "count": len(entries),
                "entries": [to_dict(entry) for entry in shown],
                "cleared": cleared,
            }
        }

    def left() -> Mapping[str, int]:
        # New entries may follow, that the log was cleared for one; of the old ones none may stay.
        found = log.read()
        return {"entries left": len(set(entries).intersection(found)) if len(found) > 1 else 0}

    def apply() -> Mapping[str, Any]:
        reach(connection.clock, params, log.clear, left, lambda found: not found["entries left"], "the log")
        return facts(True)

    clears = params["state"] == "cleared" and not is_clear(entries)
    return Plan(before, {**before, "entries": 0} if clears else before, lambda: facts(False), apply)


def is_clear(entries: list[LogEntry]) -> bool:
    """Empty, or nothing in it but the note that it was cleared."""
    words = (entries[0].message or "").lower() if len(entries) == 1 else ""
    return not entries or any(word in words for word in _CLEAR_WORDS)


class RedfishLog:
    """The log of one LogService. Entries are read oldest first.

    :raises Unsupported: it is to be cleared, and can't be.
    """

    def __init__(self, service: Service, name: Optional[str], clearing: bool) -> None:
        self._service = service
        self._path, self._body = _choose(service, name)
        self.name = id_of(self._path, self._body)
        if clearing and action_target(self._body, _CLEAR) is None:
            raise Unsupported(f"{service.host}: the BMC can't clear the log {self.name}")

    def read(self) -> list[LogEntry]:
        entries = self._service.members(link(self._body.get("Entries"), self._path))
        return sorted((_entry(body) for _path, body in entries), key=lambda entry: entry.created_at or "")

    def clear(self) -> None:
        self._service.act(self._body, _CLEAR, {})


def _entry(body: Mapping[str, Any]) -> LogEntry:
    return LogEntry(
        id=text(body.get("Id")),
        created_at=text(body.get("Created")),
        severity=text(body.get("Severity")),
        message=text(body.get("Message")),
        sensor=text(body.get("SensorType")),
    )


def _choose(service: Service, name: Optional[str]) -> Member:
    """Find the log of this name or path, at system, managers and chassis; without a name that of hardware events."""
    path, system = service.system()
    found = service.members(link(system.get("LogServices"), path))
    for manager, body in service.managers():
        found += service.members(link(body.get("LogServices"), manager))
    for chassis in links(at(system, "Links.Chassis"), path):
        found += service.members(link((service.find(chassis) or {}).get("LogServices"), chassis))
    found = list(dict(found).items())
    ids = [id_of(*item) for item in found]
    if name is not None:
        chosen = [item for item in found if name in (id_of(*item), item[0])]
    else:
        chosen = [item for item in found if is_event_log(item[1])][:1]
    if not chosen:
        wanted = f"log {name!r}" if name else "log of hardware events"
        raise NotFound(f"{service.host}: the BMC has no {wanted}; it has: {', '.join(ids) or 'none'}", logs=ids)
    if len(chosen) > 1:
        paths = [item[0] for item in chosen]
        raise InvalidInput(
            f"{service.host}: several logs are called {name!r}; name one by its path: {', '.join(paths)}", logs=paths
        )
    return chosen[0]


class IpmiLog:
    """The SEL (IPMI 2.0, section 31)."""

    name = "SEL"

    def __init__(self, ipmi: Ipmi) -> None:
        self._ipmi = ipmi

    def read(self) -> list[LogEntry]:
        return read_log(self._ipmi)

    def clear(self) -> None:
        reservation = [*self._ipmi.raw(netfn=0x0A, command=0x42), 0, 0][:2]
        initiate = 0xAA
        for _poll in range(60):
            done = self._ipmi.raw(netfn=0x0A, command=0x47, data=[*reservation, *b"CLR", initiate])
            if done and done[0] & 0x0F == 1:
                return
            initiate = 0
            self._ipmi.clock.sleep(_POLL_CLEAR)


OPTIONS: Options = {
    "state": option(
        "str",
        "V(read) only reads. V(cleared) reads, clears, and checks that it is clear.",
        choices=["read", "cleared"],
        default="read",
    ),
    "log": option(
        "str", "Id or path of another log of the BMC, over Redfish. Without it the log of hardware events is meant."
    ),
    "limit": option("int", "How many of the newest entries are returned. V(0) means all.", default=100),
    "verify_timeout": option("float", "Seconds that the BMC has to clear the log.", default=60),
}

CHANGE = Change("event log", OPTIONS, plan_redfish, plan_ipmi)
