# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of /json/v1 and /_/, line by line: status, content type and body to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

BLANK = {
    "MaintenanceMode": "",
    "IsQuarantined": False,
    "Recovering": "",
    "AttachedDevice": "nodevice",
    "Annotation": {"Message": "", "User": "", "Timestamp": "0001-01-01T00:00:00Z"},
    "Note": {"Message": "", "User": "", "Timestamp": "0001-01-01T00:00:00Z"},
    "Version": "",
    "PowerCycle": False,
    "PowerCycleState": "not_available",
    "LastUpdated": "0001-01-01T00:00:00Z",
    "Battery": 0,
    "Temperature": None,
    "RunningSwarmingTask": False,
    "LaunchedSwarming": False,
    "RecoveryStart": "0001-01-01T00:00:00Z",
    "DeviceUptime": 0,
    "SSHUserIP": "",
    "SuppliedDimensions": None,
    "Dimensions": {"id": ["rack/m1"]},
    "TaskStarted": "0001-01-01T00:00:00Z",
}
EVENT = {"type": "raw_state", "host": {"name": "rack/m1"}}
STATES = {"Machines": [{"MachineID": "rack/m1", "PowerCycleState": "available"}]}

# method, path, body, what is answered with: None is an empty body, a string plain text, all else JSON
CONTRACT: list[tuple[str, str, Any, Any]] = [
    ("GET", "/json/v1/powercycle/list", None, []),
    ("POST", "/json/v1/powercycle/complete/rack/m1", None, None),
    ("POST", "/json/v1/powercycle/complete/rack/m1", "ignored", None),
    ("POST", "/json/v1/powercycle/state/update", STATES, None),
    ("GET", "/json/v1/machine/description/rack/m1", None, BLANK),
    ("POST", "/json/v1/machine/event/", EVENT, None),
    ("GET", "/_/machines", None, [BLANK]),
    *(
        ("POST", f"/_/machine/{action}/rack/m1", None, None)
        for action in ("toggle_mode", "toggle_powercycle", "remove_device", "delete_machine", "clear_quarantined")
    ),
    ("POST", "/_/machine/set_attached_device/rack/m1", {"AttachedDevice": "adb"}, None),
    ("POST", "/_/machine/set_note/rack/m1", {"Message": "look"}, None),
    (
        "POST",
        "/_/machine/supply_chromeos/rack/m1",
        {"SSHUserIP": "root@h", "SuppliedDimensions": {"gpu": ["some"]}},
        None,
    ),
    ("GET", "/loginstatus/", None, {"email": "admin", "roles": ["admin"]}),
    ("GET", "/healthz", None, "ok\n"),
]


@pytest.fixture
def known(admin: Any) -> Any:
    assert admin.post("/api/v1/machines", json={"id": "rack/m1"}).status_code == 201
    return admin


def send(client: Any, method: str, path: str, body: Any = None) -> Any:
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.request(method, path, content=content)  # their clients send no content type


@pytest.mark.parametrize(("method", "path", "body", "expected"), CONTRACT)
def test_answers(known: Any, method: str, path: str, body: Any, expected: Any) -> None:
    answer = send(known, method, path, body)
    assert answer.status_code == 200, answer.text
    kind = answer.headers.get("content-type", "")
    if expected is None:
        assert (answer.content, answer.headers["content-length"]) == (b"", "0")
    elif isinstance(expected, str):
        assert (answer.text, kind) == (expected, "text/plain; charset=utf-8")
    else:
        assert kind == "application/json"
        assert answer.json() == expected
        if isinstance(expected, dict):
            assert list(answer.json()) == list(expected)


@pytest.mark.parametrize(("method", "path"), sorted({(method, path) for method, path, _body, _answer in CONTRACT}))
def test_wrong_methods_are_405_in_text(known: Any, method: str, path: str) -> None:
    for wrong in {"GET", "POST", "PUT", "DELETE"} - {method}:
        answer = send(known, wrong, path)
        assert (answer.status_code, answer.headers["content-type"]) == (405, "text/plain; charset=utf-8"), wrong


@pytest.mark.parametrize("path", [path for _method, path, _body, _answer in CONTRACT if path.endswith("/rack/m1")])
def test_unknown_is_404_and_blank_is_400_in_text(known: Any, path: str) -> None:
    method, body = next((row[0], row[2]) for row in CONTRACT if row[1] == path)
    for name, status in (("nobody", 404), ("", 400), ("%20", 400)):
        answer = send(known, method, path.replace("rack/m1", name), body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8"), name


BODIES = [path for _method, path, body, _answer in CONTRACT if isinstance(body, dict)]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"[]", b'"text"'])
def test_bad_json_is_400_in_text_and_changes_nothing(known: Any, path: str, body: bytes) -> None:
    answer = send(known, "POST", path, body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert known.get("/_/machines").json() == [BLANK]


@pytest.mark.parametrize("address", ["root@h", "h", "a.b-c_d@e.f", "1.2.3.4"])
def test_ssh_addresses(known: Any, address: str) -> None:
    assert send(known, "POST", "/_/machine/supply_chromeos/rack/m1", {"SSHUserIP": address}).status_code == 200
    assert known.get("/_/machines").json()[0]["SSHUserIP"] == address


@pytest.mark.parametrize("address", ["", "-oProxyCommand=x", "@h", "a b", "h;ls", "h\n", "h$(ls)", "ü"])
def test_addresses_that_are_none(known: Any, address: str) -> None:
    answer = send(known, "POST", "/_/machine/supply_chromeos/rack/m1", {"SSHUserIP": address})
    assert (answer.status_code, "SSHUserIP" in answer.text) == (400, True)


@pytest.mark.parametrize("device", ["nodevice", "adb", "ios", "pyocd", "ssh"])
def test_attached_devices(known: Any, device: str) -> None:
    assert send(known, "POST", "/_/machine/set_attached_device/rack/m1", {"AttachedDevice": device}).status_code == 200
    assert known.get("/_/machines").json()[0]["AttachedDevice"] == device


def test_a_stream_needs_a_machine(known: Any) -> None:
    for query in ("", "?stream=", "?stream=%20"):
        answer = known.get(f"/json/v1/machine/sse/description/updated{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")


def test_the_reasons_of_a_quarantine_are_in_the_dimensions(known: Any) -> None:
    send(known, "POST", "/json/v1/machine/event/", {**EVENT, "forced_quarantine": True})
    send(known, "POST", "/_/machine/toggle_mode/rack/m1")
    found = known.get("/json/v1/machine/description/rack/m1").json()
    assert found["Dimensions"]["quarantined"] == [f"Maintenance: {found['MaintenanceMode']}, Forced Quarantine"]
