# SPDX-License-Identifier: BSD-2-Clause

"""``ethtool -i DEV``, ``ethtool -P DEV`` and ``ethtool -m DEV``."""

from __future__ import annotations

import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, nic_firmware, pairs, parser, said
from ...document.parts import Nic, NicPort, Transceiver
from ...document.values import clean_mac, clean_serial, firmware, pci_address, word
from ...errors import ParseError


def _port(port: NicPort) -> Device:
    """A document of one port; the card is known by its PCI address only."""
    card = port.bus_info.rsplit(".", 1)[0] if port.bus_info else None
    return Device(nics=(Nic(id=card or port.logical_name, bus_info=card, nic_ports=(port,)),))


@parser("ethtool")
def parse_ethtool_driver(raw: str, name: Optional[str] = None) -> Device:
    """``-i``: driver, firmware and PCI address of the interface ``name``."""
    values = pairs(decoded(raw).splitlines()[:100])
    if "driver" not in values:
        raise ParseError("ethtool: no driver in the output of -i", field="ethtool")
    address = pci_address(values.get("bus-info"))
    return _port(
        NicPort(
            id=address,
            logical_name=name,
            bus_info=address,
            firmware=nic_firmware(values.get("firmware-version")),
            metadata=said(driver=word(values["driver"][:200])),
        )
    )


@parser("ethtool")
def parse_ethtool_permanent(raw: str, name: Optional[str] = None) -> Device:
    """``-P``: the address that is burnt in, whatever a bond has set. InfiniBand's longer ones are no MAC addresses."""
    found = re.search(r"Permanent address:\s*(not set|[0-9A-Fa-f:]{17,})", decoded(raw)[:1000])
    if not found:
        raise ParseError("ethtool: no permanent address in the output of -P", field="ethtool")
    address = clean_mac(found[1]) if len(found[1]) == 17 else None
    return _port(NicPort(logical_name=name, macaddress=address)) if address else Device()


@parser("ethtool")
def parse_ethtool_module(raw: str, name: Optional[str] = None) -> Device:
    """``-m``: the transceiver in the port ``name`` (SFF-8472, SFF-8636, CMIS).

    One that names nobody is an empty cage.
    """
    values = pairs(decoded(raw).splitlines()[:2000])
    vendor, part = word(values.get("Vendor name")), word(values.get("Vendor PN"))
    serial = clean_serial(values.get("Vendor SN"))
    if vendor is None and part is None and serial is None:
        if "Identifier" in values:
            return Device()
        raise ParseError("ethtool: no module in the output of -m", field="ethtool")
    kind = re.search(r"\((.{1,120})\)\s*$", values.get("Identifier", ""))
    return Device(
        transceivers=(
            Transceiver(
                id=name,
                port=name,
                vendor=vendor,
                model=part,
                part_number=part,
                serial=serial,
                firmware=firmware(values.get("Active firmware version")),
                description=word(kind[1]) if kind else None,
                metadata=said(revision=word(values.get("Vendor rev"))),
            ),
        )
    )
