# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: what it shows, who may act, and that nobody else's page can."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import fleetd.api

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def fleet(api: Any) -> Any:
    """Three machines, one of them in trouble."""
    client = api.client("admin")
    for name, site in (("m1", "ams"), ("m2", "ams"), ("m3", "fra")):
        client.post("/api/v1/machines", json={"id": name, "site": site})
    client.put(
        "/api/v1/machines/m2/device/oob", json={"vendor": EVIL, "serial": "S2", "cpus": [{"slot": EVIL, "cores": 8}]}
    )
    client.post("/_/machine/set_note/m2", json={"Message": EVIL})
    client.post("/_/machine/toggle_mode/m2")
    return api


def login(api: Any, scope: str) -> httpx.Client:
    client: httpx.Client = api.client(None)
    answer = client.post("/login", data={"token": api.tokens[scope], "to": "/?sort=-id"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?sort=-id")
    return client


def csrf(client: httpx.Client, path: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get(path).text)
    assert found
    return found[1]


def rows(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/machine/[^"]*">([^<]*)</a>', text)


def test_login_is_a_cookie_that_scripts_and_other_sites_do_not_get(fleet: Any) -> None:
    client = fleet.client(None)
    before = client.get("/")
    assert before.status_code == 401
    assert 'action="/login"' in before.text
    assert "m1" not in rows(before.text)
    answer = client.post("/login", data={"token": fleet.tokens["viewer"]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert fleet.tokens["viewer"] not in cookie
    assert rows(client.get("/").text) == ["m1", "m2", "m3"]


def test_bad_logins(fleet: Any) -> None:
    client = fleet.client(None)
    answer = client.post("/login", data={"token": "nonsense"})
    assert answer.status_code == 401
    assert "unknown, expired or revoked" in answer.text
    assert "set-cookie" not in answer.headers
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example", "evil"):
        answer = client.post("/login", data={"token": fleet.tokens["viewer"], "to": target})
        assert answer.headers["location"] == "/"


def test_logins_end(fleet: Any, clock: Any) -> None:
    client = login(fleet, "viewer")
    assert client.post("/logout", data={"csrf": csrf(client, "/")}).status_code == 303
    assert client.get("/").status_code == 401
    client = login(fleet, "viewer")
    clock.forward(12 * 3600)
    assert client.get("/").status_code == 401
    client = login(fleet, "viewer")
    fleet.services.tokens.revoke("viewer")
    assert client.get("/").status_code == 401


def test_secure_cookies_behind_tls(make_api: Any) -> None:
    api = make_api(secure_cookies=True)
    answer = api.client(None).post("/login", data={"token": api.tokens["viewer"]})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["m1", "m2", "m3"]),
        ("?sort=-id", ["m3", "m2", "m1"]),
        ("?sort=status", ["m2", "m1", "m3"]),
        ("?sort=-site", ["m3", "m1", "m2"]),
        ("?site=ams", ["m1", "m2"]),
        ("?q=s2", ["m2"]),
        ("?show=trouble", ["m2"]),
        ("?show=nonsense&sort=nonsense", ["m1", "m2", "m3"]),
        ("?q=%00%22%3E", []),
        ("?page=9", []),
    ],
)
def test_filter_and_sort_are_in_the_url(fleet: Any, query: str, expected: list[str]) -> None:
    answer = fleet.client("viewer").get(f"/{query}")
    assert answer.status_code == 200
    found = rows(answer.text)
    assert found == expected or sorted(found) == sorted(expected) == found[::-1]


@pytest.mark.parametrize("path", ["/", "/machine/m2", f"/?q={EVIL}", f"/machine/{EVIL}", "/machine/nope"])
def test_values_are_escaped(fleet: Any, path: str) -> None:
    text = fleet.client("operator").get(path).text
    assert EVIL not in text
    assert len(re.findall("<script", text)) == 1  # our own


def test_no_external_assets() -> None:
    for path in Path(fleetd.api.__file__).parent.glob("*/*.*"):
        if path.suffix in (".html", ".css", ".js"):
            assert not re.search(r"(src|href|url|import)\W+(https?:)?//", path.read_text()), path
            assert not re.search(r"\son\w+=|style=", path.read_text()), (
                f"{path}: the policy forbids inline script and style"
            )


def test_machine_page(fleet: Any) -> None:
    admin = fleet.client("admin")
    asked = admin.post("/api/v1/powercycles", json={"machine": "m2", "reason": "hung"}).json()
    admin.post(f"/api/v1/powercycles/{asked['id']}/report", json={"state": "failed", "message": "no answer"})
    text = fleet.client("viewer").get("/machine/m2").text
    for words in ("Maintenance: admin", "8 cores", "Power cycle queued", "no answer", "attempt 1 of 3 failed", "hung"):
        assert words in text, words
    assert "Yes, power cycle" not in text
    assert "Yes, power cycle m2" in fleet.client("operator").get("/machine/m2").text
    missing = fleet.client("viewer").get("/machine/nope")
    assert (missing.status_code, "no machine nope" in missing.text) == (404, True)


def test_power_cycle_button(fleet: Any) -> None:
    client = login(fleet, "operator")
    form = {"machine": "m1", "reason": "hung", "csrf": csrf(client, "/machine/m1")}
    answer = client.post("/actions/powercycle", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/machine/m1")
    (asked,) = fleet.services.powercycles.find()
    assert (asked.machine, asked.requester, asked.reason, asked.open) == ("m1", "operator", "hung", True)
    answer = client.post("/actions/cancel", data={"powercycle": asked.id, "csrf": form["csrf"]})
    assert answer.status_code == 303
    assert not fleet.services.powercycles.get(asked.id).open
    assert client.post("/actions/powercycle", data={**form, "machine": "nope"}).status_code == 404


@pytest.mark.parametrize("sent", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "\u00fc"}])
def test_forms_of_other_sites_do_nothing(fleet: Any, sent: dict[str, str]) -> None:
    client = login(fleet, "operator")
    assert client.post("/actions/powercycle", data={"machine": "m1", **sent}).status_code == 403
    assert client.post("/logout", data=sent).status_code == 403
    assert client.post("/api/v1/powercycles", json={"machine": "m1"}).status_code == 403
    assert client.post("/_/machine/toggle_powercycle/m1").status_code == 403
    good = csrf(client, "/machine/m1")
    answer = client.post(
        "/actions/powercycle", data={"machine": "m1", "csrf": good}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert fleet.services.powercycles.find() == []
    assert client.post("/api/v1/powercycles", json={"machine": "m1"}, headers={"X-CSRF-Token": good}).status_code == 201


def test_open_networks_are_no_way_in_for_other_sites(make_api: Any) -> None:
    api = make_api(anonymous_scope="operator")
    api.services.machines.create("m1", {})
    client = api.client(None)
    evil = client.post("/actions/powercycle", data={"machine": "m1"}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    own = client.post("/actions/powercycle", data={"machine": "m1"}, headers={"Origin": "http://testserver"})
    assert own.status_code == 303


def test_viewers_can_not_act(fleet: Any) -> None:
    client = login(fleet, "viewer")
    answer = client.post("/actions/powercycle", data={"machine": "m1", "csrf": csrf(client, "/")})
    assert answer.status_code == 403
    assert "viewer" in answer.text


@pytest.mark.parametrize("name", ["fleet.css", "fleet.js", "icon.svg"])
def test_assets(fleet: Any, name: str) -> None:
    assert fleet.client(None).get(f"/static/{name}").status_code == 200
    assert fleet.client(None).get("/static/..%2Fpage.py").status_code == 404
