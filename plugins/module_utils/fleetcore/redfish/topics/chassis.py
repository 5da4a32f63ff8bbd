# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Enclosures, PCIe devices, power supplies, fans, sensors and batteries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...model import Battery, Enclosure, Fan, PcieDevice, PowerSupply, Sensor, clean_serial
from ..values import at, first, items, number, positive, text, word
from ..walker import Tree
from .common import common, identity, is_absent, part, pci_id, slot, status


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
                location=location(body),
            )
        )
    return tuple(out)


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


def pcie_devices(tree: Tree) -> tuple[PcieDevice, ...]:
    out = []
    for path, body in tree.of("pcie_device"):
        if is_absent(body):
            continue
        functions = [function for _path, function in tree.of("pcie_function", parent=path)]
        function = functions[0] if functions else {}
        fields = common(body)
        fields["model"] = fields["model"] or fields["description"]
        out.append(
            PcieDevice(
                **fields,
                pci_vendor_id=pci_id(function.get("VendorId"), bare_is_decimal=True),
                pci_product_id=pci_id(function.get("DeviceId"), bare_is_decimal=True),
                id=identity(path, body),
                slot=slot(body) or word(at(body, "Slot.Location.PartLocation.ServiceLabel")),
                device_class=word(function.get("DeviceClass")),
                part_number=part(body),
            )
        )
    return tuple(out)


def power_supplies(tree: Tree) -> tuple[PowerSupply, ...]:
    """PowerSubsystem's, else those inside of the deprecated Power."""
    found = tree.of("power_supply") or _inside(tree, "power", "PowerSupplies")
    out = []
    for path, body in found:
        if is_absent(body):
            continue
        ranges = [positive(at(item, "OutputWattage")) or 0 for item in items(body.get("InputRanges"))]
        out.append(
            PowerSupply(
                **common(body),
                id=identity(path, body),
                power_capacity_watts=positive(body.get("PowerCapacityWatts")) or max(ranges, default=0) or None,
                part_number=part(body) or word(body.get("SparePartNumber")),
                slot=slot(body),
            )
        )
    return tuple(out)


def fans(tree: Tree) -> tuple[Fan, ...]:
    out = []
    for path, body in tree.of("fan") or _inside(tree, "thermal", "Fans"):
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
    """Sensor resources; without any, the temperatures and voltages inside of the deprecated Thermal and Power."""
    out = [
        _sensor(path, body, body.get("ReadingType"), body.get("Reading"), body.get("ReadingUnits"))
        for path, body in tree.of("sensor")
        if not is_absent(body)
    ]
    if not out:
        for path, body in _inside(tree, "thermal", "Temperatures"):
            out.append(_sensor(path, body, "Temperature", body.get("ReadingCelsius"), "Cel"))
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
    return tuple(
        Battery(**common(body), id=identity(path, body), charge_percent=number(body.get("StateOfHealthPercent")))
        for path, body in tree.of("battery")
        if not is_absent(body)
    )


def board_serial(tree: Tree) -> Optional[str]:
    """The serial number of the board among the assemblies, where one is clearly the board."""
    for _path, body in tree.of("assembly"):
        for item in items(body.get("Assemblies")):
            context = text(item.get("PhysicalContext")) or ""
            name = (text(item.get("Name")) or "").lower()
            if context == "SystemBoard" or name in ("system board", "motherboard", "mainboard", "baseboard"):
                serial = clean_serial(text(item.get("SerialNumber")))
                if serial:
                    return serial
    return None


def _inside(tree: Tree, kind: str, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of a list inside of resources of a kind; their ids are by position when they have none."""
    return [
        (f"{path}/{name}/{index}", item)
        for path, body in tree.of(kind)
        for index, item in enumerate(items(body.get(name)))
    ]
