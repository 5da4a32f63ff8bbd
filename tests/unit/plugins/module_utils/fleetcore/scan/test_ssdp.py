# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSDP as DSP0266 prints it."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.scan.ssdp import Answer, decode, search
from hypothesis import given
from hypothesis import strategies as st

UUID = "9c384634-2938-2342-8820-489239905423"
ANSWER = (
    "HTTP/1.1 200 OK\r\n"
    "CACHE-CONTROL:max-age=1800\r\n"
    "ST:urn:dmtf-org:service:redfish-rest:1:7\r\n"
    f"USN:uuid:{UUID}::urn:dmtf-org:service:redfish-rest:1:7\r\n"
    "AL:https://192.0.2.7/redfish/v1/\r\n"
    "EXT:\r\n\r\n"
)


def test_the_question():
    assert search("239.255.255.250", 1900, 3).decode() == (
        "M-SEARCH * HTTP/1.1\r\n"
        "HOST: 239.255.255.250:1900\r\n"
        'MAN: "ssdp:discover"\r\n'
        "MX: 3\r\n"
        "ST: urn:dmtf-org:service:redfish-rest:1\r\n\r\n"
    )
    assert b"HOST: [ff02::c]:1900\r\n" in search("ff02::c%eth0", 1900, 99)
    assert b"MX: 5\r\n" in search("ff02::c", 1900, 99)


def test_the_answer():
    assert decode(ANSWER.encode()) == Answer(UUID, "https", "192.0.2.7", 443, "7")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("https://192.0.2.7/", "http://192.0.2.7:8000/", Answer(UUID, "http", "192.0.2.7", 8000, "7")),
        ("https://192.0.2.7/", "https://[2001:db8::7]:8443/", Answer(UUID, "https", "2001:db8::7", 8443, "7")),
        ("ST:urn", "st: urn", Answer(UUID, "https", "192.0.2.7", 443, "7")),
        ("rest:1:7\r\nUSN", "rest:1\r\nUSN", Answer(UUID, "https", "192.0.2.7", 443, None)),
        ("AL:https", "Location: https", Answer(UUID, "https", "192.0.2.7", 443, "7")),
        (UUID, UUID.upper(), Answer(UUID, "https", "192.0.2.7", 443, "7")),
        ("HTTP/1.1 200 OK", "NOTIFY * HTTP/1.1", None),
        ("rest:1:7\r\nUSN", "rest:10:7\r\nUSN", None),
        ("ST:urn:dmtf-org:service:redfish-rest:1:7", "ST:upnp:rootdevice", None),
        ("AL:https://192.0.2.7/redfish/v1/\r\n", "", None),
        ("https://192.0.2.7/", "https://192.0.2.7:99999/", None),
        ("https://192.0.2.7/", "file://192.0.2.7/", None),
        (f"uuid:{UUID}", "uuid:1", None),
    ],
)
def test_variants(old, new, expected):
    changed = ANSWER.replace(old, new)
    assert changed != ANSWER
    assert decode(changed.encode()) == expected


@given(st.binary(max_size=300), st.text(max_size=50))
def test_garbage(data, text):
    assert decode(data) is None or data.startswith(b"HTTP/1.")
    decode(ANSWER.replace("192.0.2.7/redfish", text).encode())
    decode(b"HTTP/1.1 200 OK\r\n" + data)
