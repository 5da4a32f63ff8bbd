# SPDX-License-Identifier: BSD-2-Clause

"""``msecli -L``: Micron drives."""

from __future__ import annotations

from ...document.model import Device
from ...document.outputs import blocks, expect, health, pairs, parser
from ...document.parts import Drive
from ...document.values import clean_serial, firmware, size_bytes, word
from .drives import device_name, gbps


@parser("msecli")
def parse_msecli(raw: str) -> Device:
    """Drives of the list.

    :raises ParseError: neither a drive nor the tool's status line in the output.
    """
    found = []
    for head, lines in blocks(raw, r"^Device Name\s*:\s*(\S{1,80})"):
        values = pairs(lines)
        found.append(
            Drive(
                vendor="Micron",
                model=word(values.get("Model No")),
                serial=clean_serial(values.get("Serial No")),
                logical_name=device_name(head[1]),
                firmware=firmware(values.get("FW-Rev")),
                protocol="nvme" if "nvme" in head[1] else "sata" if "Sata Link Speed" in values else None,
                capacity_bytes=size_bytes(values.get("Total Size"), binary=False),
                negotiated_speed_gbps=gbps(values.get("Sata Link Speed")),
                capable_speed_gbps=gbps(values.get("Sata Link Max Speed")),
                status=health(values.get("Drive Status")),
            )
        )
    expect("msecli", found or "CMD_STATUS" in raw, "no drives in the output")
    return Device(drives=tuple(found))
