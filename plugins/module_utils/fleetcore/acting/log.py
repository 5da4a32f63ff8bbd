# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The log of hardware events (SEL, IML): read and clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..document.model import to_dict
from ..document.parts import LogEntry
from ..errors import InvalidInput, NotFound, Unsupported
from ..ipmi.sel import read_log
from ..ipmi.session import Session
from ..redfish.actions import action_target
from ..redfish.quirks import is_event_log
from ..redfish.service import Service
from ..redfish.values import at, link, links, text
from .base import Change, carry_out, read_back, seconds

_CLEAR_WORDS = ("clear", "erase")
_POLL_CLEAR = 0.5


def prepare_redfish(service: Service, params: Mapping[str, Any]) -> Change:
    """The log that is named, or the only one with hardware events.

    :raises NotFound: no such log. :raises InvalidInput: several.
    """
    path, log = _log(service, text(params.get("log")))
    if params["state"] == "cleared" and action_target(log, "LogService.ClearLog") is None:
        raise Unsupported(f"{service.host}: the BMC can't clear the log {_id(path, log)}")

    def read() -> list[LogEntry]:
        entries = service.members(link(log.get("Entries"), path))
        return sorted((entry_of(body) for _path, body in entries), key=lambda entry: entry.created_at or "")

    def clear() -> None:
        service.act(log, "LogService.ClearLog", {})

    return _change(service, params, _id(path, log), read, clear)


def entry_of(body: Mapping[str, Any]) -> LogEntry:
    return LogEntry(
        id=text(body.get("Id")),
        created_at=text(body.get("Created")),
        severity=text(body.get("Severity")),
        message=text(body.get("Message")),
        sensor=text(body.get("SensorType")),
    )


def _log(service: Service, name: Optional[str]) -> tuple[str, Mapping[str, Any]]:
    path, system = service.system()
    found = service.members(link(system.get("LogServices"), path))
    for manager, body in service.managers():
        found += service.members(link(body.get("LogServices"), manager))
    for chassis in links(at(system, "Links.Chassis"), path):
        found += service.members(link((service.find(chassis) or {}).get("LogServices"), chassis))
    found = list(dict(found).items())
    ids = [_id(*item) for item in found]
    if name is not None:
        chosen = [item for item in found if name in (_id(*item), item[0])]
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


def _id(path: str, body: Mapping[str, Any]) -> str:
    return text(body.get("Id")) or path.rsplit("/", 1)[-1]


def prepare_ipmi(driver: Session, params: Mapping[str, Any]) -> Change:
    """The SEL (IPMI 2.0, section 31)."""
    if params.get("log") is not None:
        raise InvalidInput("log: IPMI has one log only", field="log")

    def clear() -> None:
        reservation = [*driver.raw(netfn=0x0A, command=0x42), 0, 0][:2]
        initiate = 0xAA
        for _poll in range(60):
            done = driver.raw(netfn=0x0A, command=0x47, data=[*reservation, *b"CLR", initiate])
            if done and done[0] & 0x0F == 1:
                return
            initiate = 0
            driver.clock.sleep(_POLL_CLEAR)

    return _change(driver, params, "SEL", lambda: read_log(driver), clear)


def _change(
    connection: Any, params: Mapping[str, Any], name: str, read: Callable[[], list[LogEntry]], clear: Callable[[], None]
) -> Change:
    limit = int(params["limit"])
    if limit < 0:
        raise InvalidInput(f"limit: {limit} is less than 0", field="limit")
    entries = read()
    state = {"log": name, "entries": len(entries)}

    def facts(cleared: bool) -> Mapping[str, Any]:
        shown = entries[-limit:] if limit else entries
        return {
            "log": {
                "driver": connection.name,
                "name": name,
                "count": len(entries),
                "entries": [to_dict(entry) for entry in shown],
                "cleared": cleared,
            }
        }

    def apply() -> Mapping[str, Any]:
        old = set(entries)

        def left() -> Mapping[str, int]:
            # New entries may follow, that the log was cleared for one; of the old ones none may stay.
            found = read()
            return {"entries left": len(old & set(found)) if len(found) > 1 else 0}

        timeout = seconds(params, "verify_timeout")
        carry_out(
            clear,
            lambda: read_back(
                connection.clock, left, lambda found: not found["entries left"], "the log", timeout=timeout
            ),
        )
        return facts(True)

    if params["state"] == "read" or is_clear(entries):
        return Change(state, state, apply, facts(False))
    return Change(state, {"log": name, "entries": 0}, apply, facts(False))


def is_clear(entries: list[LogEntry]) -> bool:
    """Empty, or nothing in it but the note that it was cleared."""
    words = (entries[0].message or "").lower() if len(entries) == 1 else ""
    return not entries or any(word in words for word in _CLEAR_WORDS)
