# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who shares a controller with whom."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.controllers import controllers_of


@pytest.mark.parametrize(
    ("driver", "params", "names"),
    [
        ("redfish", {"address": "https://BMC1.example.net", "system": "a"}, ("bmc bmc1.example.net",)),
        ("ipmi", {"address": "bmc1.example.net"}, ("bmc bmc1.example.net",)),
        ("redfish", {"address": "http://127.0.0.1:8000"}, ("bmc 127.0.0.1:8000",)),
        ("ipmi", {"address": "127.0.0.1", "ipmi_port": 6230}, ("bmc 127.0.0.1:6230",)),
        (
            "pdu",
            {"pdu": [{"address": "b", "port": 161}, {"address": "a"}, {"address": "b", "outlet": 2}]},
            ("pdu a", "pdu b"),
        ),
        ("command", {"command": {}}, ()),
        ("wake_on_lan", {}, ()),
        ("command", {"controller": "relays 1"}, ("controller relays 1",)),
        ("redfish", {"address": "a", "controller": "enclosure"}, ("controller enclosure",)),
    ],
)
def test_names(driver, params, names):
    assert controllers_of(driver, params) == names
