# SPDX-License-Identifier: BSD-2-Clause

"""CPUs, and how many there are where nobody lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...document.parts import Cpu
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, positive, text
from .common import component, is_absent, slot

MAX_SOCKETS = 64
_NOT_A_PACKAGE = ("Core", "Thread", "Partition")


def packages(tree: Tree) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Type, path and body of every processor that is one by itself, of whatever type."""
    found = [(text(body.get("ProcessorType")) or "CPU", path, body) for path, body in tree.of("processor")]
    return [item for item in found if item[0] not in _NOT_A_PACKAGE and not is_absent(item[2])]


def read(tree: Tree) -> tuple[Cpu, ...]:
    """CPUs among the processors."""
    return tuple(_cpu(tree, path, body) for kind, path, body in packages(tree) if kind == "CPU")


def summarized(tree: Tree) -> tuple[Cpu, ...]:
    """The CPUs of a system that lists no processors of any kind: how many, and what they have in common."""
    graphics = any(not is_absent(body) for _path, body in tree.of("graphics_controller"))
    if packages(tree) or graphics or not tree.answered("processors"):
        return ()
    system = tree.host
    count = positive(at(system, "ProcessorSummary.Count"))
    model = word(at(system, "ProcessorSummary.Model"))
    if count is None or count > MAX_SOCKETS or model is None:
        return ()
    cores = positive(at(system, "ProcessorSummary.CoreCount")) or 0
    return (Cpu(model=model, cores=cores // count or None if cores % count == 0 else None),) * count


def _cpu(tree: Tree, path: str, body: Mapping[str, Any]) -> Cpu:
    return Cpu(
        **component(tree, path, body, firmware=None),  # Version of a processor is its stepping
        slot=word(body.get("Socket")) or slot(body),
        architecture=word(first(body, "InstructionSet", "ProcessorArchitecture")),
        clock_speed_hz=positive(first(body, "MaxSpeedMHz", "OperatingSpeedMHz"), 1_000_000),
        cores=positive(body.get("TotalCores")),
        threads=positive(body.get("TotalThreads")),
        microcode=word(at(body, "ProcessorId.MicrocodeInfo")),
    )


TOPIC = Topic(
    "cpus",
    read,
    rules={
        "system": (Follow(("Processors",), "processor"),),
        "system_part": (Follow(("Processors",), "processor"),),
        "chassis": (Follow(("Processors",), "processor", unless="processor"),),
    },
    otherwise=("processors", summarized),
)
