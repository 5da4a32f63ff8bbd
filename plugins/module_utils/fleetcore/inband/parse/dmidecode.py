# SPDX-License-Identifier: BSD-2-Clause

"""``dmidecode``'s text: for machines whose tables cannot be read, and for old captures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import blocks, parser
from ...document.values import pci_address, positive, size_bytes, text
from ...errors import ParseError
from . import dmi
from .dmi import Record

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
    out = []
    count = 0
    for head, lines in blocks(raw, _HANDLE):
        if head is None:
            continue
        count += 1
        convert = _CONVERTERS.get(int(head[2]))
        if convert is not None:
            out.append(Record(int(head[2]), int(head[1], 16) & 0xFFFF, convert(_fields(lines))))
    if not count and "SMBIOS" not in raw[:5000]:
        raise ParseError("dmidecode: no structure in the output", field="dmidecode")
    return out


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


def _plain(names: Mapping[str, str]) -> Callable[[Mapping[str, Optional[str]]], dict[str, Any]]:
    return lambda fields: {name: fields.get(source) for name, source in names.items()}


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _bios(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    return {
        **_plain(_same("vendor", "version", "release_date", "bios_revision", "firmware_revision"))(fields),
        "runtime_size_bytes": size_bytes(fields.get("runtime_size"), binary=True),
        "rom_size_bytes": size_bytes(fields.get("rom_size"), binary=True),
    }


def _system(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    raw = (fields.get("uuid") or "").lower()
    fine = (
        re.match(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", raw) and set(raw) - set("-0") and set(raw) - set("-f")
    )
    names = _same("manufacturer", "product_name", "version", "serial_number", "sku_number", "family")
    return {**_plain(names)(fields), "uuid": raw if fine else None}


def _processor(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    names = ("socket_designation", "manufacturer", "version", "serial_number", "asset_tag", "part_number")
    return {
        **_plain(_same(*names))(fields),
        "max_speed_hz": positive(fields.get("max_speed"), 1_000_000),
        "current_speed_hz": positive(fields.get("current_speed"), 1_000_000),
        "populated": (fields.get("status") or "").startswith("Populated"),
        "cores": positive(fields.get("core_count")),
        "threads": positive(fields.get("thread_count")),
    }


def _slot(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    return {
        "designation": fields.get("designation"),
        "in_use": fields.get("current_usage") == "In Use",
        "bus_address": pci_address(fields.get("bus_address")),
    }


def _memory(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    names = (
        *(
            "form_factor",
            "locator",
            "bank_locator",
            "type",
            "type_detail",
            "manufacturer",
            "serial_number",
            "asset_tag",
        ),
        *("part_number", "firmware_version"),
    )
    configured = fields.get("configured_memory_speed") or fields.get("configured_clock_speed")
    return {
        **_plain(_same(*names))(fields),
        "size_bytes": size_bytes(fields.get("size"), binary=True),
        "speed_hz": positive(fields.get("speed"), 1_000_000),
        "configured_speed_hz": positive(configured, 1_000_000),
        "rank": positive(fields.get("rank")),
        "nonvolatile_bytes": size_bytes(fields.get("non_volatile_size"), binary=True),
    }


def _psu(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    names = ("location", "name", "manufacturer", "serial_number", "asset_tag", "model_part_number", "revision")
    status = fields.get("status") or ""
    present, _comma, state = status.partition(",")
    return {
        **_plain(_same(*names))(fields),
        "max_power_watts": positive(fields.get("max_power_capacity")),
        "present": present.strip() != "Not Present",
        "status": text(state),
    }


def _onboard(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    return {
        "reference_designation": fields.get("reference_designation"),
        "enabled": fields.get("status") == "Enabled",
        "bus_address": pci_address(fields.get("bus_address")),
    }


def _tpm(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    names = _same("vendor_id", "specification_version", "firmware_revision", "description")
    return _plain(names)(fields)


def _ipmi(fields: Mapping[str, Optional[str]]) -> dict[str, Any]:
    return _plain(_same("interface_type", "specification_version"))(fields)


_CONVERTERS: dict[int, Callable[[Mapping[str, Optional[str]]], dict[str, Any]]] = {
    0: _bios,
    1: _system,
    2: _plain(_same("manufacturer", "product_name", "version", "serial_number", "asset_tag", "type")),
    3: _plain(_same("manufacturer", "type", "version", "serial_number", "asset_tag", "sku_number")),
    4: _processor,
    9: _slot,
    17: _memory,
    38: _ipmi,
    39: _psu,
    41: _onboard,
    43: _tpm,
}
