# SPDX-License-Identifier: BSD-2-Clause

"""The parts of a device document as rows of text, for a page or a terminal. Pure.

Which columns a kind has is said where its field is declared (``kinds.py``). A column is one of :data:`COLUMNS`, or
the name of a field of the part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .kinds import Kind

Part = Mapping[str, Any]
Row = dict[str, str]


def row(kind: Kind, part: Part) -> Row:
    """One part: its text by the name of the column; empty where the part does not say it."""
    return {name: cell(kind, name, part) for name in kind.columns}


def rows(kind: Kind, parts: Sequence[Part]) -> list[Row]:
    """The parts of one kind. Where several have one place, as the first volume of each controller has, what tells
    them apart stands behind it."""
    found = [row(kind, part) for part in parts]
    if "place" in kind.columns:
        shared = Counter(item["place"] for item in found)
        for place in [place for place, count in shared.items() if count > 1]:
            alike = [number for number, item in enumerate(found) if item["place"] == place]
            for number, words in zip(alike, _apart([parts[number] for number in alike])):
                found[number]["place"] = f"{place} ({words})".strip()
    return found


_TELLING = ("storage_controller", "port", "name", "physid", "bus_info", "model", "serial")


def _apart(parts: Sequence[Part]) -> list[str]:
    """A word for each, from the first field in which all of them differ, else their numbers."""
    for name in _TELLING:
        words = [str(part.get(name) or "") for part in parts]
        if all(words) and len(set(words)) == len(words):
            return words
    return [str(number) for number, _part in enumerate(parts, 1)]


def cell(kind: Kind, column: str, part: Part) -> str:
    """The text of one column."""
    if column == "details":
        return ", ".join([_detail(name, part) for name in kind.details if part.get(name) is not None] + _macs(part))
    read = COLUMNS.get(column)
    return read(part) if read is not None else quantity(column, part.get(column))


def heading(column: str) -> str:
    """The name of a column, for people."""
    return _HEADINGS.get(column, column.replace("_", " ").capitalize())


_HEADINGS = {
    "guid": "GUID",
    "sha256": "SHA-256",
    "size_bytes": "Size",
    "macaddress": "MAC",
    "vlan": "VLAN",
    "vlan_id": "VLAN",
    "ip_addresses": "IP addresses",
    "cpus": "CPUs",
    "memory_bytes": "Memory",
    "filesystem": "File system",
    "created_at": "Time",
}


def _first(*names: str) -> Callable[[Part], str]:
    return lambda part: next((str(part[name]) for name in names if part.get(name)), "")


def _model(part: Part) -> str:
    """The product, with its maker unless the product's name begins so: "Intel" of "Intel(R) Xeon(R) ..."."""
    name = _first("model", "product_name", "name", "description")(part)
    vendor = str(part.get("vendor") or "")
    named = vendor and name.lower().startswith(vendor.split(maxsplit=1)[0].lower())
    return name if named else f"{vendor} {name}".strip()


def _reading(part: Part) -> str:
    return _detail("reading", part) if isinstance(part.get("reading"), (int, float)) else "no reading"


COLUMNS: Mapping[str, Callable[[Part], str]] = {
    "place": _first("slot", "id", "physid", "name"),
    "name": _first("name", "id"),
    "model": _model,
    "firmware": lambda part: str((part.get("firmware") or {}).get("installed") or ""),
    "health": lambda part: str((part.get("status") or {}).get("Health") or ""),
    "reading": _reading,
}
"""Readers of the columns that are not simply the field of their name."""


def _detail(name: str, part: Part) -> str:
    units = part.get(f"{name}_units") or (part.get("units") if name == "reading" else None)
    words = name.replace("_", " ") if name.endswith("_at") else ""  # a time alone does not say of what
    return f"{words} {quantity(name, part[name])} {units or ''}".strip()


def _macs(part: Part) -> list[str]:
    """MAC addresses of a network card's ports, or of a BMC's."""
    card = part.get("nic") or part
    return [port["macaddress"] for port in card.get("nic_ports", []) if port.get("macaddress")]


# -- values ------------------------------------------------------------------------------------------------------------


def value(found: Any) -> str:
    """Any JSON value in one line."""
    if found is None:
        return ""
    if isinstance(found, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {quantity(name, item)}" for name, item in found.items())
    if isinstance(found, (list, tuple)):
        return ", ".join(value(item) for item in found)
    return {True: "yes", False: "no"}[found] if isinstance(found, bool) else str(found)


def quantity(name: str, amount: Any) -> str:
    """A value with its unit, which is in the name of its field."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        return value(amount)
    if name.endswith("_bytes"):
        return _scaled(amount, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))
    if name.endswith("_hz"):
        return _scaled(amount, 1000, ("Hz", "kHz", "MHz", "GHz"))
    if name.endswith("_bits"):
        return _scaled(amount, 1000, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))
    for ending, unit in (("_watts", "W"), ("_percent", "%"), ("_gbps", "Gbit/s")):
        if name.endswith(ending):
            return f"{amount:g} {unit}"
    return f"{amount:g} {name}" if name in ("cores", "threads") else f"{amount:g}"


def _scaled(amount: float, step: int, units: Sequence[str]) -> str:
    for unit in units[:-1]:
        if abs(amount) < step:
            return f"{_three(amount)} {unit}"
        amount /= step
    return f"{_three(amount)} {units[-1]}"


def _three(amount: float) -> str:
    """Three digits, and never an exponent."""
    return f"{amount:.0f}" if abs(amount) >= 100 else f"{amount:.3g}"
