# SPDX-License-Identifier: BSD-2-Clause

"""Storage controllers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import StorageController
from ...document.values import in_order, word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, id_of, items, number, positive, text
from .common import component, durable_name, hpe_firmware, is_absent, part, slot

_WHOLE = in_order(
    """
    Name, Manufacturer, Model, FirmwareVersion, Identifiers, CacheSummary, SupportedControllerProtocols,
    SupportedDeviceProtocols, SupportedRAIDTypes, Status
    """
)
"""Properties of a controller inside of Storage that is complete: the resource of its own says no more."""


def read(tree: Tree) -> tuple[StorageController, ...]:
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
                **component(tree, path, body, vendor="HPE", firmware=hpe_firmware(body)),
                physid=word(body.get("Location")),
            )
        )
    return tuple(out)


def _controller(tree: Tree, storage: str, path: str, body: Mapping[str, Any]) -> StorageController:
    return StorageController(
        **component(tree, path, body, id=id_of(path, body if path != storage else tree.get(storage))),
        supported_controller_protocol=_joined(body.get("SupportedControllerProtocols")),
        supported_device_protocol=_joined(body.get("SupportedDeviceProtocols")),
        supported_raid_types=_joined(first(body, "SupportedRAIDTypes")),
        physid=slot(body),
        speed_gbps=number(body.get("SpeedGbps")),
        cache_bytes=positive(at(body, "CacheSummary.TotalCacheSizeMiB"), 1 << 20),
        wwn=durable_name(body),
        part_number=part(body),
    )


def _joined(value: Any) -> Optional[str]:
    words = [text(item) for item in value] if isinstance(value, list) else []
    return ",".join(item for item in words if item) or None


TOPIC = Topic(
    "storage_controller",
    read,
    rules={
        "system": (
            Follow(("Storage", "Storages"), "storage"),
            Follow(
                ("Oem.Hpe.Links.SmartStorage", "Oem.Hp.Links.SmartStorage", "Oem.Hp.links.SmartStorage"),
                "hpe_smart_storage",
                many=False,
                unless="drive",
            ),
        ),
        "storage": (Follow(("Controllers",), "storage_controller", complete=("StorageControllers", _WHOLE)),),
        "hpe_smart_storage": (
            Follow(("Links.ArrayControllers", "links.ArrayControllers", "ArrayControllers"), "hpe_array_controller"),
        ),
    },
)
