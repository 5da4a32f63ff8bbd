# SPDX-License-Identifier: BSD-2-Clause

"""CPLDs: rows of the firmware inventory that are of programmable logic."""

from __future__ import annotations

from ...document.parts import Cpld
from ..quirks import CPLD_WORDS
from ..rules import Topic
from ..tree import Tree
from . import firmware_inventory


def read(tree: Tree) -> tuple[Cpld, ...]:
    """CPLDs by the words in the names, ids and descriptions of the rows."""
    return tuple(
        Cpld(id=row.id, description=row.name, firmware=row.firmware, status=row.status)
        for row in firmware_inventory.read(tree)
        if any(item in f"{row.name} {row.id} {row.description}".lower() for item in CPLD_WORDS)
    )


TOPIC = Topic("cplds", read)
