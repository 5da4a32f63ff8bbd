# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which addresses are scanned: exactly those that were named."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import FleetError, InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.scan.targets import expand
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        (["192.0.2.0/30"], ["192.0.2.1", "192.0.2.2"]),
        (["192.0.2.0/31"], ["192.0.2.0", "192.0.2.1"]),
        (["192.0.2.7/32"], ["192.0.2.7"]),
        (["192.0.2.254-192.0.3.1"], ["192.0.2.254", "192.0.2.255", "192.0.3.0", "192.0.3.1"]),
        (["192.0.2.9-11", " 192.0.2.10 "], ["192.0.2.9", "192.0.2.10", "192.0.2.11"]),
        (["2001:DB8:0::1"], ["2001:db8::1"]),
        (["2001:db8::/126"], ["2001:db8::1", "2001:db8::2", "2001:db8::3"]),
        (["2001:db8::fe-2001:db8::100"], ["2001:db8::fe", "2001:db8::ff", "2001:db8::100"]),
        (["fe80::1%eth-0"], ["fe80::1%eth-0"]),
    ],
)
def test_what_is_named(networks, expected):
    assert expand(networks, 10) == expected


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ([], "the list is empty"),
        ([""], "is not an IP address"),
        (["bmc.example.net"], "host names are not looked up"),
        (["192.0.2.5/24"], "192.0.2.0/24 is the network, 192.0.2.5 the address"),
        (["192.0.2.0/33"], "not a network"),
        (["192.0.2.9-192.0.2.1"], "comes after its begin"),
        (["192.0.2.9-2001:db8::1"], "comes after its begin"),
        (["192.0.2.9-300"], "not an IP address"),
        (["192.0.2.1-"], "not an IP address"),
        (["192.0.2.0/24"], "254 addresses are more than max_addresses (10)"),
        (["2001:db8::/32"], "are more than max_addresses (10)"),
        (["0.0.0.0/0"], "4294967294 addresses"),
        (["239.255.255.250"], "not the address of one machine"),
        (["255.255.255.250-255"], "not the address of one machine"),
        (["0.0.0.0"], "not the address of one machine"),
        (["ff02::1"], "not the address of one machine"),
    ],
)
def test_what_is_refused(networks, words):
    with pytest.raises(InvalidInput) as caught:
        expand(networks, 10)
    assert words in caught.value.message
    assert caught.value.details["field"] == "networks"


@given(st.lists(st.text(alphabet="0123456789abcdf.:/-% ", max_size=20) | st.text(max_size=8), max_size=4))
def test_any_text_gives_addresses_or_a_clear_error(networks):
    try:
        found = expand(networks, 300)
    except FleetError:
        return
    assert found
    assert len(found) == len(set(found)) <= 300
    assert all(ipaddress.ip_address(address) for address in found)
