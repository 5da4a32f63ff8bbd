# SPDX-License-Identifier: BSD-2-Clause

"""One in-band document from the pieces of all sources. Pure.

The same component, as several sources see it, is recognised by its identity: serial, WWN, device name, PCI address,
slot; never by its place in a list (but for CPUs, where all sources count sockets in the same order). Fields are taken
by :mod:`precedence`.

It is longer than other files: one function for each way in which sources differ.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, TypeVar

from ...document.model import Device, Source
from ...document.parts import Capability, Drive, Firmware, FirmwareEntry, Nic, NicPort, StorageController, Volume
from ...document.sections import FIELDS
from ...document.values import squeezed
from ..parse.drives import is_virtual
from . import precedence

Piece = tuple[str, Device]
T = TypeVar("T")
Key = tuple[str, str]

_NESTED = ("Firmware", "Bios", "Bmc", "Mainboard", "Boot", "SecureBoot", "Nic")


def join(pieces: Sequence[Piece]) -> Device:
    """The document; ``provenance`` maps ``section`` and ``section.field`` to the sources that won, joined by
    commas; a field that is not in it came from what its section came from."""
    won: dict[str, list[str]] = {}
    parts: dict[str, Any] = {}
    for name in FIELDS:
        found = _told(pieces, name)
        if found:
            parts[name] = _section(name, found, won)
    parts = _linked(parts)
    for path, sources in with_rows(parts).items():
        won.setdefault(path, []).extend(sources)
    named = {path: ",".join(sorted(set(sources))) for path, sources in sorted(won.items()) if sources}
    provenance = {path: sources for path, sources in named.items() if named.get(path.rpartition(".")[0]) != sources}
    return dataclasses.replace(Device(source=Source.INBAND, provenance=provenance), **parts)


def _told(pieces: Sequence[tuple[str, Any]], field: str) -> list[tuple[str, Any]]:
    """What the pieces say of a field, by source."""
    found = [(source, getattr(piece, field)) for source, piece in pieces]
    return [(source, value) for source, value in found if value not in (None, (), {})]


def _section(name: str, found: list[tuple[str, Any]], won: dict[str, list[str]]) -> Any:
    if name == "nics":
        return _nics(found, won)
    if not isinstance(found[0][1], tuple):
        return _field(name, found, won)
    listed = [(source, item) for source, values in found for item in values]
    groups = _positions(listed) if name == "cpus" else _groups(name, listed)
    return tuple(_merged(name, group, won) for group in _allowed(name, groups))


# -- which pieces are the same component -------------------------------------------------------------------------------


def _keys(name: str, item: Any) -> list[Key]:
    """The keys that a component is known by, strongest first."""
    values = [(kind, getattr(item, kind, None)) for kind in _IDENTITIES.get(name, ("serial", "id"))]
    return [(kind, str(value).strip().lower()) for kind, value in values if value]


_IDENTITIES: Mapping[str, tuple[str, ...]] = {
    "drives": ("serial", "wwn", "logical_name", "id", "bus_info"),
    "volumes": ("wwn", "logical_name", "id"),
    "storage_controller": ("bus_info", "serial", "id"),
    "gpus": ("bus_info", "uuid", "serial", "id"),
    "accelerators": ("bus_info", "serial"),
    "dpus": ("bus_info", "serial"),
    "pcie_devices": ("bus_info",),
    "memory": ("serial", "slot"),
    "power_supplies": ("serial", "slot"),
    "enclosures": ("serial", "id"),
    "transceivers": ("port",),
    "fabric_ports": ("wwn", "id"),
    "nic_ports": ("bus_info", "logical_name"),
}


def _groups(name: str, listed: Iterable[tuple[str, T]]) -> list[list[tuple[str, T]]]:
    groups: list[list[tuple[str, T]]] = []
    by_key: dict[Key, list[int]] = {}
    for source, item in _best_first(name, listed):
        keys = _keys(name, item)
        place = next(
            (index for key in keys for index in by_key.get(key, ()) if _compatible(source, item, groups[index])), None
        )
        if place is None and name == "storage_controller":
            place = _by_pci_numbers(item, groups)
        if place is None and name == "tpms" and groups and source != groups[0][0][0]:
            place = 0  # a machine has one
        if place is None:
            place = len(groups)
            groups.append([])
        groups[place].append((source, item))
        for key in keys:
            by_key.setdefault(key, []).append(place)
    return groups


def _best_first(path: str, found: Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    rank = {source: place for place, source in enumerate(precedence.order(path))}
    return sorted(found, key=lambda entry: rank.get(entry[0], len(rank)))


def _compatible(source: str, item: Any, group: Sequence[tuple[str, Any]]) -> bool:
    # SAS drives: lshw and block write the place on the bus in words of their own.
    apart = ("serial",) if isinstance(item, Drive) else ("serial", "bus_info")
    for other, piece in group:
        if any(_differ(item, piece, kind) and not _alike(item, piece, kind) for kind in apart):
            return False
        # One tool does not list one thing under two ids, or in two slots.
        if source == other and any(_differ(item, piece, kind) for kind in ("id", "slot")):
            return False
    return True


def _differ(item: Any, piece: Any, kind: str) -> bool:
    mine, theirs = getattr(item, kind, None), getattr(piece, kind, None)
    return bool(mine and theirs and mine != theirs)


def _alike(item: Any, piece: Any, kind: str) -> bool:
    """Equal but for punctuation, or one cut short: some tools truncate serial numbers."""
    first, second = sorted((squeezed(str(getattr(each, kind))) for each in (item, piece)), key=len)
    return first == second or (len(first) >= 8 and (second.startswith(first) or second.endswith(first)))


def _by_pci_numbers(item: Any, groups: Sequence[Sequence[tuple[str, Any]]]) -> Optional[int]:
    """A controller whose tool doesn't say where it is belongs to the only one with the same PCI numbers."""
    vendor, product = item.pci_vendor_id, item.pci_product_id
    if not vendor or not product:
        return None
    found = [
        index
        for index, group in enumerate(groups)
        for _source, other in group
        if (other.pci_vendor_id, other.pci_product_id) == (vendor, product) and not (other.bus_info and item.bus_info)
    ]
    return found[0] if len(set(found)) == 1 else None


def _positions(listed: Iterable[tuple[str, T]]) -> list[list[tuple[str, T]]]:
    """CPUs of all sources that count as many as the best, n-th to n-th."""
    by_source: dict[str, list[T]] = {}
    for source, item in listed:
        by_source.setdefault(source, []).append(item)
    best = next(source for source in precedence.order("cpus") if source in by_source)
    count = len(by_source[best])
    fitting = {source: items for source, items in by_source.items() if len(items) == count}
    return [[(source, items[place]) for source, items in fitting.items()] for place in range(count)]


def _allowed(name: str, groups: list[list[tuple[str, T]]]) -> list[list[tuple[str, T]]]:
    authorities = precedence.AUTHORITIES.get(name)
    if authorities is None:
        return groups
    present = {source for group in groups for source, _item in group}
    authority = next((source for source in authorities if source in present), None)
    if authority is None:
        return groups
    return [group for group in groups if any(source == authority for source, _item in group)]


# -- fields ------------------------------------------------------------------------------------------------------------


def _merged(name: str, group: Sequence[tuple[str, T]], won: dict[str, list[str]]) -> T:
    """One component of several pieces of one class."""
    won.setdefault(name, []).extend(source for source, _item in group)
    first: Any = group[0][1]
    values: dict[str, Any] = {}
    for item in dataclasses.fields(first):
        found = _told(group, item.name)
        if found:
            values[item.name] = _field(f"{name}.{item.name}", found, won)
    return type(first)(**values)  # type: ignore[no-any-return]


def _field(path: str, found: list[tuple[str, Any]], won: dict[str, list[str]]) -> Any:
    ordered = _best_first(path, found)
    value = ordered[0][1]
    if type(value).__name__ in _NESTED:
        return _nested(path, ordered, won)
    if isinstance(value, Mapping):
        out: dict[str, Any] = {}
        for source, item in ordered:
            out.update({key: entry for key, entry in item.items() if key not in out})
            won.setdefault(path, []).append(source)
        return out
    if path.endswith(".capabilities"):
        by_name: dict[Any, Capability] = {}
        for source, items in ordered:
            by_name.update({item.name: item for item in items if item.name not in by_name})
            won.setdefault(path, []).append(source)
        return tuple(by_name.values())
    if path.endswith(".smart_status") and value == "unknown":
        ordered = [entry for entry in ordered if entry[1] != "unknown"] or ordered
    won.setdefault(path, []).append(ordered[0][0])
    return ordered[0][1]


def _nested(path: str, ordered: list[tuple[str, Any]], won: dict[str, list[str]]) -> Any:
    """Parts of a whole, each from the best source that has it. Versions of different sources are not mixed."""
    first = ordered[0][1]
    if isinstance(first, Firmware):
        ordered = [entry for entry in ordered if _same_firmware(first, entry[1])]
    values: dict[str, Any] = {}
    for item in dataclasses.fields(first):
        found = _told(ordered, item.name)
        if not found:
            continue
        below: dict[str, list[str]] = {}
        if item.name == "nic_ports":
            groups = _groups("nic_ports", [(source, port) for source, ports in found for port in ports])
            values[item.name] = tuple(_merged("nic_ports", group, below) for group in groups)
        else:
            values[item.name] = _field(f"{path}.{item.name}", found, below)
        won.setdefault(path, []).extend(source for sources in below.values() for source in sources)
        if "." not in path:
            won.update({key: sources for key, sources in below.items() if key.count(".") == 1 and key.startswith(path)})
    return type(first)(**values)


def _same_firmware(first: Firmware, other: Firmware) -> bool:
    return first.installed is None or other.installed is None or first.installed == other.installed


# -- network cards -----------------------------------------------------------------------------------------------------


def _nics(found: list[tuple[str, Any]], won: dict[str, list[str]]) -> tuple[Nic, ...]:
    """Ports first, then cards: a card is what shares a PCI device.

    Ports that no source places anywhere are not hardware.
    """
    ports: list[tuple[str, NicPort]] = []
    cards: dict[str, list[tuple[str, Nic]]] = {}
    for source, nics in found:
        for nic in nics:
            ports += [(source, port) for port in nic.nic_ports]
            if nic.bus_info:
                cards.setdefault(nic.bus_info, []).append((source, dataclasses.replace(nic, nic_ports=())))
    by_card: dict[str, list[NicPort]] = {}
    seen_by: dict[str, str] = {}
    for group in _groups("nic_ports", ports):
        port = _merged("nic_ports", group, won)
        if port.bus_info:
            address = port.bus_info.rsplit(".", 1)[0]
            by_card.setdefault(address, []).append(port)
            seen_by.setdefault(address, group[0][0])
    out = []
    for address in sorted({*by_card, *cards}):
        card = _merged("nics", cards.get(address) or [(seen_by[address], Nic(id=address, bus_info=address))], won)
        members = _unbonded(tuple(sorted(by_card.get(address, ()), key=lambda port: port.bus_info or "")))
        shared = _only([port.firmware for port in members if port.firmware])
        out.append(dataclasses.replace(card, nic_ports=members, firmware=card.firmware or shared))
    return tuple(out)


def _unbonded(ports: tuple[NicPort, ...]) -> tuple[NicPort, ...]:
    """Without the address of a bond on all but its first port, whose own it is as a rule: it is not theirs."""
    seen: set[str] = set()
    out = []
    for port in ports:
        out.append(dataclasses.replace(port, macaddress=None) if port.macaddress in seen else port)
        if port.macaddress:
            seen.add(port.macaddress)
    return tuple(out)


def _only(versions: Sequence[Firmware]) -> Optional[Firmware]:
    """The version, if they are all one."""
    return versions[0] if versions and all(item == versions[0] for item in versions) else None


# -- what components say of each other ---------------------------------------------------------------------------------


def _linked(parts: dict[str, Any]) -> dict[str, Any]:
    """Names that tools have for each other's components become their ids; PCI names and slots reach what is in them."""
    controllers: tuple[StorageController, ...] = parts.get("storage_controller", ())
    named = {alias: item.id for item in controllers for alias in _aliases(item) if item.id}
    drives = _without_repeats(tuple(item for item in parts.get("drives", ()) if not is_virtual(item.model)))
    serials: dict[str, str] = {}
    for drive in drives:
        for alias in (drive.id, drive.logical_name, drive.slot):
            if alias and drive.serial:
                serials.setdefault(alias, drive.serial)

    def linked(item: T, **values: Any) -> T:
        controller = getattr(item, "storage_controller", None)
        values["storage_controller"] = named.get(controller or "", controller)
        return dataclasses.replace(item, **values)  # type: ignore[type-var]

    if "drives" in parts:
        by_name = sorted(drives, key=lambda item: (item.logical_name or "~", item.id or ""))
        parts["drives"] = tuple(map(linked, by_name))
    if "volumes" in parts:
        volumes: tuple[Volume, ...] = parts["volumes"]
        parts["volumes"] = tuple(
            linked(item, physical_drives=tuple(_member(name, serials) for name in item.physical_drives))
            for item in volumes
        )
    return _placed(parts)


def _without_repeats(drives: tuple[Drive, ...]) -> tuple[Drive, ...]:
    """Without drives of which a tool knows but the place and the model, or the protocol, where as many such are known
    by serial.

    Behind a controller that passes drives through, the operating system sees them all; short listings don't say which
    is which. Old versions of ``lshw`` see NVMe drives as controllers.
    """

    def protocol(item: Drive) -> tuple[str, str]:
        return ("protocol", item.protocol or "")

    def kind(item: Drive) -> tuple[str, str]:
        # The kernel's name for it ends after 16 characters: SCSI has no more.
        return ("model", squeezed((item.model or "")[:16])) if item.model else protocol(item)

    nameless = [item for item in drives if not (item.serial or item.wwn or item.logical_name)]
    known = [item for item in drives if item not in nameless]
    seen = Counter([*map(kind, known), *(protocol(item) for item in known if item.model)])
    counts = Counter(map(kind, nameless))
    return tuple(
        item for item in drives if item not in nameless or not kind(item)[1] or seen[kind(item)] < counts[kind(item)]
    )


def _aliases(item: StorageController) -> list[str]:
    slot = item.metadata.get("slot")
    return [alias for alias in (item.id, item.metadata.get("controller"), f"slot {slot}" if slot else None) if alias]


def _member(name: str, serials: Mapping[str, str]) -> str:
    whole = re.sub(r"^(/dev/nvme\d+)n\d+(p\d+)?$", r"\1", name)
    whole = re.sub(r"^(/dev/[a-z]+)\d+$", r"\1", whole) if not whole.startswith("/dev/nvme") else whole
    return serials.get(name) or serials.get(whole) or name


def _placed(parts: dict[str, Any]) -> dict[str, Any]:
    devices = parts.get("pcie_devices", ())
    # By their addresses, and by those of their cards, which are these without the function.
    places = {str(item.bus_info).rsplit(".", 1)[0]: item for item in reversed(devices)}
    places.update({item.bus_info: item for item in devices})

    def fill(item: Any) -> Any:
        listed = places.get(item.bus_info)
        if listed is None:
            return item
        values = {
            name: getattr(item, name, None) or getattr(listed, name)
            for name in ("vendor", "model", "pci_vendor_id", "pci_product_id", "slot")
            if hasattr(item, name)
        }
        return dataclasses.replace(item, **values)

    for name in ("storage_controller", "gpus", "accelerators", "dpus", "nics"):
        if name in parts:
            parts[name] = tuple(fill(item) for item in parts[name])
    # SMBIOS lists slots by the address of the bridge behind them, too: without a device there they are no device.
    if devices:
        parts["pcie_devices"] = tuple(item for item in devices if item.pci_vendor_id or item.vendor or item.model)
    return parts


# -- firmware that a vendor's inventory lists by marketing name -----

# Only where it is certain: the rows of a kind agree on one version, and for cards only one controller carries the chip.
# A card's name in Dell's inventory -> its chip, as PCI names it.
_CARDS: tuple[tuple[str, str, str], ...] = (
    ("storage_controller", r"^BOSS$|^BOSS-S1", r"88SE9230"),
    ("storage_controller", r"\bHBA330\b", r"SAS3008"),
    ("storage_controller", r"\bHBA350i?\b", r"SAS34\d\d"),
    ("storage_controller", r"\bPERC H330\b", r"SAS(?:-3 )?3008"),
    ("storage_controller", r"\bPERC H730P?\b", r"SAS(?:-3 )?3108"),
    ("storage_controller", r"\bPERC H740P?\b", r"SAS3508"),
    ("storage_controller", r"\bPERC H755", r"SAS39(?:\d\d|xx)"),
)


def with_rows(parts: dict[str, Any]) -> dict[str, list[str]]:
    """Fill ``firmware`` of power supplies and storage controllers in ``parts`` that have none; what was filled, as
    provenance."""
    rows: Sequence[FirmwareEntry] = parts.get("firmware_inventory", ())
    filled = {}
    for section, name, chip in (("power_supplies", r"^Power Supply\b", ""), *_CARDS):
        before = parts.get(section, ())
        meant = [item for item in before if re.search(chip, item.model or "")]
        version = _only([row.firmware for row in rows if row.firmware and re.search(name, row.name or "")])
        if version is None or not meant or (chip and len(meant) > 1):
            continue
        parts[section] = tuple(
            dataclasses.replace(item, firmware=version) if item in meant and item.firmware is None else item
            for item in before
        )
        if parts[section] != before:
            filled[f"{section}.firmware"] = ["dsu"]
    return filled
