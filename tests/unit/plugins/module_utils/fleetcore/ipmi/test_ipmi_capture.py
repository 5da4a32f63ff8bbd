# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session that was lost in the middle is in the capture: what failed live fails again."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ipmi.capture import (
    ReplayedSession,
    record_login,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.record import Record


def test_logins_after_a_lost_session_end_as_they_did():
    record = Record()
    record_login(record, "Insufficient resources")
    record_login(record)
    record.add_command({"netfn": 0, "command": 1, "lun": 0, "data": ""}, {"data": "01"})
    session = ReplayedSession(record.commands, RuntimeError)
    with pytest.raises(RuntimeError, match="Insufficient resources"):
        session.log_in_again()
    session.log_in_again()
    assert session.raw_command(netfn=0, command=1)["data"] == b"\x01"


def test_older_captures_have_no_logins():
    ReplayedSession([], RuntimeError).log_in_again()
