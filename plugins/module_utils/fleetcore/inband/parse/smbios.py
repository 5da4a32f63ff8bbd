# SPDX-License-Identifier: BSD-2-Clause

"""SMBIOS tables, decoded from their bytes (DMTF DSP0134 3.7): what Linux gives in ``/sys/firmware/dmi/tables``.

Structures may be longer or shorter than this file knows: fields beyond a structure's length are absent. A table that
ends in the middle of a structure gives the structures before it.

It is longer than other files: one function for each structure of the specification, in its order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import parser
from ...document.values import CHASSIS_TYPES, clean_uuid, in_order, named, text
from ...errors import ParseError
from . import dmi
from .dmi import Record

MAX_STRUCTURES = 20_000
_END_OF_TABLE = 127
_INACTIVE = 126
_MISPRINTS = {0x1F: 3, 0x21: 3, 0x33: 6}
"""Minor versions that some firmware states, and what is meant (as the kernel and dmidecode read them)."""
MIB = 1 << 20


@parser("smbios")
def parse_smbios(table: bytes, entry_point: Optional[bytes] = None) -> Device:
    """The device document's part that SMBIOS has.

    :param table: the structures (``DMI``).
    :param entry_point: the entry point (``smbios_entry_point``); it says which version's rules hold for UUIDs.
        None: the rules of 2.6 and later.
    :raises ParseError: there is not one whole structure in it.
    """
    return dmi.device(parse_records(table, entry_point))


@parser("smbios")
def parse_records(table: bytes, entry_point: Optional[bytes] = None) -> list[Record]:
    """The structures that the device document knows, as records of :mod:`dmi`."""
    if not isinstance(table, bytes):
        raise ParseError("smbios: a table is bytes", field="smbios")
    version = parse_entry_point(entry_point) if entry_point else (3, 0)
    out = []
    count = 0
    for structure in _structures(table):
        count += 1
        decode = _DECODERS.get(structure.type)
        if decode is not None:
            fields = {**_strings_of(structure), **decode(structure, version)}
            out.append(Record(structure.type, structure.handle, fields))
    if not count:
        raise ParseError("smbios: no structure in the table", field="smbios")
    return out


@parser("smbios")
def parse_entry_point(raw: bytes) -> tuple[int, int]:
    """Major and minor version of the specification that the tables follow (DSP0134 5.2).

    :raises ParseError: neither ``_SM3_``, ``_SM_`` nor ``_DMI_`` at its start.
    """
    if raw[:5] == b"_SM3_" and len(raw) >= 9:
        return raw[7], raw[8]
    if raw[:4] == b"_SM_" and len(raw) >= 8:
        return raw[6], _MISPRINTS.get(raw[7], raw[7])
    if raw[:5] == b"_DMI_" and len(raw) >= 15:
        return raw[14] >> 4, raw[14] & 0x0F
    raise ParseError("smbios: not an entry point", field="smbios_entry_point")


@dataclass(frozen=True)
class Structure:
    """One structure: ``data`` is the formatted part with its header, ``strings`` what follows it."""

    type: int
    handle: int
    data: bytes
    strings: tuple[bytes, ...]

    def number(self, offset: int, size: int = 1) -> Optional[int]:
        """The unsigned number of ``size`` bytes at ``offset``; None if the structure ends before."""
        raw = self.data[offset : offset + size]
        return int.from_bytes(raw, "little") if len(raw) == size else None

    def string(self, offset: int) -> Optional[str]:
        """The string whose number (from 1) is at ``offset``; None for 0 and for numbers that are not there."""
        index = self.number(offset)
        if not index or index > len(self.strings):
            return None
        return text(self.strings[index - 1].decode("utf-8", "replace"))


def _structures(table: bytes) -> Iterator[Structure]:
    place = 0
    for _count in range(MAX_STRUCTURES):
        if place + 4 > len(table):
            return
        kind, length, handle = struct.unpack_from("<BBH", table, place)
        if length < 4 or place + length > len(table):
            return
        end = place + length
        strings, after = _strings(table, end)
        if kind != _INACTIVE:
            yield Structure(kind, handle, table[place:end], strings)
        if kind == _END_OF_TABLE:
            return
        place = after


def _strings_of(item: Structure) -> dict[str, Any]:
    pairs = [pair.split() for pair in in_order(_STRINGS.get(item.type, "")) if pair]
    return {name: item.string(int(place, 16)) for name, place in pairs}


def _strings(table: bytes, place: int) -> tuple[tuple[bytes, ...], int]:
    """Strings from ``place`` to the double NUL, and the place behind it."""
    if table[place : place + 2] == b"\x00\x00":
        return (), place + 2
    end = table.find(b"\x00\x00", place)
    if end < 0:
        return tuple(table[place:].split(b"\x00")), len(table)
    return tuple(table[place:end].split(b"\x00")), end + 2


# -- structures --------------------------------------------------------------------------------------------------------


def _bios(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.1
    segment, rom = item.number(0x06, 2), item.number(0x09)
    size = (rom + 1) * 64 * 1024 if rom is not None else None
    extended = item.number(0x18, 2)
    if rom == 0xFF:
        size = 16 * MIB
        if extended is not None:
            unit = {0: MIB, 1: 1024 * MIB}.get(extended >> 14)
            size = (extended & 0x3FFF) * unit if unit else None
    return {
        "bios_revision": _revision(item.number(0x14), item.number(0x15)),
        "firmware_revision": _revision(item.number(0x16), item.number(0x17)),
        "runtime_size_bytes": (0x10000 - segment) << 4 if segment else None,
        "rom_size_bytes": size,
    }


def _revision(major: Optional[int], minor: Optional[int]) -> Optional[str]:
    return None if major in (None, 0xFF) or minor in (None, 0xFF) else f"{major}.{minor}"


def _system(item: Structure, version: tuple[int, int]) -> dict[str, Any]:  # 7.2
    return {
        "uuid": uuid(item.data[0x08:0x18], version),
    }


def uuid(raw: bytes, version: tuple[int, int] = (3, 0)) -> Optional[str]:
    """16 bytes as a UUID in lower case; since 2.6 the first three fields are little-endian (7.2.1).

    What :func:`clean_uuid` takes for none, such as all 0 or FF, is None.
    """
    if len(raw) != 16:
        return None
    if version >= (2, 6):
        raw = raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]
    digits = raw.hex()
    return clean_uuid("-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])))


_BOARD_TYPES = in_order(
    """
    Unknown, Other, Server Blade, Connectivity Switch, System Management Module, Processor Module, I/O Module,
    Memory Module, Daughter Board, Motherboard, Processor+Memory Module, Processor+I/O Module, Interconnect Board
    """
)


def _board(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.3
    return {
        "type": named(_BOARD_TYPES, item.number(0x0D)),
    }


def _chassis(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.4
    kind = item.number(0x05)
    return {
        "type": named(CHASSIS_TYPES, kind & 0x7F if kind is not None else None),
    }


def _processor(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.5
    status = item.number(0x18) or 0
    return {
        "max_speed_hz": _mega(item.number(0x14, 2)),
        "current_speed_hz": _mega(item.number(0x16, 2)),
        "populated": bool(status & 0x40),
        "cores": _count(item.number(0x23), item.number(0x2A, 2)),
        "threads": _count(item.number(0x25), item.number(0x2E, 2)),
    }


def _count(short: Optional[int], wide: Optional[int]) -> Optional[int]:
    """A count of one byte; 255 says that the word has it (if the structure is long enough to have one)."""
    if short == 0xFF and wide is not None:
        return wide if 0 < wide < 0xFFFF else None
    return short or None


def _mega(value: Optional[int]) -> Optional[int]:
    return value * 1_000_000 if value and value != 0xFFFF else None


_SLOT_IN_USE = 4


def _slot(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.10
    return {
        "in_use": item.number(0x07) == _SLOT_IN_USE,
        "bus_address": _address(item.number(0x0D, 2), item.number(0x0F), item.number(0x10)),
    }


def _address(segment: Optional[int], bus: Optional[int], function: Optional[int]) -> Optional[str]:
    if segment is None or bus is None or function is None or (segment == 0xFFFF and bus == 0xFF and function == 0xFF):
        return None
    return f"{segment:04x}:{bus:02x}:{function >> 3:02x}.{function & 7:x}"


_FORM_FACTORS = in_order(
    """
    Other, Unknown, SIMM, SIP, Chip, DIP, ZIP, Proprietary Card, DIMM, TSOP, Row Of Chips, RIMM, SODIMM, SRIMM,
    FB-DIMM, Die, CAMM
    """
)
_MEMORY_TYPES = in_order(
    """
    Other, Unknown, DRAM, EDRAM, VRAM, SRAM, RAM, ROM, Flash, EEPROM, FEPROM, EPROM, CDRAM, 3DRAM, SDRAM, SGRAM,
    RDRAM, DDR, DDR2, DDR2 FB-DIMM, Reserved, Reserved, Reserved, DDR3, FBD2, DDR4, LPDDR, LPDDR2, LPDDR3, LPDDR4,
    Logical non-volatile device, HBM, HBM2, DDR5, LPDDR5, HBM3
    """
)
# By bits from 1.
_TYPE_DETAILS = in_order(
    """
    Other, Unknown, Fast-paged, Static Column, Pseudo-static, RAMBus, Synchronous, CMOS, EDO, Window DRAM,
    Cache DRAM, Non-Volatile, Registered (Buffered), Unbuffered (Unregistered), LRDIMM
    """
)


def _memory(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.18
    detail = item.number(0x13, 2) or 0
    details = [name for bit, name in enumerate(_TYPE_DETAILS, 1) if detail & (1 << bit)]
    lasting = item.number(0x34, 8)
    attributes = item.number(0x1B)
    return {
        "form_factor": named(_FORM_FACTORS, item.number(0x0E)),
        "type": named(_MEMORY_TYPES, item.number(0x12)),
        "type_detail": " ".join(details) or None,
        "size_bytes": _module_bytes(item),
        "speed_hz": _wide_speed(item.number(0x15, 2), item.number(0x54, 4)),
        "configured_speed_hz": _wide_speed(item.number(0x20, 2), item.number(0x58, 4)),
        "rank": (attributes & 0x0F) or None if attributes is not None else None,
        "nonvolatile_bytes": lasting if lasting and lasting < 1 << 62 else None,
    }


def _module_bytes(item: Structure) -> Optional[int]:
    size = item.number(0x0C, 2)
    if size is None or size in (0, 0xFFFF):
        return None
    wide = item.number(0x1C, 4)
    if size == 0x7FFF and wide is not None:
        return (wide & 0x7FFFFFFF) * MIB or None
    return (size & 0x7FFF) * 1024 if size & 0x8000 else size * MIB


def _wide_speed(short: Optional[int], wide: Optional[int]) -> Optional[int]:
    if short == 0xFFFF:
        return wide * 1_000_000 if wide else None
    return short * 1_000_000 if short else None


_ARRAY_USES = in_order("Other, Unknown, System Memory, Video Memory, Flash Memory, Non-volatile RAM, Cache Memory")


def _array(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.17
    kilobytes, extended = item.number(0x07, 4), item.number(0x0F, 8)
    size = extended if kilobytes == 0x80000000 else (kilobytes or 0) * 1024
    return {"use": named(_ARRAY_USES, item.number(0x05)), "maximum_bytes": size or None}


def _mapped(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.20
    """Addresses are in KiB and include the last, or in bytes behind it."""
    first, last = item.number(0x04, 4), item.number(0x08, 4)
    if first is None or last is None:
        return {"size_bytes": None}
    if first == 0xFFFFFFFF:
        first, last = item.number(0x0F, 8), item.number(0x17, 8)
        size = last - first + 1 if first is not None and last is not None else 0
    else:
        size = (last - first + 1) * 1024
    return {"size_bytes": size if size > 0 else None}


_IPMI_INTERFACES = {
    0: "Unknown",
    1: "KCS (Keyboard Control Style)",
    2: "SMIC (Server Management Interface Chip)",
    3: "BT (Block Transfer)",
    4: "SSIF (SMBus System Interface)",
}


def _ipmi(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.39
    kind, revision = item.number(0x04), item.number(0x05)
    return {
        "interface_type": None if kind is None else _IPMI_INTERFACES.get(kind),
        "specification_version": f"{revision >> 4}.{revision & 0x0F}" if revision is not None else None,
    }


_PSU_STATUS = {1: "Other", 2: "Unknown", 3: "OK", 4: "Non-critical", 5: "Critical"}


def _psu(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.40
    power, traits = item.number(0x0C, 2), item.number(0x0E, 2)
    return {
        "max_power_watts": power if power and power != 0x8000 else None,
        "present": bool(traits & 0x02) if traits is not None else True,
        "status": _PSU_STATUS.get((traits >> 7) & 0x07) if traits is not None and traits & 0x02 else None,
    }


def _onboard(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.42
    kind = item.number(0x05) or 0
    return {
        "enabled": bool(kind & 0x80),
        "bus_address": _address(item.number(0x07, 2), item.number(0x09), item.number(0x0A)),
    }


def _tpm(item: Structure, _version: tuple[int, int]) -> dict[str, Any]:  # 7.44
    major, minor = item.number(0x08), item.number(0x09)
    first, second = item.number(0x0A, 4), item.number(0x0E, 4)
    revision = None
    if major == 1 and first is not None:
        revision = f"{(first >> 16) & 0xFF}.{(first >> 24) & 0xFF}"
    elif major == 2 and first is not None and second is not None:
        revision = f"{first >> 16}.{first & 0xFFFF}"
    return {
        "vendor_id": text(item.data[0x04:0x08].split(b"\x00")[0].decode("ascii", "replace")),
        "specification_version": f"{major}.{minor}" if major is not None and minor is not None else None,
        "firmware_revision": revision,
    }


# Names and places of the numbers of strings.
_STRINGS: Mapping[int, str] = {
    0: "vendor 04, version 05, release_date 08",
    1: "manufacturer 04, product_name 05, serial_number 07, sku_number 19",
    2: "manufacturer 04, product_name 05, version 06, serial_number 07, location_in_chassis 0A",
    3: "manufacturer 04, serial_number 07, asset_tag 08",
    4: "socket_designation 04, manufacturer 07, version 10, serial_number 20",
    9: "designation 04",
    17: "locator 10, bank_locator 11, manufacturer 17, serial_number 18, part_number 1A, firmware_version 2B",
    39: "location 05, name 06, manufacturer 07, serial_number 08, model_part_number 0A, revision 0B",
    41: "reference_designation 04",
    43: "description 12",
    # Of HPE's blades, as dmidecode knows it.
    204: "rack_name 04, enclosure_name 05, enclosure_model 06, enclosure_serial 0A, server_bay 0C",
}
_DECODERS: dict[int, Callable[[Structure, tuple[int, int]], dict[str, Any]]] = {
    0: _bios,
    1: _system,
    2: _board,
    3: _chassis,
    4: _processor,
    9: _slot,
    16: _array,
    17: _memory,
    19: _mapped,
    38: _ipmi,
    39: _psu,
    41: _onboard,
    43: _tpm,
    204: lambda _item, _version: {},
}
