# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange as bytes, and what counts as Redfish."""

from __future__ import annotations

import gzip
import json

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import ParseError
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.scan.service_root import (
    facts,
    parse,
    redirect,
    request,
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
WHOLE = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.0 200 OK\r\n\r\nbody"


def test_request():
    text = request("192.0.2.1", 443, True).decode()
    assert text.startswith("GET /redfish/v1/ HTTP/1.1\r\nHost: 192.0.2.1\r\n")
    assert "Authorization" not in text
    assert "X-Auth-Token" not in text
    assert "\r\nHost: [fe80::1]:443\r\n" in request("fe80::1%eth0", 443, False).decode()


@pytest.mark.parametrize("wire", [WHOLE, CHUNKED, UNTIL_CLOSE])
def test_an_answer_in_any_pieces(wire):
    for length in range(len(wire)):
        early = parse(wire[:length], closed=False)
        assert early is None or early.body == b"body"
    assert parse(wire, closed=True).body == b"body"


def test_gzip():
    body = gzip.compress(b"body")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert parse(head + body, closed=False).body == b"body"
    with pytest.raises(ParseError, match="gzip"):
        parse(head + b"x" * len(body), closed=False)


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"", "not HTTP"),
        (b"SSH-2.0-dropbear_2020.81\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "no end of header"),
        (WHOLE[:-1], "cut off"),
        (CHUNKED[:-9], "cut off"),
        (CHUNKED.replace(b"2;x=y", b"zz"), "malformed chunk"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1024 * 1024 + 1), "too large"),
    ],
)
def test_what_is_no_answer(wire, words):
    with pytest.raises(ParseError, match=words):
        parse(wire, closed=True)


@given(st.binary(max_size=200), st.booleans())
def test_garbage(data, closed):
    for wire in (data, b"HTTP/1.1 200 OK\r\n" + data, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data):
        try:
            found = parse(wire, closed)
        except ParseError:
            continue
        assert found is None or facts(found) is None


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
