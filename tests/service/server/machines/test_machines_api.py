# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1/machines, and what all of /api/v1 has in common."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from v1 import DEVICE, error, make


def test_create_get_list(admin: httpx.Client) -> None:
    bmc = {"address": "10.0.0.1", "mac": "AA-BB-CC-DD-EE-FF", "fingerprint": "AB:" * 31 + "cd"}
    made = make(admin, labels={"role": "db"}, site="ams", rack="r1", position="U1", bmc=bmc)
    assert made["bmc"] == {
        "address": "10.0.0.1",
        "mac": "aa:bb:cc:dd:ee:ff",
        "drivers": ["redfish", "ipmi"],
        "redfish_scheme": "https",
        "redfish_port": None,
        "ipmi_port": None,
        "system": None,
        "validate_certs": True,
        "fingerprint": "ab" * 31 + "cd",
        "credential": None,
    }
    assert (made["labels"], made["site"], made["rack"], made["position"]) == ({"role": "db"}, "ams", "r1", "U1")
    assert (made["lifecycle"], made["version"], made["device"], made["powercycle"]) == ("active", 1, None, None)
    assert made["created_at"] == made["updated_at"] == "2026-03-01T12:00:00Z"
    answer = admin.get("/api/v1/machines/m1")
    assert answer.json() == made
    assert answer.headers["etag"] == '"1"'
    assert admin.get("/api/v1/machines").json() == {"items": [made], "next": None}
    assert admin.get("/api/v1/machines/m1/bmc").json() == made["bmc"]
    error(admin.post("/api/v1/machines", json={"id": "m1"}), 409, "conflict", "m1")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "/a"}, "id"),
        ({"id": "a//b"}, "id"),
        ({"id": "a/../b"}, "id"),
        ({"id": "a%2Fb"}, "id"),
        ({"id": "a\n"}, "id"),
        ({"id": "x" * 254}, "id"),
        ({"id": 7}, "id"),
        ({"bmc": {"address": "10.0.0.1", "mac": "zz"}}, "bmc.mac"),
        ({"bmc": {"address": "10.0.0.1", "mac": "00:00:00:00:00:00"}}, "bmc.mac"),
        ({"bmc": {"mac": "aa:bb:cc:dd:ee:ff"}}, "bmc.address"),
        ({"bmc": {"address": "https://10.0.0.1"}}, "bmc.address"),
        ({"bmc": {"address": "10.0.0.1", "redfish_port": 0}}, "bmc.redfish_port"),
        ({"bmc": {"address": "10.0.0.1", "redfish_port": "443"}}, "bmc.redfish_port"),
        ({"bmc": {"address": "10.0.0.1", "drivers": []}}, "bmc.drivers"),
        ({"bmc": {"address": "10.0.0.1", "drivers": ["ipmi", "ipmi"]}}, "bmc.drivers"),
        ({"bmc": {"address": "10.0.0.1", "drivers": ["telnet"]}}, "bmc.drivers.0"),
        ({"bmc": {"address": "10.0.0.1", "password": "x"}}, "bmc.password"),
        ({"bmc": {"address": "10.0.0.1", "fingerprint": "ab"}}, "bmc.fingerprint"),
        ({"labels": {"": "x"}}, "labels"),
        ({"labels": {"a": 7}}, "labels.a"),
        ({"site": ""}, "site"),
        ({"site": "a\x00b"}, "site"),
        ({"site": "\ud800"}, "site"),
        ({"lifecycle": "Not A Word"}, "lifecycle"),
        ({"sight": "ams"}, "sight"),
    ],
)
def test_bad_machines_name_the_field_and_store_nothing(admin: httpx.Client, change: dict[str, Any], field: str) -> None:
    body = json.dumps({"id": "m1", "site": "ams", **change})
    answer = admin.post("/api/v1/machines", content=body, headers={"Content-Type": "application/json"})
    error(answer, 422, "invalid_input", field=field)
    make(admin, "m2")
    patch = {name: value for name, value in change.items() if name != "id"}
    if patch:
        answer = admin.patch(
            "/api/v1/machines/m2", content=json.dumps(patch), headers={"Content-Type": "application/json"}
        )
        error(answer, 422, "invalid_input", field=field)
        assert admin.get("/api/v1/machines/m2").json()["version"] == 1
    assert [item["id"] for item in admin.get("/api/v1/machines").json()["items"]] == ["m2"]


def test_bodies_that_are_not_json(admin: httpx.Client) -> None:
    kind = {"Content-Type": "application/json"}
    error(admin.post("/api/v1/machines", content=b"{", headers=kind), 400, "parse_error", "JSON")
    error(admin.post("/api/v1/machines", content=b"[" * 50_000, headers=kind), 400, "parse_error")
    error(admin.post("/api/v1/machines", content=b"[]", headers=kind), 422, "invalid_input")
    error(admin.post("/api/v1/machines", data={"id": "m1"}), 415, "unsupported_media_type", "application/json")


def test_patch_is_a_merge_patch(admin: httpx.Client) -> None:
    make(admin, labels={"a": "1", "b": "2"}, site="ams", bmc={"address": "10.0.0.1", "ipmi_port": 6230})
    patch = {
        "labels": {"a": None, "c": "3"},
        "site": None,
        "rack": "r1",
        "bmc": {"ipmi_port": None, "drivers": ["ipmi"]},
    }
    after = admin.patch("/api/v1/machines/m1", json=patch).json()
    assert (after["labels"], after["site"], after["rack"], after["version"]) == ({"b": "2", "c": "3"}, None, "r1", 2)
    assert (after["bmc"]["address"], after["bmc"]["ipmi_port"], after["bmc"]["drivers"]) == ("10.0.0.1", None, ["ipmi"])
    assert admin.patch("/api/v1/machines/m1", json=patch).json() == after  # nothing new: same version
    assert admin.patch("/api/v1/machines/m1", json={"bmc": None}).json()["bmc"] is None
    error(admin.get("/api/v1/machines/m1/bmc"), 404, "not_found")
    error(admin.patch("/api/v1/machines/nope", json={}), 404, "not_found", "nope")
    error(admin.patch("/api/v1/machines/m1", json={"version": 9}), 422, "invalid_input", field="version")


@pytest.mark.parametrize("stale", ['"1"', 'W/"1"', '"abc"', '"2", "3"'])
def test_if_match_guards_every_write(admin: httpx.Client, stale: str) -> None:
    make(admin, bmc={"address": "10.0.0.1"})
    admin.patch("/api/v1/machines/m1", json={"site": "ams"}, headers={"If-Match": '"1"'})
    lost = {"If-Match": stale}
    error(admin.patch("/api/v1/machines/m1", json={"site": "fra"}, headers=lost), 412, "conflict", "version 2")
    error(admin.put("/api/v1/machines/m1/bmc", json={"address": "10.0.0.2"}, headers=lost), 412, "conflict")
    error(admin.delete("/api/v1/machines/m1/bmc", headers=lost), 412, "conflict")
    error(admin.delete("/api/v1/machines/m1", headers=lost), 412, "conflict")
    after = admin.get("/api/v1/machines/m1").json()
    assert (after["site"], after["bmc"]["address"]) == ("ams", "10.0.0.1")
    assert (
        admin.put("/api/v1/machines/m1/bmc", json={"address": "fe80::1"}, headers={"If-Match": "*"}).status_code == 200
    )
    assert admin.delete("/api/v1/machines/m1", headers={"If-Match": '"3"'}).status_code == 204
    error(admin.delete("/api/v1/machines/m1"), 404, "not_found")


def test_pages_and_filters(admin: httpx.Client) -> None:
    for number in range(5):
        make(
            admin, f"m{number}", site="ams" if number % 2 else "fra", labels={"n": str(number), "even": str(number % 2)}
        )
    seen: list[str] = []
    cursor = None
    while True:
        page = admin.get("/api/v1/machines", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["m0", "m1", "m2", "m3", "m4"]

    def ids(**params: Any) -> list[str]:
        return [item["id"] for item in admin.get("/api/v1/machines", params=params).json()["items"]]

    assert ids(site="ams") == ["m1", "m3"]
    assert ids(label=["n=3", "even=1"]) == ["m3"]
    assert ids(q="M4") == ["m4"]
    assert ids(site="nowhere") == []


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"label": "role"}, "label"),
        ({"q": "\x00"}, "q"),
    ],
)
def test_bad_queries(admin: httpx.Client, params: dict[str, str], field: str) -> None:
    error(admin.get("/api/v1/machines", params=params), 422, "invalid_input", field=field)


def test_an_id_with_slashes_is_one_encoded_segment(admin: httpx.Client) -> None:
    make(admin, "r1/n1/bmc")
    assert admin.get("/api/v1/machines/r1%2Fn1%2Fbmc").json()["id"] == "r1/n1/bmc"
    assert admin.put("/api/v1/machines/r1%2fn1%2fbmc/device/oob", json=DEVICE).json() == {"changed": True, "changes": 8}
    error(admin.get("/api/v1/machines/r1/n1/bmc"), 404, "not_found")
    assert admin.delete("/api/v1/machines/r1%2Fn1%2Fbmc").status_code == 204


def test_large_bodies_are_refused(admin: httpx.Client) -> None:
    make(admin)
    error(admin.put("/api/v1/machines/m1/device/oob", json={"vendor": "x" * 100_001}), 413, "too_large", "100000")
    assert admin.get("/api/v1/machines/m1").json()["device"] is None


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/api/v1/machines?rcak=r1", "rack"),
        ("/api/v1/machines?rack=r1&rcak=r1", "rack"),
        ("/api/v1/inventory?rcak=r1", "rack"),
        ("/api/v1/events?rcak=r1", "machine"),
        ("/api/v1/events/stream?rcak=r1", "after"),
        ("/api/v1/machines/m1?rcak=r1", "there is none"),
    ],
)
def test_unknown_parameters_are_refused_with_the_known_ones(admin: httpx.Client, path: str, known: str) -> None:
    make(admin)
    error(admin.get(path), 422, "invalid_input", known, field="rcak")


@pytest.mark.parametrize("path", ["/api/v1/machines", "/api/v1/inventory", "/api/v1/work", "/api/v1/powercycles"])
def test_a_parameter_with_one_value_is_not_given_twice(admin: httpx.Client, path: str) -> None:
    make(admin)
    name = "machine" if "work" in path or "powercycles" in path else "rack"
    error(admin.get(f"{path}?{name}=m1&{name}=m2"), 422, "invalid_input", "given 2 times", field=name)
    error(admin.get(f"{path}?{name}=m1&{name}=m1"), 422, "invalid_input", "given 2 times", field=name)


def test_a_parameter_with_several_values_is_given_as_often_as_one_likes(admin: httpx.Client) -> None:
    make(admin, labels={"a": "1", "b": "2"})
    answer = admin.get("/api/v1/machines?label=a=1&label=b=2")
    assert [item["id"] for item in answer.json()["items"]] == ["m1"]


def test_unknown_parameters_tell_strangers_nothing_and_the_older_paths_ignore_them(api: Any) -> None:
    error(api.client(None).get("/api/v1/machines?rcak=r1"), 401, "unauthorized")
    admin = api.client("admin")
    for path in ("/json/v1/powercycle/list", "/_/machines", "/loginstatus/", "/healthz", "/"):
        assert admin.get(f"{path}?rcak=r1").status_code == 200, path
