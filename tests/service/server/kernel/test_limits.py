# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failed logins, proxies that say who asks, sizes."""

from __future__ import annotations

import ipaddress
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from fleetd.common.commandline import ConfigError
from fleetd.common.settings import load_text
from fleetd.server.config import Settings
from fleetd.server.kernel.http.limits import FailedLogins, Limit
from fleetd.server.kernel.http.proxy import Proxies

PROXY = "10.0.0.5"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# -- the counter


@pytest.fixture
def seconds() -> Clock:
    return Clock()


def fail(failures: FailedLogins, address: str, count: int) -> None:
    for number in range(count):
        failures.failed(address, f"wrong-{number}")


def test_one_address_waits_and_others_do_not(seconds: Clock) -> None:
    failures = FailedLogins(Limit(per_address=3, total=1000), seconds)
    fail(failures, "a", 2)
    assert failures.wait("a", "x") == 0
    fail(failures, "a", 1)
    wait = failures.wait("a", "x")
    assert wait == 20
    assert failures.wait("b", "x") == 0
    seconds.now += wait
    assert failures.wait("a", "x") == 0


def test_too_many_in_all_leave_those_alone_who_never_failed(seconds: Clock) -> None:
    failures = FailedLogins(Limit(per_address=3, total=10), seconds)
    for number in range(10):
        fail(failures, f"a{number}", 1)
    assert failures.wait("a1", "x") > 0
    assert failures.wait("b", "x") == 0
    seconds.now += 60
    assert failures.wait("a1", "x") == 0


def test_a_token_that_was_good_from_an_address_stays_good_there(seconds: Clock) -> None:
    failures = FailedLogins(Limit(per_address=2, total=1000), seconds)
    failures.succeeded("a", "good")
    fail(failures, "a", 5)
    assert failures.wait("a", "other") > 0
    assert failures.wait("a", "good") == 0
    failures.failed("a", "good")  # it was revoked
    assert failures.wait("a", "good") > 0


def test_what_is_remembered_is_bounded(seconds: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FailedLogins, "REMEMBERED", 50)
    failures = FailedLogins(Limit(per_address=1, total=10**6), seconds)
    for number in range(500):
        failures.failed(f"a{number}", "x")
        failures.succeeded(f"a{number}", "y")
    assert len(failures._addresses) == len(failures._good) == 50
    assert failures.wait("a499", "x") > 0


# -- over HTTP


def client(api: Any, address: str, **headers: str) -> httpx.Client:
    made: httpx.Client = TestClient(api.app, client=(address, 1), headers=headers, follow_redirects=False)
    return made


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_wrong_tokens_get_429_and_then_even_a_right_one_from_there(make_api: Any) -> None:
    api = make_api(failures=Limit(per_address=3, total=1000))
    wrong = client(api, "192.0.2.1")
    for _ in range(3):
        assert wrong.get("/api/v1/machines", headers=bearer("nonsense")).status_code == 401
    answer = wrong.get("/api/v1/machines", headers=bearer("nonsense"))
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_requests"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert wrong.get("/api/v1/machines", headers=bearer(api.tokens["viewer"])).status_code == 429
    assert wrong.get("/healthz").status_code == 200
    assert wrong.get("/json/v1/powercycle/list", headers=bearer("nonsense")).status_code == 429
    other = client(api, "192.0.2.2")
    assert other.get("/api/v1/machines", headers=bearer(api.tokens["viewer"])).status_code == 200


def test_logins_of_the_page_count_too(make_api: Any) -> None:
    api = make_api(failures=Limit(per_address=2, total=1000))
    browser = client(api, "192.0.2.1")
    codes = [browser.post("/login", data={"token": "nonsense"}).status_code for _ in range(3)]
    assert codes[2] == 429
    assert 429 not in codes[:2]


# -- proxies


@pytest.fixture
def behind(make_api: Any) -> Any:
    proxies = Proxies(
        (ipaddress.ip_network("10.0.0.0/29"), ipaddress.ip_network("fd00::/8")),
        "X-Forwarded-User",
        "X-Forwarded-Groups",
        {"fleet-admins": "admin", "oncall": "operator", "bob": "runner"},
        "viewer",
    )
    return make_api(proxies=proxies, failures=Limit(per_address=2, total=1000))


def roles(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["email"], answer.json()["roles"]


@pytest.mark.parametrize(
    ("user", "groups", "expected"),
    [
        ("alice", "oncall, others", ["operator"]),
        ("alice", "fleet-admins", ["admin"]),
        ("alice", "others", ["viewer"]),
        ("alice", "", ["viewer"]),
        ("bob", "oncall", ["runner", "operator"]),
    ],
)
def test_a_trusted_proxy_says_who_asks(behind: Any, user: str, groups: str, expected: list[str]) -> None:
    headers = {"X-Forwarded-User": user, "x-forwarded-groups": groups}
    assert roles(client(behind, PROXY).get("/loginstatus/", headers=headers)) == (user, expected)


def test_what_others_say_is_taken_away(behind: Any, make_api: Any) -> None:
    headers = {"X-Forwarded-User": "alice", "X-Forwarded-Groups": "fleet-admins", "X-Forwarded-For": "127.0.0.1"}
    for address in ("10.0.0.9", "192.0.2.1", "testclient", "::1"):
        asks = client(behind, address)
        assert roles(asks.get("/loginstatus/", headers=headers)) == ("", [])
        assert asks.get("/api/v1/machines", headers=headers).status_code == 401
    assert client(make_api(), PROXY).get("/api/v1/machines", headers=headers).status_code == 401  # not configured


def test_names_that_a_client_could_have_added(behind: Any) -> None:
    asks = client(behind, PROXY)
    twice = [("X-Forwarded-User", "admin"), ("X-Forwarded-User", "alice")]
    assert asks.get("/loginstatus/", headers=twice).status_code == 401
    assert asks.get("/loginstatus/", headers={"X-Forwarded-User": " "}).status_code == 401
    assert asks.get("/loginstatus/", headers={"X-Forwarded-User": "ü".encode("latin-1")}).status_code == 401  # type: ignore[dict-item]


def test_a_token_wins_over_the_proxy(behind: Any) -> None:
    headers = {"X-Forwarded-User": "alice", **bearer(behind.tokens["runner"])}
    assert roles(client(behind, PROXY).get("/loginstatus/", headers=headers)) == ("runner", ["runner"])


def test_the_name_is_in_what_it_does(behind: Any) -> None:
    behind.services.machines.create("m1", {})
    asks = client(behind, PROXY, **{"X-Forwarded-User": "alice", "X-Forwarded-Groups": "oncall"})
    assert asks.post("/api/v1/powercycles", json={"machine": "m1"}).json()["requester"] == "alice"
    assert asks.get("/api/v1/audit").status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://fleet.example"}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_other_sites_can_not_use_the_proxys_word(behind: Any, headers: dict[str, str], status: int) -> None:
    behind.services.machines.create("m1", {})
    said = {"X-Forwarded-User": "alice", "X-Forwarded-Groups": "oncall", **headers}
    assert client(behind, PROXY).post("/_/machine/toggle_mode/m1", headers=said).status_code == status


@pytest.mark.parametrize(
    ("chain", "same"),
    [
        ("192.0.2.1", True),
        ("203.0.113.7, 192.0.2.1", True),  # the first is what the client wrote itself
        ("192.0.2.1, 10.0.0.6", True),
        ("192.0.2.1:4711", True),
        ("192.0.2.2", False),
        ("nonsense", False),
        ("192.0.2.1, nonsense", False),
    ],
)
def test_failures_count_for_who_is_behind_the_proxy(behind: Any, chain: str, same: bool) -> None:
    asks = client(behind, PROXY)
    for _ in range(2):
        asks.get("/api/v1/machines", headers={**bearer("x"), "X-Forwarded-For": "192.0.2.1"})
    code = asks.get("/api/v1/machines", headers={**bearer("x"), "X-Forwarded-For": chain}).status_code
    assert code == (429 if same else 401)


@pytest.mark.parametrize(
    ("auth", "word"),
    [
        ("{proxy_user_header: X-User}", "trusted_proxies"),
        ("{trusted_proxies: [10.0.0.1/8]}", "is not a network"),
        ("{trusted_proxies: [10.0.0.1], proxy_user_header: Authorization}", "name of a header"),
        ("{trusted_proxies: [10.0.0.1], proxy_user_header: 'X User'}", "name of a header"),
        ("{trusted_proxies: [10.0.0.1], proxy_scopes: {x: agent}}", "proxy_scopes"),
        ("{failed_logins_per_minute: 0}", "failed_logins_per_minute"),
    ],
)
def test_settings_that_can_not_be_used(auth: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        load_text(Settings, f"auth: {auth}", "fleetd.yml")


def test_settings_that_can() -> None:
    text = "auth: {trusted_proxies: [10.0.0.1, 'fd00::/8'], proxy_user_header: X-User, proxy_scopes: {ops: operator}}"
    assert load_text(Settings, text, "fleetd.yml").auth.proxy_scopes == {"ops": "operator"}


# -- sizes and headers


def test_headers_that_are_too_large(api: Any) -> None:
    answer = api.client("viewer").get("/api/v1/machines", headers={"X-Filler": "x" * 40_000})
    assert answer.status_code == 431
    assert answer.json()["error"]["details"] == {"limit": 32768}


@pytest.mark.parametrize("path", ["/", "/api/v1/machines", "/json/v1/powercycle/list", "/nowhere", "/static/fleet.js"])
def test_security_headers_are_on_every_answer(api: Any, path: str) -> None:
    headers = api.client("viewer").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers
