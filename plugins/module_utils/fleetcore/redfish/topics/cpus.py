# SPDX-License-Identifier: BSD-2-Clause

"""CPUs, and how many there are where nobody lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...document.parts import Cpu
from ...document.values import clean_serial, word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, first_word, items, positive, text
from .common import component, slot

MAX_SOCKETS = 64
_MODEL = re.compile(r"[A-Za-z].*\d{3}")
_NOT_A_PACKAGE = ("Core", "Thread", "Partition")


def packages(tree: Tree) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Type, path and body of every processor that is one by itself, of whatever type."""
    found = [(text(body.get("ProcessorType")) or "CPU", path, body) for path, body in tree.of("processor")]
    return [item for item in found if item[0] not in _NOT_A_PACKAGE]


def read(tree: Tree) -> tuple[Cpu, ...]:
    """CPUs among the processors."""
    found = [(path, body) for kind, path, body in packages(tree) if kind == "CPU"]
    own = [body for path, body in found if tree.parents.get(path) == tree.system]
    return tuple(
        _cpu(tree, path, body)
        for path, body in found
        if tree.parents.get(path) == tree.system or not any(_is_same(body, other) for other in own)
    )


def _is_same(body: Mapping[str, Any], host: Mapping[str, Any]) -> bool:
    """Whether a CPU that a board of accelerators lists is one of the host's: the board may say less of it."""
    serial = clean_serial(body.get("SerialNumber"))
    if serial:
        return serial == clean_serial(host.get("SerialNumber"))
    socket, model = word(body.get("Socket")), word(body.get("Model"))
    return socket is not None and socket == word(host.get("Socket")) and model in (None, word(host.get("Model")))


def summarized(tree: Tree) -> tuple[Cpu, ...]:
    """The CPUs of a system that lists no processors of any kind: how many, and what they have in common."""
    if packages(tree) or tree.of("graphics_controller") or not tree.answered("processors"):
        return ()
    system = tree.host
    count = positive(at(system, "ProcessorSummary.Count"))
    model = word(at(system, "ProcessorSummary.Model"))
    if count is None or count > MAX_SOCKETS or model is None:
        return ()
    cores = positive(at(system, "ProcessorSummary.CoreCount")) or 0
    return (Cpu(model=model, cores=cores // count or None if cores % count == 0 else None),) * count


def _cpu(tree: Tree, path: str, body: Mapping[str, Any]) -> Cpu:
    fields = component(tree, path, body, firmware=None)  # Version of a processor is its stepping
    fields["metadata"].update(_patches(body))
    # Some write the model where the family belongs.
    family = word(at(body, "ProcessorId.EffectiveFamily")) or ""
    fields["model"] = fields["model"] or (family if _MODEL.search(family) else None)
    return Cpu(
        **fields,
        slot=word(body.get("Socket")) or slot(body),
        architecture=first_word(body, "InstructionSet", "ProcessorArchitecture"),
        clock_speed_hz=positive(first(body, "MaxSpeedMHz", "OperatingSpeedMHz"), 1_000_000),
        cores=positive(body.get("TotalCores")),
        threads=positive(body.get("TotalThreads")),
        microcode=word(at(body, "ProcessorId.MicrocodeInfo")),
    )


def _patches(body: Mapping[str, Any]) -> dict[str, str]:
    """Microcode patches of HPE's own, by the id of the processors that they are for."""
    found = {}
    for item in items(at(body, "Oem.Hpe.MicrocodePatches")):
        name, patch = word(item.get("CpuId")), word(item.get("PatchId"))
        if name and patch:
            found[f"microcode_patch {name}"] = patch
    return found


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
