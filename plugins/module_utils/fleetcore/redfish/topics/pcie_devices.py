# SPDX-License-Identifier: BSD-2-Clause

"""PCIe devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...document.parts import PcieDevice
from ...document.values import clean_serial, word
from ..quirks import EMPTY_SLOT_WORDS, PCIE_SLOT_PATHS
from ..rules import LAST, Follow, Topic
from ..tree import Tree, once
from ..values import at, first, items, links, text
from .common import common, hpe_firmware, identity, is_absent, part, pci_id, slot, with_version


@once
def read(tree: Tree) -> tuple[PcieDevice, ...]:
    """Devices; one that a system and a chassis list by two addresses counts once."""
    out = []
    functions = _functions(tree)
    slots = _slots(tree)
    seen: dict[Any, str] = {}
    for path, body in tree.of("pcie_device"):
        owner = tree.parents.get(path, "")
        key = (identity(path, body), text(body.get("Name")), text(body.get("SerialNumber")))
        if is_absent(body) or (seen.setdefault(key, owner) != owner and tree.system in (owner, seen[key])):
            continue
        function = functions.get(path, {})
        fields = with_version(common(body), tree, path)
        fields["model"] = fields["model"] or fields["description"]
        out.append(
            PcieDevice(
                **fields,
                pci_vendor_id=pci_id(function.get("VendorId"), bare_is_decimal=True),
                pci_product_id=pci_id(function.get("DeviceId"), bare_is_decimal=True),
                id=identity(path, body),
                slot=slot(body)
                or slot(at(body, "Slot") if isinstance(at(body, "Slot"), Mapping) else {})
                or slots.get(path)
                or word(first(body, *PCIE_SLOT_PATHS)),
                device_class=word(function.get("DeviceClass")),
                part_number=part(body),
            )
        )
    return (*out, *_hpe_devices(tree, out))


def _functions(tree: Tree) -> dict[str, Mapping[str, Any]]:
    """The first function of each device, by the device's path; who belongs to whom may be said at either end."""
    owners: dict[str, str] = {}
    for path, body in tree.of("pcie_device"):
        owners.update(dict.fromkeys(links(at(body, "Links.PCIeFunctions"), path), path))
    found: dict[str, Mapping[str, Any]] = {}
    for path, body in tree.of("pcie_function"):
        device = owners.get(path) or next(iter(links(at(body, "Links.PCIeDevice"), path)), tree.parents.get(path, ""))
        found.setdefault(device, body)
    return found


def _hpe_devices(tree: Tree, known: list[PcieDevice]) -> list[PcieDevice]:
    """HpeServerDevice: what is in the slots, also where the service shows nothing of it as PCIeDevice."""
    serials = {device.serial for device in known if device.serial}
    names = {device.description for device in known}
    out = []
    for path, body in tree.of("hpe_device"):
        fields = common(body)
        name = (fields["description"] or "").lower()
        if not name or name.startswith(EMPTY_SLOT_WORDS) or fields["serial"] in serials:
            continue
        if fields["serial"] is None and fields["description"] in names:
            continue
        fields["firmware"] = hpe_firmware(body)
        fields["model"] = fields["description"]
        number = clean_serial(body.get("ProductPartNumber")) or part(body)
        kind = word(body.get("DeviceType"))
        out.append(
            PcieDevice(
                **fields,
                id=identity(path, body),
                slot=word(body.get("Location")),
                device_class=kind,
                part_number=number,
            )
        )
    return out


def _slots(tree: Tree) -> dict[str, str]:
    """Labels of slots by the path of the device in them."""
    found = {}
    for path, body in tree.of("pcie_slots"):
        for item in items(body.get("Slots")):
            name = slot(item)
            for name_of_link in ("Links.PCIeDevice", "Links.PCIeDevices"):
                for target in links(at(item, name_of_link), path) if name else ():
                    found[target] = name or ""
    return found


TOPIC = Topic(
    "pcie_devices",
    read,
    rules={
        "system": (
            Follow(("PCIeFunctions",), "pcie_function", many=False, inline_only=True),
            Follow(("PCIeDevices",), "pcie_device", many=False),
        ),
        "chassis": (
            # At the end: systems list the same devices, and then nothing is left to read here.
            Follow(("PCIeDevices", "Links.PCIeDevices"), "pcie_device", unless=LAST),
            Follow(("PCIeSlots",), "pcie_slots", many=False),
            Follow(("Oem.Hpe.Links.Devices", "Oem.Hp.Links.Devices", "Oem.Hp.links.Devices"), "hpe_device"),
        ),
        # One function says what the device is.
        "pcie_device": (Follow(("Links.PCIeFunctions", "PCIeFunctions"), "pcie_function", limit=1),),
    },
)
