# SPDX-License-Identifier: BSD-2-Clause

"""The mainboard: its serial and part numbers, wherever a vendor has put them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Mainboard
from ...document.values import clean_serial
from ..machine import chassis_bodies, maker, serial_is_sku
from ..quirks import BOARD_PART_PATHS, BOARD_SERIAL_PATHS
from ..rules import Topic
from ..tree import Tree
from ..values import at, first_word, text
from .boards import assembly_serial, is_system_board
from .common import part


def read(tree: Tree) -> Optional[Mainboard]:
    """Numbers of the board. Where the machine's own serial number is its SKU, SerialNumber is the board's."""
    system, bodies = tree.host, chassis_bodies(tree)
    found = (
        clean_serial(next((said for body in (system, *bodies) if (said := text(at(body, path)))), None))
        for path in BOARD_SERIAL_PATHS
    )
    serial = next((item for item in found if item), None)
    number = first_word(system, *BOARD_PART_PATHS)
    if serial_is_sku(tree):
        serial = serial or clean_serial(system.get("SerialNumber"))
        number = number or part(system)
    board = next(
        (body for _path, body in [*tree.inside("assembly", "Assemblies"), *tree.of("chassis")] if _is(body)), {}
    )
    serial, number = serial or assembly_serial(board), number or part(board)
    return Mainboard(vendor=maker(tree), serial=serial, part_number=number) if serial or number else None


def _is(body: Mapping[str, Any]) -> bool:
    return is_system_board(body) and bool(assembly_serial(body) or part(body))


TOPIC = Topic("mainboard", read)
