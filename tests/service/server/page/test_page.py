# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: what it shows, who may act, and that nobody else's page can."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fleetcore.document.sections import LISTS

import fleetd.server.page
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.machines.model import ControllerState

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
    assert rows(client.get("/").text) == ["m2", "m1", "m3"]


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
        ("", ["m2", "m1", "m3"]),
        ("?sort=-id", ["m3", "m2", "m1"]),
        ("?sort=id", ["m1", "m2", "m3"]),
        ("?sort=-state", ["m1", "m3", "m2"]),
        ("?sort=-site", ["m3", "m1", "m2"]),
        ("?site=ams", ["m2", "m1"]),
        ("?q=s2", ["m2"]),
        ("?show=maintenance", ["m2"]),
        ("?show=trouble", []),
        ("?show=nonsense&sort=nonsense&page=-1", ["m2", "m1", "m3"]),
        ("?q=%00%22%3E", []),
        ("?page=9", []),
    ],
)
def test_filter_and_sort_are_in_the_url(fleet: Any, query: str, expected: list[str]) -> None:
    answer = fleet.client("viewer").get(f"/{query}")
    assert answer.status_code == 200
    assert rows(answer.text) == expected


@pytest.mark.parametrize("path", ["/", "/machine/m2", f"/?q={EVIL}", f"/machine/{EVIL}", "/machine/nope"])
def test_values_are_escaped(fleet: Any, path: str) -> None:
    text = fleet.client("operator").get(path).text
    assert EVIL not in text
    assert len(re.findall("<script", text)) == 1  # our own


def test_no_external_assets() -> None:
    for path in Path(fleetd.server.page.__file__).parent.glob("*/*.*"):
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
    for words in (
        "maintenance</b><span>admin",
        "8 cores",
        "queued, requested by admin: hung",
        "no answer",
        "attempt 1 of 3",
    ):
        assert words in text, words
    assert "collect_oob" in text
    assert "none was found" in text  # drives
    assert "/actions/" not in text
    assert "acting needs a token of scope operator" in text
    assert "/actions/cancel?machine=m2" in fleet.client("operator").get("/machine/m2").text
    missing = fleet.client("viewer").get("/machine/nope")
    assert (missing.status_code, "no machine nope" in missing.text) == (404, True)


def test_who_looks_without_a_login_is_told_that_it_is_looking_only(make_api: Any) -> None:
    api = make_api(anonymous_scope="viewer")
    api.services.machines.create("m1", {})
    text = api.client(None).get("/machine/m1").text
    assert "You may look only: acting needs a token of scope operator" in text


def test_why_a_section_is_empty(fleet: Any) -> None:
    coverage = {
        "memory": {"verdict": "denied", "reason": "403"},
        "storage": {"verdict": "timeout"},
        "thermal": {"verdict": "absent"},
        "licences": {"verdict": "absent", "reason": "the BMC does not have it"},
    }
    fleet.client("admin").put("/api/v1/machines/m1/device/oob", json={"cpus": [{"slot": "1"}], "coverage": coverage})
    text = re.sub(r"<[^>]+>", " ", fleet.client("viewer").get("/machine/m1").text)
    for words in (
        "Memory   the login may not read it: 403",
        "Drives   it did not answer in time",
        "Fans   the machine has none",
        "Power supplies   none was found",
        "Licences   none (the BMC does not have it)",
    ):
        assert words in text, words


def test_parts_that_are_numbered_per_controller_have_a_place_of_their_own(fleet: Any) -> None:
    document = {
        "volumes": [{"id": "1", "storage_controller": "A"}, {"id": "1", "storage_controller": "B"}, {"id": "2"}],
        "storage_controller": [{"id": "1", "model": "X", "serial": "S1"}, {"id": "1", "model": "X", "serial": "S2"}],
        "transceivers": [{"id": "1", "port": "1"}, {"id": "1", "port": "1"}],
    }
    assert fleet.client("admin").put("/api/v1/machines/m1/device/oob", json=document).is_success
    text = fleet.client("viewer").get("/machine/m1").text
    places = re.findall(r'<th scope="row">([^<]*)', text)
    for expected in (["1 (A)", "1 (B)", "2"], ["1 (S1)", "1 (S2)"], ["1 (1)", "1 (2)"]):
        assert [place for place in places if place in expected] == expected, places


def test_what_changes_nothing_is_asked_without_a_red_button(fleet: Any) -> None:
    client = fleet.client("operator")
    assert client.post("/api/v1/powercycles", json={"machine": "m2"}).is_success
    asked = {name: client.get(f"/actions/powercycle?machine={name}").text for name in ("m1", "m2")}
    assert "this one would be the same" in asked["m2"]
    assert {name: 'class="danger"' in text for name, text in asked.items()} == {"m1": True, "m2": False}


def test_errors_know_who_is_logged_in(fleet: Any) -> None:
    client = login(fleet, "viewer")
    for path in ("/machine/nope", "/nope", "/actions/powercycle?machine=m1"):
        text = client.get(path).text
        assert "Log out" in text, path
        assert "Log in" not in text, path


def test_the_summary_counts_and_leads_to_lists(fleet: Any) -> None:
    text = fleet.client("viewer").get("/?site=ams").text
    tiles = dict(re.findall(r'<a href="(/[^"]*)"[^>]*><b>(\d+)</b>', text))
    assert tiles["/?site=ams"] == "2"
    assert tiles["/?site=ams&amp;show=maintenance"] == "1"
    assert tiles["/?site=ams&amp;show=trouble"] == "0"


def test_pages_of_a_large_fleet(fleet: Any) -> None:
    for number in range(250):
        fleet.services.machines.create(f"n{number:03d}", {"site": "big"})
    client = fleet.client("viewer")
    found = []
    path: str | None = "/?site=big&sort=-id"
    while path:
        text = client.get(path).text
        found.append(rows(text))
        following = re.search(r'href="([^"]*)" rel="next"', text)
        path = following[1].replace("&amp;", "&") if following else None
    assert [len(part) for part in found] == [100, 100, 50]
    assert [name for part in found for name in part] == [f"n{number:03d}" for number in reversed(range(250))]


# -- actions


@pytest.fixture
def operator(fleet: Any) -> httpx.Client:
    return login(fleet, "operator")


def do(client: httpx.Client, action: str, machine: str = "m1", text: str = "") -> httpx.Response:
    """Through the question, as people do."""
    token = csrf(client, f"/actions/{action}?machine={machine}")
    return client.post(f"/actions/{action}", data={"machine": machine, "text": text, "csrf": token})


def test_power_cycle(fleet: Any, operator: httpx.Client) -> None:
    answer = do(operator, "powercycle", text="hung")
    assert (answer.status_code, answer.headers["location"]) == (303, "/machine/m1?done=powercycle")
    (asked,) = fleet.services.powercycles.find()
    assert (asked.machine, asked.requester, asked.reason, asked.open) == ("m1", "operator", "hung", True)
    assert do(operator, "powercycle").status_code == 303
    assert len(fleet.services.powercycles.find()) == 1
    assert "The power cycle is requested" in operator.get("/machine/m1?done=powercycle").text
    assert do(operator, "cancel").status_code == 303
    assert not fleet.services.powercycles.get(asked.id).open
    good = csrf(operator, "/actions/powercycle?machine=m1")
    assert operator.post("/actions/powercycle", data={"machine": "nope", "csrf": good}).status_code == 404
    assert operator.post("/actions/explode", data={"machine": "m1", "csrf": good}).status_code == 404


def test_holds_are_set_and_cleared_never_toggled(fleet: Any, operator: httpx.Client) -> None:
    def said(name: str = "m1") -> Any:
        return fleet.services.machines.get(name).machine.description

    for _twice in range(2):
        assert do(operator, "set-maintenance", text="new fan").status_code == 303
        assert said().maintenance_mode == "operator 2026-03-01 12:00:00 UTC: new fan"
    for _twice in range(2):
        assert do(operator, "clear-maintenance").status_code == 303
        assert said().maintenance_mode == ""
    assert said().annotation.message == "Cleared maintenance mode"
    for _twice in range(2):
        do(operator, "set-quarantine", text="odd noise")
        assert (said().is_quarantined, said().annotation.message) == (True, "Quarantined: odd noise")
    page = operator.get("/machine/m1").text
    assert "odd noise (operator)" in page
    assert "/actions/clear-quarantine" in page
    assert "/actions/set-quarantine" not in page
    do(operator, "clear-quarantine", text="was the neighbour")
    assert (said().is_quarantined, said().annotation.message) == (False, "Cleared quarantine: was the neighbour")
    fleet.services.machines.describe("m1", lambda previous, now: replace(previous, recovering="Too hot."))
    do(operator, "clear-recovery", text="fan replaced")
    assert (said().recovering, said().annotation.message) == ("", "Ended recovery: fan replaced")
    do(operator, "note", text="ask bea")
    assert (said().note.message, said().note.user) == ("ask bea", "operator")


def test_deleting_needs_the_name(fleet: Any, operator: httpx.Client) -> None:
    answer = do(operator, "delete", text="m2")
    assert answer.status_code == 422
    assert "type it to delete" in answer.text
    assert fleet.services.machines.get("m1")
    answer = do(operator, "delete", text="m1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert operator.get("/machine/m1").status_code == 404


def test_the_question_shows_which_machine_it_is(fleet: Any, operator: httpx.Client) -> None:
    fleet.client("admin").patch("/api/v1/machines/m2", json={"rack": "r9", "position": "U7"})
    fleet.services.machines.describe(
        "m2",
        lambda previous, now: replace(
            previous, running_swarming_task=True, last_updated=now, powercycle_state=ControllerState.IN_ERROR
        ),
    )
    text = operator.get("/actions/powercycle?machine=m2").text
    for words in ("ams · r9 · U7", "S2", "A task runs on it", "power controller is in error", "Power cycle m2"):
        assert words in text, words
    assert fleet.services.powercycles.find() == []


@pytest.mark.parametrize("sent", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "\u00fc"}])
def test_forms_of_other_sites_do_nothing(fleet: Any, sent: dict[str, str]) -> None:
    client = login(fleet, "operator")
    assert client.post("/actions/powercycle", data={"machine": "m1", **sent}).status_code == 403
    assert client.post("/logout", data=sent).status_code == 403
    assert client.post("/api/v1/powercycles", json={"machine": "m1"}).status_code == 403
    assert client.post("/_/machine/toggle_powercycle/m1").status_code == 403
    good = csrf(client, "/")
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


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://testserver"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_whatever_names_another_site_is_refused(make_api: Any, sent: dict[str, str], status: int) -> None:
    api = make_api(anonymous_scope="operator")
    api.services.machines.create("m1", {})
    answer = api.client(None).post("/actions/powercycle", data={"machine": "m1"}, headers=sent)
    assert answer.status_code == status
    assert len(api.services.powercycles.find()) == (status == 303)


def test_no_kind_of_component_is_forgotten(fleet: Any) -> None:
    part = {"model": "a model of its own", "serial": "SN-1", "status": {"Health": "Warning"}}
    shown = [name for name in LISTS if name != "firmware_inventory"]
    document = {"serial": "S3", **{name: [{**part, "model": f"the model of {name}"}] for name in shown}}
    fleet.services.devices.publish("m3", "oob", {**document, "licences": [{"id": "L1", "expires_at": "2027-01-01"}]})
    text = fleet.client("viewer").get("/machine/m3").text
    for name in shown:
        assert f'data-key="{name}"' in text, name
        assert name == "licences" or f"the model of {name}" in text, name
    assert "expires at 2027-01-01" in text


def test_what_the_os_has_set_up_and_parts_that_did_not_answer_are_shown(fleet: Any) -> None:
    silent = {"/dev/sdb": {"verdict": "timeout", "reason": "stopped after 2 s"}}
    document = {
        "serial": "S3",
        "os": {"name": "Exemplar Linux 9", "kernel": "5.14.0-1"},
        "interfaces": [
            {"name": "bond0", "kind": "bond", "ip_addresses": ["192.0.2.5/24"], "members": ["eno1", "eno2"]}
        ],
        "partitions": [{"name": "/dev/sda1", "kind": "part", "filesystem": "xfs", "size_bytes": 1 << 30}],
        "remote_volumes": [{"model": "VOL", "protocol": "iscsi", "paths": ["/dev/sdc"]}],
        "numa_nodes": [{"id": "0", "cpus": "0-7"}],
        "coverage": {"smartctl": {"verdict": "collected", "parts": silent}},
    }
    fleet.services.devices.publish("m3", "inband", document)
    text = fleet.client("viewer").get("/machine/m3").text
    for said in ("Exemplar Linux 9", "5.14.0-1", "192.0.2.5/24", "eno1, eno2", "/dev/sda1", "xfs", "iscsi", "0-7"):
        assert said in text
    assert "<b>smartctl /dev/sdb</b>: it did not answer in time: stopped after 2 s" in text


def test_viewers_can_not_act(fleet: Any) -> None:
    client = login(fleet, "viewer")
    answer = client.post("/actions/powercycle", data={"machine": "m1", "csrf": csrf(client, "/")})
    assert answer.status_code == 403
    assert "viewer" in answer.text


@pytest.mark.parametrize("name", ["fleet.css", "fleet.js", "icon.svg"])
def test_assets(fleet: Any, name: str) -> None:
    assert fleet.client(None).get(f"/static/{name}").status_code == 200
    assert fleet.client(None).get("/static/..%2Fpage.py").status_code == 404


@pytest.fixture
def history(fleet: Any, clock: Any) -> Any:
    """A drive that moved from m1 to m3, sources of m2 that are of two machines, a cable, a section that timed out."""
    client = fleet.client("admin")

    def publish(machine: str, source: str, document: dict[str, Any]) -> None:
        assert client.put(f"/api/v1/machines/{machine}/device/{source}", json=document).status_code == 200

    drive = {"slot": "Bay 3", "serial": "DRIVE-1", "model": "PM9A3"}
    publish("m1", "oob", {"serial": "S1", "drives": [drive]})
    clock.forward(3600)
    publish("m1", "oob", {"serial": "S1", "drives": []})
    publish(
        "m3", "oob", {"serial": "S3", "collected_at": "2026-03-01T11:00:00Z", "drives": [{**drive, "slot": "Bay 5"}]}
    )
    port = {"macaddress": "aa:bb:cc:00:00:01", "id": "eth0", "neighbor": {"system_name": "sw1", "port_id": "Eth1/7"}}
    publish("m3", "inband", {"serial": "S3", "nics": [{"id": "eth0", "nic_ports": [port]}]})
    publish("m2", "inband", {"serial": "OTHER"})
    publish("m3", "oob", {"serial": "S3", "coverage": {"storage": {"verdict": "timeout", "reason": "30 s"}}})
    return fleet


def test_contradictions_are_in_trouble_and_said(history: Any) -> None:
    client = history.client("viewer")
    assert rows(client.get("/?show=findings").text) == ["m2"]
    assert rows(client.get("/?show=trouble").text) == ["m2"]
    assert [item["id"] for item in client.get("/api/v1/machines?facet=findings").json()["items"]] == ["m2"]
    assert list(client.get("/api/v1/inventory?facet=trouble").json()["hosts"]) == ["m2"]
    assert client.get("/api/v1/machines?facet=odd").status_code == 422
    text = client.get("/machine/m2").text
    assert 'id="contradictions"' in text
    assert "other machine" in text
    assert "<b>OS</b> OTHER" in text
    assert 'id="contradictions"' not in client.get("/machine/m1").text


def test_a_finding_is_accepted_on_the_page(history: Any) -> None:
    viewer, operator = history.client("viewer"), login(history, "operator")
    assert "accept-finding" not in viewer.get("/machine/m2").text
    (finding,) = viewer.get("/api/v1/machines/m2/device/findings").json()["items"]
    where = f"machine=m2&amp;item={finding['id']}"
    assert f"/actions/accept-finding?{where}" in operator.get("/machine/m2").text
    question = operator.get(f"/actions/accept-finding?machine=m2&item={finding['id']}")
    assert finding["message"] in html.unescape(question.text)
    sent = {"machine": "m2", "item": finding["id"], "csrf": csrf(operator, "/")}
    assert operator.post("/actions/accept-finding", data=sent).status_code == 422  # without a reason
    done = operator.post("/actions/accept-finding", data={**sent, "text": "it moved house"})
    assert done.headers["location"] == "/machine/m2?done=accept-finding"
    shown = operator.get(done.headers["location"]).text
    assert "The finding is accepted." in shown
    assert "Accepted by operator: it moved house" in shown
    assert rows(viewer.get("/?show=findings").text) == []
    assert operator.post("/actions/reopen-finding", data=sent).status_code == 303
    assert rows(viewer.get("/?show=findings").text) == ["m2"]
    assert operator.post("/actions/reopen-finding", data={**sent, "item": "none"}).status_code == 404


def test_a_part_has_its_way_and_a_stale_section_says_so(history: Any) -> None:
    client = history.client("viewer")
    page = client.get("/machine/m3").text
    assert 'href="/parts?serial=DRIVE-1"' in page
    assert "; last seen 20" in page
    assert "Eth1/7" in page
    text = client.get("/parts?serial=drive1").text
    assert re.findall(r'href="/machine/(m\d)"', text) == ["m3", "m1"]
    assert text.index("is there") < text.index("was there"), "the newest first"
    assert "No machine has or had it" in client.get("/parts?serial=nothing").text
    assert client.get("/parts").status_code == 200
    assert history.client(None).get("/parts?serial=DRIVE-1").status_code == 401


def test_events_are_listed_by_machine_kind_and_time(history: Any, clock: Any) -> None:
    client = history.client("viewer")

    def machines(query: str) -> list[str]:
        return re.findall(r'<th scope="row"><a href="/machine/[^"]*">([^<]*)</a>', client.get(f"/events{query}").text)

    assert machines("?kind=device")[0] == "m2"
    assert set(machines("?kind=machine")) == {"m1", "m2", "m3"}
    assert "maintenance set" in client.get("/events?machine=m2").text
    assert "maintenance set" in client.get("/machine/m2").text
    assert "device changed" not in client.get("/events?machine=m2&kind=hold").text
    clock.forward(2 * 3600)
    history.services.machines.create("late", {})
    assert machines("?hours=1") == ["late"]
    assert machines("?hours=%C2%B2&before=x&kind=nonsense") == []
    assert EVIL not in client.get(f"/events?machine={EVIL}").text
    assert history.client(None).get("/events").status_code == 401


def test_events_have_pages(fleet: Any) -> None:
    fleet.services.events.append([NewEvent("rack.door", "m1", message=f"number {n}.") for n in range(150)])
    client = fleet.client("viewer")
    first = client.get("/events?machine=m1").text
    older = re.search(r'href="(/events\?[^"]*before=[^"]*)"', first)
    assert older
    second = client.get(older[1].replace("&amp;", "&")).text
    numbers = [int(item) for text in (first, second) for item in re.findall(r"number (\d+)\.", text)]
    assert numbers == list(range(149, -1, -1))
