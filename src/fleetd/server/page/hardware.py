# SPDX-License-Identifier: BSD-2-Clause
"""A device document as tables for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetcore.document import tables
from fleetcore.document.match import labels
from fleetcore.document.sections import KINDS, speakers
from fleetcore.document.tables import quantity, value

Document = Mapping[str, Any]
Row = Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """Components of one kind.

    ``verdict`` says why there are none, or not all; ``origin`` from whom their values are.
    """

    name: str
    title: str
    rows: Sequence[Row] = ()
    verdict: str = ""
    origin: str = ""
    columns: Sequence[str] = field(default=("place", "model", "serial", "details", "firmware", "health"))

    @property
    def worst(self) -> str:
        """The worst health of its rows; empty: none is told."""
        return max((row.get("health", "") for row in self.rows), key=lambda item: _HEALTH.get(item, 1 if item else -1))


_HEALTH = {"OK": 0, "Warning": 2, "Critical": 3}


def groups(document: Document) -> list[Group]:
    """The components by kind; the usual kinds are there even when empty, with the reason."""
    if not document:
        return []
    board = [
        {**tables.row(kind, document[name]), "place": kind.title}
        for name, kind in KINDS.items()
        if kind.title and isinstance(document.get(name), Mapping)
    ]
    found = [Group("board", "Board", board)] if board else []
    origins = document.get("provenance", {}) if document.get("source") not in SOURCES else {}  # of the merged view
    for name, kind in KINDS.items():
        if not kind.parts or kind.whole:  # a card of its own
            continue
        items = document.get(name, [])
        whole = [f"{name}[{title}]" for title in labels(items)]
        rows = [
            {**row, "origin": SOURCES.get(origins.get(path, ""), "")}
            for path, row in zip(whole, tables.rows(kind, items), strict=True)
        ]
        verdict = _verdict(document, *speakers(name, document))
        if rows or verdict or kind.usual:
            found.append(
                Group(name, kind.title, rows, verdict or ("" if rows else "none was found"), _origin(name, origins))
            )
    return found


# Who says it: values of the provenance, in words.
SOURCES: Mapping[str, str] = {"oob": "BMC", "inband": "OS", "registered": "registered"}


def _origin(name: str, origins: Mapping[str, str]) -> str:
    """Who tells of these parts, and of which of their fields somebody else does."""
    said = SOURCES.get(origins.get(name, ""), "")
    fields: dict[str, list[str]] = {}
    for path, source in origins.items():
        if path.startswith(f"{name}."):
            fields.setdefault(SOURCES.get(source, source), []).append(path.removeprefix(f"{name}.").replace("_", " "))
    return "; ".join(
        [said, *(f"{', '.join(sorted(names))}: {source}" for source, names in sorted(fields.items()))] if said else []
    )


def lists(document: Document) -> list[Group]:
    """What is no component: interfaces, partitions and the like. Readings have a card of their own."""
    return [
        Group(name, kind.title, _rows(document, name), columns=[tables.heading(column) for column in kind.columns])
        for name, kind in KINDS.items()
        if kind.title and not (kind.parts or kind.reading) and isinstance(document.get(name), list)
    ]


def links(document: Document) -> list[Row]:
    """Cables to switches, as LLDP tells them."""
    return [
        {
            "port": str(item.get("port") or item.get("part") or ""),
            "mac": str(item.get("macaddress") or ""),
            "switch": str(item.get("switch_name") or item.get("switch") or ""),
            "switch_port": str(item.get("switch_port") or ""),
            "vlan": str(item.get("vlan") or ""),
            "origin": SOURCES.get(str(item.get("source")), ""),
        }
        for item in document.get("links", [])
    ]


def _verdict(document: Document, *sections: str) -> str:
    coverage = document.get("coverage", {})
    return _words(next((coverage[name] for name in sections if name in coverage), {}))


def _words(entry: Document) -> str:
    """An entry of the coverage; nothing if all was collected."""
    verdict = str(entry.get("verdict", "collected"))
    if verdict == "collected":
        return ""
    words = {
        "absent": "the machine has none",
        "denied": "the login may not read it",
        "failed": "reading it failed",
        "timeout": "it did not answer in time",
        "skipped": "it was not asked for",
    }
    seen = str(entry.get("last_seen") or "")
    reason = entry.get("reason")
    said = words.get(verdict, verdict)
    if reason:
        said = f"none ({reason})" if verdict == "absent" else f"{said}: {reason}"
    return said + (f"; last seen {seen[:16].replace('T', ' ')} UTC" if seen else "")


def gaps(document: Document) -> list[tuple[str, str]]:
    """Sections of the collection that went wrong, and parts that did not answer, with the reason."""
    coverage = sorted(document.get("coverage", {}).items())
    parts = [(f"{name} {part}", said) for name, entry in coverage for part, said in entry.get("parts", {}).items()]
    return [
        (name, _words(entry))
        for name, entry in [*coverage, *parts]
        if entry.get("verdict") not in ("collected", "absent", "skipped")
    ]


@dataclass(frozen=True)
class Settings:
    """Of the BIOS: those with a common name, all as the source has them, and those that wait for a restart."""

    common: Sequence[tuple[str, str]]
    every: Sequence[tuple[str, str]]
    pending: Sequence[tuple[str, str]]


def settings(document: Document) -> Settings:
    """BIOS settings by name."""
    found = document.get("bios_configuration") or {}
    return Settings(
        *([(name, value(entry)) for name, entry in sorted((found.get(part) or {}).items())] for part in _SETTINGS)
    )


_SETTINGS = ("settings", "raw", "pending")


def sensors(document: Document) -> list[Row]:
    """Readings with their units."""
    return _rows(document, "sensors")


def firmware(document: Document) -> list[Row]:
    """What the BMC says is installed."""
    return [{**row, "version": row["firmware"]} for row in _rows(document, "firmware_inventory")]


def _rows(document: Document, name: str) -> list[Row]:
    return [*tables.rows(KINDS[name], document.get(name, []))]


@dataclass(frozen=True)
class Change:
    """A line of a difference: ``sign`` is +, - or ~."""

    sign: str
    subject: str
    field: str
    before: str
    after: str


_SIGNS = {"added": "+", "removed": "-"}


def changes(entries: Sequence[Document]) -> list[Change]:
    """What ``fleetcore.document.diff`` found, for reading."""
    return [
        Change(
            _SIGNS.get(str(item.get("op")), "~"),
            str(item.get("component") or "device").replace(":", " ", 1).replace("_", " ", 1),
            str(item.get("field") or "").replace("_", " "),
            _side(item, "before"),
            _side(item, "after"),
        )
        for item in entries
    ]


def _side(item: Document, side: str) -> str:
    found = item.get(side)
    name = str(item.get("field") or "").rpartition(".")[2]
    return quantity(name, found) if name else value(found)
