# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that mean nothing are nothing, whoever reports them."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.values import (
    clean_mac,
    clean_serial,
    serial_key,
    word,
)


@pytest.mark.parametrize(
    "text",
    [
        "To Be Filled By O.E.M.",
        "To be filled by O.E.M",
        "ToBeFilledByO.E.M.",
        "Default string",
        "Not Present",
        "NotPresent",
        "not_available",
        "System Product Name",
        "System manufacturer",
        "Base Board Version",
        "CPLDSerialNumber",
        "Free form asset tag",
        "Chassis Asset Tag",
        "nil",
        "- - -",
        "xxxx",
        "",
        None,
        True,
    ],
)
def test_placeholder_is_no_word(text):
    assert word(text) is None
    assert clean_serial(text) is None


@pytest.mark.parametrize(
    "text", ["OEM", "Default", "1", "11", "0", "Absent-minded", "PowerEdge R740", "x2apic", "Asset", "%"]
)
def test_a_word_that_only_stands_for_no_number_is_a_word(text):
    assert word(text) == text


def test_serial_numbers_are_compared_without_case_and_punctuation():
    assert serial_key("ab-12.C") == serial_key("AB12C") == "ab12c"
    assert serial_key("To be filled by O.E.M.") == serial_key(None) == ""


@pytest.mark.parametrize(
    "text",
    [
        "To Be Filled By O.E.M.",
        "0",
        "0000000000",
        "N/A",
        "Default string",
        " ",
        "........",
        "None",
        "NULL",
        None,
        7,
        "Not Specified",
        "System Serial Number",
        "0123456789",
        "\x00\x00",
        "xxxxxxxx",
        "XXXX",
        "SerNum0",
        "AssetTagNum12",
        "OEM Define 3",
        "No Asset Tag",
        "77AXXXXXXX",
        "40WWYY000012",
        "1YYWW2",
    ],
)
def test_placeholder_is_no_serial(text):
    assert clean_serial(text) is None


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (" ABC123 ", "ABC123"),
        ("SN\x00", "SN"),
        ("00000001", "00000001"),
        ("AAAA", "AAAA"),
        ("SerNum0A1", "SerNum0A1"),
        ("XXX4YYWW", "XXX4YYWW"),
    ],
)
def test_real_serial_is_kept(text, clean):
    assert clean_serial(text) == clean


@pytest.mark.parametrize("text", ["AA-BB-CC-00-11-22", "aabb.cc00.1122", "AABBCC001122", " aa:bb:cc:00:11:22 "])
def test_mac_in_one_form(text):
    assert clean_mac(text) == "aa:bb:cc:00:11:22"


@pytest.mark.parametrize("text", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "aa:bb:cc:00:11", "zz:bb:cc:00:11:22", 5])
def test_no_mac(text):
    assert clean_mac(text) is None
