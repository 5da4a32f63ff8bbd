# SPDX-License-Identifier: BSD-2-Clause
"""A device document as tables for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetcore.document.match import labels
from fleetcore.document.sections import LISTS, speakers

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
_COMMON = frozenset(
    {"vendor", "model", "product_name", "name", "description", "slot", "id", "physid", "serial", "firmware", "status"}
)  # fields that have a column of their own


@dataclass(frozen=True)
class Kind:
    """How the components of one list of the document are shown. ``details`` None: every field that has no column."""

    title: str
    details: Sequence[str] | None = None


# Those that come first, and whose details are chosen. Every other list of the document follows with all its fields.
_KINDS: Mapping[str, Kind] = {
    "cpus": Kind("CPUs", ("cores", "threads", "clock_speed_hz")),
    "memory": Kind("Memory", ("size_bytes", "type", "clock_speed_hz")),
    "drives": Kind("Drives", ("capacity_bytes", "protocol", "drive_type")),
    "volumes": Kind("Volumes", ("size_bytes", "raid_type")),
    "storage_controller": Kind("Storage controllers", ("speed_gbps",)),
    "nics": Kind("Network cards", ()),
    "gpus": Kind("GPUs", ("memory_bytes",)),
    "accelerators": Kind("Accelerators", ()),
    "dpus": Kind("DPUs", ()),
    "power_supplies": Kind("Power supplies", ("power_capacity_watts",)),
    "fans": Kind("Fans", ("reading",)),
    "tpms": Kind("TPMs", ("interface_type",)),
    "enclosures": Kind("Enclosures", ("chassis_type",)),
    "batteries": Kind("Batteries", ("charge_percent",)),
    "backplanes": Kind("Backplanes", ()),
    "cplds": Kind("CPLDs", ()),
    "transceivers": Kind("Transceivers", ()),
    "pcie_devices": Kind("PCIe devices", ("device_class",)),
}
_ALWAYS = ("cpus", "memory", "drives", "nics", "power_supplies", "fans")  # said even when there are none
_OWN_CARD = frozenset({"firmware_inventory"})


def kinds() -> Mapping[str, Kind]:
    """Every kind of component that a document may have, in the order in which they are shown."""
    others = [name for name in LISTS if name not in _KINDS and name not in _OWN_CARD]
    return {**_KINDS, **{name: Kind(name.replace("_", " ").capitalize()) for name in others}}


def groups(document: Document) -> list[Group]:
    """The components by kind; the usual kinds are there even when empty, with the reason."""
    if not document:
        return []
    board = [
        _row(document[name], (), title)
        for name, title in (("bmc", "BMC"), ("bios", "BIOS"), ("mainboard", "Mainboard"))
        if document.get(name)
    ]
    found = [Group("board", "Board", board)] if board else []
    origins = document.get("provenance", {}) if document.get("source") not in SOURCES else {}  # of the merged view
    for name, kind in kinds().items():
        items = document.get(name, [])
        whole = [f"{name}[{title}]" for title in labels(items)]
        rows = [
            {**_row(item, kind.details), "origin": SOURCES.get(origins.get(path, ""), "")}
            for path, item in zip(whole, items, strict=True)
        ]
        verdict = _verdict(document, *speakers(name, document))
        if rows or verdict or name in _ALWAYS:
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
    entry: Document = next((coverage[name] for name in sections if name in coverage), {})
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
    return (
        words.get(verdict, verdict)
        + (f": {entry['reason']}" if entry.get("reason") else "")
        + (f"; last seen {seen[:16].replace('T', ' ')} UTC" if seen else "")
    )


def gaps(document: Document) -> list[tuple[str, str]]:
    """Sections of the collection that went wrong, with the reason."""
    return [
        (name, _verdict(document, name))
        for name, entry in sorted(document.get("coverage", {}).items())
        if entry.get("verdict") not in ("collected", "absent", "skipped")
    ]


def _row(item: Document, details: Sequence[str] | None, place: str = "") -> Row:
    name = str(item.get("model") or item.get("product_name") or item.get("name") or item.get("description") or "")
    vendor = str(item.get("vendor") or "")
    named = vendor and name.lower().startswith(vendor.split(maxsplit=1)[0].lower())  # "Intel" of "Intel(R) Xeon(R) ..."
    return {
        "place": place or str(item.get("slot") or item.get("id") or item.get("physid") or item.get("name") or ""),
        "model": name if named else f"{vendor} {name}".strip(),
        "serial": str(item.get("serial") or ""),
        "firmware": str((item.get("firmware") or {}).get("installed") or ""),
        "health": str((item.get("status") or {}).get("Health") or ""),
        "details": ", ".join([*_details(item, details), *_macs(item)]),
    }


def _details(item: Document, chosen: Sequence[str] | None) -> list[str]:
    if chosen is not None:
        return [_detail(name, item) for name in chosen if item.get(name) is not None]
    rest = [name for name, found in item.items() if name not in _COMMON and isinstance(found, str | int | float)]
    return [f"{name.replace('_', ' ')} {_detail(name, item)}" for name in rest]


def _detail(name: str, item: Document) -> str:
    return f"{quantity(name, item[name])} {item.get(f'{name}_units') or ''}".strip()


def _macs(item: Document) -> list[str]:
    """MAC addresses of a network card's ports, or of a BMC's."""
    card = item.get("nic") or item
    return [port["macaddress"] for port in card.get("nic_ports", []) if port.get("macaddress")]


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
    return [
        {
            "name": str(item.get("name") or item.get("id") or ""),
            "kind": str(item.get("kind") or ""),
            "reading": f"{item['reading']:g} {item.get('units') or ''}".strip()
            if isinstance(item.get("reading"), int | float)
            else "no reading",
            "health": str((item.get("status") or {}).get("Health") or ""),
        }
        for item in document.get("sensors", [])
    ]


def firmware(document: Document) -> list[Row]:
    """What the BMC says is installed."""
    return [
        {
            "name": str(item.get("name") or item.get("id") or ""),
            "version": str((item.get("firmware") or {}).get("installed") or ""),
            "updateable": {True: "yes", False: "no"}.get(item.get("updateable"), ""),
        }
        for item in document.get("firmware_inventory", [])
    ]


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


def value(found: Any) -> str:
    """Any JSON value in one line."""
    if found is None:
        return ""
    if isinstance(found, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {quantity(name, item)}" for name, item in found.items())
    if isinstance(found, list | tuple):
        return ", ".join(value(item) for item in found)
    return {True: "yes", False: "no"}[found] if isinstance(found, bool) else str(found)


def quantity(name: str, amount: Any) -> str:
    """A value with its unit, which is in the name of its field."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
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
