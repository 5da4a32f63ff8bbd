# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds SMBIOS tables (DSP0134) for tests: real layouts, invented values."""

from __future__ import annotations

import struct


def structure(kind, handle, body, *strings):
    """One structure with its header and strings."""
    data = struct.pack("<BBH", kind, len(body) + 4, handle) + body
    return data + (b"".join(item.encode() + b"\x00" for item in strings) + b"\x00" if strings else b"\x00\x00")


def table(*structures):
    return b"".join(structures) + structure(127, 0xFEFF, b"")


def _entry_point():
    raw = bytearray(struct.pack("<5sBBBBBBBIQ", b"_SM3_", 0, 24, 3, 7, 0, 1, 0, 0x10000, 0x20))
    raw[5] = (256 - sum(raw) % 256) % 256
    return bytes(raw)


ENTRY_POINT = _entry_point()
UUID = bytes.fromhex("33221100554477668899aabbccddeeff")  # little-endian in its first three fields


def memory(handle, locator, size, *, speed=4800, extended=0, wide=0, serial="EXDIMM01", bank="BANK 0"):
    body = struct.pack("<HHHHHBBBBBHH", 0x1000, 0xFFFE, 80, 64, size, 9, 0, 1, 2, 0x22, 0x2080, speed)
    body += struct.pack("<BBBBBIH", 3, 4, 5, 6, 2, extended, speed)  # strings, rank, extended size, configured speed
    body += struct.pack("<HHH", 1100, 1100, 1100) + struct.pack("<BHB", 3, 8, 7) + bytes(8)
    body += struct.pack("<QQQQ", 0, (1 << 64) - 1, 0, 0) + struct.pack("<II", wide, wide)
    return structure(17, handle, body, locator, bank, "Exemplar Memory", serial, "tag", "EX-DDR5-64", "1.0")


def processor(handle, socket, status, cores, threads):
    short = (min(cores, 255), min(cores, 255), min(threads, 255))
    body = struct.pack("<BBBB8sBBHHHBB", 1, 3, 0xB3, 2, bytes(8), 3, 0x80 | 9, 100, 4000, 2400, status, 1)
    body += struct.pack("<HHHBBBBBBHHHHH", 0xFFFF, 0xFFFF, 0xFFFF, 4, 5, 6, *short, 0xFC, 0xB3, cores, cores, threads)
    return structure(4, handle, body, socket, "Exemplar Inc.", "Exemplar CPU 9000", "CPUSERIAL", "tag", "part")


def psu(handle, location, serial, traits):
    body = struct.pack("<BBBBBBBBHHHHH", 1, 1, 2, 3, 4, 5, 6, 7, 1600, traits, 0xFFFF, 0xFFFF, 0xFFFF)
    return structure(39, handle, body, location, "EX-PSU", "DELTA", serial, "tag", "EX-PWR-1600", "A01")


def slot(handle, name, usage, bus, function):
    body = struct.pack("<BBBBBHBBHBB", 1, 0xB6, 0x0D, usage, 4, 1, 4, 1, 0, bus, function)
    return structure(9, handle, body, name)


def server():
    """A machine with one of each: counts beyond a byte, an empty socket and slot, sizes in all encodings."""
    bios = struct.pack("<BBHBB8sBBBBBBH", 1, 2, 0xF000, 3, 0xFF, bytes(8), 3, 0x0D, 1, 2, 0xFF, 0xFF, 32)
    board = struct.pack("<BBBBBBBHBB", 1, 2, 3, 4, 5, 9, 6, 0x300, 10, 0)
    chassis = struct.pack("<BBBBBBBBBIBBBBB", 1, 0x17, 2, 3, 4, 3, 3, 3, 3, 0, 2, 2, 0, 0, 5)
    tpm = struct.pack("<4sBBIIBQI", b"EXM\x00", 2, 0, 7 << 16 | 2, 0, 1, 1 << 3, 0)
    return table(
        structure(0, 0, bios, "Exemplar BIOS", "1.2.3", "01/31/2024"),
        structure(
            1,
            0x100,
            struct.pack("<BBBB16sBBB", 1, 2, 3, 4, UUID, 6, 5, 6),
            "Exemplar",
            "EX-2000",
            "A",
            "EXSYS000001",
            "SKU1",
            "EX",
        ),
        structure(2, 0x200, board, "Exemplar", "EX-BOARD", "A01", "EXBOARD0001", "tag", "inside"),
        structure(3, 0x300, chassis, "Exemplar", "A", "EXCHASSIS01", "rack 7", "CSKU"),
        processor(0x400, "CPU0", 0x41, 288, 576),
        processor(0x401, "CPU1", 0x00, 0, 0),
        slot(0x900, "Slot 1", 4, 0x3B, 0),
        slot(0x901, "Slot 2", 3, 0xFF, 0xFF),
        structure(16, 0x1000, struct.pack("<BBBIHHQ", 3, 3, 6, 0x80000000, 0xFFFE, 4, 1 << 42)),
        memory(0x1100, "A1", 0x7FFF, extended=65536),
        memory(0x1101, "A2", 0x8000 | 512, speed=0xFFFF, wide=70000),
        memory(0x1102, "B1", 16384, speed=3200, serial="Not Specified"),
        memory(0x1103, "B2", 0, speed=0),
        structure(38, 0x2600, struct.pack("<BBBBQBB", 1, 0x20, 0x20, 0xFF, 0xCA3, 0, 0)),
        psu(0x2700, "PSU1", "EXPSU00001", 1 << 0 | 1 << 1 | 3 << 7 | 4 << 10),
        psu(0x2701, "PSU2", "none", 1 << 0),
        structure(43, 0x2B00, tpm, "Exemplar TPM"),
    )
