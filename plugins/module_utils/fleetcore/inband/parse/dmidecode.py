# SPDX-License-Identifier: BSD-2-Clause

"""``dmidecode``'s text: for machines whose tables cannot be read, and for old captures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import blocks, parser
from ...document.values import clean_uuid, pci_address, positive, size_bytes, text
from ...errors import ParseError
from . import dmi
from .dmi import Record

Fields = Mapping[str, Optional[str]]
_HANDLE = r"^Handle 0x([0-9A-Fa-f]{1,8}), DMI type (\d{1,3})\b"


@parser("dmidecode")
def parse_dmidecode(raw: str) -> Device:
    """The device document's part that SMBIOS has.

    :raises ParseError: no structure in the text.
    """
    return dmi.device(parse_records(raw))


@parser("dmidecode")
def parse_records(raw: str) -> list[Record]:
    """The structures that the device document knows, as records of :mod:`dmi`."""
    found = [(int(head[2]), int(head[1], 16) & 0xFFFF, lines) for head, lines in blocks(raw, _HANDLE)]
    if not found and "SMBIOS" not in raw[:5000]:
        raise ParseError("dmidecode: no structure in the output", field="dmidecode")
    return [Record(kind, handle, _values(kind, _fields(lines))) for kind, handle, lines in found if kind in dmi.KNOWN]


def _values(kind: int, fields: Fields) -> dict[str, Any]:
    convert = _CONVERTED.get(kind)
    return {**fields, **(convert(fields) if convert else {})}


def _fields(lines: list[str]) -> dict[str, Optional[str]]:
    """``Key: value`` lines, one level deep; a value in lines of its own is joined with commas.

    Ends at an empty line.
    """
    fields: dict[str, Optional[str]] = {}
    key = ""
    depth: Optional[int] = None
    for line in _separate(lines):
        if not line.strip():
            break
        indent = len(line) - len(line.lstrip())
        if indent == 0:
            continue  # the structure's name
        depth = indent if depth is None else depth
        if indent > depth:
            fields[key] = ", ".join(filter(None, (fields.get(key), text(line))))
            continue
        name, _colon, value = line.partition(":")
        key = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
        fields.setdefault(key, text(value))
    return fields


def _separate(lines: list[str]) -> Iterator[str]:
    """Some versions forget the end of a line: ``Specification Version: 2.0<tab>Firmware Revision: 7.85``."""
    for line in lines:
        first, *others = re.split(r"(?<=\S)\t(?=[A-Z][A-Za-z -]{1,40}:)", line)
        yield first
        indent = line[: len(line) - len(line.lstrip())]
        yield from (indent + item for item in others)


def _bios(fields: Fields) -> dict[str, Any]:
    return {
        "runtime_size_bytes": size_bytes(fields.get("runtime_size"), binary=True),
        "rom_size_bytes": size_bytes(fields.get("rom_size"), binary=True),
    }


def _processor(fields: Fields) -> dict[str, Any]:
    return {
        "max_speed_hz": positive(fields.get("max_speed"), 1_000_000),
        "current_speed_hz": positive(fields.get("current_speed"), 1_000_000),
        "populated": (fields.get("status") or "").startswith("Populated"),
        "cores": positive(fields.get("core_count")),
        "threads": positive(fields.get("thread_count")),
    }


def _slot(fields: Fields) -> dict[str, Any]:
    return {
        "in_use": fields.get("current_usage") == "In Use",
        "bus_address": pci_address(fields.get("bus_address")),
    }


def _memory(fields: Fields) -> dict[str, Any]:
    configured = fields.get("configured_memory_speed") or fields.get("configured_clock_speed")
    return {
        "size_bytes": size_bytes(fields.get("size"), binary=True),
        "speed_hz": positive(fields.get("speed"), 1_000_000),
        "configured_speed_hz": positive(configured, 1_000_000),
        "rank": positive(fields.get("rank")),
        "nonvolatile_bytes": size_bytes(fields.get("non_volatile_size"), binary=True),
    }


def _psu(fields: Fields) -> dict[str, Any]:
    present, _comma, state = (fields.get("status") or "").partition(",")
    return {
        "max_power_watts": positive(fields.get("max_power_capacity")),
        "present": present.strip() != "Not Present",
        "status": text(state),
    }


def _onboard(fields: Fields) -> dict[str, Any]:
    return {
        "enabled": fields.get("status") == "Enabled",
        "bus_address": pci_address(fields.get("bus_address")),
    }


# What is not text as it stands there.
_CONVERTED: Mapping[int, Callable[[Fields], dict[str, Any]]] = {
    0: _bios,
    1: lambda fields: {"uuid": clean_uuid(fields.get("uuid"))},
    4: _processor,
    9: _slot,
    17: _memory,
    39: _psu,
    41: _onboard,
}
