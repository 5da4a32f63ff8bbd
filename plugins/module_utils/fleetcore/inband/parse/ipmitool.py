# SPDX-License-Identifier: BSD-2-Clause

"""``ipmitool mc info``, ``lan print`` and ``fru print``: the BMC as its own host sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from ...document.model import Device
from ...document.outputs import blocks, expect, keyed, pairs, parser
from ...document.parts import Bmc, Nic
from ...document.values import integer, word
from ...ipmi.fru import Fru, device_of
from ...ipmi.values import controller, lan_port


@parser("ipmitool")
def parse_ipmitool_mc(raw: str) -> Device:
    """``mc info``: firmware and maker of the BMC."""
    values = keyed(raw, "ipmitool", "no firmware revision in the output of mc info", "Firmware Revision")
    return Device(
        bmc=controller(
            device=integer(values.get("Device ID")),
            revision=integer(values.get("Device Revision")),
            version=values.get("Firmware Revision"),
            ipmi=word(values.get("IPMI Version")),
            maker=integer(values.get("Manufacturer ID")),
            product=integer(values.get("Product ID")),
            vendor=_named(values, "Manufacturer Name"),
            model=_named(values, "Product Name"),
        )
    )


def _named(values: Mapping[str, str], name: str) -> Optional[str]:
    found = re.sub(r"\s*\(0x[0-9a-fA-F]+\)$", "", values.get(name, "")[:300])
    return None if found.lower().startswith("unknown") else word(found)


@parser("ipmitool")
def parse_ipmitool_lan(raw: str) -> Device:
    """``lan print``: address and MAC of the BMC. Communities and ciphers are left where they are."""
    values = keyed(raw, "ipmitool", "no address in the output of lan print", "MAC Address", "IP Address")
    details = {
        "source": values.get("IP Address Source"),
        "netmask": values.get("Subnet Mask"),
        "gateway": values.get("Default Gateway IP"),
        "vlan": values.get("802.1q VLAN ID"),
    }
    port = lan_port("lan", values.get("MAC Address"), [values.get("IP Address")], details)
    return Device(bmc=Bmc(nic=Nic(id="bmc", nic_ports=(port,))))


# What ``fru print`` calls the fields of an area.
_FRU = {
    "chassis_type": ("Chassis Type",),
    "chassis_part_number": ("Chassis Part Number",),
    "chassis_serial": ("Chassis Serial",),
    "board_manufacturer": ("Board Mfg", "Board Manufacturer"),
    "board_product": ("Board Product", "Board Name"),
    "board_serial": ("Board Serial",),
    "board_part_number": ("Board Part Number",),
    "manufacturer": ("Product Manufacturer", "Product Mfg"),
    "product": ("Product Name",),
    "part_number": ("Product Part Number",),
    "version": ("Product Version",),
    "serial": ("Product Serial",),
    "asset_tag": ("Product Asset Tag",),
}


@parser("ipmitool")
def parse_ipmitool_fru(raw: str) -> Device:
    """``fru print``: the machine of FRU 0, power supplies and backplanes by their description."""
    found: dict[int, tuple[str, Fru]] = {}
    seen = 0
    for head, lines in blocks(raw, r"^FRU Device Description\s*:\s*(.{0,200}?)\s*(?:\(ID (\d{1,4})\))?\s*$"):
        seen += 1
        values = pairs(lines[:200])
        fru = Fru.of(
            {field: next((values[name] for name in names if values.get(name)), None) for field, names in _FRU.items()}
        )
        # A description without a number is that of the machine when it is the first.
        found.setdefault(int(head[2]) if head[2] else 0 if not found else -seen, (head[1].strip(), fru))
    expect("ipmitool", seen, "no FRU in the output")
    return device_of((number, name, fru) for number, (name, fru) in found.items())
