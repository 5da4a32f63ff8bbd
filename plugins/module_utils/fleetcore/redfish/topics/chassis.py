# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Enclosures, PCIe devices, power supplies, fans, sensors and batteries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Backplane, Battery, Enclosure, Fan, Gpu, PcieDevice, PowerSupply, Sensor
from ...document.values import clean_serial
from ..quirks import (
    BATTERY_PATHS,
    BMC_GRAPHICS_VENDORS,
    BMC_GRAPHICS_WORDS,
    EMPTY_SLOT_WORDS,
    GPU_CLASSES,
    GPU_WORDS,
    NOT_A_GPU_WORDS,
    PCIE_SLOT_PATHS,
    POWER_SUPPLY_SLOT_PATHS,
)
from ..values import at, first, items, links, number, positive, text, word
from ..walker import Tree
from .common import common, firmware, identity, is_absent, part, pci_id, slot, status, with_version


def enclosures(tree: Tree) -> tuple[Enclosure, ...]:
    """Every chassis that the machine is, is in, or has in it."""
    out = []
    for path, body in tree.of("chassis"):
        if is_absent(body):
            continue
        out.append(
            Enclosure(
                **common(body),
                id=identity(path, body),
                chassis_type=word(body.get("ChassisType")),
                part_number=part(body),
                asset_tag=clean_serial(body.get("AssetTag")),
                location=location(body),
            )
        )
    return tuple(out)


def backplanes(tree: Tree) -> tuple[Backplane, ...]:
    """Chassis that call themselves backplanes."""
    return tuple(
        Backplane(**common(body), id=identity(path, body))
        for path, body in tree.of("chassis")
        if "backplane" in f"{body.get('Name')} {body.get('Model')}".lower() and not is_absent(body)
    )


def location(body: Mapping[str, Any]) -> Optional[str]:
    """Where a chassis says that it is, in one line."""
    parts = [
        ("", word(at(body, "Location.PostalAddress.Building"))),
        ("", word(at(body, "Location.PostalAddress.Room"))),
        ("row ", word(at(body, "Location.Placement.Row"))),
        ("rack ", word(at(body, "Location.Placement.Rack"))),
        ("unit ", word(at(body, "Location.Placement.RackOffset"))),
    ]
    words = [prefix + value for prefix, value in parts if value and value != "0"]
    if words:
        return ", ".join(words)
    info = word(at(body, "Location.Info"))
    return info if info and len(info.strip("; 0123456789")) > 0 else None


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


def pcie_devices(tree: Tree) -> tuple[PcieDevice, ...]:
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
        fields["firmware"] = firmware(at(body, "FirmwareVersion.Current.VersionString"))
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


def gpus(devices: tuple[PcieDevice, ...]) -> tuple[Gpu, ...]:
    """GPUs that a service shows as PCIe devices only; the graphics of BMCs are none."""
    out = []
    for device in devices:
        name = f"{device.vendor or ''} {device.model or ''} {device.description or ''}".lower()
        shows = device.device_class in GPU_CLASSES or (
            device.device_class is None and any(item in name for item in GPU_WORDS)
        )
        shows = shows or (device.device_class == "GPU" and not any(item in name for item in NOT_A_GPU_WORDS))
        if (
            shows
            and device.pci_vendor_id not in BMC_GRAPHICS_VENDORS
            and not any(w in name for w in BMC_GRAPHICS_WORDS)
        ):
            same = ("description", "vendor", "model", "serial", "pci_vendor_id", "pci_product_id", "firmware", "status")
            fields = {field: getattr(device, field) for field in (*same, "id", "slot", "part_number")}
            out.append(Gpu(**fields))
    return tuple(out)


def power_supplies(tree: Tree) -> tuple[PowerSupply, ...]:
    """PowerSubsystem's, and those inside of the deprecated Power of chassis that have none."""
    out = []
    for path, body in _both(tree, "power_supply", ("power", "PowerSupplies"), "PowerSubsystem"):
        if is_absent(body) or set(body) <= {"@odata.id", "@odata.type", "MemberId", "Name"}:
            continue
        ranges = [positive(at(item, "OutputWattage")) or 0 for item in items(body.get("InputRanges"))]
        out.append(
            PowerSupply(
                **with_version(common(body), tree, path),
                id=identity(path, body),
                power_capacity_watts=positive(body.get("PowerCapacityWatts")) or max(ranges, default=0) or None,
                part_number=part(body) or word(body.get("SparePartNumber")),
                slot=slot(body) or word(first(body, *POWER_SUPPLY_SLOT_PATHS)),
            )
        )
    return tuple(out)


def fans(tree: Tree) -> tuple[Fan, ...]:
    out = []
    for path, body in _both(tree, "fan", ("thermal", "Fans"), "ThermalSubsystem"):
        if is_absent(body):
            continue
        rpm = number(first(body, "SpeedPercent.SpeedRPM", "ReadingRPM"))
        percent = number(at(body, "SpeedPercent.Reading"))
        reading = number(body.get("Reading"))
        units = word(body.get("ReadingUnits"))
        if reading is None:
            reading, units = (rpm, "RPM") if rpm is not None else (percent, "Percent" if percent is not None else None)
        out.append(
            Fan(
                **common(body),
                id=identity(path, body),
                name=word(first(body, "Name", "FanName")),
                reading=reading,
                reading_units=units,
            )
        )
    return tuple(out)


def sensors(tree: Tree) -> tuple[Sensor, ...]:
    """Sensor resources; and temperatures and voltages inside of the deprecated Thermal and Power, where no sensor is one."""
    out = [
        _sensor(path, body, body.get("ReadingType"), body.get("Reading"), body.get("ReadingUnits"))
        for path, body in tree.of("sensor")
        if not is_absent(body)
    ]
    kinds = {item.kind for item in out}
    if "Temperature" not in kinds:
        for path, body in _inside(tree, "thermal", "Temperatures"):
            out.append(_sensor(path, body, "Temperature", body.get("ReadingCelsius"), "Cel"))
    if "Voltage" not in kinds:
        for path, body in _inside(tree, "power", "Voltages"):
            out.append(_sensor(path, body, "Voltage", body.get("ReadingVolts"), "V"))
    return tuple(item for item in out if item.reading is not None or item.status is not None)


def _sensor(path: str, body: Mapping[str, Any], kind: Any, reading: Any, units: Any) -> Sensor:
    return Sensor(
        id=identity(path, body),
        name=word(body.get("Name")),
        kind=word(kind),
        reading=number(reading),
        units=word(units),
        status=status(body),
    )


def batteries(tree: Tree) -> tuple[Battery, ...]:
    found = tree.of("battery")
    for kind, paths in BATTERY_PATHS.items():
        for path, body in tree.of(kind):
            for name in paths:
                found += [(f"{path}/battery/{index}", item) for index, item in enumerate(items(at(body, name)))]
    return tuple(
        Battery(
            **common(body),
            id=text(body.get("Id")) or text(body.get("Index")) or identity(path, body),
            charge_percent=number(first(body, "ChargePercent", "ChargeLevelPercent", "StateOfHealthPercent")),
        )
        for path, body in found
        if not is_absent(body)
    )


def board_serial(tree: Tree) -> Optional[str]:
    """The serial number of the board among the assemblies, where one is clearly the board."""
    for _path, body in tree.of("assembly"):
        for item in items(body.get("Assemblies")):
            context = text(item.get("PhysicalContext")) or ""
            name = (text(item.get("Name")) or "").lower()
            if context == "SystemBoard" or name in ("system board", "motherboard", "mainboard", "baseboard"):
                serial = clean_serial(item.get("SerialNumber"))
                if serial:
                    return serial
    return None


def _both(tree: Tree, kind: str, deprecated: tuple[str, str], newer: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Resources of a kind, and the objects inside of deprecated ones of chassis without the property for the newer, each once."""
    found = tree.of(kind)
    old = _inside(tree, *deprecated)
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


def _inside(tree: Tree, kind: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of a list inside of resources of a kind; their ids are by position when they have none."""
    return [
        (f"{path}/{name}/{index}", item)
        for path, body in tree.of(kind)
        for index, item in enumerate(items(body.get(name)))
    ]
