# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SMBIOS decoder on tables that are built here field by field (DSP0134).

Against dmidecode: tests/service/collect.
"""

from __future__ import annotations

import random

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import to_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import ParseError
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.parse.smbios import (
    parse_entry_point,
    parse_records,
    parse_smbios,
    uuid,
)
from smbios_tables import ENTRY_POINT, server, structure, table


@pytest.fixture
def document():
    return to_dict(parse_smbios(server(), ENTRY_POINT))


def test_the_machine(document):
    assert {key: document[key] for key in ("vendor", "model", "serial", "uuid", "sku", "chassis", "asset_tag")} == {
        "vendor": "Exemplar",
        "model": "EX-2000",
        "serial": "EXSYS000001",
        "uuid": "00112233-4455-6677-8899-aabbccddeeff",
        "sku": "SKU1",
        "chassis": "EXCHASSIS01",
        "asset_tag": "rack 7",
    }
    assert document["hardware_type"] == "Rack Mount Chassis"
    assert document["metadata"] == {"memory_slots": "4", "memory_max_bytes": str(4 << 40)}


def test_bios_with_a_rom_that_only_the_extended_size_can_say(document):
    assert document["bios"] == {
        "vendor": "Exemplar BIOS",
        "firmware": {"installed": "1.2.3"},
        "release_date": "01/31/2024",
        "metadata": {"bios_revision": "1.2"},
        "size_bytes": 65536,
        "capacity_bytes": 32 << 20,
    }


def test_processors_counts_beyond_255_and_empty_sockets(document):
    (cpu,) = document["cpus"]
    assert (cpu["slot"], cpu["cores"], cpu["threads"], cpu["clock_speed_hz"]) == ("CPU0", 288, 576, 2_400_000_000)


def test_memory_sizes_in_all_their_encodings(document):
    assert [(item["slot"], item["size_bytes"], item["clock_speed_hz"]) for item in document["memory"]] == [
        ("A1", 64 << 30, 4_800_000_000),
        ("A2", 512 << 10, 70_000_000_000),
        ("B1", 16 << 30, 3_200_000_000),
    ]
    assert document["memory"][0]["type"] == "DDR5"
    assert document["memory"][0]["rank_count"] == 2
    assert document["memory"][0]["serial"] == "EXDIMM01"
    assert "serial" not in document["memory"][2]  # "Not Specified"


def test_power_supplies_that_are_there(document):
    (psu,) = document["power_supplies"]
    assert (psu["serial"], psu["power_capacity_watts"], psu["status"]) == (
        "EXPSU00001",
        1600,
        {"Health": "OK", "State": "OK"},
    )


def test_tpm_and_bmc_interface(document):
    assert document["tpms"] == [
        {"vendor": "EXM", "description": "Exemplar TPM", "interface_type": "TPM 2.0", "firmware": {"installed": "7.2"}}
    ]
    assert document["bmc"]["metadata"]["interface"].startswith("KCS")


def test_slots_by_the_address_of_what_is_in_them():
    records = parse_records(server(), ENTRY_POINT)
    slots = {item.fields["designation"]: item.fields for item in records if item.type == 9}
    assert slots["Slot 1"]["bus_address"] == "0000:3b:00.0"
    assert slots["Slot 2"]["in_use"] is False


def test_uuid_byte_order_depends_on_the_version():
    raw = bytes(range(16))
    assert uuid(raw, (2, 6)) == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert uuid(raw, (2, 5)) == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert uuid(b"\xff" * 16) is None


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        (b"_SM3_\x00\x18\x03\x07\x00", (3, 7)),
        (b"_SM_\x00\x1f\x02\x08", (2, 8)),
        (b"_DMI_" + bytes(9) + b"\x25", (2, 5)),
    ],
)
def test_entry_points(raw, version):
    assert parse_entry_point(raw) == version


def test_old_structures_are_shorter():
    document = to_dict(parse_smbios(table(structure(1, 1, b"\x01\x02\x03\x04", "Old", "Box", "1", "S1"))))
    assert document == {"vendor": "Old", "model": "Box", "product_name": "Box", "serial": "S1"}


def test_what_stands_before_the_damage_is_kept():
    whole = server()
    assert parse_smbios(whole[: len(whole) // 2]).serial == "EXSYS000001"
    with pytest.raises(ParseError):
        parse_smbios(whole[:3])
    with pytest.raises(ParseError):
        parse_smbios(b"")


def test_any_damage_gives_a_partial_result_or_a_parse_error():
    dice = random.Random(7)
    whole = server()
    for _round in range(1500):
        damaged = bytearray(whole)
        for _change in range(dice.randrange(1, 12)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            to_dict(parse_smbios.__wrapped__(bytes(damaged[: dice.randrange(len(damaged))]), None))
        except ParseError:
            continue
