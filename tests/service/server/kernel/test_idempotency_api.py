# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Idempotency keys."""

from __future__ import annotations

from typing import Any

import pytest

ACTIONS = [
    ("/api/v1/machines", {"id": "new", "site": "ams"}, {"id": "new", "site": "fra"}),
    ("/api/v1/powercycles", {"machine": "m1", "reason": "hung"}, {"machine": "m1", "reason": "slow"}),
    ("/api/v1/events", {"items": [{"kind": "rack.door"}]}, {"items": [{"kind": "rack.door", "machine": "m1"}]}),
]


@pytest.fixture
def known(admin: Any) -> Any:
    admin.post("/api/v1/machines", json={"id": "m1"})
    return admin


@pytest.mark.parametrize(("path", "body", "other"), ACTIONS)
def test_the_same_key(known: Any, path: str, body: Any, other: Any) -> None:
    key = {"Idempotency-Key": "b7c1"}
    first = known.post(path, json=body, headers=key)
    assert first.status_code == 201, first.text
    assert "idempotency-replayed" not in first.headers
    events = known.get("/api/v1/events").json()["items"]
    again = known.post(path, json=body, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert [again.headers.get(name) for name in ("etag", "location")] == [
        first.headers.get(name) for name in ("etag", "location")
    ]
    assert known.get("/api/v1/events").json()["items"] == events
    refused = known.post(path, json=other, headers=key)
    assert refused.status_code == 422
    assert refused.json()["error"]["details"] == {"field": "Idempotency-Key"}


def test_a_repeated_request_is_not_another_power_cycle_when_the_first_is_done(known: Any) -> None:
    """The case that keys are for: the answer was lost, the cycle was done meanwhile, the client asks again."""
    key, body = {"Idempotency-Key": "k"}, {"machine": "m1"}
    first = known.post("/api/v1/powercycles", json=body, headers=key).json()
    known.post("/json/v1/powercycle/complete/m1")
    assert known.post("/api/v1/powercycles", json=body, headers=key).json() == first
    assert known.get("/json/v1/powercycle/list").json() == []
    assert known.post("/api/v1/powercycles", json=body).json()["id"] != first["id"]


def test_errors_are_not_kept(admin: Any) -> None:
    key, body = {"Idempotency-Key": "k"}, {"machine": "m1"}
    assert admin.post("/api/v1/powercycles", json=body, headers=key).status_code == 404
    admin.post("/api/v1/machines", json={"id": "m1"})
    assert admin.post("/api/v1/powercycles", json=body, headers=key).status_code == 201


def test_keys_are_of_their_token(api: Any) -> None:
    key = {"Idempotency-Key": "k"}
    first, second = (
        api.client(scope).post("/api/v1/events", json={"items": [{"kind": "rack.door"}]}, headers=key).json()
        for scope in ("operator", "admin")
    )
    assert first["items"][0]["id"] != second["items"][0]["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ü"])
def test_odd_keys(known: Any, key: str) -> None:
    answer = known.post(
        "/api/v1/powercycles", json={"machine": "m1"}, headers={"Idempotency-Key": key.encode("latin-1")}
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == "Idempotency-Key"
