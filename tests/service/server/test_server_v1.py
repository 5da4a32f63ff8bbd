# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

DEVICE = {
    "source": "oob",
    "vendor": "ACME",
    "model": "X1",
    "serial": "S1",
    "collected_at": "2026-03-01T11:00:00Z",
    "cpus": [{"slot": "1"}, {"slot": "2"}],
    "memory": [{"size_bytes": 1024}, {"size_bytes": 2048}],
    "nics": [{"nic_ports": [{"macaddress": "aa:bb:cc:00:00:01"}]}],
}


def error(answer: httpx.Response, status: int, code: str, *words: str, field: str | None = None) -> None:
    """The one error shape."""
    body = answer.json()
    assert answer.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    for word in words:
        assert word in body["error"]["message"]
    if field is not None:
        assert body["error"]["details"]["field"] == field
        assert field in body["error"]["message"]


def make(client: httpx.Client, name: str = "m1", **values: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/machines", json={"id": name, **values})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


# -- machines


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


# -- device documents


def test_publishing_is_idempotent(admin: httpx.Client) -> None:
    make(admin)
    path = "/api/v1/machines/m1/device/oob"
    assert admin.put(path, json=DEVICE).json() == {"changed": True, "changes": 8}
    later = {**DEVICE, "collected_at": "2026-03-02T00:00:00Z", "stats": {"requests": 9}}
    assert admin.put(path, json=later).json() == {"changed": False, "changes": 0}
    assert admin.get("/api/v1/machines/m1/device", params={"source": "oob"}).json() == later
    summary = admin.get("/api/v1/machines/m1").json()["device"]
    assert summary == {
        "vendor": "ACME",
        "model": "X1",
        "serial": "S1",
        "uuid": None,
        "power_state": None,
        "collected_at": "2026-03-02T00:00:00Z",
        "sources": ["oob"],
        "cpus": 2,
        "memory_bytes": 3072,
        "drives": 0,
        "nics": 1,
        "macs": ["aa:bb:cc:00:00:01"],
        "findings": 0,
        "worst_finding": None,
    }
    assert admin.put(path, json={**DEVICE, "serial": "S2"}).json() == {"changed": True, "changes": 1}
    history = admin.get("/api/v1/machines/m1/device/history").json()
    assert [len(item["changes"]) for item in history["items"]] == [1, 8]
    assert history["items"][0]["source"] == "oob"
    assert history["items"][0]["changes"] == [
        {"op": "changed", "component": "device", "field": "serial", "before": "S1", "after": "S2"}
    ]
    first = admin.get("/api/v1/machines/m1/device/history", params={"limit": 1}).json()
    second = admin.get("/api/v1/machines/m1/device/history", params={"limit": 1, "cursor": first["next"]}).json()
    assert [*first["items"], *second["items"]] == history["items"]
    assert second["next"] is None


def test_memory_without_a_list_of_modules(admin: httpx.Client) -> None:
    make(admin)
    document = {"source": "oob", "metadata": {"memory_bytes": "4096"}}
    admin.put("/api/v1/machines/m1/device/oob", json=document).raise_for_status()
    assert admin.get("/api/v1/machines/m1").json()["device"]["memory_bytes"] == 4096
    modules = {"source": "inband", "memory": [{"slot": "A1", "size_bytes": 4000}, {"slot": "A2"}]}
    admin.put("/api/v1/machines/m1/device/inband", json=modules).raise_for_status()
    assert admin.get("/api/v1/machines/m1").json()["device"]["memory_bytes"] == 4000
    modules["metadata"] = {"memory_bytes": "much"}
    modules["memory"] = []
    admin.put("/api/v1/machines/m1/device/inband", json=modules).raise_for_status()
    assert admin.get("/api/v1/machines/m1").json()["device"]["memory_bytes"] == 0


def test_the_merged_view(admin: httpx.Client) -> None:
    make(admin)
    admin.put("/api/v1/machines/m1/device/oob", json=DEVICE)
    admin.put("/api/v1/machines/m1/device/inband", json={"hostname": "h", "cpus": [{"slot": "CPU1", "cores": 8}]})
    merged = admin.get("/api/v1/machines/m1/device").json()
    assert (merged["source"], merged["vendor"], merged["hostname"]) == ("merged", "ACME", "h")
    assert merged["cpus"] == [{"slot": "1", "cores": 8}, {"slot": "2"}]
    assert (merged["provenance"]["vendor"], merged["provenance"]["cpus"]) == ("oob", "oob")
    assert merged["provenance"]["cpus.cores"] == "inband"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"vendr": "x"}, "device.vendr"),
        ({"vendor": 7}, "device.vendor"),
        ({"cpus": [{"cores": "many"}]}, "device.cpus[0].cores"),
        ({"source": "inband"}, "device.source"),
        ({"source": "elsewhere"}, "device.source"),
    ],
)
def test_bad_documents(admin: httpx.Client, body: dict[str, Any], field: str) -> None:
    make(admin)
    answer = admin.put("/api/v1/machines/m1/device/oob", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == field
    error(admin.get("/api/v1/machines/m1/device"), 404, "not_found")


@pytest.mark.parametrize("body", [b'{"bios_configuration": {"raw": {"x": NaN}}}', b'{"vendor": "\\ud800"}'])
def test_what_is_not_json_is_refused(admin: httpx.Client, body: bytes) -> None:
    make(admin)
    answer = admin.put("/api/v1/machines/m1/device/oob", content=body, headers={"Content-Type": "application/json"})
    error(answer, 422, "parse_error", field="device")


def test_unknown_machines_and_sources(admin: httpx.Client) -> None:
    error(admin.put("/api/v1/machines/nope/device/oob", json=DEVICE), 404, "not_found")
    error(admin.get("/api/v1/machines/nope/device"), 404, "not_found", "no machine")
    error(admin.get("/api/v1/machines/nope/device/history"), 404, "not_found")
    make(admin)
    assert admin.put("/api/v1/machines/m1/device/merged", json=DEVICE).status_code == 422
    admin.put("/api/v1/machines/m1/device/oob", json=DEVICE)
    error(admin.get("/api/v1/machines/m1/device", params={"source": "inband"}), 404, "not_found", "inband")


def test_bulk_publication_answers_per_item(admin: httpx.Client) -> None:
    make(admin)
    items = [
        {"machine": "m1", "device": DEVICE},
        {"machine": "nope", "device": DEVICE},
        {"machine": "m1", "device": {"vendor": "x"}},
    ]
    answer = admin.post("/api/v1/devices", json={"items": items})
    assert answer.status_code == 200
    good, unknown, no_source = answer.json()["items"]
    assert good == {"machine": "m1", "changed": True, "changes": 8, "error": None}
    assert (unknown["error"]["code"], no_source["error"]["details"]["field"]) == ("not_found", "device.source")


# -- power cycles


def ask(client: httpx.Client, machine: str = "m1", **values: str) -> dict[str, Any]:
    answer = client.post("/api/v1/powercycles", json={"machine": machine, **values})
    assert answer.status_code in (200, 201), answer.text
    asked: dict[str, Any] = answer.json()
    return asked


def report(client: httpx.Client, request: dict[str, Any], state: str, **values: Any) -> httpx.Response:
    return client.post(f"/api/v1/powercycles/{request['id']}/report", json={"state": state, **values})


def test_a_request_from_queued_to_verified(admin: httpx.Client) -> None:
    make(admin)
    answer = admin.post("/api/v1/powercycles", json={"machine": "m1", "reason": "hung", "requester": "alice"})
    assert answer.status_code == 201
    asked = answer.json()
    assert answer.headers["location"] == f"/api/v1/powercycles/{asked['id']}"
    assert asked == {
        "id": asked["id"],
        "machine": "m1",
        "state": "queued",
        "requester": "alice",
        "reason": "hung",
        "requested_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
        "finished_at": None,
        "not_before": None,
        "attempts": 0,
        "error": None,
        "steps": [
            {"state": "queued", "at": "2026-03-01T12:00:00Z", "message": "requested by alice: hung", "runner": ""}
        ],
    }
    again = admin.post("/api/v1/powercycles", json={"machine": "m1"})
    assert (again.status_code, again.json()["id"]) == (200, asked["id"])
    for state in ("claimed", "off", "on"):
        assert report(admin, asked, state, runner="rack1").json()["state"] == state
        assert admin.get("/json/v1/powercycle/list").json() == ["m1"]
    done = report(admin, asked, "verified", message="redfish").json()
    assert (done["state"], done["attempts"], done["finished_at"]) == ("verified", 1, "2026-03-01T12:00:00Z")
    assert [step["state"] for step in done["steps"]] == ["queued", "claimed", "off", "on", "verified"]
    assert done["steps"][1]["runner"] == "rack1"
    assert done["steps"][4] == {
        "state": "verified",
        "at": "2026-03-01T12:00:00Z",
        "message": "redfish",
        "runner": "admin",
    }
    assert report(admin, asked, "verified").json() == done  # a report that is sent again
    error(report(admin, asked, "off"), 409, "conflict", "verified")
    error(report(admin, asked, "failed"), 409, "conflict")
    assert admin.get("/api/v1/machines/m1").json()["powercycle"] == done
    assert ask(admin)["id"] != asked["id"]


def test_failures_back_off_and_end(admin: httpx.Client, clock: Any) -> None:
    make(admin)
    asked = ask(admin)
    for attempt, wait in ((1, 60), (2, 100)):  # 60, then 60 * 2 capped at 100
        failed = report(
            admin, asked, "failed", message="no answer", error={"code": "timeout", "details": {"s": 30}}
        ).json()
        assert (failed["state"], failed["attempts"], failed["finished_at"]) == ("queued", attempt, None)
        assert failed["error"] == {"code": "timeout", "message": "no answer", "details": {"s": 30}}
        assert admin.get("/json/v1/machine/description/m1").json()["PowerCycle"] is True
        clock.forward(wait - 1)
        assert report(admin, asked, "failed", message="sent again").json() == failed
        assert admin.get("/json/v1/powercycle/list").json() == []
        clock.forward(1)
        assert admin.get("/json/v1/powercycle/list").json() == ["m1"]
    last = report(admin, asked, "failed", message="no answer").json()
    assert (last["state"], last["attempts"], last["not_before"]) == ("failed", 3, None)
    assert last["finished_at"] is not None
    assert "3 attempts" in last["steps"][-1]["message"]
    assert admin.get("/json/v1/powercycle/list").json() == []
    assert admin.get("/json/v1/machine/description/m1").json()["PowerCycle"] is False


def test_success_after_a_failure_clears_the_error(admin: httpx.Client) -> None:
    make(admin)
    asked = ask(admin)
    report(admin, asked, "failed", message="x")
    assert report(admin, asked, "verified").json()["error"] is None


def test_cancel(admin: httpx.Client) -> None:
    make(admin)
    asked = ask(admin)
    path = f"/api/v1/powercycles/{asked['id']}/cancel"
    assert admin.post(path).json()["state"] == "cancelled"
    assert admin.post(path).json()["state"] == "cancelled"
    assert admin.get("/json/v1/powercycle/list").json() == []
    error(report(admin, asked, "verified"), 409, "conflict", "cancelled")
    done = ask(admin)
    report(admin, done, "verified")
    error(admin.post(f"/api/v1/powercycles/{done['id']}/cancel"), 409, "conflict")


def test_bad_powercycle_requests(admin: httpx.Client) -> None:
    make(admin)
    error(admin.post("/api/v1/powercycles", json={"machine": "nope"}), 404, "not_found", "nope")
    error(admin.post("/api/v1/powercycles", json={"machine": ""}), 422, "invalid_input", field="machine")
    error(admin.post("/api/v1/powercycles", json={}), 422, "invalid_input", field="machine")
    error(
        admin.post("/api/v1/powercycles", json={"machine": "m1", "reason": "\x07"}),
        422,
        "invalid_input",
        field="reason",
    )
    error(report(admin, {"id": "nope"}, "off"), 404, "not_found")
    error(report(admin, ask(admin), "queued"), 422, "invalid_input", field="state")
    error(admin.get("/api/v1/powercycles/nope"), 404, "not_found")


def test_powercycle_lists(admin: httpx.Client, clock: Any) -> None:
    for name in ("m1", "m2"):
        make(admin, name)
    asked = []
    for name in ("m1", "m2", "m1"):
        clock.forward(1)
        asked.append(ask(admin, name))
        if len(asked) < 3:
            report(admin, asked[-1], "verified")

    def ids(**params: Any) -> list[str]:
        return [item["id"] for item in admin.get("/api/v1/powercycles", params=params).json()["items"]]

    newest = [item["id"] for item in reversed(asked)]
    assert ids() == newest
    assert ids(machine="m1") == [newest[0], newest[2]]
    assert ids(state="verified") == newest[1:]
    page = admin.get("/api/v1/powercycles", params={"limit": 2}).json()
    assert ids(cursor=page["next"]) == newest[2:]
    assert admin.get("/api/v1/powercycles", params={"state": "bad"}).status_code == 422


# -- inventory


def test_inventory(admin: httpx.Client) -> None:
    make(
        admin,
        "m1",
        site="AMS 1",
        rack="r1",
        labels={"role/x": "DB-1", "empty": ""},
        bmc={"address": "h", "drivers": ["ipmi"]},
    )
    make(admin, "m2")
    admin.put("/api/v1/machines/m1/device/oob", json=DEVICE)
    answer = admin.get("/api/v1/inventory")
    assert answer.json() == {
        "hosts": {
            "m1": {
                "fleet_site": "AMS 1",
                "fleet_rack": "r1",
                "fleet_labels": {"role/x": "DB-1", "empty": ""},
                "fleet_lifecycle": "active",
                "fleet_vendor": "ACME",
                "fleet_model": "X1",
                "fleet_serial": "S1",
                "fleet_powercycle_state": "not_available",
                "fleet_maintenance": False,
                "fleet_quarantined": False,
                "bmc_address": "h",
                "bmc_drivers": ["ipmi"],
                "bmc_redfish_scheme": "https",
                "bmc_validate_certs": True,
            },
            "m2": {
                "fleet_labels": {},
                "fleet_lifecycle": "active",
                "fleet_powercycle_state": "not_available",
                "fleet_maintenance": False,
                "fleet_quarantined": False,
            },
        },
        "groups": {
            "label_role_x_db_1": {"hosts": ["m1"]},
            "lifecycle_active": {"hosts": ["m1", "m2"]},
            "model_x1": {"hosts": ["m1"]},
            "rack_r1": {"hosts": ["m1"]},
            "site_ams_1": {"hosts": ["m1"]},
            "vendor_acme": {"hosts": ["m1"]},
        },
    }
    etag = answer.headers["etag"]
    again = admin.get("/api/v1/inventory", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    admin.patch("/api/v1/machines/m2", json={"site": "x"})
    assert admin.get("/api/v1/inventory", headers={"If-None-Match": etag}).status_code == 200
    assert list(admin.get("/api/v1/inventory", params={"label": "role/x=DB-1"}).json()["hosts"]) == ["m1"]
