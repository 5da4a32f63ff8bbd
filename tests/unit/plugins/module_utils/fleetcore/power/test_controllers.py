# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who shares a controller with whom."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.controllers import (
    controllers_of,
    machines_of_one_bmc,
)


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


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"bmc_address": "10.0.0.1"}, {"bmc_address": "10.0.0.1"}, True),
        ({"bmc_address": "BMC-1"}, {"bmc_address": "bmc-1", "bmc_drivers": ["ipmi"]}, True),
        ({"bmc_address": "https://h/"}, {"bmc_address": "h", "bmc_redfish_port": 443}, True),
        ({"bmc_address": "http://h"}, {"bmc_address": "h"}, True),
        ({"bmc_address": "h", "bmc_ipmi_port": 623}, {"bmc_address": "h"}, True),
        ({"bmc_address": "h", "bmc_drivers": ["pdu"]}, {"bmc_address": "h"}, True),
        ({"bmc_address": "h", "bmc_drivers": ["pdu"]}, {"bmc_address": "h", "bmc_drivers": "pdu"}, True),
        ({"bmc_address": "{{ x }}"}, {"bmc_address": "{{ X }}"}, True),
        ({"bmc_address": "10.0.0.1"}, {"bmc_address": "10.0.0.2"}, False),
        ({"bmc_address": "h", "bmc_redfish_port": 1}, {"bmc_address": "h", "bmc_redfish_port": 2}, False),
        ({"bmc_address": "h", "bmc_ipmi_port": 1}, {"bmc_address": "h", "bmc_ipmi_port": "2"}, False),
        ({"bmc_address": "h", "bmc_system": "Blade1"}, {"bmc_address": "h", "bmc_system": "Blade2"}, False),
        ({}, {}, False),
        ({"bmc_address": ""}, {"bmc_address": None}, False),
    ],
)
def test_which_machines_have_one_bmc(one, other, alike):
    machines = {"a": one, "b": other, "c": {"bmc_address": "another"}}
    assert machines_of_one_bmc(machines) == ({"a": ["b"], "b": ["a"]} if alike else {})


def test_of_three_machines_each_has_two_others():
    machines = {name: {"bmc_address": "h"} for name in "abc"}
    assert machines_of_one_bmc(machines) == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}
