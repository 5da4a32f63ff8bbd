# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FRU inventory that is built here byte by byte, whole and damaged. A conversation with a whole BMC is in
golden/openipmi.
"""

from __future__ import annotations

import random

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import to_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ipmi.fru import (
    Fru,
    conducted,
    device_of,
    parse_fru,
    read_fru,
    text_of,
)


def checked(data):
    return data + bytes([-sum(data) & 0xFF])


def text(value):
    return bytes([0xC0 | len(value)]) + value.encode("latin-1")


def area(head, *fields):
    body = head + b"".join(fields) + b"\xc1"
    blocks = -(-(len(body) + 3) // 8)
    return checked(bytes([1, blocks]) + body.ljust(blocks * 8 - 3, b"\0"))


def inventory(chassis=b"", board=b"", product=b""):
    places, place = [], 8
    for part in (chassis, board, product):
        places.append(place // 8 if part else 0)
        place += len(part)
    return checked(bytes([1, 0, *places, 0, 0])) + chassis + board + product


CHASSIS = area(b"\x17", text("EX-C1"), text("EXCHASSIS1"))
BOARD = area(b"\x19\0\0\0", text("Exemplar"), text("EX-BOARD"), text("EXBOARD1"), text("EX-B1"), text(""))
PRODUCT = area(
    b"\x19", text("Exemplar"), text("EX-2000"), text("EX-P1"), text("A"), text("EXSYS1"), text("0"), text("")
)
WHOLE = inventory(CHASSIS, BOARD, PRODUCT)


def test_all_areas():
    assert parse_fru(WHOLE) == Fru(
        *("Rack Mount Chassis", "EX-C1", "EXCHASSIS1"),
        *("Exemplar", "EX-BOARD", "EXBOARD1", "EX-B1"),
        *("Exemplar", "EX-2000", "EX-P1", "A", "EXSYS1", None),  # "0" is no asset tag
    )


@pytest.mark.parametrize(
    ("data", "language", "expected"),
    [
        (b"\xc4EX\xe9 ", 25, "EX\xe9 "),
        (b"\xc3EX\xff", 0, "EX"),
        (b"\xc6\x2d\x4e\x87\x65A\0", 9, "\u4e2d\u6587A"),
        (b"\xc3odd", 9, "odd"),
        (b"\x43\x12\xab\x3c", 25, "12 -3."),
        # The example of the specification: "IPMI" in 6-bit ASCII, section 13.3.
        (b"\x83\x29\xdc\xa6", 25, "IPMI"),
        (b"\x82\x29\xdc", 25, "IP"),
        (b"\x02\x0a\xff", 25, "0aff"),
        (b"\xc0", 25, ""),
        (b"\xcashort", 25, "short"),
    ],
)
def test_encodings(data, language, expected):
    assert text_of(data, language) == expected


def test_serial_numbers_are_in_english_whatever_the_language_is():
    board = area(b"\x08\0\0\0", b"\xc4E\0X\0", b"\xc4A\0\xfc\0", text("EXBOARD1"), text("EX-B"))
    found = parse_fru(inventory(board=board))
    assert (found.board_manufacturer, found.board_product) == ("EX", "A\xfc")
    assert (found.board_serial, found.board_part_number) == ("EXBOARD1", "EX-B")


def test_an_area_that_was_edited_without_its_checksum_is_used_and_named():
    data = bytearray(WHOLE)
    data[WHOLE.index(b"EX-BOARD")] ^= 1
    found = parse_fru(bytes(data))
    assert found.problems == ("the checksum of the board area is wrong",)
    assert (found.chassis_serial, found.board_product, found.serial) == ("EXCHASSIS1", "DX-BOARD", "EXSYS1")
    assert found.board_serial == "EXBOARD1"


def test_the_number_of_the_chassis_is_the_machines_only_where_nothing_is_missing():
    whole = parse_fru(inventory(CHASSIS, BOARD))
    cut = parse_fru(WHOLE[:-1])
    assert cut.problems == ("the product area is cut off",)
    assert (device_of([(0, "", whole)]).serial, device_of([(0, "", cut)]).serial) == ("EXCHASSIS1", None)
    assert device_of([(0, "", cut)]).mainboard.serial == "EXBOARD1"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "no FRU inventory"),
        (bytes(64), "no FRU inventory"),
        (b"\xff" * 64, "no FRU inventory"),
        (b"\x01\0\0\0\0\0\0\0", "checksum of the header"),
        (checked(b"\x01\0\0\xf0\0\0\0"), "board area is cut"),
    ],
)
def test_no_inventory(data, problem):
    found = parse_fru(data)
    assert problem in found.problems[0]
    assert to_dict(device_of([(0, "", found)])) == {}


def test_any_damage():
    dice = random.Random(7)
    for _round in range(3000):
        data = bytearray(WHOLE)
        for _hit in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        data[7] = -sum(data[:7]) & 0xFF  # so that what lies behind the header is reached
        found = parse_fru(bytes(data[: dice.randrange(len(data) + 1)]))
        to_dict(device_of([(0, "", found)]))


def test_a_unit_is_what_its_name_says():
    supply = parse_fru(inventory(product=PRODUCT))
    empty = Fru(problems=("no FRU inventory is stored",))
    found = device_of(
        [
            (0, "", Fru()),
            (1, "PSU1 FRU", supply),
            (2, "PS2", empty),
            (3, "Backplane 1", supply),
            (4, "DIMM A1", supply),
            (5, "System Board", parse_fru(inventory(board=BOARD))),
        ]
    )
    assert [(item.id, item.serial, item.part_number) for item in found.power_supplies] == [
        ("PSU1 FRU", "EXSYS1", "EX-P1")
    ]
    assert [(item.id, item.model) for item in found.backplanes] == [("Backplane 1", "EX-2000")]
    assert found.mainboard.serial == "EXBOARD1"  # number 0 says nothing of the board
    assert found.serial is None


class Memory:
    """The FRU device of a BMC that counts in bytes or words, and sends as many as it likes."""

    def __init__(self, data, words=False, most=255):
        self.data, self.words, self.most = data, words, most
        self.asked = 0

    def read(self, number=0):
        return conducted(read_fru(number), self._answer)

    def _answer(self, request):
        self.asked += 1
        if request[1] == 0x10:
            return b"\0" + len(self.data).to_bytes(2, "little") + bytes([self.words])
        unit = 2 if self.words else 1
        place, count = (request[3] | request[4] << 8) * unit, min(request[5], self.most)
        piece = self.data[place : place + count * unit]
        return bytes([0, len(piece) // unit]) + piece


@pytest.mark.parametrize("memory", [Memory(WHOLE), Memory(WHOLE, words=True), Memory(WHOLE, most=3)])
def test_reading(memory):
    assert parse_fru(memory.read()) == parse_fru(WHOLE)


def test_only_the_areas_are_read():
    memory = Memory(WHOLE + bytes(4096))
    assert len(memory.read()) < len(WHOLE) + 16
    blank = Memory(b"\xff" * 4096)
    blank.read()
    assert blank.asked == 2


def test_a_device_that_fails_or_never_ends():
    assert Memory(b"").read() == b""
    broken = Memory(WHOLE, most=0)
    assert broken.read() == b""
    areas = checked(b"\x01\0\xff\xff\xff\0\0")  # far beyond
    assert len(Memory(areas + bytes(9000)).read()) <= 4096
