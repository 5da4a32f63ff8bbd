# SPDX-License-Identifier: BSD-2-Clause

"""``mlxup --query`` and ``mstflint -d DEV query`` / ``flint``: firmware of NVIDIA (Mellanox) adapters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import blocks, expect, keyed, one_port, pairs, parser
from ...document.parts import Firmware, Nic, NicPort
from ...document.values import clean_mac, pci_address, word

_VERSION = re.compile(r"^\s+([A-Z][A-Za-z0-9 ()]{0,30}?)\s{2,}(\S{1,60})\s+(\S{1,60})\s*$")


@parser("mlxup")
def parse_mlxup(raw: str) -> Device:
    """One NIC per card with a port per device; firmware installed and available."""
    nics = [_mlxup(lines) for _head, lines in blocks(raw, r"^Device #\d+:")]
    expect("mlxup", nics or "Mellanox" in raw[:4000], "no devices in the output")
    return Device(nics=tuple(nics))


def _mlxup(lines: list[str]) -> Nic:
    values = pairs(lines)
    versions = {found[1]: (word(found[2]), word(found[3])) for found in map(_VERSION.match, lines) if found}
    stored = versions.get("FW", (None, None))
    extra = {}
    for name, pair in versions.items():
        if not name.startswith("FW"):
            key = name.lower().replace(" ", "_")
            extra.update({at: found for at, found in zip((key, f"{key}_available"), pair) if found})
    version = Firmware(
        installed=versions.get("FW (Running)", stored)[0],
        available=stored[1],
        software_id=word(values.get("PSID")),
        metadata=extra,
    )
    return _card(
        values,
        values.get("PCI Device Name"),
        # ConnectX-3 has two ports in one device, which is the first port's.
        clean_mac(values.get("Base MAC")) or clean_mac(values.get("Port1 MAC")),
        version,
        model=word(values.get("Device Type")),
        description=word(values.get("Description")),
        product_name=word(values.get("Part Number")),
    )


def _card(
    values: Mapping[str, str], place: Optional[str], mac: Optional[str], firmware: Firmware, **fields: Any
) -> Nic:
    address = pci_address(place)
    port = NicPort(id=address, bus_info=address, macaddress=mac, firmware=firmware)
    return one_port(port, vendor="Mellanox", part_number=word(values.get("Part Number")), firmware=firmware, **fields)


@parser("mstflint")
def parse_mstflint(raw: str, address: Optional[str] = None) -> Device:
    """``mstflint -d ADDRESS query``; the output does not say which device was asked."""
    values = keyed(raw, "mstflint", "no firmware version in the output", "FW Version(Running)", "FW Version")
    version = word(values.get("FW Version(Running)")) or word(values.get("FW Version"))
    expect("mstflint", version, "no firmware version in the output")
    mac = re.search(r"\b([0-9a-f]{12})\b", values.get("Base MAC", "").lower())
    # Without options "Description:" is the head of a table of addresses.
    described = values.get("Description", "")
    firmware = Firmware(installed=version, software_id=word(values.get("PSID")))
    description = None if "GuidsNumber" in described else word(described)
    return Device(nics=(_card(values, address, clean_mac(mac[1]) if mac else None, firmware, description=description),))
