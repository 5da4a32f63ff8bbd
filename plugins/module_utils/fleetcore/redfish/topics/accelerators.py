# SPDX-License-Identifier: BSD-2-Clause

"""Accelerators: processors that are neither CPUs nor GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Accelerator
from ...document.values import word
from ..rules import LAST, Follow, Topic
from ..tree import Tree
from ..values import at, first, links_at, positive
from .common import component, part, slot
from .cpus import packages


def read(tree: Tree) -> tuple[Accelerator, ...]:
    """Accelerators by the source's word for their kind."""
    found = [item for item in packages(tree) if item[0] not in ("CPU", "GPU")]
    return tuple(Accelerator(kind=kind, **fields(tree, path, body)) for kind, path, body in found)


def fields(tree: Tree, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for a GPU or an accelerator."""
    return {
        **component(tree, path, body),
        "slot": word(body.get("Socket")) or slot(body),
        "uuid": (word(body.get("UUID")) or "").lower() or None,
        "part_number": part(body),
        "memory_bytes": _memory(tree, path, body),
        "memory_type": word(at(body, "ProcessorMemory.MemoryType")),
    }


def _memory(tree: Tree, path: str, body: Mapping[str, Any]) -> Optional[int]:
    mebibytes = positive(first(body, "MemorySummary.TotalMemorySizeMiB"), 1 << 20)
    if mebibytes:
        return mebibytes
    banks = body.get("ProcessorMemory")
    sizes = [positive(at(bank, "CapacityMiB"), 1 << 20) or 0 for bank in banks] if isinstance(banks, list) else []
    if not any(sizes):
        linked = {target: tree.get(target) for target in links_at(body, "Links.Memory", path)}
        linked.update(tree.of("processor_memory", parent=path))
        sizes = [positive(found.get("CapacityMiB"), 1 << 20) or 0 for found in linked.values()]
    return sum(sizes) or None


TOPIC = Topic(
    "accelerators",
    read,
    rules={
        # What no list of memory modules has: that of a GPU.
        "processor": (
            Follow(
                ("Memory", "Links.Memory"),
                "processor_memory",
                unless=LAST,
                complete=("MemorySummary", ("TotalMemorySizeMiB",)),
            ),
        )
    },
)
