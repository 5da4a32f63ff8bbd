# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as a change between two observations, and what is noise."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.diff import diff
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import (
    Coverage,
    Device,
    Stats,
    Verdict,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.parts import (
    Bios,
    Cpu,
    Drive,
    Fan,
    Firmware,
    Memory,
    Nic,
    NicPort,
    PowerSupply,
    Sensor,
    Status,
)

BEFORE = Device(
    serial="S1",
    power_state="on",
    collected_at="2026-01-01T00:00:00Z",
    bios=Bios(firmware=Firmware(installed="1.0")),
    cpus=(Cpu(slot="CPU1", model="x", cores=8), Cpu(slot="CPU2", model="x", cores=8)),
    memory=(Memory(serial="M1", slot="A1", size_bytes=1), Memory(serial="M2", slot="A2", size_bytes=1)),
    drives=(Drive(serial="D1", slot="0", life_left_percent=99.0), Drive(serial="D2", slot="1")),
    nics=(Nic(id="1", nic_ports=(NicPort(macaddress="aa:00:00:00:00:01", link_status="Up"),)),),
    fans=(Fan(id="F1", reading=100.0),),
    sensors=(Sensor(id="T1", reading=20.0),),
)


def changed(**fields):
    return diff(BEFORE, dataclasses.replace(BEFORE, **fields))


def short(changes):
    return [(item["op"], item["component"], item.get("field")) for item in changes]


def test_the_same_is_no_change():
    assert diff(BEFORE, BEFORE) == []


def test_order_is_no_change():
    assert changed(memory=BEFORE.memory[::-1], drives=BEFORE.drives[::-1], cpus=BEFORE.cpus[::-1]) == []


@pytest.mark.parametrize(
    "noise",
    [
        {"power_state": "off"},
        {"collected_at": "2026-02-01T00:00:00Z", "stats": Stats(requests=9)},
        {"sensors": ()},
        {"fans": (Fan(id="F1", reading=900.0, reading_units="RPM", status=Status(State="Enabled")),)},
        {
            "drives": (
                Drive(serial="D1", slot="0", life_left_percent=50.0, power_on_hours=7),
                Drive(serial="D2", slot="1"),
            )
        },
        {
            "nics": (
                Nic(id="1", nic_ports=(NicPort(macaddress="aa:00:00:00:00:01", link_status="Down", speed_bits=1),)),
            )
        },
    ],
)
def test_readings_and_times_are_noise(noise):
    assert changed(**noise) == []


def test_a_new_firmware():
    assert changed(bios=Bios(firmware=Firmware(installed="2.0"))) == [
        {"op": "changed", "component": "device", "field": "bios.firmware.installed", "before": "1.0", "after": "2.0"}
    ]


def test_a_replaced_part_is_one_removed_and_one_added():
    drives = (Drive(serial="D9", slot="0"), BEFORE.drives[1])
    changes = changed(drives=drives)
    assert short(changes) == [("removed", "drives:serial=D1", None), ("added", "drives:serial=D9", None)]
    assert changes[0]["before"] == {"serial": "D1", "slot": "0"}
    assert "after" not in changes[0]


def test_a_part_in_another_slot_has_moved():
    memory = (Memory(serial="M1", slot="B1", size_bytes=1), BEFORE.memory[1])
    assert changed(memory=memory) == [
        {"op": "moved", "component": "memory:serial=M1", "field": "slot", "before": "A1", "after": "B1"}
    ]


def test_two_parts_that_changed_places():
    memory = (Memory(serial="M1", slot="A2", size_bytes=1), Memory(serial="M2", slot="A1", size_bytes=1))
    assert {(item["op"], item["component"]) for item in changed(memory=memory)} == {
        ("moved", "memory:serial=M1"),
        ("moved", "memory:serial=M2"),
    }


def test_parts_without_serial_are_known_by_their_slot():
    cpus = (Cpu(slot="CPU1", model="y", cores=8), BEFORE.cpus[1])
    assert short(changed(cpus=cpus)) == [("changed", "cpus:slot=CPU1", "model")]


def test_a_serial_that_appears_is_the_same_part():
    cpus = (Cpu(slot="CPU1", model="x", cores=8, serial="C1"), BEFORE.cpus[1])
    assert short(changed(cpus=cpus)) == [("added", "cpus:serial=C1", "serial")]


def test_a_port_that_is_gone():
    assert short(changed(nics=(Nic(id="1"),))) == [
        ("removed", "nics:id=1/nic_ports:macaddress=aa:00:00:00:00:01", None)
    ]


@pytest.mark.parametrize("verdict", [Verdict.ABSENT, Verdict.FAILED, Verdict.TIMEOUT, Verdict.DENIED, Verdict.SKIPPED])
def test_what_was_not_collected_is_not_removed(verdict):
    after = dataclasses.replace(
        BEFORE, drives=(), bios=None, coverage={"storage": Coverage(verdict), "system": Coverage(verdict)}
    )
    assert diff(BEFORE, after) == []


def test_what_was_collected_and_is_gone_is_removed():
    changes = changed(drives=(), coverage={"storage": Coverage()})
    assert short(changes) == [("removed", "drives:serial=D1", None), ("removed", "drives:serial=D2", None)]


def test_everything_is_added_at_first():
    changes = diff(None, BEFORE)
    assert {item["op"] for item in changes} == {"added"}
    assert ("added", "device", "serial") in short(changes)
    assert ("added", "memory:serial=M1", None) in short(changes)


def test_two_that_can_not_be_told_apart():
    twins = (PowerSupply(vendor="V"), PowerSupply(vendor="V"))
    both = dataclasses.replace(BEFORE, power_supplies=twins)
    assert diff(both, both) == []
    one = dataclasses.replace(BEFORE, power_supplies=twins[:1])
    assert [item["op"] for item in diff(both, one)] == ["removed"]
