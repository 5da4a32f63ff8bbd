# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts as rows of text."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document import tables
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.sections import KINDS


@pytest.mark.parametrize(
    ("kind", "parts", "places"),
    [
        (
            "volumes",
            [{"id": "0", "storage_controller": "A"}, {"id": "0", "storage_controller": "B"}],
            ["0 (A)", "0 (B)"],
        ),
        ("volumes", [{"id": "0", "name": "boot"}, {"id": "1", "name": "data"}], ["0", "1"]),
        (
            "transceivers",
            [{"id": "1", "serial": "S1"}, {"id": "1", "serial": "S2"}, {"id": "2"}],
            ["1 (S1)", "1 (S2)", "2"],
        ),
        ("transceivers", [{"id": "1"}, {"id": "1"}], ["1 (1)", "1 (2)"]),
        ("drives", [{}, {"model": "X"}], ["(1)", "(2)"]),
    ],
)
def test_parts_that_share_a_place_are_told_apart(kind, parts, places):
    assert [row["place"] for row in tables.rows(KINDS[kind], parts)] == places
