# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Processors, accelerators and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Accelerator, Cpu, Gpu, Memory
from ...document.sections import MEMORY_BYTES
from ...document.values import clean_serial
from ..quirks import module_mebibytes
from ..values import at, first, integer, links_at, positive, text, word
from ..walker import Tree
from .common import common, identity, is_absent, part, slot, with_version

MAX_SOCKETS = 64
_NOT_A_PACKAGE = ("Core", "Thread", "Partition")


def processors(tree: Tree) -> tuple[tuple[Cpu, ...], tuple[Gpu, ...], tuple[Accelerator, ...]]:
    """Processor resources by what they are; GraphicsControllers count as GPUs when no GPU is among the processors."""
    cpus: list[Cpu] = []
    gpus: list[Gpu] = []
    others: list[Accelerator] = []
    for path, body in tree.of("processor"):
        kind = text(body.get("ProcessorType")) or "CPU"
        if is_absent(body) or kind in _NOT_A_PACKAGE:
            continue
        if kind == "CPU":
            cpus.append(_cpu(path, body))
        elif kind == "GPU":
            gpus.append(Gpu(**_accelerator(tree, path, body)))
        else:
            others.append(Accelerator(kind=kind, **_accelerator(tree, path, body)))
    if not gpus:
        found = tree.of("graphics_controller")
        gpus = [Gpu(**_accelerator(tree, path, body)) for path, body in found if not is_absent(body)]
    return tuple(cpus), tuple(gpus), tuple(others)


def summarized(system: Mapping[str, Any]) -> tuple[Cpu, ...]:
    """The CPUs of a system that has no list of them: how many, and what they have in common."""
    count = positive(at(system, "ProcessorSummary.Count"))
    model = word(at(system, "ProcessorSummary.Model"))
    if count is None or count > MAX_SOCKETS or model is None:
        return ()
    cores = positive(at(system, "ProcessorSummary.CoreCount")) or 0
    return (Cpu(model=model, cores=cores // count or None if cores % count == 0 else None),) * count


def _cpu(path: str, body: Mapping[str, Any]) -> Cpu:
    fields = common(body)
    fields["firmware"] = None  # Version of a processor is its stepping
    return Cpu(
        **fields,
        id=identity(path, body),
        slot=word(body.get("Socket")) or slot(body),
        architecture=word(first(body, "InstructionSet", "ProcessorArchitecture")),
        clock_speed_hz=positive(first(body, "MaxSpeedMHz", "OperatingSpeedMHz"), 1_000_000),
        cores=positive(body.get("TotalCores")),
        threads=positive(body.get("TotalThreads")),
        microcode=word(at(body, "ProcessorId.MicrocodeInfo")),
    )


def _accelerator(tree: Tree, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **with_version(common(body), tree, path),
        "id": identity(path, body),
        "slot": word(body.get("Socket")) or slot(body),
        "uuid": (word(body.get("UUID")) or "").lower() or None,
        "part_number": part(body),
        "memory_bytes": _accelerator_memory(tree, path, body),
        "memory_type": word(at(body, "ProcessorMemory.MemoryType")),
    }


def _accelerator_memory(tree: Tree, path: str, body: Mapping[str, Any]) -> Optional[int]:
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


def memory(tree: Tree) -> tuple[Memory, ...]:
    """Modules that are there. The size is CapacityMiB, or volatile and non-volatile together."""
    return tuple(item for item in (_module(path, body) for path, body in tree.of("memory")) if item is not None)


def total_memory(system: Mapping[str, Any]) -> dict[str, str]:
    """The memory of a system that has no list of modules, as metadata of the machine."""
    total = positive(at(system, "MemorySummary.TotalSystemMemoryGiB"), 1 << 30)
    return {} if total is None else {MEMORY_BYTES: str(total)}


def _module(path: str, body: Mapping[str, Any]) -> Optional[Memory]:
    volatile = integer(body.get("VolatileSizeMiB"), 1 << 20) or 0
    lasting = positive(body.get("NonVolatileSizeMiB"), 1 << 20)
    mebibytes = positive(first(body, "CapacityMiB", "SizeMB"))
    size = module_mebibytes(mebibytes) << 20 if mebibytes and mebibytes < 1 << 40 else volatile + (lasting or 0) or None
    size = size if size and size < 1 << 62 else None
    if is_absent(body) or (size is None and clean_serial(body.get("SerialNumber")) is None):
        return None
    fields = common(body)
    fields["firmware"] = fields["firmware"] if "FirmwareRevision" in body else None
    return Memory(
        **fields,
        id=identity(path, body),
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
