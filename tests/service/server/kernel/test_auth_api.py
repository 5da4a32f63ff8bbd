# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, scopes, operations, headers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from fleetcore.errors import ConflictError, InvalidInput
from sqlalchemy import select

from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.tables import metadata

REQUESTS: dict[str, tuple[str, str, Any]] = {
    "read": ("GET", "/api/v1/machines", None),
    "make": ("POST", "/api/v1/machines", {"id": "new"}),
    "delete": ("DELETE", "/api/v1/machines/m1", None),
    "ask": ("POST", "/api/v1/powercycles", {"machine": "m1"}),
    "report": ("POST", "/json/v1/powercycle/complete/m1", None),
    "states": ("POST", "/json/v1/powercycle/state/update", {"Machines": []}),
    "publish": ("PUT", "/api/v1/machines/m1/device/oob", {}),
    "publish other": ("PUT", "/api/v1/machines/m2/device/oob", {}),
    "event": ("POST", "/json/v1/machine/event/", {"type": "raw_state", "host": {"name": "m1"}}),
    "event other": ("POST", "/json/v1/machine/event/", {"type": "raw_state", "host": {"name": "m2"}}),
    "toggle": ("POST", "/_/machine/toggle_mode/m1", None),
    "metrics": ("GET", "/metrics", None),
    "follow": ("GET", "/json/v1/machine/description/m1", None),
    "follow other": ("GET", "/json/v1/machine/description/m2", None),
}
_PUBLISH = {"publish", "publish other", "event", "event other"}
_READ = {"read", "metrics", "follow", "follow other"}
ALLOWED = {
    "viewer": _READ,
    "operator": {*_READ, "make", "delete", "ask", "toggle", *_PUBLISH},
    "runner": {*_READ, "report", "states", *_PUBLISH},
    "agent": {"publish", "event", "follow"},
    "admin": set(REQUESTS),
}


@pytest.mark.parametrize("scope", ["viewer", "operator", "runner", "agent", "admin"])
@pytest.mark.parametrize("name", REQUESTS)
def test_scopes(api: Any, scope: str, name: str) -> None:
    method, path, body = REQUESTS[name]
    for machine in ("m1", "m2"):
        api.services.machines.create(machine, {})
    answer = api.client(scope).request(method, path, json=body)
    expected = name in ALLOWED[scope]
    assert (answer.status_code < 300) is expected, answer.text
    if not expected:
        assert answer.status_code == 403
        assert scope in answer.text


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer ", "Basic eDp5", "nonsense", "Bearer \u00fc"])
def test_without_a_valid_token(api: Any, name: str, header: str | None) -> None:
    method, path, body = REQUESTS[name]
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = api.client(None).request(method, path, json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "location" not in answer.headers


def test_expiry_and_revocation(api: Any, clock: Any) -> None:
    _token, secret = api.services.tokens.create("short", Scope.VIEWER, timedelta(hours=1))
    client = api.client(None)
    client.headers["Authorization"] = f"Bearer {secret}"
    assert client.get("/api/v1/machines").status_code == 200
    clock.forward(3600)
    assert client.get("/api/v1/machines").status_code == 401
    viewer = api.client("viewer")
    assert viewer.get("/api/v1/machines").status_code == 200
    api.services.tokens.revoke("viewer")
    assert viewer.get("/api/v1/machines").status_code == 401


def test_secrets_are_not_stored(api: Any) -> None:
    with api.services.tx.engine.connect() as connection:
        stored = repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])
    for secret in api.tokens.values():
        assert len(secret) >= 40
        assert secret not in stored


def test_bad_tokens(api: Any) -> None:
    with pytest.raises(InvalidInput, match="machine"):
        api.services.tokens.create("x", Scope.AGENT)
    with pytest.raises(InvalidInput, match="machine"):
        api.services.tokens.create("x", Scope.VIEWER, machine="m1")
    with pytest.raises(InvalidInput, match="name"):
        api.services.tokens.create("a b", Scope.VIEWER)
    with pytest.raises(ConflictError):
        api.services.tokens.create("admin", Scope.VIEWER)


def test_anonymous_scope(make_api: Any) -> None:
    client = make_api(anonymous_scope="viewer").client(None)
    assert client.get("/api/v1/machines").status_code == 200
    assert client.post("/api/v1/machines", json={"id": "m1"}).status_code == 401
    assert client.get("/loginstatus/").json() == {"email": "", "roles": ["viewer"]}


def test_operations(api: Any) -> None:
    nobody = api.client(None)
    assert nobody.get("/healthz").text == "ok\n"
    assert nobody.get("/loginstatus/").json() == {"email": "", "roles": []}
    assert api.client("runner").get("/loginstatus/").json() == {"email": "runner", "roles": ["runner"]}
    api.services.machines.create("m1", {})
    api.services.powercycles.request("m1", "x")
    text = api.client("viewer").get("/metrics").text
    assert 'fleetd_machines{lifecycle="active",powercycle_state="not_available"} 1.0' in text
    assert 'fleetd_powercycles{state="queued"} 1.0' in text
    assert "fleetd_powercycles_due 1.0" in text
    assert 'fleetd_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
    document = nobody.get("/openapi.json").json()
    assert "/api/v1/machines/{machine_id}" in document["paths"]
    assert nobody.get("/docs").status_code == 404


def test_healthz_says_why_not(api: Any) -> None:
    def broken() -> None:
        raise InvalidInput("run `fleetd migrate`")

    api.services.database_ready = broken
    answer = api.client(None).get("/healthz")
    assert (answer.status_code, "fleetd migrate" in answer.text) == (503, True)


@pytest.mark.parametrize("path", ["/", "/api/v1/machines", "/json/v1/powercycle/list", "/nope", "/static/fleet.css"])
def test_security_headers(admin: httpx.Client, path: str) -> None:
    headers = admin.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_a_defect_is_one_sentence(api: Any) -> None:
    def broken(machine_id: str) -> None:
        raise RuntimeError("secret detail")

    api.services.machines._store.get = broken
    client = TestClient(
        api.app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {api.tokens['admin']}"}
    )
    answer = client.get("/api/v1/machines/m1")
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "internal error; the server's log says more"
