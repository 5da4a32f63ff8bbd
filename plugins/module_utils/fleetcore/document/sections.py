# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The parts of a device document, and which verdicts of its coverage speak for them. Pure, data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Union

from .model import Device, Verdict, to_dict

Document = Union[Device, Mapping[str, Any]]
"""A device document, or its plain data."""

SECTIONS = (
    "system",
    "power",
    "processors",
    "memory",
    "storage",
    "network",
    "pcie",
    "bios",
    "secure_boot",
    "boot",
    "tpm",
    "chassis",
    "power_supplies",
    "thermal",
    "sensors",
    "manager",
    "firmware",
    "licences",
    "log",
)
"""Names of the sections of a collection. ``system`` and ``power`` cost one resource and are always read."""

OF_THE_OBSERVATION = frozenset(
    ["source", "collected_at", "collector", "coverage", "stats", "attempts", "provenance", "links"]
)
"""Fields that say something about the observation or follow from others, not about the machine."""

MEMORY_BYTES = "memory_bytes"
"""Metadata of a machine whose memory modules nobody lists: their sum, as decimal digits."""

READINGS = frozenset(["power_state", "sensors", "log"])
"""Fields that are true of one moment only."""

FIELDS = tuple(item.name for item in dataclasses.fields(Device) if item.name not in OF_THE_OBSERVATION)

# In which section of an out-of-band coverage a field is collected; all others are in ``system``.
_SECTION = {
    "bmc": "manager",
    "power_state": "power",
    "bios": "bios",
    "bios_configuration": "bios",
    "secure_boot": "secure_boot",
    "boot": "boot",
    "cplds": "firmware",
    "tpms": "tpm",
    "gpus": "processors",
    "accelerators": "processors",
    "cpus": "processors",
    "memory": "memory",
    "dpus": "network",
    "nics": "network",
    "fabric_ports": "network",
    "transceivers": "network",
    "drives": "storage",
    "volumes": "storage",
    "storage_controller": "storage",
    "backplanes": "chassis",
    "power_supplies": "power_supplies",
    "batteries": "power_supplies",
    "enclosures": "chassis",
    "asset_tag": "chassis",
    "location": "chassis",
    "chassis": "chassis",
    "pcie_devices": "pcie",
    "fans": "thermal",
    "sensors": "sensors",
    "licences": "licences",
    "firmware_inventory": "firmware",
    "log": "log",
}
# A BMC that lists GPUs as PCIe devices only.
_ALSO = {"gpus": ("pcie",), "bios": ("system",), "tpms": ("system",)}

LISTS = tuple(
    name for name in FIELDS if isinstance(getattr(Device(), name), tuple) and name in _SECTION and name not in READINGS
)
"""Fields that are lists of components."""


def plain(document: Document) -> Mapping[str, Any]:
    """The plain data of a document."""
    data: Mapping[str, Any] = to_dict(document) if isinstance(document, Device) else document
    return data


def memory_bytes(document: Mapping[str, Any]) -> int:
    """The machine's memory: the sum of its modules, else what it is said to have in all; 0 if nobody knows."""
    modules = document.get("memory") or ()
    said = str((document.get("metadata") or {}).get(MEMORY_BYTES, ""))
    listed = sum(item.get("size_bytes") or 0 for item in modules)
    return listed or (int(said) if said.isdecimal() and len(said) < 20 else 0)


def speakers(name: str, *documents: Mapping[str, Any]) -> list[str]:
    """Entries of the coverage that decide whether field ``name`` is complete.

    In-band every tool has an entry of its own: those from which the field came in any of ``documents`` (their provenance). Out of band a
    field is in one section, seldom in two.
    """
    tools = {
        tool
        for document in documents
        for tool in document.get("provenance", {}).get(name, "").split(",")
        if tool in document.get("coverage", {})
    }
    return sorted(tools) or [_SECTION.get(name, "system"), *_ALSO.get(name, ())]


def uncollected(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Entries of the coverage because of which what ``before`` has in field ``name`` and ``after`` has not is not gone.

    Empty: the field was collected. A tool that is absent does not hold back what other tools say, one that failed does.
    """
    coverage = after.get("coverage", {})
    asked = [entry for entry in speakers(name, before, after) if entry in coverage]
    verdicts = {entry: Verdict(coverage[entry].get("verdict", Verdict.COLLECTED)) for entry in asked}
    broken = [entry for entry, verdict in verdicts.items() if verdict not in (Verdict.COLLECTED, Verdict.ABSENT)]
    if broken or not asked or Verdict.COLLECTED in verdicts.values():
        return broken
    return asked
