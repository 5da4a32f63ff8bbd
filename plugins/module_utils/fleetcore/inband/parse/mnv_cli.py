# SPDX-License-Identifier: BSD-2-Clause

"""``mnv_cli info -o hba | pd | vd``: Marvell controllers of NVMe drives (Dell BOSS-N1, Lenovo, HPE NS204i)."""

from __future__ import annotations

import re

from ...document.model import Device
from ...document.outputs import blocks, expect, first_word, health, pairs, parser, said
from ...document.parts import StorageController, Volume
from ...document.values import clean_serial, firmware, integer, pci_id, positive, size_bytes, word
from .drives import drive

_PART = r"^(?P<kind>Adapter ID|PD ID|VD ID)\s*:\s*(?P<number>\d{1,4})\s*$"


@parser("mnv_cli")
def parse_mnv_cli(raw: str) -> Device:
    """Controllers, drives or volumes, as asked. Drives are those of the first controller.

    :raises ParseError: none of them, nor their number, in the output.
    """
    found = [(head["kind"], head["number"], pairs(lines)) for head, lines in blocks(raw, _PART)]
    expect("mnv_cli", found or "Total # of" in raw, "neither controller, drive nor volume in the output")
    return Device(
        storage_controller=tuple(_controller(*item[1:]) for item in found if item[0] == "Adapter ID"),
        drives=tuple(
            drive(
                word(values.get("Model")),
                "nvme",
                id=f"mnv0/{number}",
                slot=word(values.get("SSD backend RC/Slot ID")),
                serial=clean_serial(values.get("Serial")),
                firmware=firmware(values.get("Firmware version")),
                capacity_bytes=positive(values.get("LBA"), positive(values.get("Sector Size")) or 512),
                block_size_bytes=positive(values.get("Sector Size")),
                storage_controller="mnv0",
                storage_controller_drive_id=integer(number),
                status=health(values.get("Status")),
                smart_status={"Yes": "failed", "No": "ok"}.get(values.get("SMART Critical Warning", "")),
            )
            for kind, number, values in found
            if kind == "PD ID"
        ),
        volumes=tuple(
            Volume(
                id=f"mnv0/v{number}",
                name=word(values.get("Name")),
                raid_type=word(values.get("RAID Mode")),
                size_bytes=size_bytes(first_word(values, "size", "Size"), binary=True),
                status=health(values.get("Status")),
                storage_controller="mnv0",
                physical_drives=tuple(f"mnv0/{item}" for item in values.get("PDs", "").split()[:64]),
            )
            for kind, number, values in found
            if kind == "VD ID"
        ),
    )


def _controller(number: str, values: dict[str, str]) -> StorageController:
    product = re.match(r"^([0-9a-fA-F]{4})-([0-9a-fA-F]{4})$", values.get("Product", ""))
    vendor, device = product.groups() if product else (values.get("Vendor ID"), values.get("Device ID"))
    return StorageController(
        id=f"mnv{number}",
        vendor="Marvell",
        model=first_word(values, "Product", "Name"),
        pci_vendor_id=pci_id(vendor),
        pci_product_id=pci_id(device),
        serial=clean_serial(values.get("Serial number")),
        firmware=firmware(values.get("Firmware version")),
        supported_raid_types=word(values.get("Supported RAID mode")),
        status=health(values.get("Image health")),
        metadata=said(rom=word(values.get("Rom version")), bios=word(values.get("BIOS version"))),
    )
