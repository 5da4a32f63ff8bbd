# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the monitor says and notices; when it speaks."""

from __future__ import annotations

from typing import Any

import pytest
from fleetcore.errors import PermissionDenied, Unreachable
from hypothesis import given
from hypothesis import strategies as st

from fleetd.common.link import jittered
from fleetd.monitor.adapters.follow import pause
from fleetd.monitor.core import description_changes, next_document

HOUR = 3600.0


@pytest.mark.parametrize(
    ("last", "random", "due"),
    [
        (None, 0.0, 0.0),
        (None, 0.5, 300.0),  # a fleet that is rolled out at once does not publish at once
        (10 * HOUR, 0.0, 6 * HOUR),  # just now
        (6 * HOUR, 0.5, 2 * HOUR + 300),
        (1 * HOUR, 0.0, 0.0),
        (11 * HOUR, 0.0, 0.0),  # the clock was set back
    ],
)
def test_when_a_device_document_is_due(last: float | None, random: float, due: float) -> None:
    assert next_document(last, 10 * HOUR, 6 * HOUR, 600.0, random) == due


@given(st.floats(0, 1))
def test_events_are_spread(random: float) -> None:
    assert 27.0 <= jittered(30.0, random) <= 33.0


def test_the_stream_is_opened_again_later_and_later() -> None:
    lost = Unreachable("gone")
    assert [pause(number, lost, 1.0) for number in (0, 1, 2, 50)] == [1.0, 2.0, 4.0, 60.0]
    assert pause(0, PermissionDenied("no"), 1.0) == 300.0
    assert pause(0, None, 0.0) == 0.5


def test_what_is_new_in_a_description() -> None:
    first: dict[str, Any] = {"MaintenanceMode": "", "IsQuarantined": True, "PowerCycle": False, "Note": {"Message": ""}}
    assert description_changes(None, first) == [("quarantine", True)]
    second = {**first, "IsQuarantined": False, "PowerCycle": True, "LastUpdated": "later", "Note": {"Message": "hi"}}
    assert description_changes(first, second) == [("quarantine", False), ("powercycle", True), ("note", "hi")]
    assert not description_changes(second, dict(second))
    assert not description_changes(second, {**second, "Note": {"Message": "hi", "User": "bob"}})
