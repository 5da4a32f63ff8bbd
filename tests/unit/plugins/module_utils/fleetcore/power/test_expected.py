# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another machine is refused; the same machine in another spelling, and one of which nothing is known, are not."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput, WrongMachine
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.expected import (
    Expected,
    check_machine,
    expected_machine,
)

UUID = "4c4c4544-0035-3410-8050-c6c04f314733"
SWAPPED = "44454C4C-3500-1034-8050-C6C04F314733"
OTHER = "4c4c4544-0035-3410-8050-c6c04f314734"


@pytest.mark.parametrize(
    ("expected", "serials", "uuid"),
    [
        (Expected(), ["B"], OTHER),
        (Expected("S-1 a"), ["board", "s1A"], None),
        (Expected(None, UUID), [], SWAPPED),
        (Expected("A", UUID), ["B"], UUID),  # a new mainboard with the old UUID
        (Expected("A", UUID), ["A"], OTHER),
        (Expected("A"), [None, "To Be Filled By O.E.M."], OTHER),
        (Expected(None, UUID), ["B"], "00000000-0000-0000-0000-000000000000"),
        (Expected(None, UUID), ["B"], "03000200-0400-0500-0006-000700080009"),
    ],
)
def test_nothing_is_held_against_it(expected, serials, uuid):
    check_machine("bmc1", expected, serials, uuid)


@pytest.mark.parametrize(
    ("expected", "serials", "uuid"),
    [
        (Expected("FL000001"), ["FL0000011"], None),  # what is contained is not the same here
        (Expected("A", UUID), ["B", "board"], OTHER),
        (Expected(None, UUID), ["A"], OTHER),
        (Expected("A", UUID), ["N/A"], OTHER),
    ],
)
def test_another_machine(expected, serials, uuid):
    with pytest.raises(WrongMachine, match=r"bmc1: this is the BMC of another machine .* nothing was done") as caught:
        check_machine("bmc1", expected, serials, uuid)
    assert caught.value.details["expected"] == {"serial": expected.serial, "uuid": expected.uuid}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expected_serial", ""),
        ("expected_serial", "N/A"),
        ("expected_uuid", "4c4c4544"),
        ("expected_uuid", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    ],
)
def test_values_that_tell_nothing(name, value):
    with pytest.raises(InvalidInput) as caught:
        expected_machine({name: value})
    assert caught.value.details["field"] == name
