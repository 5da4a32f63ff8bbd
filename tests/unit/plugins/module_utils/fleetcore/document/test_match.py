# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part is which: spellings of places and serial numbers, and what is never taken for one part."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.match import (
    label,
    labels,
    pair,
    place_words,
    same_serial,
    same_words,
)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("DIMM.Socket.A1", "A1"),
        ("DIMM A1", "DIMM_A1"),
        ("DIMMA1", "A01"),
        ("CPU.Socket.1", "CPU1"),
        ("CPU 1", "Proc 1"),
        ("P1_DIMMA1", "CPU1_DIMM_A1"),
        ("PSU.Slot.2", "PS2 Status"),
        ("Power Supply 2", "PSU2"),
        ("ChannelA-DIMM0", "Channel A DIMM 0"),
        ("0000:45:00.0", "45:00.0"),
    ],
)
def test_one_place_in_two_spellings(one, two):
    assert place_words(one) == place_words(two)


@pytest.mark.parametrize(
    ("one", "two"), [("A1", "A2"), ("A1", "B1"), ("A1", "A11"), ("P1_DIMMA1", "P2_DIMMA1"), ("0001:45:00.0", "45:00.0")]
)
def test_two_places(one, two):
    assert place_words(one) != place_words(two)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("ABC-123", "abc123", True),
        ("S6KNNE0T123456", "S6KNNE0T1234", True),
        (".11WLK93.CNCMS0009G0078.", "CNCMS0009G0078", True),
        ("S6KNNE0T123456", "S6KN", False),
        ("N/A", "N/A", False),
        (None, None, False),
    ],
)
def test_serial_numbers(one, two, same):
    assert same_serial(one, two) is same


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Intel(R) Xeon(R) Gold 6354 CPU @ 3.00GHz", "Intel Xeon Gold 6354", True),
        ("AMD EPYC 7502P 32-Core Processor", "AMD  EPYC 7502P", True),
        ("Micron_9300_MTFDHAL3T8TDP", "MTFDHAL3T8TDP", True),
        ("Intel Xeon Gold 6354", "Intel Xeon Gold 6355", False),
    ],
)
def test_names_of_products(one, two, same):
    assert same_words(one, two) is same


def paired(left, right, **options):
    found = pair(left, right, **options)
    return [(left.index(mine), right.index(theirs)) for mine, theirs in found.both]


def test_the_better_identity_wins():
    left = [{"serial": "S1", "slot": "1"}, {"serial": "S2", "slot": "2"}]
    right = [{"serial": "S2", "slot": "1"}, {"serial": "S1", "slot": "2"}]
    assert paired(left, right) == [(0, 1), (1, 0)]


def test_another_serial_in_one_place_is_another_part():
    assert paired([{"serial": "S1", "slot": "1"}], [{"serial": "S2", "slot": "1"}], likely=True) == []


def test_placeholders_are_no_identity():
    left, right = [{"serial": "N/A", "slot": "1"}, {"serial": "N/A", "slot": "2"}], [{"serial": "N/A", "slot": "2"}]
    assert paired(left, right) == [(1, 0)]


def test_a_card_is_known_by_any_of_its_ports():
    left = [{"serial": "N1", "nic_ports": [{"macaddress": "aa:00:00:00:00:01"}, {"macaddress": "aa:00:00:00:00:02"}]}]
    right = [{"id": "0000:41:00", "nic_ports": [{"macaddress": "AA-00-00-00-00-02"}]}]
    assert paired(left, right) == [(0, 0)]


def test_two_ends_of_one_cable_have_one_serial_number():
    ends = [{"serial": "T1", "port": "1"}, {"serial": "T1", "port": "2"}]
    assert paired(ends, ends[::-1]) == [(0, 1), (1, 0)]
    assert labels(ends) == ["serial=T1,port=1", "serial=T1,port=2"]


def test_the_end_of_a_place_only_where_it_is_the_only_one():
    assert paired([{"slot": "A1"}], [{"slot": "P1_DIMMA1"}, {"slot": "P1_DIMMB1"}], likely=True) == [(0, 0)]
    assert paired([{"slot": "A1"}], [{"slot": "P1_DIMMA1"}, {"slot": "P2_DIMMA1"}], likely=True) == []


def test_graphics_on_the_board_are_not_the_accelerator():
    assert paired([{"model": "NVIDIA H100 PCIe"}], [{"model": "Matrox G200eW3"}], likely=True) == []


def test_labels():
    assert label({"serial": "S1", "slot": "1"}) == "serial=S1"
    assert label({"nic_ports": [{"macaddress": "AA:00:00:00:00:01"}]}) == "mac=aa:00:00:00:00:01"
    assert labels([{"model": "x"}, {"model": "x"}]) == ["?", "?,2"]
