# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives of which one source knows the place and another the serial number."""

from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import Device
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.parts import (
    Drive,
    Status,
    StorageController,
    Volume,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.join import join

HBA = StorageController(id="0000:18:00.0", bus_info="0000:18:00.0", metadata={"controller": "c0"})


def bay(number, model="EX2000NM000A", health="OK"):
    return Drive(
        id=f"c0/e12/s{number}",
        slot=f"e12/s{number}",
        model=model,
        protocol="sas",
        storage_controller="c0",
        storage_controller_drive_id=number,
        status=Status(Health=health, State="JBOD" if health == "OK" else "UBad"),
    )


def disk(letter, target, model="EX2000NM000A"):
    return Drive(
        logical_name=f"/dev/sd{letter}",
        serial=f"EX{letter}",
        model=model,
        protocol="sas",
        bus_info=f"scsi@4:0.{target}.0",
        storage_controller="0000:18:00.0",
    )


def joined(bays, disks):
    return join(
        [
            ("storcli", Device(storage_controller=(HBA,), drives=tuple(bays))),
            ("lshw", Device(drives=tuple(disks))),
        ]
    )


def test_a_bay_is_that_of_the_drive_with_its_number():
    document = joined([bay(0), bay(1), bay(2)], [disk("a", 2), disk("b", 0), disk("c", 1)])
    assert {item.serial: item.slot for item in document.drives} == {"EXa": "e12/s2", "EXb": "e12/s0", "EXc": "e12/s1"}
    assert {item.storage_controller for item in document.drives} == {"0000:18:00.0"}
    assert document.provenance["drives.slot"] == "storcli"


def test_numbers_of_drives_of_other_models_mean_something_else():
    document = joined([bay(0), bay(1, "OTHER")], [disk("a", 0), disk("b", 1)])
    assert [item.slot for item in document.drives if item.serial] == [None, None]


def test_nothing_comes_from_a_source_whose_rows_were_dropped():
    document = joined([bay(0), bay(1)], [disk("a", 7), disk("b", 8)])
    assert [item.serial for item in document.drives] == ["EXa", "EXb"]
    assert not [path for path, source in document.provenance.items() if path.startswith("drives") and source != "lshw"]


def test_a_drive_that_has_failed_stays_beside_as_many_that_are_well():
    document = joined([bay(9, model=None, health="Critical")], [disk("a", 7), disk("b", 8)])
    (broken,) = [item for item in document.drives if not item.serial]
    assert (broken.slot, broken.status.Health) == ("e12/s9", "Critical")


def test_a_volume_keeps_the_drive_that_has_failed():
    volume = Volume(id="c0/v0", storage_controller="c0", physical_drives=("c0/e12/s0", "c0/e12/s9"))
    document = join(
        [
            (
                "storcli",
                Device(
                    storage_controller=(HBA,), volumes=(volume,), drives=(bay(0), bay(9, model=None, health="Critical"))
                ),
            ),
            ("lshw", Device(drives=(disk("a", 0),))),
        ]
    )
    assert document.volumes[0].physical_drives == ("EXa", "c0/e12/s9")
