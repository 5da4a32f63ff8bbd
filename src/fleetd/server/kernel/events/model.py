# SPDX-License-Identifier: BSD-2-Clause
"""The log of events: what is worth telling of a change. Pure; the stores write it in the transaction of the change.

An event is the difference of two values, never the arrival of a message: a monitor that says the same every 30 seconds
adds nothing. No event has a secret in it. What a new event is about goes into one of the functions below, which the
stores call wherever that kind of value is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fleetcore.errors import InvalidInput

from fleetd.server.credentials.model import AuditEntry
from fleetd.server.kernel.auth.model import Token
from fleetd.server.kernel.ids import JsonMap
from fleetd.server.machines.model import Description, Machine
from fleetd.server.powercycles.model import Powercycle
from fleetd.server.work.model import Outcome, WorkEvent

_KIND = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+\Z")
# The first words of our own kinds: who appends an event can't pretend to be the server.
RESERVED = frozenset({"machine", "hold", "controller", "powercycle", "device", "work", "token", "credential", "fleetd"})
_WRITTEN = ("labels", "site", "rack", "position", "lifecycle", "bmc")
_SAID = ("note", "attached_device", "ssh_user_ip", "supplied_dimensions")
_COMPONENTS = 20  # that an event names; the device's history has all of them


@dataclass(frozen=True)
class NewEvent:
    """Something that happened; the store adds number and time. ``kind`` is words with dots, the most general first."""

    kind: str
    machine: str | None = None
    actor: str = ""
    message: str = ""
    data: JsonMap = field(default_factory=dict)


@dataclass(frozen=True)
class Event(NewEvent):
    """One line of the log. ``seq`` grows, and whoever has seen a number has seen all that are smaller."""

    seq: int = 0
    at: datetime = datetime.min


@dataclass(frozen=True)
class EventFilter:
    """Every part that is given has to match. ``kind`` is a kind or its first words: ``powercycle`` is all of those."""

    machine: str | None = None
    kind: str | None = None
    since: datetime | None = None

    def matches(self, event: Event) -> bool:
        return (
            self.machine in (None, event.machine)
            and (self.kind is None or f"{event.kind}.".startswith(f"{self.kind}."))
            and (self.since is None or event.at >= self.since)
        )


EVERY_EVENT = EventFilter()


def checked_kind(kind: str) -> str:
    """The kind of an event that somebody else appends.

    :raises InvalidInput: not a kind, or one of ours.
    """
    if not _KIND.match(kind) or len(kind) > 64:
        raise InvalidInput(
            f"kind: {kind[:80]!r}: write words with dots, for example rack.door_opened, at most 64 characters",
            field="kind",
        )
    if kind.partition(".")[0] in RESERVED:
        raise InvalidInput(
            f"kind: {kind!r}: the server itself tells of {kind.partition('.')[0]}; begin with another word",
            field="kind",
        )
    return kind


def of_machine(before: Machine | None, after: Machine | None) -> Iterator[NewEvent]:
    """Made, changed by people, deleted; holds that came and went; the state of its power controller."""
    if after is None:
        if before is not None:
            yield NewEvent("machine.deleted", before.id)
        return
    old, new = before.description if before else Description(), after.description
    actor = new.annotation.user if new.annotation != old.annotation else ""
    if before is None:
        yield NewEvent("machine.created", after.id, data={"lifecycle": after.lifecycle})
    else:
        fields = [name for name in _WRITTEN if getattr(before, name) != getattr(after, name)]
        fields += [name for name in _SAID if getattr(old, name) != getattr(new, name)]
        if fields:
            author = new.note.user if "note" in fields else actor
            data = {"fields": fields, "version": after.version}
            if before.lifecycle != after.lifecycle:
                data["lifecycle"] = after.lifecycle
            yield NewEvent("machine.updated", after.id, author, data=data)
    for hold, was, now in (
        ("maintenance", old.maintenance_mode, new.maintenance_mode),
        ("quarantine", "quarantined" if old.is_quarantined else "", "quarantined" if new.is_quarantined else ""),
        ("recovery", old.recovering, new.recovering),
    ):
        if bool(was) != bool(now):  # another reason of the same hold is no news: some have figures in them
            reason = new.annotation.message if hold == "quarantine" and actor else now
            yield NewEvent("hold.set" if now else "hold.cleared", after.id, actor, reason, {"hold": hold})
    if old.powercycle_state != new.powercycle_state:
        data = {"from": old.powercycle_state.value, "to": new.powercycle_state.value}
        yield NewEvent("controller.changed", after.id, data=data)


def of_powercycle(before: Powercycle | None, after: Powercycle) -> Iterator[NewEvent]:
    """Each new state of a request, those within one change too: failed, then queued again."""
    steps = after.steps[len(before.steps) :] if before else after.steps
    state = before.state if before else None
    for step in steps:
        if step.state != state:
            actor = step.runner or (after.requester if before is None else "")
            data = {"powercycle": after.id, "attempts": after.attempts}
            yield NewEvent(f"powercycle.{step.state.value}", after.machine, actor, step.message, data)
        state = step.state


def of_device(machine: str, source: str, changes: Sequence[Mapping[str, Any]]) -> Iterator[NewEvent]:
    """An observation that changed something: how much, and where."""
    if changes:
        components = list(dict.fromkeys(str(item["component"]) for item in changes if item.get("component")))
        data = {"source": source, "changes": len(changes), "components": components[:_COMPONENTS]}
        yield NewEvent("device.changed", machine, data=data)


def of_work(line: WorkEvent) -> Iterator[NewEvent]:
    """Work that failed; what was started and done is in the history of work."""
    if line.outcome == Outcome.FAILED:
        data = {"process": line.process, "component": line.component, "fencing_token": line.token}
        yield NewEvent("work.failed", line.machine, line.actor, line.cause, data)


def of_token(before: Token | None, after: Token) -> Iterator[NewEvent]:
    """Made or revoked."""
    data = {"name": after.name, "scope": after.scope.value}
    if before is None:
        yield NewEvent("token.created", after.machine, data=data)
    elif before.revoked_at is None and after.revoked_at is not None:
        yield NewEvent("token.revoked", after.machine, data=data)


def of_credential(audit: AuditEntry) -> Iterator[NewEvent]:
    """Written or deleted; who read it is in the audit only."""
    kinds = {"credential.write": "credential.written", "credential.delete": "credential.deleted"}
    if audit.action in kinds:
        yield NewEvent(kinds[audit.action], None, audit.actor, data={"credential": audit.subject})
