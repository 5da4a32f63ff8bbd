# SPDX-License-Identifier: BSD-2-Clause

"""PCIe devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ...document.parts import PcieDevice
from ...document.values import clean_serial, word
from ..quirks import EMPTY_SLOT_WORDS, PCIE_SLOT_PATHS
from ..rules import LAST, Follow, Topic
from ..tree import Tree, once
from ..values import at, first_word, id_of, items, links, text
from .common import component, hpe_firmware, part, pci_id, slot


def read(tree: Tree) -> tuple[PcieDevice, ...]:
    """Devices. Without their section those that were read only complete other parts."""
    return _every(tree) if tree.asked("pcie") else ()


@once
def _every(tree: Tree) -> tuple[PcieDevice, ...]:
    """Devices; one that a system and a chassis list by two addresses counts once."""
    out = []
    seen: dict[Any, str] = {}
    for path, device in _devices(tree).items():
        body, owner = tree.get(path), tree.parents.get(path, "")
        key = (device.id, text(body.get("Name")), text(body.get("SerialNumber")))
        if seen.setdefault(key, owner) == owner or tree.system not in (owner, seen[key]):
            out.append(device)
    return tuple(_with_number(tree, device) for device in (*out, *_hpe_devices(tree, out)))


def _with_number(tree: Tree, device: PcieDevice) -> PcieDevice:
    """A device with the part number that only HpeServerDevice has of it."""
    number = next((part(body) for _path, body in tree.of("hpe_device") if _serial(body) == device.serial), None)
    if device.serial is None or number in (None, device.part_number):
        return device
    return dataclasses.replace(device, metadata={"oem_part_number": number, **device.metadata})


def _serial(body: Mapping[str, Any]) -> Optional[str]:
    return clean_serial(body.get("SerialNumber"))


@once
def _devices(tree: Tree) -> dict[str, PcieDevice]:
    """Every device by its path."""
    out = {}
    functions = _functions(tree)
    slots = _slots(tree)
    for path, body in tree.of("pcie_device"):
        function = functions.get(path, {})
        out[path] = PcieDevice(
            **component(tree, path, body, model=_model(path, body)),
            pci_vendor_id=pci_id(function.get("VendorId"), bare_is_decimal=True),
            pci_product_id=pci_id(function.get("DeviceId"), bare_is_decimal=True),
            slot=slot(body)
            or slot(at(body, "Slot") if isinstance(at(body, "Slot"), Mapping) else {})
            or slots.get(path)
            or first_word(body, *PCIE_SLOT_PATHS),
            device_class=word(function.get("DeviceClass")),
            part_number=part(body),
        )
    return out


def _model(path: str, body: Mapping[str, Any]) -> Optional[str]:
    """The model, else a name that is more than the address by which the device is listed."""
    found = first_word(body, "Model", "Name", "Description")
    return None if found == id_of(path, body) else found


@once
def _by_link(tree: Tree) -> dict[str, PcieDevice]:
    """Devices by the paths of themselves, of their functions, and of what they and their functions say they are."""
    found: dict[str, PcieDevice] = {}
    devices = _devices(tree)
    for path, device in devices.items():
        found[path] = device
        for name in ("Links.PCIeFunctions", "Links.Processors"):
            found.update(dict.fromkeys(links(at(tree.get(path), name), path), device))
    for path, body in tree.of("pcie_function"):
        owner = found.get(path) or devices.get(next(iter(links(at(body, "Links.PCIeDevice"), path)), ""))
        owner = owner or devices.get(tree.parents.get(path, ""))
        if owner is not None:
            for name in ("Processor", "NetworkDeviceFunctions", "StorageControllers"):
                for target in links(at(body, f"Links.{name}"), path):
                    found.setdefault(target, owner)
    return found


def completed(tree: Tree, fields: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Fields of a part, with what it does not say itself and the PCIe device that it is says.

    :param paths: of the part and its functions, and of what it says it is as PCIe device. Else the device with its
        serial number is the one.
    """
    found = _by_link(tree)
    device = next((found[path] for path in paths if path in found), None)
    serial = fields.get("serial")
    if device is None and serial:
        device = next((item for item in _every(tree) if item.serial == serial), None)
    if device is None:
        return fields
    new = {name: getattr(device, name) for name in _SHARED if fields.get(name) is None}
    if "model" in new and new["model"] == fields.get("description"):
        del new["model"]  # it has no better name there
    return {**fields, **new}


_SHARED = ("vendor", "model", "serial", "part_number", "slot", "pci_vendor_id", "pci_product_id", "firmware")


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
    pci = {text(body.get("Name")): ids for _path, body, ids in hpe_ids(tree)}
    for path, body in tree.of("hpe_device"):
        serial = _serial(body)
        name = first_word(body, "Name", "Description")
        if not name or name.lower().startswith(EMPTY_SLOT_WORDS) or (serial in serials if serial else name in names):
            continue
        out.append(
            PcieDevice(
                **component(tree, path, body, firmware=hpe_firmware(body), model=name),
                slot=word(body.get("Location")),
                device_class=word(body.get("DeviceType")),
                **pci.get(text(body.get("Name")), {}),
                part_number=clean_serial(body.get("ProductPartNumber")) or part(body),
            )
        )
    return out


def hpe_ids(tree: Tree) -> list[tuple[str, Mapping[str, Any], dict[str, Any]]]:
    """HpeServerPciDevice, which holds only the ids: path, body, and the ids as fields."""
    return [
        (path, body, {"pci_vendor_id": pci_id(body.get("VendorID")), "pci_product_id": pci_id(body.get("DeviceID"))})
        for path, body in tree.of("hpe_pci")
    ]


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


_COMPLETED = ("processors", "storage", "network")
"""Sections whose parts are completed by the PCIe devices that they are."""

TOPIC = Topic(
    "pcie_devices",
    read,
    rules={
        "system": (
            Follow(("PCIeFunctions",), "pcie_function", many=False, inline_only=True, also=_COMPLETED),
            Follow(("PCIeDevices",), "pcie_device", many=False, also=_COMPLETED),
            Follow(
                ("Oem.Hpe.Links.PCIDevices", "Oem.Hp.Links.PCIDevices", "Oem.Hp.links.PCIDevices"),
                "hpe_pci",
                unless="pcie_device",
                also=_COMPLETED,
            ),
        ),
        "chassis": (
            # At the end: systems list the same devices, and then nothing is left to read here.
            Follow(("PCIeDevices", "Links.PCIeDevices"), "pcie_device", unless=LAST, also=_COMPLETED),
            Follow(("PCIeSlots",), "pcie_slots", many=False, also=_COMPLETED),
            Follow(
                ("Oem.Hpe.Links.Devices", "Oem.Hp.Links.Devices", "Oem.Hp.links.Devices"), "hpe_device", also=_COMPLETED
            ),
        ),
        "processor": (Follow(("Links.PCIeDevice",), "pcie_device", many=False, unless=LAST, also=_COMPLETED),),
        "network_adapter": (
            Follow(("Controllers[].Links.PCIeDevices",), "pcie_device", many=False, unless=LAST, also=_COMPLETED),
        ),
        # One function says what the device is.
        "pcie_device": (Follow(("Links.PCIeFunctions", "PCIeFunctions"), "pcie_function", limit=1, also=_COMPLETED),),
    },
)
