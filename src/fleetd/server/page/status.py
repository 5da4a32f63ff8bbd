# SPDX-License-Identifier: BSD-2-Clause
"""The state of a machine in words for people: what is wrong, since when, who said so. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from fleetd.server.machines.facets import PROBLEMS, RANKED, Facet, facets
from fleetd.server.machines.model import Annotation
from fleetd.server.machines.service import MachineView


@dataclass(frozen=True)
class Kind:
    """How a facet is shown: ``tone`` is the class of its colour, ``title`` the heading of its list."""

    tone: str
    words: str
    title: str


KINDS = {
    Facet.TROUBLE: Kind("bad", "in trouble", "In trouble"),
    Facet.QUARANTINED: Kind("bad", "quarantined", "Quarantined"),
    Facet.CYCLE_FAILED: Kind("bad", "power cycle failed", "Power cycle failed"),
    Facet.CONTROLLER_ERROR: Kind("bad", "controller in error", "Controller in error"),
    Facet.FINDINGS: Kind("bad", "contradictions", "Contradictions"),
    Facet.RECOVERING: Kind("warn", "recovering", "In recovery"),
    Facet.STALE: Kind("warn", "silent", "Silent"),
    Facet.MAINTENANCE: Kind("info", "maintenance", "Maintenance"),
    Facet.CYCLE_OPEN: Kind("busy", "power cycling", "Power cycling"),
}


@dataclass(frozen=True)
class Finding:
    """One thing to know about a machine. ``why`` may be empty; ``since`` None: not known."""

    facet: Facet
    tone: str
    words: str
    why: str = ""
    since: datetime | None = None


def findings(view: MachineView, stale_before: datetime) -> list[Finding]:
    """The worst first. Nothing: all is well."""
    found = facets(view.machine, view.powercycle, stale_before)
    return [_finding(item, view) for item in RANKED if item in found]


def troubled(found: list[Finding]) -> bool:
    """Whether a person should look."""
    return any(item.facet in PROBLEMS for item in found)


def _finding(facet: Facet, view: MachineView) -> Finding:
    said, request = view.machine.description, view.powercycle
    why, since = "", None
    if facet == Facet.QUARANTINED:
        why, since = _who(said.annotation), said.annotation.timestamp
    elif facet == Facet.CYCLE_FAILED and request:
        why = str((request.error or {}).get("message") or (request.error or {}).get("code") or "")
        since = request.finished_at
    elif facet == Facet.CYCLE_OPEN and request:
        why = f"{request.state.value}, requested by {request.requester}" + (
            f": {request.reason}" if request.reason else ""
        )
        since = request.requested_at
    elif facet == Facet.FINDINGS and view.machine.device:
        why = "its hardware is not what it should be, or is that of another machine: see its findings"
    elif facet == Facet.RECOVERING:
        why, since = said.recovering, said.recovery_start
    elif facet == Facet.MAINTENANCE:
        why = said.maintenance_mode
    elif facet == Facet.STALE:
        why, since = "its monitor says nothing", said.last_updated
    elif facet == Facet.CONTROLLER_ERROR:
        why = "its BMC or outlet does not answer the runner"
    return Finding(facet, KINDS[facet].tone, KINDS[facet].words, why, since)


def _who(note: Annotation) -> str:
    message = note.message.removeprefix("Quarantined: ")
    return f"{message} ({note.user})" if message and note.user else message


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in one unit."""
    if value is None:
        return "never"
    seconds = max(0, ((now or datetime.now(UTC)) - value).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def stamp(value: datetime | None) -> str:
    """The moment itself."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if value else "never"
