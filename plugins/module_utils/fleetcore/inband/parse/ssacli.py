# SPDX-License-Identifier: BSD-2-Clause

"""``ssacli ctrl all show config detail``: HPE Smart Array controllers, volumes and drives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, health, pairs, parser, said
from ...document.parts import Battery, Drive, StorageController, Volume
from ...document.values import clean_serial, firmware, pci_address, percent, positive, size_bytes, speed_gbps, word, wwn
from .drives import drive, protocol_of

_CONTROLLER = re.compile(r"^(?P<model>\S[^\n]{0,200}?) in Slot (?P<slot>\S{1,20})(?: \(Embedded\))?(?:\s.*)?$")
_PART = re.compile(r"^\s+(?P<kind>Logical Drive: \S{1,40}|physicaldrive \S{1,60})\s*$")
_ARRAY = re.compile(r"^\s+[Aa]rray:? [A-Z]{1,3}\b")
_OTHER = re.compile(
    r"^\s+(Internal Drive Cage|External Drive Cage|Port Name:|SEP |Expander |Enclosure )|^\s{3,9}\S.* at Port "
)


@parser("ssacli")
def parse_ssacli(raw: str) -> Device:
    """Sizes are as HPE counts them: decimal for drives, binary for volumes.

    :raises ParseError: no controller in the output.
    """
    controllers: list[StorageController] = []
    drives: dict[str, Drive] = {}
    volumes: list[Volume] = []
    batteries: list[Battery] = []
    slot = ""
    first = 0  # of the array's volumes
    members: list[str] = []
    for title, lines in _sections(decoded(raw)):
        values = pairs(lines)
        found = _CONTROLLER.match(title)
        if found or title == "Array":
            volumes[first:] = _with_members(volumes[first:], members)
            first, members = len(volumes), []
        if found:
            slot = found["slot"]
            controllers.append(_controller(found["model"], slot, values))
            backup = health(values.get("Battery/Capacitor Status"))
            batteries += [Battery(id=f"slot {slot}/battery", status=backup)] if backup else []
        elif title.startswith("Logical Drive: ") and controllers:
            volumes.append(_volume(title.split(": ", 1)[1], slot, values, lines))
        elif title.startswith("physicaldrive ") and controllers:
            listed = _drive(title.split(" ", 1)[1], slot, values)
            if listed.model or listed.serial:
                drives[str(listed.id)] = listed
                members += [str(listed.id)] if values.get("Drive Type") == "Data Drive" else []
    volumes[first:] = _with_members(volumes[first:], members)
    expect("ssacli", controllers, "no controller in the output")
    return Device(
        storage_controller=tuple(controllers),
        drives=tuple(drives.values()),
        volumes=tuple(volumes),
        batteries=tuple(batteries),
    )


def _with_members(volumes: list[Volume], members: list[str]) -> list[Volume]:
    """An array's volumes: only mirrors have their drives listed, the others lie on all data drives of the array."""
    return [item if item.physical_drives else replace(item, physical_drives=tuple(members)) for item in volumes]


def _sections(raw: str) -> list[tuple[str, list[str]]]:
    out: list[tuple[str, list[str]]] = []
    for line in raw.splitlines()[:200_000]:
        part = _PART.match(line[:300])
        if part:
            out.append((part["kind"], []))
        elif line[:1].strip() and _CONTROLLER.match(line[:300]):
            out.append((line[:300].strip(), []))
        elif _ARRAY.match(line[:300]):
            out.append(("Array", []))
        elif _OTHER.match(line[:300]):
            out.append(("", []))
        elif out:
            out[-1][1].append(line[:500].replace("(Domain:Bus:Device.Function)", "", 1))
    return out


def _controller(model: str, slot: str, values: Mapping[str, str]) -> StorageController:
    address = pci_address(re.sub(r"\s*\(.*", "", values.get("PCI Address", "")))
    return StorageController(
        id=address or f"slot {slot}",
        bus_info=address,
        vendor="Microchip" if re.match(r"MSCC|Microchip|Adaptec|Microsemi", model) else "HPE",
        model=word(model),
        product_name=word(model),
        serial=clean_serial(values.get("Serial Number")),
        firmware=firmware(values.get("Firmware Version")),
        supported_raid_types=word(values.get("RAID Levels Supported")),
        cache_bytes=size_bytes(_with_unit(values.get("Total Cache Size")), binary=True),
        wwn=wwn(values.get("WWN")),
        status=health(values.get("Controller Status")),
        metadata=said(slot=slot, driver=word(values.get("Driver Name"))),
    )


def _with_unit(size: Optional[str]) -> Optional[str]:
    """GB behind a number without a unit, as ssacli writes cache sizes."""
    return f"{size} GB" if size and re.match(r"^[\d.]{1,12}$", size) else size


def _volume(identity: str, slot: str, values: Mapping[str, str], lines: list[str]) -> Volume:
    members = re.findall(r"^\s+physicaldrive (\S{1,60}) \(", "\n".join(lines), re.MULTILINE)
    return Volume(
        id=f"{slot}/{identity}",
        name=word(values.get("Logical Drive Label")),
        raid_type=f"RAID{values['Fault Tolerance'][:20]}" if word(values.get("Fault Tolerance")) else None,
        size_bytes=size_bytes(values.get("Size"), binary=True),
        status=health(values.get("Status")),
        storage_controller=f"slot {slot}",
        wwn=wwn(values.get("Unique Identifier")),
        logical_name=word(values.get("Disk Name")),
        physical_drives=tuple(f"{slot}/{name}" for name in members),
    )


def _drive(identity: str, slot: str, values: Mapping[str, str]) -> Drive:
    model = word(re.sub(r"^(ATA|HP|HPE)\s+", "", values.get("Model", "")))
    interface = values.get("Interface Type", "")
    solid = "Solid State" in interface or "SSD" in interface
    return drive(
        model,
        protocol_of(interface),
        not solid if interface else None,
        "HPE" if "HP" in values.get("Model", "") else None,
        id=f"{slot}/{identity}",
        slot=identity,
        serial=clean_serial(values.get("Serial Number")),
        firmware=firmware(values.get("Firmware Revision")),
        capacity_bytes=size_bytes(values.get("Size"), binary=False),
        block_size_bytes=positive(values.get("Logical/Physical Block Size", "").split("/")[0]),
        negotiated_speed_gbps=speed_gbps(values.get("PHY Transfer Rate")),
        storage_controller=f"slot {slot}",
        status=health(values.get("Status")),
        wwn=wwn(values.get("WWID")),
        power_on_hours=positive(values.get("Power On Hours")),
        life_left_percent=percent(values.get("Usage remaining")),
        metadata=said(rpm=word(values.get("Rotational Speed", "")[:20])),
    )
