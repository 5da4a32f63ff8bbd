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
from fleetcore.model import to_dict
from fleetcore.parse.dmidecode import parse_dmidecode
from fleetcore.parse.smbios import parse_smbios

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/unit/plugins/module_utils/fleetcore/parse"))
import smbios_tables as tables  # noqa: E402

DMIDECODE = shutil.which("dmidecode", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def dump(table):
    """The file that ``dmidecode --dump-bin`` writes: the entry point, and the table at 32."""
    entry = bytearray(tables.ENTRY_POINT)
    entry[12:16] = struct.pack("<I", len(table))
    entry[16:24] = struct.pack("<Q", 32)
    entry[5] = 0
    entry[5] = (256 - sum(entry) % 256) % 256
    return bytes(entry).ljust(32, b"\x00") + table


def both(table, folder):
    if DMIDECODE is None:
        pytest.skip("dmidecode is not installed (scripts/install-test-deps)")
    path = folder / "dump.bin"
    path.write_bytes(dump(table))
    shown = subprocess.run([DMIDECODE, "--from-dump", str(path)], capture_output=True, check=True, text=True).stdout
    return to_dict(parse_smbios(table, tables.ENTRY_POINT)), to_dict(parse_dmidecode(shown))


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
