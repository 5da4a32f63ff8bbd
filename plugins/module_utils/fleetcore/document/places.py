# SPDX-License-Identifier: BSD-2-Clause

"""Parts that two sources see in two places: one of the views is stale. Pure.

Sources name one place in several ways, so another name alone proves nothing: they must be seen to name places alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Optional

from .match import Part, place_words
from .sections import speakers
from .values import serial_key, time_of

Both = tuple[Part, Part]


def misplaced(oob: list[Part], inband: list[Part]) -> list[Both]:
    """Parts of one kind, by serial number, whose slots differ although both sources name slots alike.

    They do if they agree on at least as many parts, if both know the same slots, or, for a single part, if the names
    are of one form with a letter in it.
    """
    ours, theirs = _by_serial(oob), _by_serial(inband)
    both = [(ours[key], theirs[key]) for key in ours if key in theirs]
    differ = [(mine, other) for mine, other in both if not _same(_slot(mine), _slot(other))]
    agree = [mine for mine, other in both if _slot(mine) == _slot(other)]
    if not differ or len(differ) <= len(agree):
        return differ
    if len(both) == 1:
        return differ if _form(_slot(both[0][0])) == _form(_slot(both[0][1])) != "" else []
    return differ if {_slot(mine) for mine, _other in both} == {_slot(other) for _mine, other in both} else []


def elsewhere(mine: Part, theirs: Part) -> bool:
    """Their slots have names of one form with a letter in it, and differ: these are two parts."""
    if not mine.get("slot") or not theirs.get("slot"):
        return False
    ours, others = _slot(mine), _slot(theirs)
    return ours != others and _form(ours) == _form(others) != ""


def without_stale_slots(oob: Mapping[str, Any], inband: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The BMC's document without the slots of parts that the OS has seen elsewhere since."""
    out = dict(oob)
    for name in names:
        if oob.get(name) and inband.get(name) and seen_later(name, inband, oob):
            stale = {id(mine) for mine, _theirs in misplaced(oob[name], inband[name])}
            if stale:
                out[name] = [_without_slot(part) if id(part) in stale else part for part in oob[name]]
    return out


def seen_later(name: str, document: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether ``document`` saw the parts of a list after ``other`` did; false if one of them does not say when."""
    times = _seen_at(name, document), _seen_at(name, other)
    return times[0] is not None and times[1] is not None and times[0] > times[1]


def _seen_at(name: str, document: Mapping[str, Any]) -> Optional[datetime]:
    """When the list was collected: what was kept from before is as old as it was then."""
    coverage = document.get("coverage", {})
    kept = [coverage[entry]["last_seen"] for entry in speakers(name, document) if _kept(coverage.get(entry))]
    return time_of(min(kept) if kept else document.get("collected_at"))


def _kept(entry: Optional[Mapping[str, Any]]) -> bool:
    return bool(entry and entry.get("last_seen"))


def _by_serial(parts: list[Part]) -> dict[str, Part]:
    """Parts that have a slot, by serial number; not those whose number is not theirs alone."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        key = serial_key(part.get("serial"))
        if key:
            found.setdefault(key, []).append(part)
    return {key: same[0] for key, same in found.items() if len(same) == 1 and same[0].get("slot")}


def _slot(part: Part) -> tuple[str, ...]:
    return place_words(str(part["slot"]))


def _same(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """``A1`` is ``P1_DIMMA1``: one says more than the other."""
    short, long = sorted((mine, theirs), key=len)
    return long[-len(short) :] == short


def _form(words: tuple[str, ...]) -> str:
    """The form of a name, if a letter is in it: what numbers alone count, each source may begin at 0 or 1."""
    form = "".join("9" if word.isdigit() else "a" * len(word) for word in words)
    return form if "a" in form else ""


def _without_slot(part: Part) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "slot"}
