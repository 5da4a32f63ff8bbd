# SPDX-License-Identifier: BSD-2-Clause

"""Firmware that a vendor's inventory lists by marketing name, given to the components that it means. Pure.

Only where it is certain: the rows of a kind agree on one version, and for cards only one controller carries the chip.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, Optional

from ...document.parts import Firmware, FirmwareEntry

# A card's name in Dell's inventory -> its chip, as PCI names it.
_CARDS: tuple[tuple[str, str], ...] = (
    (r"^BOSS$|^BOSS-S1", r"88SE9230"),
    (r"\bHBA330\b", r"SAS3008"),
    (r"\bHBA350i?\b", r"SAS34\d\d"),
    (r"\bPERC H330\b", r"SAS(?:-3 )?3008"),
    (r"\bPERC H730P?\b", r"SAS(?:-3 )?3108"),
    (r"\bPERC H740P?\b", r"SAS3508"),
    (r"\bPERC H755", r"SAS39(?:\d\d|xx)"),
)


def with_rows(parts: dict[str, Any]) -> dict[str, list[str]]:
    """Fill ``firmware`` of power supplies and storage controllers in ``parts`` that have none; what was filled, as
    provenance."""
    rows: Sequence[FirmwareEntry] = parts.get("firmware_inventory", ())
    before = {name: parts.get(name, ()) for name in ("power_supplies", "storage_controller")}
    _fill(parts, "power_supplies", _only(rows, r"^Power Supply\b"), range(len(before["power_supplies"])))
    for name, chip in _CARDS:
        controllers = before["storage_controller"]
        meant = [place for place, item in enumerate(controllers) if re.search(chip, item.model or "")]
        if len(meant) == 1:
            _fill(parts, "storage_controller", _only(rows, name), meant)
    return {f"{name}.firmware": ["dsu"] for name, items in before.items() if parts.get(name, ()) != items}


def _fill(parts: dict[str, Any], section: str, version: Optional[Firmware], places: Sequence[int]) -> None:
    if version is not None and places:
        parts[section] = tuple(
            dataclasses.replace(item, firmware=version) if place in places and item.firmware is None else item
            for place, item in enumerate(parts[section])
        )


def _only(rows: Sequence[FirmwareEntry], name: str) -> Optional[Firmware]:
    """The version that all rows of a name have."""
    found = [row.firmware for row in rows if row.firmware and re.search(name, row.name or "")]
    return found[0] if found and all(item == found[0] for item in found) else None
