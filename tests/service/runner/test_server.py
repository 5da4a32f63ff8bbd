# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of and told to a machine server, on a transport that is a table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fleetcore.client import ServerClient
from fleetcore.errors import BadResponse, PermissionDenied
from fleetcore.ports import HttpRequest, HttpResponse
from runner_fakes import FakeClock

from fleetd.runner.server import HttpWorkServer
from fleetd.runner_ports import Wanted

Answer = tuple[int, Any]
OPEN = "/api/v1/powercycles?state="


class Table:
    """Answers by the longest beginning of "METHOD path"; remembers what was sent."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.sent: list[tuple[str, Any]] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        line = f"{request.method} {request.url}"
        self.sent.append((line, json.loads(request.body) if request.body else None))
        key = max((k for k in self.answers if line.startswith(k)), key=len, default=None)
        status, body = self.answers[key] if key else (404, "404 page not found\n")
        kind = "text/plain" if isinstance(body, str) else "application/json"
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return HttpResponse(status, {"content-type": kind}, data)

    def close(self) -> None:
        pass


def server(answers: dict[str, Answer]) -> tuple[HttpWorkServer, Table]:
    table = Table(answers)
    return HttpWorkServer(ServerClient(table, FakeClock(), "http://s", attempts=1), "me"), table


def rows(*items: tuple[str, str]) -> Answer:
    return 200, {"items": [{"machine": m, "id": i} for m, i in items], "next": None}


def test_requests_of_served_machines_come_with_their_ids() -> None:
    work, _ = server(
        {
            "GET /json/v1/powercycle/list": (200, ["a", "b", "c", "elsewhere"]),
            f"GET {OPEN}": rows(),
            f"GET {OPEN}queued": rows(("a", "q1"), ("elsewhere", "q9")),
            f"GET {OPEN}claimed": rows(("b", "q2")),
        }
    )
    # c was listed, and closed before the requests were asked for
    assert work.wanted(frozenset("abc")) == [Wanted("a", "q1"), Wanted("b", "q2")]


@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_list_costs_one_request(empty: Any) -> None:
    work, table = server({"GET /json/v1/powercycle/list": (200, empty)})
    assert work.wanted(frozenset("a")) == []
    assert len(table.sent) == 1


@pytest.mark.parametrize(
    "answer", [(404, "404 page not found"), (405, "no"), (200, "<html>the page of another server</html>")]
)
def test_a_server_without_requests_is_recognised(answer: Answer) -> None:
    work, _ = server({"GET /json/v1/powercycle/list": (200, ["a"]), "GET /api": answer})
    assert work.wanted(frozenset("a")) == [Wanted("a", None)]


@pytest.mark.parametrize(("status", "error"), [(500, BadResponse), (403, PermissionDenied)])
def test_a_server_in_trouble_is_not_taken_for_one_without_requests(status: int, error: type[Exception]) -> None:
    work, _ = server({"GET /json/v1/powercycle/list": (200, ["a"]), "GET /api": (status, "trouble")})
    with pytest.raises(error):
        work.wanted(frozenset("a"))


POWER = {
    "driver": "redfish",
    "steps": [
        {"action": "shutdown", "at": "T1", "seconds": 1.0, "result": "accepted"},
        {"action": "off", "at": "T2", "seconds": 1.0, "result": "accepted"},
        {"action": "wait", "at": "T3", "seconds": 5.0, "result": "off"},
        {"action": "on", "at": "T4", "seconds": 1.0, "result": "accepted"},
    ],
}


def test_a_cycle_is_told_step_by_step_to_its_request() -> None:
    work, table = server({"POST /api/v1/powercycles/q1/report": (200, {})})
    work.verified("a", "q1", POWER)
    told = [(body["state"], body["message"][:14], body["runner"]) for _line, body in table.sent]
    assert told == [
        ("off", "off accepted a", "me"),
        ("on", "on accepted at", "me"),
        ("verified", "power read bac", "me"),
    ]


def test_a_request_that_is_closed_or_gone_is_not_an_error() -> None:
    for status in (404, 409):
        error = {"error": {"code": "x", "message": "closed", "details": {}}}
        work, _ = server({"POST /api": (status, error), "GET /api": (status, error)})
        work.verified("a", "q1", POWER)
        work.failed("q1", {"code": "failed", "message": "x", "details": {"run": "r1"}})
        work.begun("q1")


def test_without_request_ids_a_cycle_is_complete_and_a_failure_can_not_be_told() -> None:
    work, table = server({"POST /json/v1/powercycle/complete/rack/a": (200, "")})
    work.verified("rack/a", None, POWER)
    work.failed(None, {"code": "x"})
    work.begun(None)
    assert [line for line, _ in table.sent] == ["POST /json/v1/powercycle/complete/rack/a"]


def test_a_failure_whose_answer_was_lost_is_not_counted_twice() -> None:
    error = {"code": "unreachable", "message": "x", "details": {"run": "r1"}}
    known: dict[str, Any] = {"id": "q1", "error": None}
    work, table = server({"GET /api/v1/powercycles/q1": (200, known), "POST /api/v1/powercycles/q1/report": (200, {})})
    work.failed("q1", error)
    known["error"] = error
    work.failed("q1", error)
    work.failed("q1", {**error, "details": {"run": "r2"}})
    assert [line for line, _ in table.sent].count("POST /api/v1/powercycles/q1/report") == 2
