# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firmware that a vendor lists by name goes to a part only where it is certain which."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.parts import (
    Firmware,
    FirmwareEntry,
    PowerSupply,
    StorageController,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.join import with_rows


def row(name, version):
    return FirmwareEntry(name=name, firmware=Firmware(installed=version) if version else None)


def installed(items):
    return [item.firmware.installed if item.firmware else None for item in items]


def supplies(*versions):
    return tuple(
        PowerSupply(slot=f"PSU{n}", firmware=Firmware(installed=v) if v else None) for n, v in enumerate(versions)
    )


def test_power_supplies_have_the_version_that_all_rows_agree_on():
    parts = {
        "firmware_inventory": (row("Power Supply.Slot.1", "1.2"), row("Power Supply.Slot.2", "1.2")),
        "power_supplies": supplies(None, "9.9"),
    }
    assert with_rows(parts) == {"power_supplies.firmware": ["dsu"]}
    assert installed(parts["power_supplies"]) == ["1.2", "9.9"]  # what a source knew stays


def test_power_supplies_of_which_rows_differ_have_none():
    parts = {
        "firmware_inventory": (row("Power Supply.Slot.1", "1.2"), row("Power Supply.Slot.2", "1.3")),
        "power_supplies": supplies(None, None),
    }
    assert with_rows(parts) == {}
    assert installed(parts["power_supplies"]) == [None, None]


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("BOSS", "88SE9230 PCIe 2.0 x2 4-port SATA 6 Gb/s RAID Controller"),
        ("BOSS-S1", "88SE9230"),
        ("Dell HBA330 Mini", "SAS3008 PCI-Express Fusion-MPT SAS-3"),
        ("PERC H330 Adapter", "MegaRAID SAS-3 3008 [Fury]"),
        ("PERC H740P Mini", "MegaRAID Tri-Mode SAS3508"),
        ("PERC H755 Front", "MegaRAID 12GSAS/PCIe Secure SAS39xx"),
    ],
)
def test_a_card_by_its_chip(name, chip):
    parts = {
        "firmware_inventory": (row(name, "5.1"),),
        "storage_controller": (StorageController(model="FCH SATA Controller"), StorageController(model=chip)),
    }
    assert with_rows(parts) == {"storage_controller.firmware": ["dsu"]}
    assert installed(parts["storage_controller"]) == [None, "5.1"]


def test_two_cards_with_the_chip_are_not_told_apart():
    parts = {
        "firmware_inventory": (row("BOSS", "5.1"),),
        "storage_controller": (StorageController(model="88SE9230"), StorageController(model="88SE9230")),
    }
    assert with_rows(parts) == {}
    assert installed(parts["storage_controller"]) == [None, None]


def test_nothing_of_nothing():
    parts = {}
    assert with_rows(parts) == {}
    assert parts == {}
