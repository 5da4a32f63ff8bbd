# SPDX-License-Identifier: BSD-2-Clause

"""Drives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...document.parts import Drive
from ...document.values import clean_serial, word
from ..quirks import DRIVE_FORM_PATHS, DRIVE_SLOT_PATHS
from ..rules import LAST, Follow, Topic
from ..tree import Tree
from ..values import at, boolean, first, id_of, items, number, positive
from .common import common, component, durable_name, hpe_firmware, is_absent, part, slot


def read(tree: Tree) -> tuple[Drive, ...]:
    """Each once: a chassis may list by another address what a Storage has."""
    out: list[Drive] = []
    found = [(path, body) for path, body in tree.of("drive") if not is_absent(body)]
    storages = tree.kinds.get("storage", [])
    of_storage = {
        serial
        for path, body in found
        if tree.parents.get(path) in storages and (serial := clean_serial(body.get("SerialNumber")))
    }
    for path, body in found:
        if tree.parents.get(path) in storages or clean_serial(body.get("SerialNumber")) not in of_storage:
            out.append(_drive(path, body, tree))
    for path, body in tree.of("hpe_drive"):
        out.append(_hpe_drive(path, body, tree))
    if not out:
        for _path, simple in tree.of("simple_storage"):
            out += [_simple_drive(device) for device in items(simple.get("Devices")) if not is_absent(device)]
    return tuple(out)


def _drive(path: str, body: Mapping[str, Any], tree: Tree) -> Drive:
    parent = tree.parents.get(path, "")
    failing = boolean(body.get("FailurePredicted"))
    return Drive(
        **component(tree, path, body),
        drive_type=word(body.get("MediaType")),
        storage_controller=id_of(parent, tree.get(parent)) if parent in tree.kinds.get("storage", []) else None,
        wwn=durable_name(body),
        protocol=word(body.get("Protocol")),
        smart_status={True: "failed", False: "ok"}.get(failing) if failing is not None else None,
        capacity_bytes=positive(body.get("CapacityBytes")),
        block_size_bytes=positive(body.get("BlockSizeBytes")),
        capable_speed_gbps=number(body.get("CapableSpeedGbs")),
        negotiated_speed_gbps=number(body.get("NegotiatedSpeedGbs")),
        slot=slot(body) or word(first(body, *DRIVE_SLOT_PATHS)),
        form_factor=word(first(body, "DriveFormFactor", *DRIVE_FORM_PATHS)),
        part_number=part(body),
        life_left_percent=number(body.get("PredictedMediaLifeLeftPercent")),
    )


def _simple_drive(body: Mapping[str, Any]) -> Drive:
    return Drive(**common(body), id=word(body.get("Name")), capacity_bytes=positive(body.get("CapacityBytes")))


def _hpe_drive(path: str, body: Mapping[str, Any], tree: Tree) -> Drive:
    parent = tree.parents.get(path, "")
    return Drive(
        **component(tree, path, body, firmware=hpe_firmware(body)),
        drive_type=word(body.get("MediaType")),
        storage_controller=id_of(parent, tree.get(parent)) if parent else None,
        protocol=word(body.get("InterfaceType")),
        capacity_bytes=positive(body.get("CapacityMiB"), 1 << 20),
        block_size_bytes=positive(body.get("BlockSizeBytes")),
        slot=word(body.get("Location")),
        smart_status={"OK": "ok", "Critical": "failed"}.get(str(at(body, "Status.Health"))),
    )


TOPIC = Topic(
    "drives",
    read,
    rules={
        "system": (Follow(("SimpleStorage",), "simple_storage", unless="drive"),),
        "storage": (Follow(("Drives",), "drive", many=False),),
        "hpe_array_controller": (
            Follow(("Links.PhysicalDrives", "links.PhysicalDrives", "PhysicalDrives"), "hpe_drive"),
        ),
        # Backplanes may hold drives that no Storage has.
        "chassis": (Follow(("Drives", "Links.Drives"), "drive", unless=LAST),),
    },
)
