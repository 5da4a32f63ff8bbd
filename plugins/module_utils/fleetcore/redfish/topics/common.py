# SPDX-License-Identifier: BSD-2-Clause

"""Fields that every component has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document import values
from ...document.parts import Firmware, Status
from ...document.values import clean_serial, firmware
from ..quirks import AVAILABLE_PREFIXES, PREVIOUS_PREFIXES
from ..tree import Tree, once
from ..values import at, first, id_of, items, links, text, word


def status(body: Any) -> Optional[Status]:
    health, state = text(at(body, "Status.Health")), text(at(body, "Status.State"))
    return Status(Health=health, State=state) if health or state else None


def hpe_firmware(body: Mapping[str, Any]) -> Optional[Firmware]:
    """Firmware where HPE's own schemas have it."""
    return firmware(at(body, "FirmwareVersion.Current.VersionString"))


def component(tree: Tree, path: str, body: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    """Keyword arguments for any component with an id, of a resource of its own.

    A version that the resource does not say is that of the firmware inventory's row that names it.

    :param own: what this kind of resource says elsewhere.
    """
    found = {"id": id_of(path, body), **common(body), **own}
    if "firmware" not in own:
        found["firmware"] = found["firmware"] or related_firmware(tree).get(path)
    return found


@once
def related_firmware(tree: Tree) -> Mapping[str, Firmware]:
    """Firmware by the path of what it runs on (SoftwareInventory's RelatedItem)."""
    found: dict[str, Firmware] = {}
    for path, body in tree.of("firmware"):
        row = firmware(body.get("Version"), software_id=body.get("SoftwareId"))
        if row is not None and not id_of(path, body).startswith((*PREVIOUS_PREFIXES, *AVAILABLE_PREFIXES)):
            for target in links(body.get("RelatedItem"), path):
                found.setdefault(target, row)
    return found


def is_absent(body: Any) -> bool:
    """An empty slot: the service lists it and says that nothing is in it."""
    return bool(at(body, "Status.State") == "Absent")


def common(body: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for any :class:`model.Component`."""
    return {
        "vendor": word(first(body, "Manufacturer", "Producer", "Vendor")),
        "model": word(body.get("Model")),
        "serial": clean_serial(body.get("SerialNumber")),
        "description": word(first(body, "Name", "Description")),
        "firmware": firmware(first(body, "FirmwareVersion", "Revision", "Version")),
        "status": status(body),
    }


def part(body: Mapping[str, Any]) -> Optional[str]:
    return clean_serial(body.get("PartNumber"))


def slot(body: Mapping[str, Any]) -> Optional[str]:
    """Give the place that the label on the machine names."""
    located = first(body, "Location.PartLocation.ServiceLabel", "PhysicalLocation.PartLocation.ServiceLabel")
    if located is None:
        old = items(body.get("Location"))
        located = first(body, "PhysicalLocation.Info") or (old[0].get("Info") if old else None)
    if located is None:
        place = at(body, "Location.PartLocation") or at(body, "PhysicalLocation.PartLocation")
        kind, ordinal = word(at(place, "LocationType")), text(at(place, "LocationOrdinalValue"))
        located = f"{kind} {ordinal}" if kind and ordinal else None
    return word(located)


def durable_name(body: Mapping[str, Any]) -> Optional[str]:
    """The world-wide name among ``Identifiers``, lower case, without 0x."""
    for identifier in items(body.get("Identifiers")):
        name = word(identifier.get("DurableName"))
        if name and name.strip("0"):
            lower = name.lower()
            return lower[2:] if lower.startswith("0x") else lower
    return None


def pci_id(value: Any, bare_is_decimal: bool = False) -> Optional[str]:
    """A PCI vendor or device id as four lower-case hex digits.

    :param bare_is_decimal: what text without 0x means: iLO writes the ids of PCIeFunction in decimal, Dell its own in
        hex.
    """
    bare = bare_is_decimal and isinstance(value, str) and value.strip().isdecimal()
    return values.pci_id(int(value.strip()[:20]) if bare else value)


def both(tree: Tree, kind: str, deprecated: tuple[str, str], newer: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Resources of a kind, and the objects inside of deprecated ones of chassis without the property for the newer,
    each once."""
    found = tree.of(kind)
    old = tree.inside(*deprecated)
    if not found:
        return old
    names = {name for _path, body in found for name in _names(body)}
    apart = {path for path, _body in tree.of(deprecated[0]) if newer not in tree.get(tree.parents.get(path))}
    old = [(path, body) for path, body in old if path.rsplit("/", 2)[0] in apart]
    return found + [(path, body) for path, body in old if not names & set(_names(body))]


def _names(body: Mapping[str, Any]) -> list[str]:
    """The serial number, else the name."""
    serial = clean_serial(body.get("SerialNumber"))
    name = serial or word(first(body, "Name", "FanName"))
    return [name] if name else []
