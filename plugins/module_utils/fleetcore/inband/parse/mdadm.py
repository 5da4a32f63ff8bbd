# SPDX-License-Identifier: BSD-2-Clause

"""``mdadm --detail``: software RAID of Linux; several arrays may follow each other."""

from __future__ import annotations

import re

from ...document.model import Device
from ...document.outputs import blocks, expect, health, pairs, parser
from ...document.parts import Volume
from ...document.values import integer, word

# Number, major, minor, slot, state (containers of firmware RAID have none), device.
_MEMBER = re.compile(r"^\s+(?:\d+|-)\s+\d+\s+\d+\s+(?:\d+|-)\s+(?:\S.*\s)?(/dev/\S{1,80})\s*$")


@parser("mdadm")
def parse_mdadm(raw: str) -> Device:
    """Arrays, with the devices they are made of.

    :raises ParseError: no array in the output.
    """
    found = []
    for head, lines in blocks(raw, r"^(/dev/\S{1,80}):\s*$"):
        values = pairs(lines, " : ")
        size = integer(values.get("Array Size"))
        members = [item[1] for item in (_MEMBER.match(line[:300]) for line in lines if "faulty" not in line) if item]
        found.append(
            Volume(
                # Behind name and UUID: "(local to host ...)".
                id=word(values.get("UUID", "").partition(" (")[0]) or head[1],
                name=word(values.get("Name", "").partition(" (")[0]),
                logical_name=head[1],
                raid_type=word(values.get("Raid Level")),
                size_bytes=size * 1024 if size and 0 < size < 1 << 50 else None,
                status=health(values.get("State")),
                physical_drives=tuple(members),
                metadata={"kind": "mdadm"},
            )
        )
    expect("mdadm", found, "no array in the output")
    return Device(volumes=tuple(found))
