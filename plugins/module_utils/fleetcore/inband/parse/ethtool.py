# SPDX-License-Identifier: BSD-2-Clause

"""``ethtool -i DEV``, ``ethtool -P DEV`` and ``ethtool -m DEV``."""

from __future__ import annotations

import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, keyed, nic_firmware, one_port, parser, said
from ...document.parts import NicPort, Transceiver
from ...document.values import clean_mac, clean_serial, firmware, pci_address, word


@parser("ethtool")
def parse_ethtool_driver(raw: str, name: Optional[str] = None) -> Device:
    """``-i``: driver, firmware and PCI address of the interface ``name``."""
    values = keyed(raw, "ethtool", "no driver in the output of -i", "driver")
    address = pci_address(values.get("bus-info"))
    port = NicPort(
        id=address,
        logical_name=name,
        bus_info=address,
        firmware=nic_firmware(values.get("firmware-version")),
        metadata=said(driver=word(values["driver"][:200])),
    )
    return Device(nics=(one_port(port),))


@parser("ethtool")
def parse_ethtool_permanent(raw: str, name: Optional[str] = None) -> Device:
    """``-P``: the address that is burnt in, whatever a bond has set. InfiniBand's longer ones are no MAC addresses."""
    found = re.search(r"Permanent address:\s*(not set|[0-9A-Fa-f:]{17,})", decoded(raw)[:1000])
    expect("ethtool", found, "no permanent address in the output of -P")
    address = clean_mac(found[1]) if found and len(found[1]) == 17 else None
    return Device(nics=(one_port(NicPort(logical_name=name, macaddress=address)),)) if address else Device()


@parser("ethtool")
def parse_ethtool_module(raw: str, name: Optional[str] = None) -> Device:
    """``-m``: the transceiver in the port ``name`` (SFF-8472, SFF-8636, CMIS).

    One that names nobody is an empty cage.
    """
    said_by = ("Identifier", "Vendor name", "Vendor PN", "Vendor SN")
    values = keyed(raw, "ethtool", "no module in the output of -m", *said_by)
    vendor, part = word(values.get("Vendor name")), word(values.get("Vendor PN"))
    serial = clean_serial(values.get("Vendor SN"))
    if not (vendor or part or serial):
        return Device()
    kind = re.search(r"\((.{1,120})\)\s*$", values.get("Identifier", ""))
    found = Transceiver(
        id=name,
        port=name,
        vendor=vendor,
        model=part,
        part_number=part,
        serial=serial,
        firmware=firmware(values.get("Active firmware version")),
        description=word(kind[1]) if kind else None,
        metadata=said(revision=word(values.get("Vendor rev"))),
    )
    return Device(transceivers=(found,))
