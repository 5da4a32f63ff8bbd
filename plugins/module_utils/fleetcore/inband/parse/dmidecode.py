# SPDX-License-Identifier: BSD-2-Clause

"""``dmidecode``'s text: for machines whose tables cannot be read, and for old captures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import blocks, expect, parser
from ...document.values import clean_uuid, pci_address, positive, size_bytes, text
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
    expect("dmidecode", found or "SMBIOS" in raw[:5000], "no structure in the output")
    return [Record(kind, handle, _values(kind, _fields(lines))) for kind, handle, lines in found if kind in dmi.KNOWN]


def _values(kind: int, fields: Fields) -> dict[str, Any]:
    # The word before 3.0.
    older = {"configured_memory_speed": fields.get("configured_clock_speed"), **fields}
    converted = _CONVERTED.get(kind, {})
    return {**fields, **{name: read(older.get(source)) for name, (source, read) in converted.items()}}


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


def _binary(value: Optional[str]) -> Optional[int]:
    return size_bytes(value, binary=True)


def _mega(value: Optional[str]) -> Optional[int]:
    return positive(value, 1_000_000)


def _is(state: str) -> Callable[[Optional[str]], bool]:
    return lambda value: value == state


# What is not text as it stands there: the record's field, dmidecode's, and how it is read.
_CONVERTED: Mapping[int, Mapping[str, tuple[str, Callable[[Optional[str]], Any]]]] = {
    0: {"runtime_size_bytes": ("runtime_size", _binary), "rom_size_bytes": ("rom_size", _binary)},
    1: {"uuid": ("uuid", clean_uuid)},
    4: {
        "max_speed_hz": ("max_speed", _mega),
        "current_speed_hz": ("current_speed", _mega),
        "populated": ("status", lambda status: (status or "").startswith("Populated")),
        "cores": ("core_count", positive),
        "threads": ("thread_count", positive),
    },
    9: {"in_use": ("current_usage", _is("In Use")), "bus_address": ("bus_address", pci_address)},
    17: {
        "size_bytes": ("size", _binary),
        "speed_hz": ("speed", _mega),
        "configured_speed_hz": ("configured_memory_speed", _mega),
        "rank": ("rank", positive),
        "nonvolatile_bytes": ("non_volatile_size", _binary),
    },
    39: {
        "max_power_watts": ("max_power_capacity", positive),
        "present": ("status", lambda status: (status or "").partition(",")[0].strip() != "Not Present"),
        "status": ("status", lambda status: text((status or "").partition(",")[2])),
    },
    41: {"enabled": ("status", _is("Enabled")), "bus_address": ("bus_address", pci_address)},
}
