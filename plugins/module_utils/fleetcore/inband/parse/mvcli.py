# SPDX-License-Identifier: BSD-2-Clause

"""``mvcli info -o hba | pd | vd``: Marvell controllers (Dell BOSS, Lenovo M.2 kits)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...document.model import Device
from ...document.outputs import blocks, expect, health, pairs, parser, said
from ...document.parts import StorageController, Volume
from ...document.values import clean_serial, firmware, integer, positive, size_bytes, word
from .drives import drive, gbps, protocol_of


def _objects(raw: str, starts: str, first: str) -> Iterator[dict[str, str]]:
    """``Key: value`` blocks that begin at lines ``starts``; ``first`` is that line's key."""
    for head, lines in blocks(raw, starts):
        yield {first: head[1].strip(), **pairs(lines)}


@parser("mvcli")
def parse_mvcli_hba(raw: str) -> Device:
    """Controllers. They are known by their PCI ids: the tool doesn't say the address.

    :raises ParseError: no adapter in the output.
    """
    found = []
    for values in _objects(raw, r"^Adapter ID:\s*(\S{1,20})\s*$", "id"):
        product = re.match(r"^([0-9a-fA-F]{4})-([0-9a-fA-F]{4})$", values.get("Product", ""))
        found.append(
            StorageController(
                id=f"mv{values['id']}",
                vendor="Marvell",
                model=word(values.get("Product")),
                pci_vendor_id=product[1].lower() if product else None,
                pci_product_id=product[2].lower() if product else None,
                firmware=firmware(values.get("Firmware version")),
                supported_device_protocol=word(values.get("Supported port type")),
                supported_raid_types=word(values.get("Supported RAID mode")),
                max_physical_disks=positive(values.get("Maximum supported disk")),
                max_virtual_disks=positive(values.get("Maximum supported VD")),
                status=health(values.get("Image health")),
                metadata=said(
                    rom=word(values.get("Rom version")),
                    bios=word(values.get("BIOS version")),
                    boot_loader=word(values.get("Boot loader version")),
                ),
            )
        )
    expect("mvcli", found, "no adapter in the output")
    return Device(storage_controller=tuple(found))


@parser("mvcli")
def parse_mvcli_pd(raw: str) -> Device:
    """Drives behind the adapters."""
    found = [
        drive(
            word(values.get("model")),
            protocol_of(values.get("Type")),
            False if values.get("SSD Type", "").startswith("SSD") else None,
            id=f"mv{values['adapter']}/{values.get('PD ID', '')[:20]}",
            slot=word(values.get("Linked at")),
            serial=clean_serial(values.get("Serial")),
            firmware=firmware(values.get("Firmware version")),
            capacity_bytes=size_bytes(values.get("Size"), binary=True),
            storage_controller=f"mv{values['adapter']}",
            storage_controller_drive_id=integer(values.get("PD ID")),
            negotiated_speed_gbps=gbps(values.get("Current speed")),
            capable_speed_gbps=gbps(values.get("supported speed")),
        )
        for values in _objects(raw, r"^Adapter:\s*(\S{1,20})\s*$", "adapter")
    ]
    expect("mvcli", found or "Physical Disk" in raw, "no physical disks in the output")
    return Device(drives=tuple(found))


@parser("mvcli")
def parse_mvcli_vd(raw: str) -> Device:
    """Volumes; their drives are named as :func:`parse_mvcli_pd` names them on the first adapter."""
    found = [
        Volume(
            id=f"mv0/v{values['id']}",
            name=word(values.get("name")),
            raid_type=word(values.get("RAID mode")),
            size_bytes=size_bytes(values.get("size"), binary=True),
            status=health(values.get("status")),
            storage_controller="mv0",
            physical_drives=tuple(f"mv0/{item}" for item in values.get("PD RAID setup", "").split()[:64]),
        )
        for values in _objects(raw, r"^id:\s*(\S{1,20})\s*$", "id")
    ]
    expect("mvcli", found or "Virtual Disk" in raw, "no virtual disks in the output")
    return Device(volumes=tuple(found))
