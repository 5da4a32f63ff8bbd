# SPDX-License-Identifier: BSD-2-Clause

"""From SMBIOS records to the device document: what the binary decoder and dmidecode's text have in common.

A record is ``(type, handle, fields)``; field names are dmidecode's in lower case with underscores, values are clean
text, numbers in the unit of the name, or None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import said
from ...document.parts import Bios, Bmc, Cpu, Enclosure, Mainboard, Memory, PcieDevice, PowerSupply, Status, Tpm
from ...document.values import clean_serial, firmware, word


@dataclass(frozen=True)
class Record:
    type: int
    handle: int
    fields: Mapping[str, Any] = field(default_factory=dict)


KNOWN = frozenset([0, 1, 2, 3, 4, 9, 17, 38, 39, 41, 43])
"""Types of the records that are in the device document."""

# Types of a "memory device" that is the chip with the firmware, not a module.
_FIRMWARE_CHIPS = ("ROM", "Flash", "EEPROM", "FEPROM", "EPROM")


def device(records: Iterable[Record]) -> Device:
    """The part of the device document that SMBIOS has."""
    by_type: dict[int, list[Record]] = {}
    for record in records:
        by_type.setdefault(record.type, []).append(record)

    def first(kind: int) -> Mapping[str, Any]:
        found = by_type.get(kind)
        return found[0].fields if found else {}

    system, chassis = first(1), first(3)
    slots = [item for item in by_type.get(17, []) if item.fields.get("type") not in _FIRMWARE_CHIPS]
    return Device(
        vendor=word(system.get("manufacturer")),
        model=word(system.get("product_name")),
        product_name=word(system.get("product_name")),
        serial=clean_serial(system.get("serial_number")),
        uuid=system.get("uuid"),
        sku=clean_serial(system.get("sku_number")),
        asset_tag=clean_serial(chassis.get("asset_tag")),
        hardware_type=word(chassis.get("type")),
        chassis=clean_serial(chassis.get("serial_number")),
        metadata=said(memory_slots=len(slots) or None),
        bios=_bios(first(0)),
        mainboard=_mainboard(by_type.get(2, [])),
        bmc=_bmc(by_type.get(38, [])),
        enclosures=tuple(_enclosure(item) for item in by_type.get(3, [])),
        cpus=tuple(_cpu(item) for item in by_type.get(4, []) if item.fields.get("populated")),
        memory=_memory([item for item in slots if item.fields.get("size_bytes")]),
        power_supplies=tuple(
            found for item in by_type.get(39, []) if item.fields.get("present", True) for found in _psu(item)
        ),
        tpms=tuple(_tpm(item) for item in by_type.get(43, [])),
        pcie_devices=_slots(by_type),
    )


def _bios(fields: Mapping[str, Any]) -> Optional[Bios]:
    if not fields:
        return None
    return Bios(
        vendor=word(fields.get("vendor")),
        firmware=firmware(fields.get("version")),
        release_date=word(fields.get("release_date")),
        # What tells HPE's versions apart, where the version is that of the family; and their BMC's version.
        metadata=said(
            bios_revision=_revision(fields.get("bios_revision")),
            firmware_revision=_revision(fields.get("firmware_revision")),
        ),
        size_bytes=fields.get("runtime_size_bytes"),
        capacity_bytes=fields.get("rom_size_bytes"),
    )


def _mainboard(records: list[Record]) -> Optional[Mainboard]:
    """The board that calls itself a motherboard, else the first."""
    boards = [item for item in records if "motherboard" in str(item.fields.get("type", "")).lower()] or records
    if not boards:
        return None
    fields = boards[0].fields
    return Mainboard(
        vendor=word(fields.get("manufacturer")),
        model=word(fields.get("product_name")),
        product_name=word(fields.get("product_name")),
        description=word(fields.get("type")),
        serial=clean_serial(fields.get("serial_number")),
        metadata=said(version=clean_serial(fields.get("version"))),
    )


def _bmc(records: list[Record]) -> Optional[Bmc]:
    """There is a BMC with this interface to it; the rest of it is not in SMBIOS."""
    if not records:
        return None
    fields = records[0].fields
    return Bmc(
        metadata=said(
            interface=word(fields.get("interface_type")), ipmi_version=word(fields.get("specification_version"))
        )
    )


def _enclosure(record: Record) -> Enclosure:
    fields = record.fields
    return Enclosure(
        id=f"0x{record.handle:04X}",
        vendor=word(fields.get("manufacturer")),
        chassis_type=word(fields.get("type")),
        serial=clean_serial(fields.get("serial_number")),
        asset_tag=clean_serial(fields.get("asset_tag")),
    )


def _cpu(record: Record) -> Cpu:
    fields = record.fields
    return Cpu(
        id=f"0x{record.handle:04X}",
        slot=word(fields.get("socket_designation")),
        vendor=word(fields.get("manufacturer")),
        model=word(fields.get("version")),
        serial=clean_serial(fields.get("serial_number")),
        cores=fields.get("cores"),
        threads=fields.get("threads"),
        clock_speed_hz=fields.get("current_speed_hz") or fields.get("max_speed_hz"),
    )


def _memory(records: list[Record]) -> tuple[Memory, ...]:
    """Populated slots. A locator that several slots share is told apart by its bank."""
    locators = [word(item.fields.get("locator")) for item in records]
    out = []
    for record, locator in zip(records, locators):
        fields = record.fields
        bank = word(fields.get("bank_locator"))
        slot = f"{bank}/{locator}" if bank and locators.count(locator) > 1 else locator
        out.append(
            Memory(
                id=f"0x{record.handle:04X}",
                slot=slot,
                vendor=word(fields.get("manufacturer")),
                serial=clean_serial(fields.get("serial_number")),
                part_number=clean_serial(fields.get("part_number")),
                model=clean_serial(fields.get("part_number")),
                type=_said(fields.get("type")),
                form_factor=word(fields.get("form_factor")),
                description=_said(fields.get("type_detail")),
                size_bytes=fields.get("size_bytes"),
                clock_speed_hz=fields.get("configured_speed_hz") or fields.get("speed_hz"),
                rank_count=fields.get("rank"),
                nonvolatile_bytes=fields.get("nonvolatile_bytes"),
                # Some firmware repeats the part number here.
                firmware=firmware(clean_serial(fields.get("firmware_version")))
                if fields.get("firmware_version") != fields.get("part_number")
                else None,
            )
        )
    return tuple(out)


def _psu(record: Record) -> tuple[PowerSupply, ...]:
    """One, or none: boards describe a power supply that is "present" and of which they know nothing; there is none."""
    fields = record.fields
    state = word(fields.get("status"))
    levels = {"OK": "OK", "Non-critical": "Warning", "Critical": "Critical"}
    found = PowerSupply(
        id=f"0x{record.handle:04X}",
        slot=word(fields.get("location")),
        description=word(fields.get("name")),
        product_name=word(fields.get("name")),
        vendor=word(fields.get("manufacturer")),
        serial=clean_serial(fields.get("serial_number")),
        model=clean_serial(fields.get("model_part_number")),
        part_number=clean_serial(fields.get("model_part_number")),
        power_capacity_watts=fields.get("max_power_watts"),
        firmware=firmware(fields.get("revision")),
        status=Status(Health=levels.get(state or ""), State=state) if state else None,
    )
    known = found.slot or found.vendor or found.model or found.serial or found.description or found.power_capacity_watts
    return (found,) if known else ()


def _tpm(record: Record) -> Tpm:
    fields = record.fields
    version = word(fields.get("specification_version"))
    return Tpm(
        vendor=word(fields.get("vendor_id")),
        description=word(fields.get("description")),
        interface_type=f"TPM {version}" if version else None,
        firmware=firmware(fields.get("firmware_revision")),
    )


def _slots(by_type: Mapping[int, list[Record]]) -> tuple[PcieDevice, ...]:
    """Slots that are in use and onboard devices, by the PCI address of what is in them.

    A slot's name is its device's ``slot``.
    """
    out: dict[str, PcieDevice] = {}
    for record in by_type.get(9, []):
        address = record.fields.get("bus_address")
        if address and record.fields.get("in_use"):
            slot = word(record.fields.get("designation"))
            out.setdefault(address, PcieDevice(id=address, bus_info=address, slot=slot))
    for record in by_type.get(41, []):
        address = record.fields.get("bus_address")
        if address and record.fields.get("enabled"):
            name = word(record.fields.get("reference_designation"))
            out.setdefault(address, PcieDevice(id=address, bus_info=address, slot=name))
    return tuple(out.values())


def _revision(value: Any) -> Optional[str]:
    clean = word(value)
    return None if clean == "0.0" else clean


def _said(value: Any) -> Optional[str]:
    """SMBIOS has a word for what it has no word for."""
    return None if value == "Other" else word(value)
