# SPDX-License-Identifier: BSD-2-Clause

"""Volumes: virtual disks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...document.parts import Volume
from ...document.values import clean_serial, word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, id_of, links, positive, text
from .common import component, durable_name


def read(tree: Tree) -> tuple[Volume, ...]:
    """Virtual disks. A raw device that a controller shows as a volume of its own is a drive, not a volume."""
    out = []
    for path, body in [*tree.of("volume"), *tree.of("hpe_volume")]:
        if body.get("VolumeType") == "RawDevice" and text(body.get("RAIDType")) in (None, "None"):
            continue
        parent = tree.parents.get(path, "")
        out.append(
            Volume(
                **component(tree, path, body, serial=None, firmware=None),
                name=word(first(body, "DisplayName", "LogicalDriveName", "Name")),
                raid_type=word(first(body, "RAIDType", "VolumeType", "Raid")),
                size_bytes=positive(first(body, "CapacityBytes", "Capacity.Data.AllocatedBytes"))
                or positive(body.get("CapacityMiB"), 1 << 20),
                storage_controller=id_of(parent, tree.get(parent)) if parent else None,
                wwn=durable_name(body),
                physical_drives=_members(path, body, tree),
            )
        )
    return tuple(out)


def _members(path: str, body: Mapping[str, Any], tree: Tree) -> tuple[str, ...]:
    names = []
    for target in links(at(body, "Links.Drives"), path):
        drive = tree.get(target)
        names.append(clean_serial(drive.get("SerialNumber")) or id_of(target, drive))
    return tuple(names)


TOPIC = Topic(
    "volumes",
    read,
    rules={
        "storage": (Follow(("Volumes",), "volume"),),
        "hpe_array_controller": (
            Follow(("Links.LogicalDrives", "links.LogicalDrives", "LogicalDrives"), "hpe_volume"),
        ),
    },
)
