# SPDX-License-Identifier: BSD-2-Clause

"""``lspci -Dvmmnnk``: names of PCI devices, for what ``/sys`` has only numbers of."""

from __future__ import annotations

import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, pairs, parser, said
from ...document.parts import PcieDevice
from ...document.values import MAX_ITEMS, pci_address, word

_NUMBERED = re.compile(r"^(.{0,300}?)\s*\[([0-9a-fA-F]{4})\]$")


@parser("lspci")
def parse_lspci(raw: str) -> Device:
    """PCI devices by address, with names and numbers.

    :raises ParseError: no device in the output.
    """
    records = re.split(r"\n[ \t\r]*(?=\n|$)", decoded(raw))[:MAX_ITEMS]
    found = [_device(pairs(record.splitlines()[:200], ":\t")) for record in records]
    devices = tuple(item for item in found if item is not None)
    expect("lspci", devices, "no device in the output")
    return Device(pcie_devices=devices)


def _device(fields: dict[str, str]) -> Optional[PcieDevice]:
    address = pci_address(fields.get("Slot"))
    if address is None:
        return None
    kind, vendor, product = (_split(fields.get(name)) for name in ("Class", "Vendor", "Device"))
    return PcieDevice(
        id=address,
        bus_info=address,
        vendor=vendor[0],
        model=product[0],
        pci_vendor_id=vendor[1],
        pci_product_id=product[1],
        device_class=kind[1] or kind[0],
        description=kind[0],
        metadata=said(driver=word(fields.get("Driver"))),
    )


def _split(value: Optional[str]) -> tuple[Optional[str], Optional[str]]:
    """``Name [1234]`` as name and number; ``1234`` is a number alone."""
    found = _NUMBERED.match((value or "")[:400]) or re.match(r"^()([0-9a-fA-F]{4})$", value or "")
    return (word(found[1]), found[2].lower()) if found else (word(value), None)
