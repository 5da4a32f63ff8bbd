# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1/sessions, work, explain; power cycles by claim; the keeper of a session."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest
from fleetcore.errors import Busy, ConflictError

from fleetd.common.keeper import SessionKeeper
from fleetlab.process import wait_until


@pytest.fixture
def runner(api: Any, admin: httpx.Client) -> httpx.Client:
    for name in ("m1", "site/m2"):
        assert admin.post("/api/v1/machines", json={"id": name, "lifecycle": "new"}).status_code == 201
    client: httpx.Client = api.client("runner")
    return client


def start(client: httpx.Client, **values: Any) -> str:
    answer = client.post("/api/v1/sessions", json={"component": "runner", "interval": 5, **values})
    assert answer.status_code == 201, answer.text
    session: str = answer.json()["id"]
    return session


def take(client: httpx.Client, session: str, machine: str = "m1", **values: Any) -> httpx.Response:
    return client.post("/api/v1/work/take", json={"session": session, "machine": machine, **values})


def refused(answer: httpx.Response, status: int, reason: str | None = None) -> Any:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["details"].get("reason") == reason
    return error


def test_a_session_from_start_to_end(runner: httpx.Client, api: Any, clock: Any) -> None:
    session = start(runner, info={"host": "h1", "pid": 7})
    (listed,) = api.client("viewer").get("/api/v1/sessions").json()["items"]
    assert (listed["actor"], listed["info"], listed["deadline"]) == (
        "runner",
        {"host": "h1", "pid": 7},
        "2026-03-01T12:00:05Z",
    )
    assert take(runner, session).json()["fencing_token"] == 1
    clock.forward(3)
    beat = runner.post(f"/api/v1/sessions/{session}/heartbeat").json()
    assert beat["deadline"] == "2026-03-01T12:00:08Z"
    assert [item["machine"] for item in beat["work"]] == ["m1"]
    assert runner.delete(f"/api/v1/sessions/{session}").status_code == 204
    assert runner.delete(f"/api/v1/sessions/{session}").status_code == 204
    refused(runner.post(f"/api/v1/sessions/{session}/heartbeat"), 409, "session_expired")
    lines = runner.get("/api/v1/work/history").json()["items"]
    assert [(line["outcome"], line["cause"], line["actor"]) for line in lines] == [
        ("cancelled", "session ended", "runner"),
        ("started", "", "runner"),
    ]


def test_sessions_belong_to_who_made_them(runner: httpx.Client, api: Any) -> None:
    session = start(runner)
    take(runner, session)
    other = api.client("admin")
    refused(other.post(f"/api/v1/sessions/{session}/heartbeat"), 409, "session_expired")
    refused(take(other, session, "site/m2"), 409, "session_expired")
    body = {"session": session, "machine": "m1", "process": "manual"}
    refused(other.post("/api/v1/work/finish", json=body), 409, "session_expired")
    assert other.delete(f"/api/v1/sessions/{session}").status_code == 204
    assert len(runner.get("/api/v1/work").json()["items"]) == 1


@pytest.mark.parametrize("scope", ["viewer", "agent"])
def test_viewers_and_agents_hold_no_work(api: Any, scope: str) -> None:
    assert api.client(scope).post("/api/v1/sessions", json={"component": "x"}).status_code == 403


def test_claims_by_need(runner: httpx.Client) -> None:
    session = start(runner)

    def claim(**values: Any) -> list[str]:
        body = {"session": session, "process": "onboard", **values}
        answer = runner.post("/api/v1/work/claim", json=body)
        assert answer.status_code == 200, answer.text
        return [item["machine"] for item in answer.json()["items"]]

    assert claim(machines=["site/m2", "unknown"]) == ["site/m2"]
    assert claim(count=10) == ["m1"]
    assert claim() == []
    assert claim(process="powercycle") == []
    error = refused(runner.post("/api/v1/work/claim", json={"session": session, "process": "dance"}), 422)
    assert "powercycle" in error["message"]
    refused(take(runner, session, "m1", process="provision"), 409, "work_conflict")
    refused(take(runner, session, "nope"), 404)
    refused(take(runner, "nope"), 409, "session_expired")


def test_work_is_left_once(runner: httpx.Client, admin: httpx.Client) -> None:
    session = start(runner)
    token = take(runner, session, process="onboard").json()["fencing_token"]
    body = {"session": session, "machine": "m1", "process": "onboard", "fencing_token": token}
    refused(runner.post("/api/v1/work/finish", json={**body, "fencing_token": token + 1}), 409, "lease_lost")
    assert runner.post("/api/v1/work/fail", json={**body, "cause": "no rack"}).status_code == 204
    refused(runner.post("/api/v1/work/fail", json={**body, "cause": "no rack"}), 409, "lease_lost")
    refused(runner.post("/api/v1/work/finish", json=body), 409, "lease_lost")
    assert runner.post("/api/v1/work/cancel", json=body).status_code == 204
    found = runner.get("/api/v1/explain/m1/onboard").json()
    assert (found["eligible"], found["backoff"]["cause"], found["work"]) == (False, "no rack", None)
    assert [item["text"] for item in found["conditions"] if not item["holds"]] == ["not in backoff"]
    error = refused(take(runner, session, process="onboard"), 409, "not_eligible")
    assert error["details"]["unmet"] == ["not in backoff"]
    assert take(runner, session, process="onboard", needed=False).status_code == 200
    assert runner.post("/api/v1/work/finish", json={**body, "fencing_token": None}).status_code == 204
    assert runner.get("/api/v1/explain/site%2Fm2/onboard").json()["eligible"] is True
    assert 'fleetd_work{process="onboard",state="eligible"} 2.0' in admin.get("/metrics").text


def test_failures_of_its_own_backoff(runner: httpx.Client, clock: Any) -> None:
    session = start(runner, interval=1000)
    body = {"session": session, "machine": "m1", "process": "onboard", "cause": "x"}
    for _ in range(2):
        assert take(runner, session, process="onboard", needed=False).status_code == 200
        answer = runner.post("/api/v1/work/fail", json={**body, "backoff": {"initial": 7, "attempts": 2}})
        assert answer.status_code == 204
    found = runner.get("/api/v1/machines/m1").json()["description"]
    assert found["IsQuarantined"] is True
    assert found["Annotation"]["Message"] == "Quarantined: onboard failed too often: x"


# -- power cycles


@pytest.fixture
def cycle(runner: httpx.Client, admin: httpx.Client) -> str:
    request: str = admin.post("/api/v1/powercycles", json={"machine": "m1"}).json()["id"]
    return request


def claim_cycle(runner: httpx.Client, session: str) -> int:
    (item,) = runner.post("/api/v1/work/claim", json={"session": session, "process": "powercycle"}).json()["items"]
    token: int = item["fencing_token"]
    return token


def report(runner: httpx.Client, request: str, state: str, token: int | None) -> httpx.Response:
    body = {"state": state, "message": "x", "fencing_token": token}
    return runner.post(f"/api/v1/powercycles/{request}/report", json=body)


def test_a_claimed_power_cycle_is_reported_with_its_token(runner: httpx.Client, cycle: str) -> None:
    session = start(runner)
    token = claim_cycle(runner, session)
    assert runner.get(f"/api/v1/powercycles/{cycle}").json()["state"] == "claimed"
    assert runner.get("/json/v1/powercycle/list").json() == []
    for state in ("off", "on", "verified", "verified"):  # the last one again: its answer may have been lost
        answer = report(runner, cycle, state, token)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert runner.get("/api/v1/work").json()["items"] == []
    outcomes = [line["outcome"] for line in runner.get("/api/v1/work/history").json()["items"]]
    assert outcomes == ["finished", "started"]
    refused(report(runner, cycle, "failed", token), 409, "lease_lost")


def test_a_late_report_of_a_lost_claim_is_refused(runner: httpx.Client, api: Any, cycle: str, clock: Any) -> None:
    old = claim_cycle(runner, start(runner))
    clock.forward(6)
    refused(report(runner, cycle, "verified", old), 409, "session_expired")
    new = claim_cycle(runner, start(runner))
    assert new > old
    refused(report(runner, cycle, "verified", old), 409, "lease_lost")
    refused(report(runner, cycle, "off", old), 409, "lease_lost")
    assert report(runner, cycle, "verified", new).status_code == 200


def test_a_failed_power_cycle_waits_and_is_given_up(runner: httpx.Client, cycle: str, clock: Any) -> None:
    session = start(runner, interval=10_000)
    for attempt in range(1, 4):
        token = claim_cycle(runner, session)
        found = report(runner, cycle, "failed", token).json()
        assert found["attempts"] == attempt
        assert report(runner, cycle, "failed", token).json()["attempts"] == attempt
        body = {"session": session, "process": "powercycle"}
        assert runner.post("/api/v1/work/claim", json=body).json()["items"] == []
        clock.forward(101)
    assert found["state"] == "failed"


def test_finish_verifies_and_cancel_puts_back(runner: httpx.Client, cycle: str) -> None:
    session = start(runner)
    body = {"session": session, "machine": "m1", "process": "powercycle"}
    claim_cycle(runner, session)
    assert runner.post("/api/v1/work/cancel", json={**body, "cause": "busy rack"}).status_code == 204
    found = runner.get(f"/api/v1/powercycles/{cycle}").json()
    assert (found["state"], found["steps"][-1]["message"]) == ("queued", "given back: busy rack")
    claim_cycle(runner, session)
    assert runner.post("/api/v1/work/finish", json=body).status_code == 204
    assert runner.get(f"/api/v1/powercycles/{cycle}").json()["state"] == "verified"


def test_a_claimed_request_is_not_cancelled(runner: httpx.Client, admin: httpx.Client, cycle: str, clock: Any) -> None:
    token = claim_cycle(runner, start(runner))
    error = refused(admin.post(f"/api/v1/powercycles/{cycle}/cancel"), 409, "work_conflict")
    assert error["details"]["holder"] == "runner"
    assert "runner has claimed it" in error["message"]
    toggled = admin.post("/_/machine/toggle_powercycle/m1")
    assert (toggled.status_code, "runner has claimed it" in toggled.text) == (409, True)
    assert report(runner, cycle, "off", token).status_code == 200
    clock.forward(6)  # the runner is dead: nobody holds it
    assert admin.post(f"/api/v1/powercycles/{cycle}/cancel").json()["state"] == "cancelled"


def test_a_token_that_is_done_says_nothing_about_the_next_request(
    runner: httpx.Client, admin: httpx.Client, cycle: str, clock: Any
) -> None:
    session = start(runner, interval=10_000)
    done = claim_cycle(runner, session)
    assert report(runner, cycle, "verified", done).status_code == 200
    clock.forward(1)
    following = admin.post("/api/v1/powercycles", json={"machine": "m1"}).json()["id"]
    refused(report(runner, following, "verified", done), 409, "lease_lost")
    failed = claim_cycle(runner, session)
    assert report(runner, following, "failed", failed).status_code == 200
    refused(report(runner, cycle, "failed", failed), 409, "lease_lost")
    assert report(runner, cycle, "verified", done).json()["state"] == "verified"  # the first one again


@pytest.mark.parametrize("state", ["claimed", "off", "verified", "failed"])
def test_a_claimed_request_is_not_reported_without_its_token(
    runner: httpx.Client, admin: httpx.Client, cycle: str, state: str
) -> None:
    token = claim_cycle(runner, start(runner))
    before = runner.get(f"/api/v1/powercycles/{cycle}").json()
    for client in (runner, admin):
        refused(report(client, cycle, state, None), 409, "work_conflict")
    assert runner.get(f"/api/v1/powercycles/{cycle}").json() == before
    assert report(runner, cycle, "verified", token).status_code == 200
    assert report(runner, cycle, "verified", None).status_code == 200  # the same again, and nobody holds it


def test_a_person_may_say_that_a_claimed_one_is_done(runner: httpx.Client, admin: httpx.Client, cycle: str) -> None:
    token = claim_cycle(runner, start(runner))
    assert admin.post("/json/v1/powercycle/complete/m1").status_code == 200
    assert runner.get(f"/api/v1/powercycles/{cycle}").json()["state"] == "verified"
    assert report(runner, cycle, "off", token).status_code == 409


def test_reports_without_a_token_still_work(runner: httpx.Client, cycle: str) -> None:
    for state in ("claimed", "off", "on", "verified"):
        assert report(runner, cycle, state, None).status_code == 200


# -- the keeper


class Server:
    """Answers heartbeats, or does not."""

    def __init__(self) -> None:
        self.beats = 0
        self.error: Exception | None = None

    def poke(self) -> None:
        self.beats += 1
        if self.error is not None:
            raise self.error


def test_the_keeper_survives_an_outage_shorter_than_the_interval() -> None:
    server, lost, now = Server(), threading.Event(), [0.0]
    with SessionKeeper(server.poke, 0.6, lost.set, clock=lambda: now[0]) as keeper:
        wait_until(lambda: server.beats, 60, "a heartbeat", 0.01)
        server.error, before = Busy("the database does not answer"), server.beats
        now[0] = 0.5
        wait_until(lambda: server.beats > before + 1, 60, "two heartbeats that fail", 0.01)
        assert not keeper.lost
        server.error, before = None, server.beats
        wait_until(lambda: server.beats > before + 1, 60, "a heartbeat that does not", 0.01)
        now[0] = 1.0
        assert not keeper.lost
    assert not lost.is_set()


def test_the_keeper_says_when_the_outage_was_too_long() -> None:
    server, lost = Server(), threading.Event()
    server.error = Busy("the database does not answer")
    began = time.monotonic()
    with SessionKeeper(server.poke, 0.5, lost.set) as keeper:
        assert lost.wait(60)
        assert time.monotonic() - began > 0.4
        assert keeper.lost


def test_the_keeper_believes_the_server() -> None:
    server, lost = Server(), threading.Event()
    server.error = ConflictError("expired")
    with SessionKeeper(server.poke, 4.0, lost.set):
        assert lost.wait(60)
    assert server.beats == 1


def test_the_keeper_counts_the_time_that_the_machine_slept() -> None:
    now = [0.0]
    keeper = SessionKeeper(lambda: None, 30.0, clock=lambda: now[0])
    with keeper:
        assert not keeper.lost
        now[0] = 30.0
        assert keeper.lost
