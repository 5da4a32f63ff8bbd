# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rows of a firmware inventory a catalogue names."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.acting.firmware_catalogue import alike, items_of

ROWS = [
    ("/fw/77af", {"Id": "77af", "Name": "Software Inventory", "Description": "BMC image", "Version": "1.0"}),
    ("/fw/90cd", {"Id": "90cd", "Name": "Software Inventory", "Description": "Host image", "Version": "8.1"}),
]


@pytest.mark.parametrize(
    ("component", "found"), [("BMC image", ["77af"]), ("host*", ["90cd"]), ("77af", ["77af"]), ("NIC", [])]
)
def test_a_component_is_named_by_id_name_software_id_or_description(component, found):
    catalogue = [{"component": component, "version": "9"}]
    assert [item.component for item in items_of(catalogue, "Any", "Any", ROWS)] == found


def test_rows_that_are_called_the_same_are_told_apart_when_their_ids_change():
    assert alike(ROWS[0][1]) == alike({**ROWS[0][1], "Id": "another hash", "Version": "1.1"})
    assert alike(ROWS[0][1]) != alike(ROWS[1][1])
