# SPDX-License-Identifier: BSD-2-Clause

"""DPUs: network adapters that are computers of their own, by the words in their names, and machines that are one."""

from __future__ import annotations

import re

from ...document.parts import Component, Dpu
from ..quirks import DPU_WORDS
from ..rules import Topic
from ..tree import Tree
from . import enclosures, nics, pcie_devices

_WORDS = re.compile("|".join(rf"(?<![a-z]){item}" + ("" if len(item) > 4 else "(?![a-z])") for item in DPU_WORDS))


def read(tree: Tree) -> tuple[Dpu, ...]:
    """Adapters that are computers of their own; else the cards that are listed as chassis or PCIe devices only."""
    cards = [item for item in enclosures.read(tree) if item.chassis_type != "Component"]
    devices = [item for item in pcie_devices.read(tree) if item.serial or item.device_class == "NetworkController"]
    for kind in (nics.read(tree), cards, devices):
        found = {item.serial or item: item for item in kind if _is_dpu(item)}
        if found:
            return tuple(
                Dpu(id=item.id, vendor=item.vendor, model=item.model, serial=item.serial, firmware=item.firmware)
                for item in found.values()
            )
    return ()


def _is_dpu(item: Component) -> bool:
    return bool(_WORDS.search(f"{item.model or ''} {item.description or ''}".lower()))


TOPIC = Topic("dpus", read)
