# SPDX-License-Identifier: BSD-2-Clause

"""Bays of drives behind HBAs that pass them through (IT mode): the controller's tool knows bays and no serial numbers,
the kernel knows serial numbers and no bays. Pure.

What both know is the number of the device: storcli's DID is the target in the kernel's address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from ...document.model import Device
from ...document.parts import Drive
from ...document.values import squeezed

Group = list[tuple[str, Drive]]
Place = tuple[Optional[str], int]
_TARGET = re.compile(r"^scsi@\d{1,4}:\d{1,4}\.(\d{1,5})\.0$")


def with_bays(groups: Sequence[Group], pieces: Sequence[tuple[str, Device]]) -> list[Group]:
    """Groups of what sources say of one drive each, those that know only a bay joined with that of the drive in it.

    It is done for a controller when each of its drives that the kernel addresses has a bay of the same number with the
    same model; else the numbers mean something else.
    """
    addresses = {
        item.metadata.get("controller"): item.bus_info
        for _source, piece in pieces
        for item in piece.storage_controller
        if item.bus_info
    }
    bays: dict[Place, Group] = {}
    drives: dict[Place, Group] = {}
    for group in groups:
        item = group[0][1]
        target = next(
            (found for found in (_TARGET.match(each.bus_info or "") for _source, each in group) if found), None
        )
        named = any(each.serial or each.wwn or each.logical_name for _source, each in group)
        if not named and item.storage_controller_drive_id is not None:
            bays[addresses.get(item.storage_controller), item.storage_controller_drive_id] = group
        elif target:
            controller = next((each.storage_controller for _source, each in group if each.storage_controller), None)
            drives[controller, int(target[1])] = group
    doubted = {place[0] for place in drives if place not in bays or not _alike(drives[place], bays[place])}
    joined = {place: bay for place, bay in bays.items() if place in drives and place[0] and place[0] not in doubted}
    gone = [id(bay) for bay in joined.values()]
    more = {id(drives[place]): bay for place, bay in joined.items()}
    return [[*group, *more.get(id(group), ())] for group in groups if id(group) not in gone]


def _alike(drive: Group, bay: Group) -> bool:
    """The same model, as far as both say one: SCSI has 16 characters for it."""
    first, second = (
        next((squeezed(item.model[:16]) for _source, item in group if item.model), "") for group in (drive, bay)
    )
    return first.endswith(second) or second.endswith(first) or first.startswith(second) or second.startswith(first)
