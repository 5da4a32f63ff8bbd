# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was not collected stays as it was last seen; what was collected and is gone is gone."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.carry import keep_uncollected
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.diff import diff
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import device_from_dict, to_dict

OOB = {
    "source": "oob",
    "collected_at": "2026-01-01T00:00:00Z",
    "power_state": "on",
    "drives": [{"serial": "D1", "slot": "1", "model": "M"}, {"serial": "D2", "slot": "2"}],
    "memory": [{"serial": "M1"}],
    "coverage": {
        "storage": {"verdict": "collected"},
        "memory": {"verdict": "collected"},
        "power": {"verdict": "collected"},
    },
}


def after(verdict, **fields):
    coverage = {**OOB["coverage"], "storage": {"verdict": verdict, "reason": "why"}}
    return {"source": "oob", "collected_at": "2026-01-02T00:00:00Z", "memory": [], "coverage": coverage, **fields}


@pytest.mark.parametrize("verdict", ["failed", "denied", "timeout", "skipped", "absent"])
def test_a_section_that_failed_keeps_its_last_values(verdict):
    kept = keep_uncollected(OOB, after(verdict))
    assert kept["drives"] == OOB["drives"]
    assert kept["coverage"]["storage"] == {"verdict": verdict, "reason": "why", "last_seen": "2026-01-01T00:00:00Z"}
    assert kept["memory"] == []  # collected: gone
    assert "power_state" not in kept  # a reading
    assert [(item["op"], item["component"]) for item in diff(OOB, kept)] == [("removed", "memory:serial=M1")]
    assert to_dict(device_from_dict(kept)) == {name: value for name, value in kept.items() if value != []}


def test_when_it_was_last_seen_stays_until_it_is_seen_again():
    kept = keep_uncollected(OOB, after("failed"))
    again = keep_uncollected(kept, {**after("timeout"), "collected_at": "2026-01-03T00:00:00Z"})
    assert again["coverage"]["storage"]["last_seen"] == "2026-01-01T00:00:00Z"
    seen = keep_uncollected(again, {**after("collected", drives=OOB["drives"][:1])})
    assert "last_seen" not in seen["coverage"]["storage"]
    assert [(item["op"], item["component"]) for item in diff(again, seen)] == [("removed", "drives:serial=D2")]


def test_half_of_a_section():
    kept = keep_uncollected(
        OOB, after("timeout", drives=[{"serial": "D3", "slot": "3"}, {"serial": "D1", "slot": "4"}])
    )
    assert kept["drives"] == [
        {"serial": "D3", "slot": "3"},
        {"serial": "D1", "slot": "4", "model": "M"},
        OOB["drives"][1],
    ]


INBAND = {
    "source": "inband",
    "collected_at": "2026-01-01T00:00:00Z",
    "drives": [{"serial": "D1", "smart_status": "ok"}, {"serial": "R1"}],
    "coverage": {
        "smartctl": {"verdict": "collected"},
        "storcli": {"verdict": "collected"},
        "block": {"verdict": "collected"},
    },
    "provenance": {"drives": "block,smartctl,storcli", "drives.smart_status": "smartctl"},
}


def inband(drives, tools="block", **verdicts):
    coverage = {**INBAND["coverage"], **{name: {"verdict": verdict} for name, verdict in verdicts.items()}}
    return {"source": "inband", "drives": drives, "coverage": coverage, "provenance": {"drives": tools}}


def test_a_tool_that_failed_keeps_what_came_from_it():
    kept = keep_uncollected(INBAND, inband([{"serial": "D1"}], storcli="timeout", smartctl="denied"))
    assert kept["drives"] == INBAND["drives"]
    assert (
        kept["coverage"]["storcli"]["last_seen"] == kept["coverage"]["smartctl"]["last_seen"] == "2026-01-01T00:00:00Z"
    )
    assert "last_seen" not in kept["coverage"]["block"]
    assert kept["provenance"] == INBAND["provenance"]
    # The tools stay known, so a second failure keeps it, too.
    assert keep_uncollected(kept, inband([{"serial": "D1"}], storcli="failed"))["drives"] == INBAND["drives"]


def test_a_tool_that_is_not_there_any_more_holds_nothing_back():
    kept = keep_uncollected(INBAND, inband([{"serial": "D1"}], storcli="absent"))
    assert kept["drives"] == [{"serial": "D1"}]
    assert ("removed", "drives:serial=R1") in [(item["op"], item["component"]) for item in diff(INBAND, kept)]


def test_what_was_known_of_another_firmware_does_not_hold():
    before = {**OOB, "drives": [{"serial": "D1", "firmware": {"installed": "1", "available": "2"}}]}
    same = keep_uncollected(before, after("failed", drives=[{"serial": "D1", "firmware": {"installed": "1"}}]))
    assert same["drives"] == before["drives"]
    other = [{"serial": "D1", "firmware": {"installed": "3"}}]
    assert keep_uncollected(before, after("failed", drives=other))["drives"] == other


def test_nothing_is_kept_of_what_was_collected():
    new = {**OOB, "collected_at": "2026-02-01T00:00:00Z", "drives": [], "memory": []}
    assert keep_uncollected(OOB, new) == new


def test_a_publisher_can_not_claim_that_something_was_kept():
    new = after("collected", drives=OOB["drives"])
    new["coverage"]["storage"]["last_seen"] = "1999-01-01T00:00:00Z"
    assert "last_seen" not in keep_uncollected(OOB, new)["coverage"]["storage"]


@pytest.mark.parametrize("verdict", ["failed", "denied", "timeout", "skipped"])
def test_a_field_that_is_called_like_a_list_of_parts(verdict):
    """A drive names its controller; the document has a list of controllers."""
    drive = {"serial": "D1", "storage_controller": "c0", "power_on_hours": 7}
    volume = {"id": "v0", "storage_controller": "c0", "physical_drives": ["D1"]}
    before = {**OOB, "drives": [drive], "volumes": [volume], "storage_controller": [{"id": "c0"}]}
    moved = {"serial": "D1", "storage_controller": "c1"}
    kept = keep_uncollected(before, after(verdict, drives=[moved], volumes=[volume]))
    assert kept["drives"] == [{"serial": "D1", "storage_controller": "c1", "power_on_hours": 7}]
    assert kept["volumes"] == [volume]
    assert kept["storage_controller"] == [{"id": "c0"}]
    assert kept["coverage"]["storage"]["last_seen"] == OOB["collected_at"]


def test_a_section_that_failed_was_seen_last_before_even_if_all_its_values_are_said_by_others():
    kept = keep_uncollected(OOB, after("timeout", drives=OOB["drives"]))
    assert kept["drives"] == OOB["drives"]
    assert kept["coverage"]["storage"]["last_seen"] == OOB["collected_at"]


# -- tools that are asked about each part ------------------------------------------------------------------------------

SDA = {"serial": "D1", "logical_name": "/dev/sda", "smart_status": "ok", "power_on_hours": 7}
SDB = {"serial": "D2", "logical_name": "/dev/sdb", "smart_status": "failed"}
EACH = {
    "source": "inband",
    "collected_at": "2026-01-01T00:00:00Z",
    "drives": [SDA, SDB],
    "coverage": {"smartctl": {"verdict": "collected"}, "block": {"verdict": "collected"}},
    "provenance": {"drives": "block,smartctl", "drives.smart_status": "smartctl"},
}


def one_silent(name, *drives, day=2):
    silent = {"verdict": "collected", "reason": "why", "parts": {name: {"verdict": "timeout", "reason": "why"}}}
    coverage = {**EACH["coverage"], "smartctl": silent}
    return {**EACH, "collected_at": f"2026-01-0{day}T00:00:00Z", "drives": list(drives), "coverage": coverage}


def test_a_part_that_did_not_answer_stays_and_the_others_do_not():
    kept = keep_uncollected(EACH, one_silent("/dev/sdb"))
    assert kept["drives"] == [SDB]
    assert kept["coverage"]["smartctl"]["parts"]["/dev/sdb"]["last_seen"] == "2026-01-01T00:00:00Z"
    assert "last_seen" not in kept["coverage"]["smartctl"]
    assert [(item["op"], item["component"]) for item in diff(EACH, kept)] == [("removed", "drives:serial=D1")]
    again = keep_uncollected(kept, one_silent("/dev/sdb", day=3))
    assert again["drives"] == [SDB]
    assert again["coverage"]["smartctl"]["parts"]["/dev/sdb"]["last_seen"] == "2026-01-01T00:00:00Z"
    assert to_dict(device_from_dict(again)) == again


def test_a_part_of_which_another_tool_tells_keeps_what_the_silent_one_said():
    seen = [{"serial": "D1", "logical_name": "/dev/sda"}, {"serial": "D2", "logical_name": "/dev/sdb"}]
    kept = keep_uncollected(EACH, one_silent("/dev/sdb", *seen))
    assert kept["drives"] == [seen[0], SDB]  # what the first drive does not say any more is gone
    moved = [{"serial": "D2", "logical_name": "/dev/sda"}, {"serial": "D1", "logical_name": "/dev/sdb"}]
    kept = keep_uncollected(EACH, one_silent("/dev/sdb", *moved))
    assert kept["drives"] == [moved[0], {**SDA, "logical_name": "/dev/sdb"}]


def test_a_silent_part_in_the_place_of_another_is_not_that_one():
    new = {"serial": "D9", "logical_name": "/dev/sdb"}
    assert keep_uncollected(EACH, one_silent("/dev/sdb", SDA, new))["drives"] == [SDA, new]


def test_a_card_whose_port_did_not_answer():
    card = {"bus_info": "0000:3b:00", "nic_ports": [{"logical_name": "eno1", "macaddress": "02:00:00:00:00:01"}]}
    before = {**EACH, "nics": [{**card, "firmware": {"installed": "1.2"}}], "provenance": {"nics": "ethtool,network"}}
    coverage = {
        "network": {"verdict": "collected"},
        "ethtool": {"verdict": "collected", "parts": {"eno1": {"verdict": "timeout"}}},
    }
    kept = keep_uncollected(before, {**before, "nics": [card], "coverage": coverage})
    assert kept["nics"] == before["nics"]
