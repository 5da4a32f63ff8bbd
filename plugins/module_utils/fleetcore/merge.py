# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One view of a machine from several observations. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .model import Coverage, Device, Source, Verdict

# Of the observation, not of the machine.
_OF_THE_OBSERVATION = frozenset(["source", "collected_at", "collector", "coverage", "stats", "attempts", "provenance"])
# The BMC knows these better than the machine's own OS: the power, itself, and what it logged.
_BMC_FIRST = frozenset(["power_state", "bmc", "log", "firmware_inventory", "system_id"])


def merge(documents: Mapping[Source, Device]) -> Device:
    """The out-of-band observation overlaid by the in-band one, section by section.

    ``provenance`` says for every field that has a value which source it came from; ``collected_at`` is the latest. A
    section that one source does not have is not removed by it. ``coverage`` has the verdict of the source that a section
    came from, else the first one that says why there is nothing. Without documents the answer is an empty device.
    """
    order = [Source.OOB, Source.INBAND]
    merged: dict[str, Any] = {}
    provenance: dict[str, str] = {}
    for source in order:
        device = documents.get(source)
        if device is None:
            continue
        for item in dataclasses.fields(Device):
            value = getattr(device, item.name)
            if item.name in _OF_THE_OBSERVATION or value is None or value in ((), {}):
                continue
            if item.name in merged and item.name in _BMC_FIRST:
                continue
            merged[item.name] = value
            provenance[item.name] = source.value
    coverage: dict[str, Coverage] = {}
    for source in order:
        for name, entry in (documents[source].coverage if source in documents else {}).items():
            if name not in coverage or provenance.get(name) == source.value or entry.verdict == Verdict.COLLECTED:
                coverage[name] = entry
    times = [device.collected_at for device in documents.values() if device.collected_at]
    return dataclasses.replace(
        Device(
            source=Source.MERGED, collected_at=max(times) if times else None, provenance=provenance, coverage=coverage
        ),
        **merged,
    )
