# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Fields that every component has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Firmware, Status
from ...document.values import clean_serial
from ..quirks import AVAILABLE_PREFIXES, PREVIOUS_PREFIXES
from ..values import at, first, items, links, text, word
from ..walker import Tree


def status(body: Any) -> Optional[Status]:
    health, state = text(at(body, "Status.Health")), text(at(body, "Status.State"))
    return Status(Health=health, State=state) if health or state else None


def firmware(version: Any, software_id: Any = None) -> Optional[Firmware]:
    installed = word(version)
    return Firmware(installed=installed, software_id=word(software_id)) if installed else None


def with_version(fields: dict[str, Any], tree: Tree, path: str) -> dict[str, Any]:
    """Fields whose firmware, where the resource itself says nothing, is that of the inventory's row that names it."""
    if fields["firmware"] is None:
        fields["firmware"] = _related(tree).get(path)
    return fields


def _related(tree: Tree) -> Mapping[str, Firmware]:
    """Firmware by the path of what it runs on (SoftwareInventory's RelatedItem)."""
    if "firmware" not in tree.derived:
        found: dict[str, Firmware] = {}
        for path, body in tree.of("firmware"):
            row = firmware(body.get("Version"), body.get("SoftwareId"))
            if row is not None and not identity(path, body).startswith((*PREVIOUS_PREFIXES, *AVAILABLE_PREFIXES)):
                for target in links(body.get("RelatedItem"), path):
                    found.setdefault(target, row)
        tree.derived["firmware"] = found
    related: Mapping[str, Firmware] = tree.derived["firmware"]
    return related


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


def identity(path: str, body: Mapping[str, Any]) -> str:
    """The resource's ``Id``, else ``MemberId``, else the last part of its path."""
    return text(body.get("Id")) or text(body.get("MemberId")) or path.rsplit("/", 1)[-1]


def part(body: Mapping[str, Any]) -> Optional[str]:
    return clean_serial(body.get("PartNumber"))


def slot(body: Mapping[str, Any]) -> Optional[str]:
    """Where the label on the machine says that it is."""
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

    :param bare_is_decimal: what text without 0x means: iLO writes the ids of PCIeFunction in decimal, Dell its own in hex.
    """
    name = word(value)
    if name is None:
        return None
    digits = name.lower()
    if digits.startswith("0x"):
        digits = digits[2:]
    elif (bare_is_decimal or isinstance(value, int)) and digits.isdigit() and int(digits) <= 0xFFFF:
        digits = f"{int(digits):04x}"
    ok = 0 < len(digits) <= 4 and set(digits) <= set("0123456789abcdef") and digits.strip("0")
    return digits.zfill(4) if ok else None
