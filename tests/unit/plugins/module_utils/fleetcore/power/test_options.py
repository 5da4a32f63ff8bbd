# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Malformed values give one clear line each."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.options import bmc_options
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.pdu import pdu_options


@pytest.mark.parametrize(
    ("params", "url"),
    [
        ({"address": "10.0.0.1"}, "https://10.0.0.1"),
        ({"address": "bmc1.example.net", "redfish_port": 8443}, "https://bmc1.example.net:8443"),
        ({"address": "10.0.0.1", "redfish_scheme": "http"}, "http://10.0.0.1"),
        ({"address": "http://10.0.0.1:8000/"}, "http://10.0.0.1:8000"),
        ({"address": "https://[fe80::1]:8443", "redfish_scheme": "http", "redfish_port": 1}, "https://[fe80::1]:8443"),
        ({"address": "fe80::1"}, "https://[fe80::1]"),
    ],
)
def test_addresses(params, url):
    assert bmc_options(params).base_url == url


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"address": ""}, "address"),
        ({"address": "   "}, "address"),
        ({"address": "a b"}, "address"),
        ({"address": "127.0.0.1:1"}, "address"),
        ({"address": "-oProxyCommand"}, "address"),
        ({"address": "ftp://10.0.0.1"}, "address"),
        ({"address": "https://10.0.0.1/redfish"}, "address"),
        ({"address": "https://user:secret@10.0.0.1"}, "address"),
        ({"address": "https://10.0.0.1:99999"}, "address"),
        ({"address": "a", "redfish_port": 0}, "redfish_port"),
        ({"address": "a", "ipmi_port": 70000}, "ipmi_port"),
        ({"address": "a", "fingerprint": "ab:cd"}, "fingerprint"),
        ({"address": "a", "system": ""}, "system"),
        ({"address": "a", "timeout": -1}, "timeout"),
        ({"address": "a", "drivers": ["telnet"]}, "drivers"),
    ],
)
def test_malformed_values_are_named(params, field):
    with pytest.raises(InvalidInput) as caught:
        bmc_options(params)
    assert caught.value.details["field"] == field
    assert "secret" not in caught.value.message


def test_the_password_is_not_shown():
    assert "calvin" not in repr(bmc_options({"address": "a", "password": "calvin"}))
    outlet = {"address": "a", "outlet": "1", "version": "2c", "community": "calvin", "vendor": "apc"}
    assert "calvin" not in repr(pdu_options(outlet))
