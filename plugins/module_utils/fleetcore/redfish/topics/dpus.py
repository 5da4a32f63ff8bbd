# SPDX-License-Identifier: BSD-2-Clause

"""DPUs: network adapters that are computers of their own, by the words in their names."""

from __future__ import annotations

from ...document.parts import Dpu
from ..quirks import DPU_WORDS
from ..rules import Topic
from ..tree import Tree
from . import nics


def read(tree: Tree) -> tuple[Dpu, ...]:
    """Adapters that are computers of their own, by the words in their names."""
    out = []
    for nic in nics.read(tree):
        name = f"{nic.model or ''} {nic.description or ''}".lower()
        if any(item in name.replace("-", " ").split() or (len(item) > 4 and item in name) for item in DPU_WORDS):
            out.append(Dpu(id=nic.id, vendor=nic.vendor, model=nic.model, serial=nic.serial, firmware=nic.firmware))
    return tuple(out)


TOPIC = Topic("dpus", read)
