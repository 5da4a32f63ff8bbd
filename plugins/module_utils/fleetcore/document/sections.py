# SPDX-License-Identifier: BSD-2-Clause

"""The parts of a device document, and which verdicts of its coverage speak for them. Pure, data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Union

from .kinds import Kind, kind_of
from .model import Device, Verdict, to_dict

Document = Union[Device, Mapping[str, Any]]
"""A device document, or its plain data."""

OF_THE_OBSERVATION = frozenset(
    ["source", "collected_at", "collector", "coverage", "stats", "attempts", "provenance", "links"]
)
"""Fields that say something about the observation or follow from others, not about the machine."""

MEMORY_BYTES = "memory_bytes"
"""Metadata of a machine whose memory modules nobody lists: their sum, as decimal digits."""

KINDS: Mapping[str, Kind] = {
    item.name: kind_of(item) for item in dataclasses.fields(Device) if item.name not in OF_THE_OBSERVATION
}
"""The kind of each field that describes the machine, in the order of the document."""

FIELDS = tuple(KINDS)

READINGS = frozenset(name for name, kind in KINDS.items() if kind.reading)
"""Fields that are true of one moment only."""

LISTS = tuple(name for name, kind in KINDS.items() if kind.parts)
"""Fields that are lists of components."""

SECTIONS = tuple(dict.fromkeys(["system", "power", *(section for kind in KINDS.values() for section in kind.sections)]))
"""Sections of an out-of-band collection. ``system`` and ``power`` cost one resource and are always read."""


def plain(document: Document) -> Mapping[str, Any]:
    """The plain data of a document."""
    data: Mapping[str, Any] = to_dict(document) if isinstance(document, Device) else document
    return data


def memory_bytes(document: Mapping[str, Any]) -> int:
    """The machine's memory: the sum of its modules, or what it is said to have in all where that is more and nobody
    knows the size of each module; 0 if nobody knows."""
    modules = document.get("memory") or ()
    said = str((document.get("metadata") or {}).get(MEMORY_BYTES, ""))
    sizes = [item.get("size_bytes") or 0 for item in modules]
    whole = int(said) if said.isdecimal() and len(said) < 20 else 0
    return sum(sizes) if sizes and all(sizes) else max(sum(sizes), whole)


def speakers(name: str, *documents: Mapping[str, Any]) -> list[str]:
    """Entries of the coverage that decide whether field ``name`` is complete.

    In-band every tool has an entry of its own: those from which the field came in any of ``documents`` (their
    provenance). Out of band a field is in one section, seldom in two.
    """
    tools = {
        tool
        for document in documents
        for tool in document.get("provenance", {}).get(name, "").split(",")
        if tool in document.get("coverage", {})
    }
    return sorted(tools) or list(KINDS[name].sections)


def uncollected(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Entries of the coverage because of which what ``before`` has in field ``name`` and ``after`` has not is not gone.

    Empty: the field was collected. A tool that is absent does not hold back what other tools say, one that failed does.
    """
    coverage = after.get("coverage", {})
    asked = [entry for entry in speakers(name, before, after) if entry in coverage]
    verdicts = {entry: Verdict(coverage[entry].get("verdict", Verdict.COLLECTED)) for entry in asked}
    broken = [entry for entry, verdict in verdicts.items() if verdict not in (Verdict.COLLECTED, Verdict.ABSENT)]
    if broken or not asked or Verdict.COLLECTED in verdicts.values():
        return broken
    return asked


def unanswered(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Parts of field ``name`` that were asked one by one and did not answer, by the entry of the coverage."""
    coverage = after.get("coverage", {})
    found = {entry: frozenset(coverage.get(entry, {}).get("parts", ())) for entry in speakers(name, before, after)}
    return {entry: names for entry, names in found.items() if names}
