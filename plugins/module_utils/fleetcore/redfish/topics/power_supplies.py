# SPDX-License-Identifier: BSD-2-Clause

"""Power supplies: those of PowerSubsystem, and those inside of the deprecated Power of chassis that have none."""

from __future__ import annotations

from ...document.parts import PowerSupply
from ...document.values import word
from ..quirks import POWER_SUPPLY_SLOT_PATHS
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, items, positive
from .common import both, component, is_absent, part, slot


def read(tree: Tree) -> tuple[PowerSupply, ...]:
    """PowerSubsystem's, and those inside of the deprecated Power of chassis that have none."""
    out = []
    for path, body in both(tree, "power_supply", ("power", "PowerSupplies"), "PowerSubsystem"):
        if is_absent(body) or set(body) <= {"@odata.id", "@odata.type", "MemberId", "Name"}:
            continue
        ranges = [positive(at(item, "OutputWattage")) or 0 for item in items(body.get("InputRanges"))]
        out.append(
            PowerSupply(
                **component(tree, path, body),
                power_capacity_watts=positive(body.get("PowerCapacityWatts")) or max(ranges, default=0) or None,
                part_number=part(body) or word(body.get("SparePartNumber")),
                slot=slot(body) or word(first(body, *POWER_SUPPLY_SLOT_PATHS)),
            )
        )
    return tuple(out)


TOPIC = Topic(
    "power_supplies",
    read,
    rules={
        "chassis": (
            Follow(("PowerSubsystem",), "power_subsystem", many=False),
            Follow(("Power",), "power", many=False, unless="power_supply", newer="PowerSubsystem"),
        ),
        "power_subsystem": (Follow(("PowerSupplies",), "power_supply"),),
    },
)
