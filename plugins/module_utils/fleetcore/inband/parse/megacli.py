# SPDX-License-Identifier: BSD-2-Clause

"""``MegaCli -AdpGetPciInfo``, ``-AdpAllInfo``, ``-PDList``, ``-LdPdInfo`` (each with ``-aALL``): MegaRAID controllers
of the years before storcli."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Optional

from ...document.model import Device
from ...document.outputs import blocks, expect, health, pairs, parser, said
from ...document.parts import Drive, StorageController, Volume
from ...document.values import (
    clean_serial,
    firmware,
    hexadecimal,
    integer,
    pci_address,
    pci_id,
    positive,
    size_bytes,
    word,
    wwn,
)
from .drives import drive, gbps, protocol_of
from .smart import celsius

_PART = (
    r"^Adapter (?:#(?P<adapter>\d{1,3})\s*$|(?P<listed>\d{1,3}) -- )|^PCI information for Controller (?P<bus>\d{1,3})"
    r"|^Virtual (?:Drive|Disk): (?P<volume>\d{1,4})\b"
    r"|^Enclosure Device ID:\s*(?P<enclosure>\d{1,5}|N/A)?\s*$"
)


@parser("megacli")
def parse_megacli(raw: str) -> Device:
    """Sizes are binary, as MegaCli counts them. Ids are those that storcli has: ``c0/e32/s1``, ``c0/v0``.

    :raises ParseError: neither an adapter nor only the tool's exit code in the output.
    """
    adapter: Optional[str] = None
    controllers: list[StorageController] = []
    drives: dict[str, Drive] = {}
    volumes: list[tuple[Volume, list[str]]] = []
    for head, lines in blocks(raw, _PART):
        values = pairs(lines)
        number = head["adapter"] or head["listed"] or head["bus"]
        if number:
            adapter = f"c{number}"
            place = _address(values)
            if place:
                controllers.append(StorageController(id=adapter, bus_info=place, metadata={"controller": adapter}))
            elif word(values.get("Product Name")):
                controllers.append(_controller(adapter, values))
        elif head["volume"] and adapter:
            volumes.append((_volume(adapter, head["volume"], values), []))
        elif adapter and "Slot Number" in values:
            bay = f"s{values['Slot Number'][:5]}"
            place = f"e{head['enclosure']}/{bay}" if (head["enclosure"] or "N/A") != "N/A" else bay
            found = _drive(adapter, place, values, lines)
            drives.setdefault(str(found.id), found)
            if volumes and str(volumes[-1][0].id).startswith(f"{adapter}/"):
                volumes[-1][1].append(str(found.id))
    # Where there is no adapter the exit code is all that it says.
    expect("megacli", adapter or raw.strip() == "Exit Code: 0x00", "no adapter in the output")
    return Device(
        storage_controller=tuple(controllers),
        drives=tuple(drives.values()),
        volumes=tuple(replace(item, physical_drives=tuple(dict.fromkeys(names))) for item, names in volumes),
    )


def _address(values: Mapping[str, str]) -> Optional[str]:
    """Of ``-AdpGetPciInfo``, whose numbers are hexadecimal."""
    bus, device, function = (hexadecimal(values.get(f"{name} Number")) for name in ("Bus", "Device", "Function"))
    if bus is None or device is None or function is None:
        return None
    return pci_address(f"{bus:02x}:{device:02x}.{function:x}")


def _controller(name: str, values: Mapping[str, str]) -> StorageController:
    model = word(values.get("Product Name"))
    return StorageController(
        id=name,
        vendor="Broadcom",
        model=model,
        product_name=model,
        serial=clean_serial(values.get("Serial No")),
        pci_vendor_id=pci_id(values.get("Vendor Id")),
        pci_product_id=pci_id(values.get("Device Id")),
        wwn=wwn(values.get("SAS Address")),
        firmware=firmware(values.get("FW Version")),
        supported_raid_types=word(values.get("RAID Level Supported")),
        cache_bytes=size_bytes(values.get("Memory Size"), binary=True),
        metadata=said(
            controller=name,
            bios=word(values.get("BIOS Version")),
            firmware_package=word(values.get("FW Package Build")),
        ),
    )


def _volume(controller: str, number: str, values: Mapping[str, str]) -> Volume:
    return Volume(
        id=f"{controller}/v{number}",
        name=word(values.get("Name")),
        raid_type=_raid(values),
        size_bytes=size_bytes(values.get("Size"), binary=True),
        status=health(values.get("State")),
        storage_controller=controller,
    )


def _raid(values: Mapping[str, str]) -> Optional[str]:
    """``Primary-1, Secondary-3`` is RAID10; over several spans a level has a 0 behind it."""
    primary = re.search(r"Primary-(\d)", values.get("RAID Level", ""))
    spans = positive(values.get("Span Depth")) or 1
    return f"RAID{primary[1]}{'0' if spans > 1 and primary[1] != '0' else ''}" if primary else None


def _drive(controller: str, place: str, values: Mapping[str, str], lines: list[str]) -> Drive:
    protocol = protocol_of(values.get("PD Type"))
    vendor, model, serial = _inquiry(next((line for line in lines if line.startswith("Inquiry Data:")), ""), protocol)
    counts = {name.lower(): positive(values.get(name)) for name in ("Media Error Count", "Predictive Failure Count")}
    media = values.get("Media Type", "")
    sectors = re.search(r"\[0x([0-9a-fA-F]{1,15}) Sectors\]", values.get("Raw Size", ""))
    block = positive(values.get("Sector Size")) or 512
    return drive(
        model,
        protocol,
        False if "Solid State" in media else True if media else None,
        vendor,
        id=f"{controller}/{place}",
        slot=place,
        serial=serial,
        wwn=wwn(values.get("WWN")),
        firmware=firmware(values.get("Device Firmware Level")),
        capacity_bytes=positive(int(sectors[1], 16), block) if sectors else None,
        block_size_bytes=positive(values.get("Sector Size")),
        capable_speed_gbps=gbps(values.get("Device Speed")),
        negotiated_speed_gbps=gbps(values.get("Link Speed")),
        storage_controller=controller,
        storage_controller_drive_id=integer(values.get("Device Id")),
        status=health(values.get("Firmware state", "").split(",")[0]),
        smart_status={"Yes": "failed", "No": "ok"}.get(values.get("Drive has flagged a S.M.A.R.T alert", "")),
        temperature_celsius=celsius(values.get("Drive Temperature")),
        smart_errors=tuple(f"{count} {name}" for name, count in counts.items() if count),
    )


def _inquiry(line: str, protocol: Optional[str]) -> tuple[Optional[str], Optional[str], Optional[str]]:
    """Vendor, model and serial number, in columns: SAS drives say vendor, product, revision, serial; of SATA drives
    the controller has put serial, model and firmware one behind the other."""
    data = line.partition(":")[2][1:]
    if protocol == "sata":
        return None, word(data[20:60]), clean_serial(data[:20])
    return word(data[:8]), word(data[8:24]), clean_serial(data[28:])
