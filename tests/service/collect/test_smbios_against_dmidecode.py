# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our decoder and dmidecode read the same tables: the documents must be equal, field by field."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from fleetcore.document.model import to_dict
from fleetcore.document.values import word
from fleetcore.inband.parse import dmidecode, smbios
from fleetcore.inband.parse.dmidecode import parse_dmidecode
from fleetcore.inband.parse.smbios import parse_smbios

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/unit/plugins/module_utils/fleetcore/inband/parse"))
import smbios_tables as tables  # noqa: E402

DMIDECODE = shutil.which("dmidecode", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def entry_point(table, major, minor, count):
    """``_SM3_`` since 3.0, ``_SM_`` with its ``_DMI_`` before; the table stands at 32."""
    if major >= 3:
        entry = bytearray(struct.pack("<5sBBBBBBBIQ", b"_SM3_", 0, 24, major, minor, 0, 1, 0, len(table), 32))
        entry[5] = -sum(entry) % 256
    else:
        entry = bytearray(struct.pack("<4sBBBBHB5s", b"_SM_", 0, 31, major, minor, 0xFFFF, 0, bytes(5)))
        entry += struct.pack("<5sBHIHB", b"_DMI_", 0, len(table), 32, count, (major & 15) << 4 | minor & 15)
        entry[0x15] = -sum(entry[0x10:]) % 256
        entry[4] = -sum(entry) % 256
    return bytes(entry)


def printed(table, entry, folder):
    """What dmidecode says of the file that ``dmidecode --dump-bin`` writes: the entry point, and the table at 32."""
    if DMIDECODE is None:
        pytest.skip("dmidecode is not installed (scripts/install-test-deps)")
    path = folder / "dump.bin"
    path.write_bytes(entry.ljust(32, b"\x00") + table)
    return subprocess.run([DMIDECODE, "--from-dump", str(path)], capture_output=True, check=True, text=True).stdout


def both(table, folder, major=3, minor=7, count=1):
    entry = entry_point(table, major, minor, count)
    return to_dict(parse_smbios(table, entry)), to_dict(parse_dmidecode(printed(table, entry, folder)))


def test_a_whole_server(tmp_path):
    ours, theirs = both(tables.server(), tmp_path)
    assert len(ours["memory"]) == 3
    assert ours == theirs


@pytest.mark.parametrize("seed", range(20))
def test_memory_modules_of_all_kinds(tmp_path, seed):
    dice = random.Random(seed)
    modules = [
        tables.memory(
            0x1100 + index,
            f"DIMM {index}",
            dice.choice([0, 1, 512, 4096, 0x7FFE, 0x7FFF, 0x8001, 0x8400]),
            speed=dice.choice([0, 1333, 5600]),
            extended=dice.choice([32768, 65536, 262144]),
            serial=dice.choice(["EX1", "Not Specified", "00000000", "  padded  "]),
        )
        for index in range(24)
    ]
    ours, theirs = both(tables.table(*modules), tmp_path)
    assert ours == theirs


@pytest.mark.parametrize("seed", range(20))
def test_other_structures(tmp_path, seed):
    dice = random.Random(seed)
    cores = [dice.choice([1, 64, 254, 300]) for _index in range(4)]
    parts = [tables.processor(0x400 + i, f"CPU{i}", dice.choice([0x41, 0x00]), n, n * 2) for i, n in enumerate(cores)]
    parts += [
        tables.psu(
            0x2700 + i,
            f"PSU{i}",
            f"S{dice.randrange(10)}",
            dice.randrange(1 << 14) & ~(7 << 7) | dice.randrange(1, 6) << 7,
        )
        for i in range(4)
    ]
    parts += [
        tables.slot(0x900 + i, f"Slot {i}", dice.randrange(1, 6), dice.randrange(255), dice.randrange(255))
        for i in range(4)
    ]
    ours, theirs = both(tables.table(*parts), tmp_path)
    assert ours == theirs


# Lengths that versions from 2.0 to 3.7 of the specification have given to the structures, and where these point to
# strings.
LENGTHS = {
    0: (0x12, 0x13, 0x18, 0x1A),
    1: (0x08, 0x19, 0x1B),
    2: (0x08, 0x0D, 0x0F),
    3: (0x09, 0x0D, 0x11, 0x13, 0x15, 0x16, 0x1A),
    4: (0x1A, 0x20, 0x23, 0x28, 0x2A, 0x30, 0x32),
    9: (0x0C, 0x0D, 0x11, 0x13, 0x18),
    16: (0x0F, 0x17),
    19: (0x0F, 0x1F),
    17: (0x15, 0x17, 0x1B, 0x1C, 0x22, 0x28, 0x54, 0x5C),
    38: (0x10, 0x12),
    39: (0x10, 0x16),
    41: (0x0B,),
    43: (0x1B, 0x1F),
}
STRINGS = {
    0: (4, 5, 8),
    1: (4, 5, 6, 7, 0x19, 0x1A),
    2: (4, 5, 6, 7, 8, 0x0A),
    3: (4, 6, 7, 8),
    4: (4, 7, 0x10, 0x20, 0x21, 0x22),
    9: (4,),
    17: (0x10, 0x11, 0x17, 0x18, 0x19, 0x1A, 0x2B),
    16: (),
    19: (),
    38: (),
    39: tuple(range(5, 12)),
    41: (4,),
    43: (0x12,),
}
WORDS = ("Exemplar", "  padded  ", "Not Specified", "0", "None", "To Be Filled By O.E.M.", "x" * 64)
# What the text cannot say: digits that dmidecode rounds away, bytes that it shows as dots, an empty slot's other
# fields, names that came after it, numbers that stand for "unknown" there and in the specification only, and places of
# boards whose structure ends behind it.
UNSAID = {
    (17, "nonvolatile_bytes"),
    (43, "vendor_id"),
    (4, "max_speed_hz"),
    (4, "current_speed_hz"),
    (0, "rom_size_bytes"),
    (2, "location_in_chassis"),
    (16, "maximum_bytes"),
    (19, "size_bytes"),
}
NEWER = {"HBM3", "CAMM"}


def random_structure(dice, kind, handle):
    """Any bytes, all lengths, strings that are there and that are not."""
    body = bytearray(
        dice.choice((dice.randrange(256), 0, 0xFF, 1, 2, 0x7F, 0x80)) for _ in range(dice.choice(LENGTHS[kind]) - 4)
    )
    words = [dice.choice(WORDS) for _index in range(dice.randrange(7))]
    for place in STRINGS[kind]:
        body[place - 4 : place - 3] = [dice.randrange(len(words) + 2)] if place - 4 < len(body) else []
    if kind == 3 and len(body) > 0x10:  # contained elements: SKU comes behind them
        body[0x0F:0x11] = [dice.randrange(3), dice.choice((0, 3, 4))]
    return tables.structure(kind, handle, bytes(body), *words)


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_in_structures_of_all_lengths(tmp_path, seed):
    dice = random.Random(seed)
    major, minor = dice.choice(((2, 0), (2, 3), (2, 5), (2, 6), (2, 8), (2, 0x21), (2, 0x33), (3, 0), (3, 7)))
    parts = [random_structure(dice, kind, 0x100 + index) for index, kind in enumerate([*LENGTHS] * 6)]
    table = tables.table(*parts)
    entry = entry_point(table, major, minor, len(parts) + 1)
    ours, theirs = smbios.parse_records(table, entry), dmidecode.parse_records(printed(table, entry, tmp_path))
    assert [(item.type, item.handle) for item in ours] == [(item.type, item.handle) for item in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        for name, value in mine.fields.items():
            if (mine.type, name) in UNSAID or value in NEWER or (mine.type == 17 and not mine.fields["size_bytes"]):
                continue
            assert known(value) == known(other.fields.get(name)), (mine.type, name)


def known(value):
    """None for what says that nothing is known: dmidecode prints words and 65,535 cores where we have None."""
    return word(value) if isinstance(value, str) else None if value in (0, 0xFFFF) else value


def damaged(table, dice):
    """Cut, with a length or a terminator that is wrong, or with bytes of something else."""
    kind = dice.randrange(4)
    place = dice.randrange(100, len(table))  # behind the first structure
    if kind == 0:
        return table[:place]
    if kind == 1:
        return table[:place] + table[place:].replace(b"\x00\x00", b"\x00x", 1)
    if kind == 2:
        return table[:place] + bytes(dice.randrange(4) for _ in range(4)) + table[place:]
    return table[:place] + bytes(200) + table[place:]


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_table_ends_where_dmidecode_ends(tmp_path, seed):
    dice = random.Random(seed)
    table = damaged(tables.server(), dice)
    entry = entry_point(table, 3, 7, 0)
    shown = printed(table, entry, tmp_path)
    whole = shown.partition("<TRUNCATED>")[0].rpartition("Handle 0x")[0] if "<TRUNCATED>" in shown else shown
    theirs = [(item.type, item.handle) for item in dmidecode.parse_records(whole)]
    ours = [(item.type, item.handle) for item in smbios.parse_records(table, entry)]
    assert ours[: len(theirs)] == theirs
    assert len(ours) - len(theirs) <= (1 if whole != shown else 0)  # we take a structure whose strings are cut short
