# SPDX-License-Identifier: BSD-2-Clause

"""Memory modules, and how much memory there is where nobody lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Memory
from ...document.sections import MEMORY_BYTES
from ...document.values import clean_serial, firmware, word
from ..quirks import module_mebibytes
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, integer, positive
from .common import component, is_absent, part, slot


def read(tree: Tree) -> tuple[Memory, ...]:
    """Modules that are there. The size is CapacityMiB, or volatile and non-volatile together."""
    return tuple(item for item in (_module(tree, path, body) for path, body in tree.of("memory")) if item is not None)


def total(tree: Tree) -> dict[str, str]:
    """The memory of a system that has no list of modules, as metadata of the machine."""
    total = positive(at(tree.host, "MemorySummary.TotalSystemMemoryGiB"), 1 << 30)
    return {} if total is None else {MEMORY_BYTES: str(total)}


def _module(tree: Tree, path: str, body: Mapping[str, Any]) -> Optional[Memory]:
    volatile = integer(body.get("VolatileSizeMiB"), 1 << 20) or 0
    lasting = positive(body.get("NonVolatileSizeMiB"), 1 << 20)
    mebibytes = positive(first(body, "CapacityMiB", "SizeMB"))
    size = module_mebibytes(mebibytes) << 20 if mebibytes and mebibytes < 1 << 40 else volatile + (lasting or 0) or None
    size = size if size and size < 1 << 62 else None
    if is_absent(body) or (size is None and clean_serial(body.get("SerialNumber")) is None):
        return None
    return Memory(
        **component(tree, path, body, firmware=firmware(body.get("FirmwareRevision"))),
        slot=word(first(body, "DeviceLocator", "SocketLocator")) or slot(body) or word(first(body, "Name")),
        type=word(first(body, "MemoryDeviceType", "DIMMType")),
        size_bytes=size,
        form_factor=word(first(body, "BaseModuleType", "FormFactor")),
        part_number=part(body),
        clock_speed_hz=positive(
            first(body, "OperatingSpeedMhz", "OperatingSpeedMHz", "MaximumFrequencyMHz"), 1_000_000
        ),
        rank_count=positive(body.get("RankCount")),
        nonvolatile_bytes=lasting,
    )


TOPIC = Topic(
    "memory",
    read,
    rules={
        "system": (Follow(("Memory", "Oem.Hp.links.Memory", "Oem.Hp.Links.Memory"), "memory"),),
        "chassis": (Follow(("Memory",), "memory", unless="memory"),),
    },
)
