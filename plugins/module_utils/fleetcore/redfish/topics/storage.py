# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Controllers, drives and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Drive, StorageController, Volume
from ...document.values import clean_serial
from ..quirks import DRIVE_FORM_PATHS, DRIVE_SLOT_PATHS
from ..values import at, boolean, first, items, links, number, positive, text, word
from ..walker import Tree
from .common import common, durable_name, firmware, identity, is_absent, part, slot, status, with_version


def controllers(tree: Tree) -> tuple[StorageController, ...]:
    """From Storage's Controllers where there are any, else from the deprecated StorageControllers inside of Storage."""
    out = []
    for path, storage in tree.of("storage"):
        found = tree.of("storage_controller", parent=path)
        if not found:
            found = [(path, body) for body in items(storage.get("StorageControllers"))]
        out += [_controller(tree, path, where, body) for where, body in found if not is_absent(body)]
    for path, body in tree.of("hpe_array_controller"):
        out.append(
            StorageController(
                **{**common(body), "vendor": "HPE", "firmware": _hpe_firmware(body)},
                id=identity(path, body),
                physid=word(body.get("Location")),
            )
        )
    return tuple(out)


def _controller(tree: Tree, storage: str, path: str, body: Mapping[str, Any]) -> StorageController:
    own = identity(path, body) if path != storage else identity(storage, tree.get(storage))
    return StorageController(
        **with_version(common(body), tree, path),
        id=own,
        supported_controller_protocol=_joined(body.get("SupportedControllerProtocols")),
        supported_device_protocol=_joined(body.get("SupportedDeviceProtocols")),
        supported_raid_types=_joined(first(body, "SupportedRAIDTypes")),
        physid=slot(body),
        speed_gbps=number(body.get("SpeedGbps")),
        cache_bytes=positive(at(body, "CacheSummary.TotalCacheSizeMiB"), 1 << 20),
        wwn=durable_name(body),
        part_number=part(body),
    )


def drives(tree: Tree) -> tuple[Drive, ...]:
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
        **with_version(common(body), tree, path),
        id=identity(path, body),
        oem_id=None,
        drive_type=word(body.get("MediaType")),
        storage_controller=identity(parent, tree.get(parent)) if parent in tree.kinds.get("storage", []) else None,
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
    fields = common(body)
    return Drive(**fields, id=word(body.get("Name")), capacity_bytes=positive(body.get("CapacityBytes")))


def _hpe_drive(path: str, body: Mapping[str, Any], tree: Tree) -> Drive:
    parent = tree.parents.get(path, "")
    return Drive(
        **{**common(body), "firmware": _hpe_firmware(body)},
        id=identity(path, body),
        drive_type=word(body.get("MediaType")),
        storage_controller=identity(parent, tree.get(parent)) if parent else None,
        protocol=word(body.get("InterfaceType")),
        capacity_bytes=positive(body.get("CapacityMiB"), 1 << 20),
        block_size_bytes=positive(body.get("BlockSizeBytes")),
        slot=word(body.get("Location")),
        smart_status={"OK": "ok", "Critical": "failed"}.get(str(at(body, "Status.Health"))),
    )


def _hpe_firmware(body: Mapping[str, Any]) -> Any:
    return firmware(at(body, "FirmwareVersion.Current.VersionString"))


def volumes(tree: Tree) -> tuple[Volume, ...]:
    """Virtual disks. A raw device that a controller shows as a volume of its own is a drive, not a volume."""
    out = []
    for path, body in [*tree.of("volume"), *tree.of("hpe_volume")]:
        if body.get("VolumeType") == "RawDevice" and text(body.get("RAIDType")) in (None, "None"):
            continue
        parent = tree.parents.get(path, "")
        fields = common(body)
        fields.update(serial=None, firmware=None, status=status(body))
        out.append(
            Volume(
                **fields,
                id=identity(path, body),
                name=word(first(body, "DisplayName", "LogicalDriveName", "Name")),
                raid_type=word(first(body, "RAIDType", "VolumeType", "Raid")),
                size_bytes=positive(first(body, "CapacityBytes", "Capacity.Data.AllocatedBytes"))
                or positive(body.get("CapacityMiB"), 1 << 20),
                storage_controller=identity(parent, tree.get(parent)) if parent else None,
                wwn=durable_name(body),
                physical_drives=_members(path, body, tree),
            )
        )
    return tuple(out)


def _members(path: str, body: Mapping[str, Any], tree: Tree) -> tuple[str, ...]:
    names = []
    for target in links(at(body, "Links.Drives"), path):
        drive = tree.get(target)
        names.append(clean_serial(drive.get("SerialNumber")) or identity(target, drive))
    return tuple(names)


def _joined(value: Any) -> Optional[str]:
    words = [text(item) for item in value] if isinstance(value, list) else []
    return ",".join(item for item in words if item) or None
