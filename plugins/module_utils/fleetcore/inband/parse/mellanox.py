# SPDX-License-Identifier: BSD-2-Clause

"""``mlxup --query`` and ``mstflint -d DEV query`` / ``flint``: firmware of NVIDIA (Mellanox) adapters."""

from __future__ import annotations

import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import blocks, decoded, pairs, parser
from ...document.parts import Firmware, Nic, NicPort
from ...document.values import clean_mac, pci_address, word
from ...errors import ParseError

_VERSION = re.compile(r"^\s+([A-Z][A-Za-z0-9 ()]{0,30}?)\s{2,}(\S{1,60})\s+(\S{1,60})\s*$")


@parser("mlxup")
def parse_mlxup(raw: str) -> Device:
    """One NIC per card with a port per device; firmware installed and available."""
    nics = [_mlxup(lines) for _head, lines in blocks(raw, r"^Device #\d+:")]
    if not nics and "Mellanox" not in raw[:4000]:
        raise ParseError("mlxup: no devices in the output", field="mlxup")
    return Device(nics=tuple(nics))


def _mlxup(lines: list[str]) -> Nic:
    values = pairs(lines)
    address = pci_address(values.get("PCI Device Name"))
    card = address.rsplit(".", 1)[0] if address else None
    versions = {found[1]: (found[2], found[3]) for found in map(_VERSION.match, lines) if found}
    installed, available = (
        versions.get("FW (Running)", versions.get("FW", (None, None)))[0],
        versions.get("FW", (None, None))[1],
    )
    part = word(values.get("Part Number"))
    extra = {}
    for name, pair in versions.items():
        if not name.startswith("FW"):
            key = name.lower().replace(" ", "_")
            extra.update({at: found for at, found in zip((key, f"{key}_available"), map(word, pair)) if found})
    version = Firmware(
        installed=word(installed), available=word(available), software_id=word(values.get("PSID")), metadata=extra
    )
    # ConnectX-3 has two ports in one device, which is the first port's.
    mac = clean_mac(values.get("Base MAC")) or clean_mac(values.get("Port1 MAC"))
    port = NicPort(id=address, bus_info=address, macaddress=mac, firmware=version)
    return Nic(
        vendor="Mellanox",
        model=word(values.get("Device Type")),
        description=word(values.get("Description")),
        id=card,
        bus_info=card,
        part_number=part,
        product_name=part,
        firmware=version,
        nic_ports=(port,),
    )


@parser("mstflint")
def parse_mstflint(raw: str, address: Optional[str] = None) -> Device:
    """``mstflint -d ADDRESS query``; the output does not say which device was asked."""
    values = pairs(decoded(raw).splitlines()[:300])
    version = word(values.get("FW Version(Running)")) or word(values.get("FW Version"))
    if version is None:
        raise ParseError("mstflint: no firmware version in the output", field="mstflint")
    address = pci_address(address)
    card = address.rsplit(".", 1)[0] if address else None
    mac = re.search(r"\b([0-9a-f]{12})\b", values.get("Base MAC", "").lower())
    firmware = Firmware(installed=version, software_id=word(values.get("PSID")))
    port = NicPort(id=address, bus_info=address, macaddress=clean_mac(mac[1]) if mac else None, firmware=firmware)
    return Device(
        nics=(
            Nic(
                vendor="Mellanox",
                id=card,
                bus_info=card,
                part_number=word(values.get("Part Number")),
                # Without options "Description:" is the head of a table of addresses.
                description=word(values.get("Description"))
                if "GuidsNumber" not in values.get("Description", "")
                else None,
                firmware=firmware,
                nic_ports=(port,),
            ),
        )
    )
