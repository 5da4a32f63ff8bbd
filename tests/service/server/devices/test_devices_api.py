# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device documents on /api/v1: published, read, merged."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from v1 import DEVICE, error, make


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
    assert admin.put(path, json={**later, "serial": "S2"}).json() == {"changed": True, "changes": 1}
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
    assert admin.get("/api/v1/machines/m1").json()["device"]["memory_bytes"] == 4096  # one module has no size
    modules["memory"] = [{"slot": "A1", "size_bytes": 4000}]
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


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"bios_configuration": {"raw": {"x": NaN}}}', "device.bios_configuration.raw.x"),
        (b'{"vendor": "\\ud800"}', "device"),
    ],
)
def test_what_is_not_json_is_refused(admin: httpx.Client, body: bytes, field: str) -> None:
    make(admin)
    answer = admin.put("/api/v1/machines/m1/device/oob", content=body, headers={"Content-Type": "application/json"})
    error(answer, 422, "parse_error", field=field)


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
