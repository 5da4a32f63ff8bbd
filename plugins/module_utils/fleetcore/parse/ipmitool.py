# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""``ipmitool mc info``, ``lan print`` and ``fru print``: the BMC as its own host sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from ..errors import ParseError
from ..model import Bmc, Device, Enclosure, Mainboard, Nic, NicPort, PowerSupply, clean_mac, clean_serial
from .values import blocks, decoded, firmware, pairs, parser, word


@parser("ipmitool")
def parse_ipmitool_mc(raw: str) -> Device:
    """``mc info``: firmware and maker of the BMC."""
    values = pairs(line.strip() for line in decoded(raw).splitlines()[:300])
    if "Firmware Revision" not in values:
        raise ParseError("ipmitool: no firmware revision in the output of mc info", field="ipmitool")
    metadata = {
        key: found
        for key, name in (
            ("manufacturer_id", "Manufacturer ID"),
            ("product_id", "Product ID"),
            ("ipmi_version", "IPMI Version"),
            ("device_revision", "Device Revision"),
        )
        for found in [word(values.get(name))]
        if found
    }
    vendor = re.sub(r"\s*\(0x[0-9a-fA-F]+\)$", "", values.get("Manufacturer Name", "")[:300])
    product = re.sub(r"\s*\(0x[0-9a-fA-F]+\)$", "", values.get("Product Name", "")[:300])
    return Device(
        bmc=Bmc(
            vendor=_named(vendor),
            model=_named(product),
            firmware=firmware(values.get("Firmware Revision")),
            metadata=metadata,
        )
    )


def _named(value: str) -> Optional[str]:
    return None if value.lower().startswith("unknown") else word(value)


@parser("ipmitool")
def parse_ipmitool_lan(raw: str) -> Device:
    """``lan print``: address and MAC of the BMC. Communities and ciphers are left where they are."""
    values = pairs(line.strip() for line in decoded(raw).splitlines()[:300])
    if "MAC Address" not in values and "IP Address" not in values:
        raise ParseError("ipmitool: no address in the output of lan print", field="ipmitool")
    address = word(values.get("IP Address"))
    known = address if address and address != "0.0.0.0" else None  # noqa: S104
    metadata = {
        key: found
        for key, name in (
            ("source", "IP Address Source"),
            ("netmask", "Subnet Mask"),
            ("gateway", "Default Gateway IP"),
            ("vlan", "802.1q VLAN ID"),
        )
        for found in [word(values.get(name))]
        if found and found not in ("Disabled", "0.0.0.0")  # noqa: S104
    }
    port = NicPort(
        id="lan",
        macaddress=clean_mac(values.get("MAC Address")),
        ip_addresses=(known,) if known else (),
        metadata=metadata,
    )
    return Device(bmc=Bmc(nic=Nic(id="bmc", nic_ports=(port,))))


@parser("ipmitool")
def parse_ipmitool_fru(raw: str) -> Device:
    """``fru print``: the machine of FRU 0, or if that is not there of the first with a chassis; power supplies by their description."""
    device = machine = Device()
    supplies = []
    seen = 0
    for head, lines in blocks(raw, r"^FRU Device Description\s*:\s*(.{0,200}?)\s*(?:\(ID (\d{1,4})\))?\s*$"):
        if head is None:
            continue
        seen += 1
        values = pairs(line.strip() for line in lines[:200])
        if head[2] == "0":
            device = _machine(values)
        elif "Chassis Type" in values and machine == Device():
            machine = _machine(values)
        elif re.search(r"\bps\d*\b|psu|power ?supply|pwr", head[1], re.IGNORECASE) and _product(values)[1]:
            vendor, model, serial, part = _product(values)
            supplies.append(
                PowerSupply(
                    id=head[1].strip(),
                    slot=head[1].strip(),
                    vendor=vendor,
                    model=model,
                    serial=serial,
                    part_number=part,
                )
            )
    if not seen:
        raise ParseError("ipmitool: no FRU in the output", field="ipmitool")
    base = device if device != Device() else machine
    return Device(
        vendor=base.vendor,
        model=base.model,
        product_name=base.product_name,
        serial=base.serial,
        asset_tag=base.asset_tag,
        chassis=base.chassis,
        mainboard=base.mainboard,
        enclosures=base.enclosures,
        power_supplies=tuple(supplies),
    )


def _product(values: Mapping[str, str]) -> tuple[Optional[str], Optional[str], Optional[str], Optional[str]]:
    for area in ("Product", "Board"):
        found = word(values.get(f"{area} Name")) or word(values.get(f"{area} Product"))
        name, part = found, word(values.get(f"{area} Part Number"))
        serial = clean_serial(values.get(f"{area} Serial"))
        maker = word(values.get(f"{area} Manufacturer") or values.get(f"{area} Mfg"))
        if name or serial or part:
            return maker, name or part, serial, part
    return None, None, None, None


def _machine(values: Mapping[str, str]) -> Device:
    chassis_serial = clean_serial(values.get("Chassis Serial"))
    chassis_type = word(values.get("Chassis Type"))
    board = clean_serial(values.get("Board Serial"))
    product = word(values.get("Product Name"))
    mainboard = Mainboard(
        vendor=word(values.get("Board Mfg")),
        model=word(values.get("Board Product")),
        serial=board,
        part_number=word(values.get("Board Part Number")),
    )
    enclosure = Enclosure(
        id="fru0", chassis_type=chassis_type, serial=chassis_serial, part_number=word(values.get("Chassis Part Number"))
    )
    return Device(
        vendor=word(values.get("Product Manufacturer")),
        model=product,
        product_name=product,
        serial=clean_serial(values.get("Product Serial")),
        asset_tag=clean_serial(values.get("Product Asset Tag")),
        chassis=chassis_serial,
        mainboard=mainboard if mainboard != Mainboard() else None,
        enclosures=(enclosure,) if chassis_serial or enclosure.part_number else (),
    )
