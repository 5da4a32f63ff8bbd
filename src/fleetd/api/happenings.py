# SPDX-License-Identifier: BSD-2-Clause
"""Events of the log in words for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleetd.api.hardware import value
from fleetd.events import Event

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
    said = [f"{name.replace('_', ' ')} {value(found)}" for name, found in data.items() if found not in ("", None, [])]
    return Happening(event, tone, words, "; ".join([item for item in (event.message, ", ".join(said)) if item]))
