# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of and told to a machine server, on a transport that is a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from fleetcore.errors import BadResponse, ConflictError, PermissionDenied
from fleetcore.net.client.server import ServerClient
from fleetcore.ports import HttpRequest, HttpResponse, PowerState
from runner_fakes import FakeClock

from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.ports import Entry, EntryState, Wanted

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


class NoLeases:
    """Leases that record."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def resume(self, process: str, known: Mapping[str, int]) -> None:
        pass

    def claim(self, process: str, count: int, machines: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
        self.calls.append(("claim", process, count, list(machines), dict(known)))
        return {machines[0]: 7}

    def session(self) -> str | None:
        return "s1"

    def finish(self, process: str, machine: str, token: int) -> None:
        raise AssertionError

    def fail(self, process: str, machine: str, token: int, cause: str) -> None:
        raise AssertionError

    def cancel(self, process: str, machine: str) -> None:
        self.calls.append(("cancel", process, machine))


LEASES = NoLeases()


def server(answers: dict[str, Answer]) -> tuple[HttpWorkServer, Table]:
    table = Table(answers)
    LEASES.calls.clear()
    return HttpWorkServer(ServerClient(table, FakeClock(), "http://s", attempts=1), "me", LEASES), table


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
    assert work.wanted(frozenset("abc"), {}) == [Wanted("a", "q1"), Wanted("b", "q2")]


@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_list_costs_one_request(empty: Any) -> None:
    work, table = server({"GET /json/v1/powercycle/list": (200, empty)})
    assert work.wanted(frozenset("a"), {}) == []
    assert len(table.sent) == 1


@pytest.mark.parametrize(
    "answer", [(404, "404 page not found"), (405, "no"), (200, "<html>the page of another server</html>")]
)
def test_a_server_without_requests_is_recognised(answer: Answer) -> None:
    work, _ = server({"GET /json/v1/powercycle/list": (200, ["a"]), "GET /api": answer})
    assert work.wanted(frozenset("a"), {}) == [Wanted("a", None)]


@pytest.mark.parametrize(("status", "error"), [(500, BadResponse), (403, PermissionDenied)])
def test_a_server_in_trouble_is_not_taken_for_one_without_requests(status: int, error: type[Exception]) -> None:
    work, _ = server({"GET /json/v1/powercycle/list": (200, ["a"]), "GET /api": (status, "trouble")})
    with pytest.raises(error):
        work.wanted(frozenset("a"), {})


ENTRY = Entry("q1", "a", "q1", EntryState.VERIFIED, detail={"power": {"driver": "redfish", "after": "on"}}, token=7)


def test_a_cycle_is_told_step_by_step_with_its_token() -> None:
    work, table = server({"POST /api/v1/powercycles/q1/report": (200, {})})
    work.step(ENTRY, PowerState.OFF, "power read back")
    work.verified(ENTRY)
    told = [(body["state"], body["message"][:10], body["runner"], body["fencing_token"]) for _line, body in table.sent]
    assert told == [("off", "power read", "me", 7), ("verified", "power read", "me", 7)]


def test_requests_are_claimed_and_machines_without_a_request_are_not() -> None:
    work, _ = server({})
    assert work.claim([Wanted("a", "q1"), Wanted("b", "q2"), Wanted("c")], {"x": 3}) == {"a": 7, "c": None}
    assert LEASES.calls == [("claim", "powercycle", 2, ["a", "b"], {"x": 3})]


@pytest.mark.parametrize(("status", "cancels"), [(404, []), (409, [("cancel", "powercycle", "a")])])
def test_a_request_that_is_closed_or_gone_is_not_an_error(status: int, cancels: list[Any]) -> None:
    error = {"error": {"code": "x", "message": "closed", "details": {}}}
    work, _ = server({"POST /api": (status, error)})
    work.verified(ENTRY)
    assert LEASES.calls == cancels


@pytest.mark.parametrize("reason", ["session_expired", "lease_lost"])
def test_a_claim_that_is_over_is_said(reason: str) -> None:
    work, _ = server({"POST /api": (409, {"error": {"code": "x", "message": "late", "details": {"reason": reason}}})})
    with pytest.raises(ConflictError):
        work.verified(ENTRY)


def test_without_request_ids_a_cycle_is_complete_and_a_failure_can_not_be_told() -> None:
    work, table = server({"POST /json/v1/powercycle/complete/rack/a": (200, "")})
    plain = Entry("rack/a@1", "rack/a", None, EntryState.VERIFIED)
    work.verified(plain)
    work.failed(plain)
    work.step(plain, "off", "")
    assert [line for line, _ in table.sent] == ["POST /json/v1/powercycle/complete/rack/a"]
