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
from ..values import at, first, id_of, items, links, text
from .common import component, hpe_firmware, is_absent, part, pci_id, slot


@once
def read(tree: Tree) -> tuple[PcieDevice, ...]:
    """Devices; one that a system and a chassis list by two addresses counts once."""
    out = []
    functions = _functions(tree)
    slots = _slots(tree)
    seen: dict[Any, str] = {}
    for path, body in tree.of("pcie_device"):
        owner = tree.parents.get(path, "")
        key = (id_of(path, body), text(body.get("Name")), text(body.get("SerialNumber")))
        if is_absent(body) or (seen.setdefault(key, owner) != owner and tree.system in (owner, seen[key])):
            continue
        function = functions.get(path, {})
        out.append(
            PcieDevice(
                **component(tree, path, body, model=word(first(body, "Model", "Name", "Description"))),
                pci_vendor_id=pci_id(function.get("VendorId"), bare_is_decimal=True),
                pci_product_id=pci_id(function.get("DeviceId"), bare_is_decimal=True),
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
        serial = clean_serial(body.get("SerialNumber"))
        name = word(first(body, "Name", "Description"))
        if not name or name.lower().startswith(EMPTY_SLOT_WORDS) or (serial in serials if serial else name in names):
            continue
        out.append(
            PcieDevice(
                **component(tree, path, body, firmware=hpe_firmware(body), model=name),
                slot=word(body.get("Location")),
                device_class=word(body.get("DeviceType")),
                part_number=clean_serial(body.get("ProductPartNumber")) or part(body),
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
