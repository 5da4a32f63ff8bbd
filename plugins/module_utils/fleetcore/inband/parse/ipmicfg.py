# SPDX-License-Identifier: BSD-2-Clause

"""Supermicro's ``ipmicfg -summary``."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from ...document.model import Device
from ...document.outputs import keyed, parser, said
from ...document.parts import Bmc, Nic
from ...document.values import firmware, word
from ...ipmi.values import lan_port
from .bios_settings import supermicro


@parser("ipmicfg")
def parse_ipmicfg(raw: str) -> Device:
    """BMC with its address and firmware, BIOS, CPLD.

    :raises ParseError: not the summary.
    """
    values = keyed(raw, "ipmicfg", "not a summary", "BMC MAC Address", "Firmware Revision")
    addresses = [
        _compressed((word(value) or "").split("/")[0])
        for name, value in values.items()
        if name.startswith(("IPv4 Address", "IPv6 Address"))
    ]
    port = lan_port("lan", values.get("BMC MAC Address"), addresses, {})
    version = firmware(values.get("Firmware Revision"))
    return Device(
        bmc=Bmc(
            vendor="Supermicro",
            firmware=version and replace(version, metadata=said(build_date=word(values.get("Firmware Build Time")))),
            nic=Nic(id="bmc", nic_ports=(port,)) if port.macaddress or port.ip_addresses else None,
        ),
        **supermicro(values.get("BIOS Version"), values.get("BIOS Build Time"), values.get("CPLD Version")),
    )


def _compressed(address: str) -> str:
    """``FE80:0000:...`` as everybody else writes it."""
    try:
        return ipaddress.ip_address(address).compressed
    except ValueError:
        return address
