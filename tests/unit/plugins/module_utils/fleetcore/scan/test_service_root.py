# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as Redfish."""

from __future__ import annotations

import json

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.scan.service_root import (
    facts,
    redirect,
)
from hypothesis import given
from hypothesis import strategies as st

ROOT = {
    "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot",
    "RedfishVersion": "1.15.0",
    "UUID": "92384634-2938-2342-8820-489239905423",
    "Product": "BMC",
    "Vendor": "Contoso",
}


def said(body, status=200, **headers):
    return facts(HttpResponse(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()))


def test_a_service_root():
    assert said(ROOT, server="nginx") == {
        "product": "BMC",
        "vendor": "Contoso",
        "uuid": "92384634-2938-2342-8820-489239905423",
        "redfish_version": "1.15.0",
        "server": "nginx",
    }
    assert said({**ROOT, "Vendor": None, "Oem": {"@odata.type": "x", "Hpe": {}}})["vendor"] == "Hpe"
    assert "uuid" not in said({**ROOT, "UUID": "00000000-0000-0000-0000-000000000000"}), "a placeholder of many BMCs"
    assert said({"Systems": {"@odata.id": "/a"}, "Chassis": {"@odata.id": "/b"}}) == {}


def test_a_root_that_wants_a_login():
    message = {"error": {"@Message.ExtendedInfo": [{"MessageId": "Base.1.0.NoValidSession"}]}}
    assert said(message, 401) == {"protected": True}
    assert said(b"<html>", 401, **{"odata-version": "4.0"}) == {"protected": True}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html>", 200),
        (b"", 200),
        ([1], 200),
        ({"hello": 1}, 200),
        (ROOT, 404),
        ({}, 401),
        (b"[" * 100000, 200),
        ({"error": 1}, 401),
    ],
)
def test_what_is_not_redfish(body, status):
    assert said(body, status) is None


def test_redirects_stay_at_the_server():
    def to(location, status=308):
        return redirect(HttpResponse(status, {"location": location}))

    assert to("/redfish/v1") == "/redfish/v1"
    assert [
        to(place)
        for place in ("https://192.0.2.9/redfish/v1", "//192.0.2.9/redfish", "/login.html", "/redfish/v1/", "")
    ] == [None] * 5
    assert to("/redfish/v1", status=200) is None


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json(value):
    said({**ROOT, "Product": value, "Oem": value, "UUID": value, "Systems": value})
    said({"error": value}, 401)
