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
from ...document.values import clean_serial, firmware, listed, word


@dataclass(frozen=True)
class Record:
    type: int
    handle: int
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"0x{self.handle:04X}"


KNOWN = frozenset([0, 1, 2, 3, 4, 9, 17, 38, 39, 41, 43])
"""Types of the records that are in the device document."""

# Types of a "memory device" that is the chip with the firmware, not a module.
_FIRMWARE_CHIPS = ("ROM", "Flash", "EEPROM", "FEPROM", "EPROM")
_NUMBERS = listed("serial_number part_number model_part_number sku_number asset_tag")


def device(records: Iterable[Record]) -> Device:
    """The part of the device document that SMBIOS has."""
    by_type: dict[int, list[Record]] = {kind: [] for kind in KNOWN}
    for record in records:
        by_type.setdefault(record.type, []).append(record)

    def first(kind: int) -> Mapping[str, Any]:
        return by_type[kind][0].fields if by_type[kind] else {}

    slots = [item for item in by_type[17] if item.fields.get("type") not in _FIRMWARE_CHIPS]
    return Device(
        **_named(first(1), "vendor=manufacturer model=product_name product_name serial=serial_number sku=sku_number"),
        **_named(first(3), "asset_tag hardware_type=type chassis=serial_number"),
        uuid=first(1).get("uuid"),
        metadata=said(memory_slots=len(slots) or None),
        bios=_bios(first(0)),
        mainboard=_mainboard(by_type[2]),
        bmc=_bmc(by_type[38]),
        enclosures=tuple(
            Enclosure(
                id=item.id,
                **_named(item.fields, "vendor=manufacturer chassis_type=type serial=serial_number asset_tag"),
            )
            for item in by_type[3]
        ),
        cpus=tuple(_cpu(item) for item in by_type[4] if item.fields.get("populated")),
        memory=_memory([item for item in slots if item.fields.get("size_bytes")]),
        power_supplies=tuple(found for item in by_type[39] if item.fields.get("present", True) for found in _psu(item)),
        tpms=tuple(_tpm(item.fields) for item in by_type[43]),
        pcie_devices=_slots(by_type),
    )


def _named(fields: Mapping[str, Any], names: str) -> dict[str, Any]:
    """Cleaned values under the document's names, from ``vendor=manufacturer asset_tag``: document's name, record's."""
    out: dict[str, Any] = {}
    for pair in names.split():
        name, _equals, source = pair.partition("=")
        value = fields.get(source or name)
        if isinstance(value, str):
            value = clean_serial(value) if (source or name) in _NUMBERS else word(value)
        out[name] = firmware(value) if name == "firmware" else value
    return out


def _bios(fields: Mapping[str, Any]) -> Optional[Bios]:
    if not fields:
        return None
    return Bios(
        **_named(fields, "vendor firmware=version release_date size_bytes=runtime_size_bytes"),
        capacity_bytes=fields.get("rom_size_bytes"),
        # What tells HPE's versions apart, where the version is that of the family; and their BMC's version.
        metadata=said(
            bios_revision=_revision(fields.get("bios_revision")),
            firmware_revision=_revision(fields.get("firmware_revision")),
        ),
    )


def _mainboard(records: list[Record]) -> Optional[Mainboard]:
    """The board that calls itself a motherboard, else the first."""
    boards = [item for item in records if "motherboard" in str(item.fields.get("type", "")).lower()] or records
    if not boards:
        return None
    fields = boards[0].fields
    return Mainboard(
        **_named(fields, "vendor=manufacturer model=product_name product_name description=type serial=serial_number"),
        metadata=said(version=clean_serial(fields.get("version"))),
    )


def _bmc(records: list[Record]) -> Optional[Bmc]:
    """There is a BMC with this interface to it; the rest of it is not in SMBIOS."""
    if not records:
        return None
    return Bmc(
        metadata=said(**_named(records[0].fields, "interface=interface_type ipmi_version=specification_version"))
    )


def _cpu(record: Record) -> Cpu:
    fields = record.fields
    return Cpu(
        id=record.id,
        **_named(
            fields, "slot=socket_designation vendor=manufacturer model=version serial=serial_number cores threads"
        ),
        clock_speed_hz=fields.get("current_speed_hz") or fields.get("max_speed_hz"),
    )


def _memory(records: list[Record]) -> tuple[Memory, ...]:
    """Populated slots. A locator that several slots share is told apart by its bank."""
    locators = [word(item.fields.get("locator")) for item in records]
    out = []
    for record, locator in zip(records, locators):
        # SMBIOS has a word for what it has no word for.
        kinds = {name: None for name in ("type", "type_detail") if record.fields.get(name) == "Other"}
        fields = {**record.fields, **kinds}
        # Some firmware repeats the part number here.
        version = fields.get("firmware_version")
        bank = word(fields.get("bank_locator"))
        out.append(
            Memory(
                id=record.id,
                slot=f"{bank}/{locator}" if bank and locators.count(locator) > 1 else locator,
                **_named(fields, "vendor=manufacturer serial=serial_number part_number model=part_number"),
                **_named(
                    fields, "type form_factor description=type_detail size_bytes rank_count=rank nonvolatile_bytes"
                ),
                clock_speed_hz=fields.get("configured_speed_hz") or fields.get("speed_hz"),
                firmware=firmware(clean_serial(version)) if version != fields.get("part_number") else None,
            )
        )
    return tuple(out)


def _psu(record: Record) -> tuple[PowerSupply, ...]:
    """One, or none: boards describe a power supply that is "present" and of which they know nothing; there is none."""
    state = word(record.fields.get("status"))
    levels = {"OK": "OK", "Non-critical": "Warning", "Critical": "Critical"}
    parts = "model=model_part_number part_number=model_part_number power_capacity_watts=max_power_watts"
    known = _named(record.fields, f"slot=location description=name vendor=manufacturer serial=serial_number {parts}")
    if not any(known.values()):
        return ()
    return (
        PowerSupply(
            id=record.id,
            **known,
            product_name=known["description"],
            firmware=firmware(record.fields.get("revision")),
            status=Status(Health=levels.get(state or ""), State=state) if state else None,
        ),
    )


def _tpm(fields: Mapping[str, Any]) -> Tpm:
    version = word(fields.get("specification_version"))
    return Tpm(
        **_named(fields, "vendor=vendor_id description firmware=firmware_revision"),
        interface_type=f"TPM {version}" if version else None,
    )


def _slots(by_type: Mapping[int, list[Record]]) -> tuple[PcieDevice, ...]:
    """Slots that are in use and onboard devices, by the PCI address of what is in them.

    A slot's name is its device's ``slot``.
    """
    out: dict[str, PcieDevice] = {}
    for kind, used, name in ((9, "in_use", "designation"), (41, "enabled", "reference_designation")):
        for fields in (record.fields for record in by_type[kind]):
            address = fields.get("bus_address")
            if address and fields.get(used):
                out.setdefault(address, PcieDevice(id=address, bus_info=address, slot=word(fields.get(name))))
    return tuple(out.values())


def _revision(value: Any) -> Optional[str]:
    clean = word(value)
    return None if clean == "0.0" else clean
