# SPDX-License-Identifier: BSD-2-Clause

"""Batteries: of power supplies, storage controllers and boards."""

from __future__ import annotations

from ...document.parts import Battery
from ..quirks import BATTERY_PATHS
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, id_of, items, number, text
from .common import common, is_absent


def read(tree: Tree) -> tuple[Battery, ...]:
    found = tree.of("battery")
    for kind, paths in BATTERY_PATHS.items():
        for path, body in tree.of(kind):
            for name in paths:
                found += [(f"{path}/battery/{index}", item) for index, item in enumerate(items(at(body, name)))]
    return tuple(
        Battery(
            **common(body),
            id=text(body.get("Id")) or text(body.get("Index")) or id_of(path, body),
            charge_percent=number(first(body, "ChargePercent", "ChargeLevelPercent", "StateOfHealthPercent")),
        )
        for path, body in found
        if not is_absent(body)
    )


TOPIC = Topic("batteries", read, rules={"power_subsystem": (Follow(("Batteries",), "battery"),)})
