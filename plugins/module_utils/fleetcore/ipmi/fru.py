# SPDX-License-Identifier: BSD-2-Clause

"""FRU inventory: what the units of a machine say of themselves, and what that is in the device document.

The format is that of the IPMI Platform Management FRU Information Storage Definition, v1.0 revision 1.3.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Optional, TypeVar

from ..document.model import Device
from ..document.outputs import parser
from ..document.parts import Backplane, Board, Enclosure, Mainboard, PowerSupply
from ..document.values import CHASSIS_TYPES, clean_serial, named, word

T = TypeVar("T")
C = TypeVar("C", PowerSupply, Backplane, Board)

LIMIT = 4096
"""Bytes of one FRU that are read at most."""
PIECE = 16
"""Bytes that are asked for at once: some BMCs can't send more."""
_ENGLISH = (0, 25)
_HEADER = 8
_AREAS = {"chassis": 2, "board": 3, "product": 4}
# What the fields of an area are, in their order, and whether they are in the area's language or always in English.
_BOARD = (("board_manufacturer", True), ("board_product", True), ("board_serial", False), ("board_part_number", False))
_CHASSIS = (("chassis_part_number", False), ("chassis_serial", False))
_PRODUCT = (
    ("manufacturer", True),
    ("product", True),
    ("part_number", False),
    ("version", True),
    ("serial", False),
    ("asset_tag", True),
)
_BCD = "0123456789 -.:,_"


@dataclass(frozen=True)
class Fru:
    """What a unit says of itself; ``problems`` are words for what could not be used."""

    chassis_type: Optional[str] = None
    chassis_part_number: Optional[str] = None
    chassis_serial: Optional[str] = None
    board_manufacturer: Optional[str] = None
    board_product: Optional[str] = None
    board_serial: Optional[str] = None
    board_part_number: Optional[str] = None
    manufacturer: Optional[str] = None
    product: Optional[str] = None
    part_number: Optional[str] = None
    version: Optional[str] = None
    serial: Optional[str] = None
    asset_tag: Optional[str] = None
    problems: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Optional[str]], problems: Iterable[str] = ()) -> Fru:
        """Without the words by which makers say that they have filled in nothing."""
        numbers = ("serial", "asset_tag")
        cleaned = {
            name: clean_serial(value) if name.endswith(numbers) else word(value) for name, value in values.items()
        }
        return cls(**cleaned, problems=tuple(problems))


@parser("fru")
def parse_fru(raw: bytes) -> Fru:
    """The chassis, board and product areas. One that is cut is left out, and a problem; one whose checksum is wrong is
    a problem, and
    used: who edits a FRU often forgets it, and other readers don't look at it."""
    if not isinstance(raw, bytes) or len(raw) < _HEADER or raw[0] & 0x0F != 1:
        return Fru(problems=("no FRU inventory is stored",))
    if sum(raw[:_HEADER]) & 0xFF:
        return Fru(problems=("the checksum of the header is wrong",))
    values: dict[str, Optional[str]] = {}
    problems = []
    for name, place in _AREAS.items():
        start = raw[place] * 8
        if not start:
            continue
        area = raw[start : start + (raw[start + 1] * 8 if start + 1 < len(raw) else 0)]
        if len(area) < 8 or len(area) < raw[start + 1] * 8:
            problems.append(f"the {name} area is cut off")
            continue
        if sum(area) & 0xFF:
            problems.append(f"the checksum of the {name} area is wrong")
        if name == "chassis":
            values["chassis_type"] = named(CHASSIS_TYPES, area[2])
            values.update(_fields(area[3:-1], 0, _CHASSIS))
        else:
            begin, fields = (6, _BOARD) if name == "board" else (3, _PRODUCT)
            values.update(_fields(area[begin:-1], area[2], fields))
    return Fru.of(values, problems)


def _fields(data: bytes, language: int, names: Iterable[tuple[str, bool]]) -> dict[str, Optional[str]]:
    """Fields that are always there. The mark for the end of a list, 0xC1, is also how makers write a text of one
    letter.
    """
    found: dict[str, Optional[str]] = {}
    place = 0
    for name, in_language in names:
        if place >= len(data):
            break
        found[name] = text_of(data[place:], language if in_language else 0)
        place += 1 + (data[place] & 0x3F)
    return found


def text_of(data: bytes, language: int = 0) -> str:
    """The text that begins with a type and length byte (section 13); binary data as hexadecimal digits."""
    kind, content = data[0] >> 6, data[1 : 1 + (data[0] & 0x3F)]
    if kind == 0:
        return content.hex()
    if kind == 1:
        return "".join(_BCD[byte >> 4] + _BCD[byte & 0x0F] for byte in content)
    if kind == 2:
        bits = int.from_bytes(content, "little")
        return "".join(chr(0x20 + (bits >> shift & 0x3F)) for shift in range(0, len(content) * 8 - 5, 6))
    content = content.rstrip(b"\xff\xfe")  # how some fill up what is longer than their text
    if language in _ENGLISH or len(content) % 2:
        return content.decode("latin-1")
    return content.decode("utf-16-le", "replace")


# -- reading -----------------------------------------------------------------------------------------------------------


Asking = Generator[bytes, bytes, T]
"""Yields commands (network function, command, data) and wants answers, from the completion code on."""


def ask(*command: int) -> Asking[bytes]:
    """What follows the completion code; nothing if the command failed or nobody answered."""
    answer = yield bytes(command)
    return answer[1:] if answer and not answer[0] else b""


def conducted(asking: Asking[T], answer: Callable[[bytes], bytes]) -> T:
    """What ``asking`` returns when ``answer`` gives it the answers to its commands."""
    found: list[T] = []

    def whole() -> Asking[None]:
        found.append((yield from asking))

    commands = whole()
    with contextlib.suppress(StopIteration):
        command = next(commands)
        while True:
            command = commands.send(answer(command))
    return found[0]


def read_fru(number: int) -> Asking[bytes]:
    """The bytes of one FRU device, only as many as :func:`parse_fru` needs."""
    size = yield from ask(0x0A, 0x10, number)  # Get FRU Inventory Area Info
    total = min(size[0] | size[1] << 8, LIMIT) if len(size) > 1 else 0
    unit = 2 if len(size) > 2 and size[2] & 1 else 1  # bytes in what offset and count are in
    data = bytearray()
    while len(data) < min(total, _needed(data)):
        place, count = len(data) // unit, min(PIECE, total - len(data)) // unit
        piece = yield from ask(0x0A, 0x11, number, place & 0xFF, place >> 8, count)  # Read FRU Data
        if len(piece) < 2 or not piece[0]:
            break
        data += piece[1 : 1 + piece[0] * unit]
    return bytes(data[:LIMIT])


def _needed(data: bytearray) -> int:
    """How far the areas reach, as far as ``data`` tells."""
    if len(data) < _HEADER:
        return _HEADER
    if data[0] & 0x0F != 1 or sum(data[:_HEADER]) & 0xFF:
        return 0
    starts = [data[place] * 8 for place in _AREAS.values() if data[place]]
    return max((start + (data[start + 1] * 8 if start + 1 < len(data) else 2) for start in starts), default=0)


# -- the device document -----------------------------------------------------------------------------------------------

# Words in the names of FRU devices that tell what they are of; the rest is board or chassis, when it says so.
_POWER_SUPPLY = re.compile(r"psu|power ?supply|\bps ?\d|\bps\b|pwr", re.IGNORECASE)
_BACKPLANE = re.compile(r"backplane|^bp ?\d|hdd ?bp", re.IGNORECASE)
_PART = re.compile(
    r"riser|mezz|daughter|ndc|perc|boss|gpu|\bnic|\blom\b|\bocp|adpt|adapter|ctlr|cntlr|raid|\bhba|\bsas|expander|\bpdb"
    r"|distribution|fan|front|\bled\b|i/?o ?(board|module)|interposer|switch",
    re.IGNORECASE,
)
# Modules and processors are known from elsewhere.
_OTHER = re.compile(r"dimm|memory|\bspd\b|^cpu|processor|^oem fru", re.IGNORECASE)
_SYSTEM = re.compile(r"system|chassis|board|^mb\b|built-?in|motherboard|baseboard", re.IGNORECASE)


def device_of(units: Iterable[tuple[int, str, Fru]]) -> Device:
    """The machine, its board, enclosure, power supplies, backplanes, and boards that are swapped: risers, cards.

    :param units: number, name and content of FRU devices. Number 0 is the machine's own; what it does not say, others
        may that by their names are of the board or the chassis.
    """
    main = Fru()
    more: list[Fru] = []
    supplies: dict[str, PowerSupply] = {}
    backplanes: dict[str, Backplane] = {}
    boards: dict[str, Board] = {}
    for number, name, fru in units:
        if number == 0:
            main = fru
        elif _POWER_SUPPLY.search(name):
            supplies.setdefault(name, _common(fru, PowerSupply(id=name, slot=name, part_number=_part_number(fru))))
        elif _BACKPLANE.search(name):
            backplanes.setdefault(name, _common(fru, Backplane(id=name)))
        elif _SYSTEM.search(name) and not _PART.search(name):
            more.append(fru)
        elif not _OTHER.search(name) and (fru.serial or fru.board_serial):
            boards.setdefault(name, _common(fru, Board(id=name, slot=name, part_number=_part_number(fru))))
    for fru in more:
        gaps = {
            item.name: getattr(fru, item.name) for item in dataclasses.fields(Fru) if getattr(main, item.name) is None
        }
        main = dataclasses.replace(main, **gaps)
    device = _machine(main, _known(supplies.values()), _known(backplanes.values()))
    # Some BMCs have the machine's own FRU once more, under their name.
    own = (main.serial, main.board_serial)
    return dataclasses.replace(device, boards=tuple(item for item in _known(boards.values()) if item.serial not in own))


def _common(fru: Fru, empty: C) -> C:
    """A unit of its product area, else of its board area."""
    return dataclasses.replace(
        empty,
        vendor=fru.manufacturer or fru.board_manufacturer,
        model=fru.product or fru.board_product or _part_number(fru),
        serial=fru.serial or fru.board_serial,
    )


def _part_number(fru: Fru) -> Optional[str]:
    return fru.part_number or fru.board_part_number


def _known(units: Iterable[C]) -> tuple[C, ...]:
    return tuple(unit for unit in units if unit.model or unit.serial)


def _machine(fru: Fru, supplies: tuple[PowerSupply, ...], backplanes: tuple[Backplane, ...]) -> Device:
    mainboard = Mainboard(
        vendor=fru.board_manufacturer,
        model=fru.board_product,
        serial=fru.board_serial,
        part_number=fru.board_part_number,
    )
    enclosure = Enclosure(
        id="fru0", chassis_type=fru.chassis_type, serial=fru.chassis_serial, part_number=fru.chassis_part_number
    )
    # Where an area could not be read, another's words are not those of the machine.
    other = Fru() if fru.problems else fru
    return Device(
        vendor=fru.manufacturer or other.board_manufacturer,
        model=fru.product or other.board_product,
        product_name=fru.product,
        serial=fru.serial or other.chassis_serial,
        asset_tag=fru.asset_tag,
        chassis=fru.chassis_serial,
        mainboard=mainboard if mainboard != Mainboard() else None,
        enclosures=(enclosure,) if fru.chassis_serial or fru.chassis_part_number else (),
        power_supplies=supplies,
        backplanes=backplanes,
    )
