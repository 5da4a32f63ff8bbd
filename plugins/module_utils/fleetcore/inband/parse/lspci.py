# SPDX-License-Identifier: BSD-2-Clause

"""``lspci -Dvmmnnk``: names of PCI devices, for what ``/sys`` has only numbers of."""

from __future__ import annotations

import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, parser, said
from ...document.parts import PcieDevice
from ...document.values import pci_address, word
from ...errors import ParseError

_NUMBERED = re.compile(r"^(.{0,300}?)\s*\[([0-9a-fA-F]{4})\]$")


@parser("lspci")
def parse_lspci(raw: str) -> Device:
    """PCI devices by address, with names and numbers.

    :raises ParseError: no device in the output.
    """
    found = []
    fields: dict[str, str] = {}
    for line in [*decoded(raw).splitlines()[:200_000], ""]:
        key, colon, value = line.partition(":\t")
        if colon:
            fields.setdefault(key.strip(), value.strip())
        elif not line.strip() and fields:
            device = _device(fields)
            if device is not None:
                found.append(device)
            fields = {}
    if not found:
        raise ParseError("lspci: no device in the output", field="lspci")
    return Device(pcie_devices=tuple(found))


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
