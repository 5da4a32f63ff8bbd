# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/api/v1/powercycles."""

from __future__ import annotations

from typing import Any

import httpx
from v1 import error, make


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
