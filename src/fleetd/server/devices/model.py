# SPDX-License-Identifier: BSD-2-Clause
"""Device documents: their changes, and where components are and were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fleetcore.document.values import time_of

from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.ids import JsonMap, new_id
from fleetd.server.machines.model import DeviceSummary

_WORDS = 500  # of a message in an event
_COMPONENTS = 20  # that an event names; the device's history has all of them


@dataclass(frozen=True)
class DeviceChange:
    """One observation that changed something."""

    id: str
    machine: str
    source: str
    at: datetime
    changes: tuple[JsonMap, ...]


@dataclass(frozen=True)
class FoundComponent:
    """A component of a device document. ``seen``: by this observation, else only kept from an earlier one."""

    kind: str  # field of the document; "device" is the machine itself
    name: str  # as ``component`` of a change; unique in the document
    slot: str = ""
    serial: str | None = None
    vendor: str | None = None
    model: str | None = None
    seen: bool = True


@dataclass(frozen=True)
class ComponentStay:
    """A component in one place of one machine, as one source sees it, from when to when."""

    id: str  # sorts by ``first_seen``
    machine: str
    source: str
    component: FoundComponent
    first_seen: datetime
    last_seen: datetime
    current: bool = True


@dataclass(frozen=True)
class Moves:
    """What an observation changes about the stays of one machine's components, as its source sees them."""

    begun: tuple[ComponentStay, ...]
    ended: tuple[str, ...]  # ids; they keep when they were last seen
    seen: tuple[str, ...]  # ids; of those that go on


def moves(
    present: Iterable[ComponentStay], found: Iterable[FoundComponent], machine: str, source: str, now: datetime
) -> Moves:
    """Compare the current stays with what is there now. A component in another slot begins another stay."""
    open_stays = {(stay.component.kind, stay.component.name, stay.component.slot): stay for stay in present}
    begun, seen = [], []
    for component in found:
        stay = open_stays.pop((component.kind, component.name, component.slot), None)
        if stay is None:
            begun.append(ComponentStay(new_id(now), machine, source, component, now, now))
        elif component.seen:
            seen.append(stay.id)
    return Moves(tuple(begun), tuple(stay.id for stay in open_stays.values()), tuple(seen))


@dataclass(frozen=True)
class Acceptance:
    """A person has seen a finding and lets it be: it stays, and is quiet."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Finding:
    """A contradiction; see the collection's docs/merge.md for the kinds.

    ``since`` is when it was first seen. The id is that of what is said: other values are another finding.
    """

    id: str
    kind: str
    severity: str
    component: str
    field: str | None
    values: JsonMap
    message: str
    since: datetime
    accepted: Acceptance | None = None


@dataclass(frozen=True)
class KnownFinding:
    """What is kept of a finding."""

    since: datetime
    accepted: Acceptance | None = None


@dataclass(frozen=True)
class Publication:
    """What an observation leads to: the document to keep, the changes, the machine's new summary, its components, and
    the findings by id."""

    document: Mapping[str, Any]
    changes: tuple[Mapping[str, Any], ...]
    summary: DeviceSummary
    components: tuple[FoundComponent, ...] = ()
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Filed:
    """What an observation leads to that is older than the one before it: an entry of the history, at its own time."""

    document: Mapping[str, Any]
    changes: tuple[Mapping[str, Any], ...]
    at: datetime


@dataclass(frozen=True)
class ComponentFilter:
    """Every part that is given has to match, exactly; serial numbers but for case and punctuation."""

    serial: str | None = None
    machine: str | None = None
    kind: str | None = None
    model: str | None = None
    current: bool | None = None


NEVER_SET = datetime(2000, 1, 1, tzinfo=UTC)  # a clock that says less was never set


def observed_at(document: Mapping[str, Any], received: datetime) -> datetime:
    """When it was observed: as it says itself, but not later than it came. A clock that was never set says nothing."""
    said = time_of(document.get("collected_at"))
    received = received.replace(microsecond=0)  # as precise as they are
    return received if said is None or said < NEVER_SET else min(said, received)


def of_device(machine: str, source: str, changes: Sequence[Mapping[str, Any]]) -> Iterator[NewEvent]:
    """The event of an observation that changed something: how much, and where."""
    if changes:
        components = list(dict.fromkeys(str(item["component"]) for item in changes if item.get("component")))
        data = {"source": source, "changes": len(changes), "components": components[:_COMPONENTS]}
        yield NewEvent("device.changed", machine, data=data)


def of_filed(machine: str, source: str, filed: Filed) -> NewEvent:
    """The event of an observation that came after a newer one."""
    data = {"source": source, "changes": len(filed.changes), "observed_at": filed.at.isoformat()}
    return NewEvent("device.filed", machine, message="an older observation than the current one", data=data)


def of_findings(machine: str, found: Iterable[Mapping[str, Any]]) -> Iterator[NewEvent]:
    """The events of findings that were not known before."""
    for item in found:
        data = {name: item[name] for name in ("kind", "severity", "component")}
        yield NewEvent("device.finding", machine, message=item["message"][:_WORDS], data=data)


def of_acceptance(machine: str, finding: Finding, actor: str) -> NewEvent:
    """The event of a person's word on a finding: accepted, or not any more."""
    kind = "device.finding_accepted" if finding.accepted else "device.finding_reopened"
    data = {name: getattr(finding, name) for name in ("id", "kind", "severity", "component")}
    return NewEvent(kind, machine, actor, finding.accepted.reason if finding.accepted else "", data)
