# SPDX-License-Identifier: BSD-2-Clause

"""``arcconf getconfig N al``: Adaptec and Microchip controllers, volumes and drives; several answers may follow each
other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...document.model import Device
from ...document.outputs import blocks, expect, first_word, health, pairs, parser, said
from ...document.parts import Battery, Drive, StorageController, Volume
from ...document.values import clean_serial, firmware, integer, pci_address, positive, size_bytes, word, wwn
from .drives import drive, gbps, protocol_of
from .smart import celsius

# A part begins at its own line, a section at a heading between rules.
_PART = (
    r"^(?P<controllers>Controllers found: )|^(?P<section>[A-Z][\w ]{3,60} [Ii]nformation)\s*$"
    r"|^\s*Logical [Dd]evice number (?P<volume>\d{1,4})\s*$|^\s+Device #(?P<drive>\d{1,5})\s*$"
)
_SEGMENT = re.compile(
    r"^\s+(?:Group \d{1,4}, )?Segment \d{1,4}\s*:\s*(\w+)\s*(?:\(([^)]{0,200})\)\s*(\S{1,60})?)?", re.MULTILINE
)
# Older versions know channels in place of enclosures.
_PLACE = re.compile(r"(?:Enclosure|Connector|Channel)[: ]\s*(\d{1,4}),\s*(?:Slot|Device)[: ]\s*(\d{1,4})")
_CHANNEL = re.compile(r"Channel,Device\(T:L\)\s*:\s*(\d{1,4}),(\d{1,4})")


@parser("arcconf")
def parse_arcconf(raw: str, first: int = 1) -> Device:
    """Sizes are binary, as arcconf counts them. Volumes name their drives by serial number or place.

    :param first: the number of the first controller in the output.
    :raises ParseError: no controller in the output.
    """
    controllers: list[StorageController] = []
    batteries: list[Battery] = []
    drives: list[Drive] = []
    volumes: list[Volume] = []
    for head, lines in blocks(raw, _PART):
        values = pairs(lines)
        name = f"arc{first - 1 + len(controllers)}"
        if head["section"] == "Controller information":
            controllers.append(_controller(values, f"arc{first + len(controllers)}"))
            backup = health(_after(lines, "Battery Information").get("Status"))
            if backup and backup.State != "Not Installed":
                batteries.append(Battery(id=f"{controllers[-1].id}/battery", status=backup))
        elif head["volume"] and controllers:
            volumes.append(_volume(head["volume"], name, values, lines))
        elif head["drive"] and controllers and any("Hard drive" in line for line in lines[:4]):
            drives.append(_drive(head["drive"], name, values, lines))
    expect("arcconf", controllers, "no controller in the output")
    return Device(
        storage_controller=tuple(controllers), drives=tuple(drives), volumes=tuple(volumes), batteries=tuple(batteries)
    )


def _after(lines: list[str], title: str) -> Mapping[str, str]:
    start = next((place for place, line in enumerate(lines) if title in line), len(lines))
    return pairs(lines[start + 1 : start + 12])


def _controller(values: Mapping[str, str], name: str) -> StorageController:
    model = word(values.get("Controller Model"))
    # "PCI Address (Bus:Device:Function) : 0:21:0:0": the domain comes first, all numbers are hexadecimal.
    place = next((value for key, value in values.items() if key.startswith("PCI Address")), "")
    digits = re.search(r"(?:^|[:\s])([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2}):([0-7])$", place)
    address = pci_address(":".join(f"{int(part, 16):02x}" for part in digits.groups())) if digits else None
    return StorageController(
        id=address or name,
        bus_info=address,
        vendor="Microchip" if re.match(r"Microchip|Microsemi|MSCC", model or "") else "Adaptec",
        model=model,
        product_name=model,
        serial=clean_serial(values.get("Controller Serial Number")),
        wwn=wwn(values.get("Controller World Wide Name")),
        firmware=firmware(first_word(values, "Firmware")),
        supported_device_protocol=word(values.get("Channel description")),
        cache_bytes=size_bytes(values.get("Installed memory"), binary=True),
        status=health(values.get("Controller Status")),
        metadata=said(
            controller=name,
            bios=word(values.get("BIOS")),
            driver=word(values.get("Driver")),
            slot=word(values.get("Physical Slot")),
        ),
    )


def _volume(number: str, controller: str, values: Mapping[str, str], lines: list[str]) -> Volume:
    members = []
    for state, inside, serial in _SEGMENT.findall("\n".join(lines)):
        place = _PLACE.search(inside)
        if state != "Missing" and (serial or place):
            members.append(clean_serial(serial) or f"{controller}/{place[1]}:{place[2]}" if place else serial)
    raid = word(values.get("RAID level"))
    return Volume(
        id=f"{controller}/v{number}",
        name=first_word(values, "Logical Device name", "Logical device name"),
        raid_type=f"RAID{raid}" if raid and raid[0].isdigit() else raid,
        size_bytes=size_bytes(values.get("Size"), binary=True),
        status=health(values.get("Status of Logical Device") or values.get("Status of logical device")),
        storage_controller=controller,
        wwn=wwn(values.get("Volume Unique Identifier")),
        logical_name=(values.get("Disk Name") or values.get("OS Disk Name") or "").split(" ")[0] or None,
        physical_drives=tuple(members),
    )


def _drive(number: str, controller: str, values: Mapping[str, str], lines: list[str]) -> Drive:
    speed = values.get("Transfer Speed", "")
    place = _PLACE.search(values.get("Reported Location", "")) or _CHANNEL.search("\n".join(lines))
    maker = word(values.get("Vendor"))
    where = f"{place[1]}:{place[2]}" if place else f"#{number}"
    alerts = positive(values.get("S.M.A.R.T. warnings"))
    return drive(
        word(values.get("Model")),
        protocol_of(speed),
        {"Yes": False, "No": True}.get(values.get("SSD", "")),
        None if maker == "ATA" else maker,
        id=f"{controller}/{where}",
        slot=where,
        serial=clean_serial(values.get("Serial number") or values.get("Serial Number")),
        firmware=firmware(values.get("Firmware")),
        wwn=wwn((values.get("World-wide name") or values.get("World-wide Name") or "").split(",")[0]),
        capacity_bytes=size_bytes(values.get("Total Size") or values.get("Size"), binary=True),
        block_size_bytes=size_bytes(values.get("Block Size"), binary=True),
        negotiated_speed_gbps=gbps(speed),
        storage_controller=controller,
        storage_controller_drive_id=integer(number),
        status=health(values.get("State")),
        temperature_celsius=celsius(values.get("Temperature") or values.get("Current Temperature")),
        smart_errors=(f"{alerts} S.M.A.R.T. warnings",) if alerts else (),
    )
