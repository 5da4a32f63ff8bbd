# SPDX-License-Identifier: BSD-2-Clause

"""Puts what IPMI says of a BMC into the device document, whoever asked: the network, the kernel, or ``ipmitool``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..document.outputs import parser, said
from ..document.parts import Bmc, NicPort
from ..document.values import clean_mac, firmware, word
from ..errors import ParseError

HEALTH: Mapping[int, str] = {0: "OK", 1: "Warning", 2: "Critical"}
"""Words for pyghmi's severities."""
# IANA enterprise numbers of BMCs whose maker is the machine's.
MAKERS: Mapping[int, str] = {
    2: "IBM",
    11: "HP",
    42: "Sun Microsystems",
    343: "Intel",
    674: "Dell",
    2011: "Huawei",
    5771: "Cisco",
    7244: "Quanta",
    10368: "Fujitsu",
    10876: "Supermicro",
    15370: "GIGABYTE",
    19046: "Lenovo",
    20974: "American Megatrends",
    47196: "HPE",
}


@parser("ipmi")
def parse_device_id(raw: bytes) -> Bmc:
    """Read what follows the completion code of Get Device ID (IPMI 2.0, section 20.1).

    :raises ParseError: too short.
    """
    data = bytes(raw)
    if len(data) < 11:
        raise ParseError("IPMI: the answer to Get Device ID is too short", field="ipmi")
    return controller(
        device=data[0],
        revision=data[1] & 0x0F,
        version=f"{data[2] & 0x7F}.{data[3]:02x}",
        ipmi=f"{data[4] & 0x0F}.{data[4] >> 4}",
        maker=data[6] | data[7] << 8 | (data[8] & 0x0F) << 16,
        product=data[9] | data[10] << 8,
    )


def controller(
    *,
    device: Optional[int],
    revision: Optional[int],
    version: Optional[str],
    ipmi: Optional[str],
    maker: Optional[int],
    product: Optional[int],
    vendor: Optional[str] = None,
    model: Optional[str] = None,
) -> Bmc:
    """Make the BMC. ``vendor`` is used where we have no name for the number ``maker``."""
    return Bmc(
        id=None if device is None else str(device),
        vendor=MAKERS.get(-1 if maker is None else maker, vendor),
        model=model,
        firmware=firmware(version),
        metadata=said(manufacturer_id=maker, product_id=product, ipmi_version=ipmi, device_revision=revision),
    )


def lan_port(
    name: str, mac: Optional[str], addresses: Sequence[Optional[str]], details: Mapping[str, Optional[str]]
) -> NicPort:
    """Make a port of the BMC. ``details``: ``source``, ``netmask``, ``gateway``, ``vlan``. All zero means not set."""
    kept = {key: word(value) for key, value in details.items()}
    return NicPort(
        id=name,
        macaddress=clean_mac(mac),
        ip_addresses=tuple(address for address in map(word, addresses) if address and address not in _UNSET),
        metadata={key: value for key, value in kept.items() if value and value not in _UNSET},
    )


_UNSET = ("0.0.0.0", "::", "Disabled")  # noqa: S104  (addresses that nobody has given)


def text_or_none(value: Any) -> Optional[str]:
    """Give a text without what fills it up; None where nothing is left."""
    clean = str(value).strip().strip("\x00") if value is not None else ""
    return clean or None
