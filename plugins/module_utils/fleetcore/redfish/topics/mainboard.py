# SPDX-License-Identifier: BSD-2-Clause

"""The mainboard: its serial and part numbers, wherever a vendor has put them."""

from __future__ import annotations

from typing import Optional

from ...document.parts import Mainboard
from ...document.values import clean_serial, word
from ..machine import chassis_bodies, maker, serial_is_sku
from ..quirks import BOARD_PART_PATHS, BOARD_SERIAL_PATHS
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, items, text
from .common import part


def read(tree: Tree) -> Optional[Mainboard]:
    """Numbers of the board. Where the machine's own serial number is its SKU, SerialNumber is the board's."""
    system, bodies = tree.host, chassis_bodies(tree)
    found = (
        clean_serial(next((said for body in (system, *bodies) if (said := text(at(body, path)))), None))
        for path in BOARD_SERIAL_PATHS
    )
    serial = next((item for item in found if item), None) or _assembly_serial(tree)
    if serial is None and serial_is_sku(tree):
        serial = clean_serial(system.get("SerialNumber"))
    number = word(first(system, *BOARD_PART_PATHS)) or part(system)
    return Mainboard(vendor=maker(tree), serial=serial, part_number=number) if serial or number else None


def _assembly_serial(tree: Tree) -> Optional[str]:
    """The serial number of the board among the assemblies, where one is clearly the board."""
    for _path, body in tree.of("assembly"):
        for item in items(body.get("Assemblies")):
            context = text(item.get("PhysicalContext")) or ""
            name = (text(item.get("Name")) or "").lower()
            if context == "SystemBoard" or name in ("system board", "motherboard", "mainboard", "baseboard"):
                serial = clean_serial(item.get("SerialNumber"))
                if serial:
                    return serial
    return None


TOPIC = Topic("mainboard", read, rules={"chassis": (Follow(("Assembly",), "assembly", many=False, section="chassis"),)})
