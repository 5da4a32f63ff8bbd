# SPDX-License-Identifier: BSD-2-Clause
"""The log of events: what is worth telling of a change. Pure.

An event is the difference of two values, never the arrival of a message: a monitor that says the same every 30 seconds
adds nothing. No event has a secret in it. Each capability has functions in its model that make events of what changed;
its store tells them in the transaction of the change.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime

from fleetcore.errors import InvalidInput

from fleetd.server.kernel.ids import JsonMap

_KIND = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+\Z")


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


def checked_kind(kind: str, reserved: Set[str]) -> str:
    """The kind of an event that somebody else appends.

    :param reserved: first words of our own kinds: who appends an event can't pretend to be the server.
    :raises InvalidInput: not a kind, or one of ours.
    """
    if not _KIND.match(kind) or len(kind) > 64:
        raise InvalidInput(
            f"kind: {kind[:80]!r}: write words with dots, for example rack.door_opened, at most 64 characters",
            field="kind",
        )
    if kind.partition(".")[0] in reserved:
        raise InvalidInput(
            f"kind: {kind!r}: the server itself tells of {kind.partition('.')[0]}; begin with another word",
            field="kind",
        )
    return kind
