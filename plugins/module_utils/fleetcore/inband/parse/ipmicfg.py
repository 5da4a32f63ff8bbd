# SPDX-License-Identifier: BSD-2-Clause

"""Supermicro's ``ipmicfg -summary``."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from ...document.model import Device
from ...document.outputs import decoded, pairs, parser, said
from ...document.parts import Bios, Bmc, Cpld, Nic, NicPort
from ...document.values import clean_mac, firmware, word
from ...errors import ParseError


@parser("ipmicfg")
def parse_ipmicfg(raw: str) -> Device:
    """BMC with its address and firmware, BIOS, CPLD.

    :raises ParseError: not the summary.
    """
    values = pairs(decoded(raw).splitlines()[:200])
    if "BMC MAC Address" not in values and "Firmware Revision" not in values:
        raise ParseError("ipmicfg: not a summary", field="ipmicfg")
    addresses = []
    for name, value in values.items():
        if name.startswith(("IPv4 Address", "IPv6 Address")):
            address = word(value)
            if address and address != "0.0.0.0":  # noqa: S104
                addresses.append(_compressed(address.split("/")[0]))
    port = NicPort(id="lan", macaddress=clean_mac(values.get("BMC MAC Address")), ip_addresses=tuple(addresses))
    version = firmware(values.get("Firmware Revision"))
    bios, cpld = firmware(values.get("BIOS Version")), firmware(values.get("CPLD Version"))
    return Device(
        bmc=Bmc(
            vendor="Supermicro",
            firmware=version and replace(version, metadata=said(build_date=word(values.get("Firmware Build Time")))),
            nic=Nic(id="bmc", nic_ports=(port,)) if port.macaddress or addresses else None,
        ),
        bios=Bios(firmware=bios, release_date=word(values.get("BIOS Build Time"))) if bios else None,
        cplds=(Cpld(id="cpld", vendor="Supermicro", firmware=cpld),) if cpld else (),
    )


def _compressed(address: str) -> str:
    """``FE80:0000:...`` as everybody else writes it."""
    try:
        return ipaddress.ip_address(address).compressed
    except ValueError:
        return address
