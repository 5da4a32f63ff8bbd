# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Normalised names and values in the words of BIOSes of several vendors."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.bios_values import wanted
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput


def choice(name, *values, shown=None):
    return {
        "AttributeName": name,
        "DisplayName": shown,
        "Type": "Enumeration",
        "Value": [{"ValueName": value} for value in values],
    }


@pytest.mark.parametrize(
    ("current", "values", "settings", "want"),
    [
        # Dell
        ({"LogicalProc": "Enabled"}, ("Enabled", "Disabled"), {"smt": "disabled"}, "Disabled"),
        ({"SriovGlobalEnable": "Disabled"}, ("Enabled", "Disabled"), {"sr_iov": True}, "Enabled"),
        ({"TpmSecurity": "Off"}, ("On", "Off"), {"tpm": "enabled"}, "On"),
        ({"BootMode": "Bios"}, ("Bios", "Uefi"), {"boot_mode": "uefi"}, "Uefi"),
        ({"IntelTxt": "Off"}, ("On", "Off"), {"intel_txt": "enabled"}, "On"),
        ({"IntelSgx": "Off"}, ("Off", "On", "Software"), {"intel_sgx": "Software"}, "Software"),
        # HPE
        ({"ProcHyperthreading": "Enabled"}, ("Enabled", "Disabled"), {"smt": "off"}, "Disabled"),
        ({"BootMode": "Uefi"}, ("Uefi", "LegacyBios"), {"boot_mode": "legacy"}, "LegacyBios"),
        ({"TpmVisibility": "Hidden"}, ("Visible", "Hidden"), {"tpm": "enabled"}, "Visible"),
        # Lenovo: a group in front
        ({"Processors_SMTMode": "Enable"}, ("Enable", "Disable"), {"smt": "disabled"}, "Disable"),
        (
            {"BootModes_SystemBootMode": "LegacyMode"},
            ("UEFIMode", "LegacyMode"),
            {"boot_mode": "uefi"},
            "UEFIMode",
        ),
        # Supermicro: other characters in names
        ({"Hyper-Threading[ALL]": "Enable"}, ("Enable", "Disable"), {"smt": "disabled"}, "Disable"),
        ({"SR-IOVSupport": "Disabled"}, ("Enabled", "Disabled"), {"sr_iov": "enabled"}, "Enabled"),
        ({"SMTControl": "Disabled"}, ("Auto", "Disabled"), {"smt": "enabled"}, "Auto"),
    ],
)
def test_the_words_of_vendors(current, values, settings, want):
    (name,) = current
    assert wanted(current, {name: choice(name, *values)}, {}, settings) == {name: want}


def test_attributes_with_numbers_are_found_by_what_people_see():
    current = {"SETUP0A1": "Enabled", "SETUP0A2": "Disabled", "SETUP0A3": "Disabled"}
    registry = {
        "SETUP0A1": choice("SETUP0A1", "Enabled", "Disabled", shown="SMT Control"),
        "SETUP0A2": choice("SETUP0A2", "Enabled", "Disabled", shown="SR-IOV Support"),
        "SETUP0A3": choice("SETUP0A3", "Enabled", "Disabled", shown="SR-IOV Support"),
    }
    assert wanted(current, registry, {}, {"smt": "disabled"}) == {"SETUP0A1": "Disabled"}
    with pytest.raises(InvalidInput, match="perhaps one of SETUP0A2, SETUP0A3"):
        wanted(current, registry, {}, {"sr_iov": "enabled"})


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        (
            {"Type": "Integer", "LowerBound": 0, "UpperBound": 600, "ScalarIncrement": 10},
            601,
            "allowed: 0 to 600 in steps of 10",
        ),
        ({"Type": "Integer", "LowerBound": 5, "UpperBound": 9}, 4, r"4 is less than 5 \(allowed: 5 to 9\)"),
        ({"Type": "Enumeration", "Value": [{"ValueName": "A"}, {"ValueName": "B"}]}, "C", "'C' is not one of A, B"),
        ({"Type": "String", "MaxLength": 3}, "abcd", "more than 3 characters"),
    ],
)
def test_a_refusal_says_what_is_allowed(entry, value, words):
    with pytest.raises(InvalidInput, match=words):
        wanted({"X": "A" if entry["Type"] != "Integer" else 7}, {"X": entry}, {"X": value}, {})


def test_an_unknown_name_with_candidates():
    with pytest.raises(InvalidInput, match="perhaps one of CpuTxtMode"):
        wanted({"CpuTxtMode": "Off", "Other": 1}, {}, {}, {"intel_txt": "enabled"})
