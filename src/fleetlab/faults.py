# SPDX-License-Identifier: BSD-2-Clause
"""Faults that a virtual BMC can have: what BMCs in real fleets do to their clients."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any

from fleetlab.replies import Reply, error

KINDS = {
    "hang": "never answers (with `seconds`: for that long, then closes the connection)",
    "slow": "answers after `seconds`",
    "status": "answers with `status` (default 500) and a Redfish error",
    "truncate": "announces the whole body, sends half of it and closes",
    "garbage": "answers 200 with bytes that are no JSON",
    "reply": "answers with `status` (default 200) and `body`, whatever was asked",
    "reset": "resets the connection",
    "drop": "does what was asked, and resets the connection instead of an answer",
    "ignore": "says yes to a POST, PATCH or DELETE and does nothing",
    "revert": "carries out a PATCH, and takes it back after `seconds` (default 0: at once)",
    "session-limit": "refuses logins: too many sessions",
    "logout": "forgets all sessions before it answers",
}


@dataclass(frozen=True)
class Fault:
    """One fault, for requests that match all its conditions.

    `path`: shell pattern over the path without trailing slash (`*` also matches `/`); `method`: GET, POST, ...;
    `match`: text that the request's body must contain, such as `"On"`; `skip`: spare that many matching requests first;
    `times`: end after so many (None: never).
    """

    kind: str
    path: str = "*"
    method: str | None = None
    match: str | None = None
    skip: int = 0
    times: int | None = None
    seconds: float | None = None
    status: int | None = None
    body: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r} (known: {', '.join(KINDS)})")
        if self.kind == "slow" and self.seconds is None:
            raise ValueError("fault slow needs seconds=<number>")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """`kind[:name=value,...]`, for example `status:path=*/Storage,status=503,times=2`. Raises ValueError."""
        kind, _, rest = text.partition(":")
        values: dict[str, Any] = {}
        numbers = {"skip": int, "times": int, "seconds": float, "status": int}
        known = {item.name for item in fields(cls)} - {"kind"}
        for part in filter(None, rest.split(",")):
            name, equals, value = part.partition("=")
            if not equals or name not in known:
                raise ValueError(f"fault {text!r}: {part!r} is none of {', '.join(sorted(known))} followed by =value")
            try:
                values[name] = numbers.get(name, str)(value)
            except ValueError:
                raise ValueError(f"fault {text!r}: {name} must be a number") from None
        return cls(kind, **values)

    def fits(self, method: str, path: str, body: bytes) -> bool:
        return (
            (self.method is None or self.method.upper() == method)
            and (self.match is None or self.match.encode() in body)
            and fnmatchcase(path, self.path)
        )


@dataclass(eq=False)
class ActiveFault:
    """A fault at work in one BMC. `hits` counts the requests it spoilt."""

    fault: Fault
    hits: int = 0
    _seen: int = field(default=0, repr=False)

    def strike(self, method: str, path: str, body: bytes) -> bool:
        if not self.fault.fits(method, path, body):
            return False
        if self.fault.times is not None and self.hits >= self.fault.times:
            return False
        self._seen += 1
        if self._seen <= self.fault.skip:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults of one BMC; may be changed from any thread while it runs."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._lock = threading.Lock()
        self._active = [ActiveFault(fault) for fault in faults]

    def add(self, fault: Fault | str, **changes: Any) -> ActiveFault:
        """Add a fault, as an object or in the text form of `Fault.parse`; `changes` are further fields of it."""
        fault = Fault.parse(fault) if isinstance(fault, str) else fault
        active = ActiveFault(replace(fault, **changes))
        with self._lock:
            self._active.append(active)
        return active

    def remove(self, active: ActiveFault) -> None:
        with self._lock:
            self._active.remove(active)

    def clear(self) -> None:
        with self._lock:
            self._active.clear()

    def all(self) -> list[ActiveFault]:
        with self._lock:
            return list(self._active)

    def strike(self, method: str, path: str, body: bytes) -> tuple[float, Fault | None]:
        """Find what befalls this request: seconds of delay, and at most one fault that changes the answer."""
        if not self._active:
            return 0.0, None
        delay = 0.0
        with self._lock:
            for active in self._active:
                if active.strike(method, path, body):
                    if active.fault.kind != "slow":
                        return delay, active.fault
                    delay += active.fault.seconds or 0.0
        return delay, None


def fault_reply(fault: Fault) -> Reply:
    """Answer for the faults that have a fixed answer."""
    if fault.kind == "garbage":
        return Reply(200, b'\x00\xff{"Members": [<<<\xfe', {"Content-Type": "application/json"})
    if fault.kind == "reply":
        return Reply(fault.status or 200, (fault.body or "").encode(), {"Content-Type": "text/html"})
    status = fault.status or 500
    if status == 503:
        text = "The service is temporarily unavailable. Retry in 1 seconds."
        return error(503, "ServiceTemporarilyUnavailable", text, "1", Retry_After="1")
    return error(status, {404: "ResourceMissingAtURI", 401: "NoValidSession"}.get(status, "InternalError"), "Fault.")
