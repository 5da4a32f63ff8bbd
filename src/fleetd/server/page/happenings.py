# SPDX-License-Identifier: BSD-2-Clause
"""Events of the log in words for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcore.document.tables import value

from fleetd.server.kernel.events.model import Event
from fleetd.server.page.hardware import SOURCES

_TONES = {
    "hold.set": "warn",
    "hold.cleared": "ok",
    "powercycle.failed": "bad",
    "powercycle.verified": "ok",
    "work.failed": "bad",
    "machine.deleted": "warn",
}
_ELSEWHERE = frozenset({"powercycle", "fencing_token", "version"})  # numbers that say nothing to people


@dataclass(frozen=True)
class Happening:
    """An event as a line: ``tone`` is the class of its colour."""

    event: Event
    tone: str
    words: str
    details: str


def happening(event: Event) -> Happening:
    """What happened, and what is known of it beyond the kind."""
    data = {name: found for name, found in event.data.items() if name not in _ELSEWHERE}
    words = event.kind.replace(".", " ").replace("_", " ")
    tone = _TONES.get(event.kind, "info")
    if "hold" in data:
        hold = str(data.pop("hold"))
        words = f"{hold} {'set' if event.kind == 'hold.set' else 'cleared'}"
        tone = "bad" if (hold, event.kind) == ("quarantine", "hold.set") else tone
    if event.kind == "controller.changed":
        tone = {"in_error": "bad", "available": "ok"}.get(str(data.get("to")), tone)
    if event.kind == "device.changed":
        return Happening(event, tone, words, _changed(data))
    said = [
        f"{name.replace('_', ' ')} {value(found)}" for name, found in data.items() if found not in ("", None, [], 0)
    ]
    return Happening(event, tone, words, "; ".join([item for item in (event.message, ", ".join(said)) if item]))


_NAMED = 3  # parts


def _changed(data: Mapping[str, Any]) -> str:
    """Of an observation: how much, by whom, where."""
    count, source = data.get("changes", 0), str(data.get("source", ""))
    parts = [str(item).replace(":", " ", 1).replace("_", " ") for item in data.get("components", [])]
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    said = f"{count} change{'' if count == 1 else 's'}, seen by the {SOURCES.get(source, source)}"
    return said + (f": {', '.join(parts[:_NAMED])}{more}" if parts else "")
