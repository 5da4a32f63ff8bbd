# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore import errors
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.client.server import ServerClient
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse, HttpStream

URL = "https://fleet.example.com"


class ScriptedHttp:
    """Answers in order; an exception is raised. Keeps the requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def send(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.answers.clear()


class FakeClock:
    def __init__(self):
        self.slept = []

    def monotonic(self):
        return sum(self.slept)

    def now(self):
        return "2026-01-01T00:00:00Z"

    def sleep(self, seconds):
        self.slept.append(seconds)


def answer(data=None, status=200, **headers):
    return HttpResponse(status, {"content-type": "application/json", **headers}, json.dumps(data).encode())


def refusal(status, message, code="x", details=None, **headers):
    return answer({"error": {"code": code, "message": message, "details": details or {}}}, status, **headers)


def text(body, status=200, kind="text/plain; charset=utf-8"):
    return HttpResponse(status, {"content-type": kind}, body.encode())


def client_of(*answers, token="secret"):
    http, clock = ScriptedHttp(*answers), FakeClock()
    return ServerClient(http, clock, URL + "/", token=token), http, clock


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (lambda c: c.powercycle_complete("a/b c"), "POST", "/json/v1/powercycle/complete/a/b%20c", b""),
        (
            lambda c: c.powercycle_state_update({"x": "available"}),
            "POST",
            "/json/v1/powercycle/state/update",
            {"Machines": [{"MachineID": "x", "PowerCycleState": "available"}]},
        ),
        (lambda c: c.description("rack:1/é?#%"), "GET", "/json/v1/machine/description/rack:1/%C3%A9%3F%23%25", None),
        (lambda c: c.post_event({"type": "x"}), "POST", "/json/v1/machine/event/", {"type": "x"}),
        (lambda c: c.machine("a/bmc"), "GET", "/api/v1/machines/a%2Fbmc", None),
        (lambda c: c.create_machine({"id": "ü"}), "POST", "/api/v1/machines", {"id": "ü"}),
        (lambda c: c.patch_machine("a", {"site": None}, 3), "PATCH", "/api/v1/machines/a", {"site": None}),
        (lambda c: c.device("a", "oob"), "GET", "/api/v1/machines/a/device?source=oob", None),
        (
            lambda c: c.request_powercycle("a", "hangs"),
            "POST",
            "/api/v1/powercycles",
            {"machine": "a", "reason": "hangs"},
        ),
        (lambda c: c.powercycle("7"), "GET", "/api/v1/powercycles/7", None),
        (
            lambda c: c.report_powercycle("7", "failed", "no", {"code": "timeout"}, "r1"),
            "POST",
            "/api/v1/powercycles/7/report",
            {"state": "failed", "message": "no", "error": {"code": "timeout"}, "runner": "r1"},
        ),
        (lambda c: c.cancel_powercycle("7"), "POST", "/api/v1/powercycles/7/cancel", {}),
    ],
)
def test_request(call, method, path, body):
    client, http, _clock = client_of(answer({}))
    call(client)
    (request,) = http.requests
    assert (request.method, request.url) == (method, path)
    assert request.headers["Authorization"] == "Bearer secret"
    assert (json.loads(request.body) if request.body else request.body) == body


def test_patch_names_the_version_it_was_made_for():
    client, http, _clock = client_of(answer({}))
    client.patch_machine("a", {}, 3)
    assert http.requests[0].headers["If-Match"] == '"3"'


def test_without_a_token_none_is_sent():
    client, http, _clock = client_of(answer([]), token=None)
    client.powercycle_list()
    assert "Authorization" not in http.requests[0].headers


def test_a_token_that_would_break_the_header_is_refused_and_not_shown():
    with pytest.raises(errors.InvalidInput, match="server_token") as caught:
        client_of(token="geheim\r\nX: y")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("machine", ["", "  ", "..", "a/../b", "a//b", "/a", "a/", "a\nb"])
def test_a_name_that_no_url_can_hold_sends_nothing(machine):
    client, http, _clock = client_of()
    with pytest.raises(errors.InvalidInput, match="machine"):
        client.machine(machine)
    assert http.requests == []


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "expected"), [(None, []), ([], []), (["a", "b"], ["a", "b"])])
def test_powercycle_list(body, expected):
    assert client_of(answer(body))[0].powercycle_list() == expected


@pytest.mark.parametrize("body", [{}, [1], "a", True])
def test_powercycle_list_that_is_none(body):
    with pytest.raises(errors.BadResponse, match="list of machine ids"):
        client_of(answer(body))[0].powercycle_list()


@pytest.mark.parametrize(
    ("response", "kind", "words"),
    [
        (refusal(400, "labels.x: no", details={"field": "labels.x"}), errors.InvalidInput, "labels.x: no"),
        (
            refusal(401, "expired"),
            errors.AuthenticationFailed,
            "refused the token .expired.; check server_token or FLEETD",
        ),
        (refusal(403, "needs scope operator"), errors.PermissionDenied, "needs scope operator"),
        (text("", 403), errors.PermissionDenied, "the token may not"),
        (refusal(404, "no machine a"), errors.NotFound, "no machine a"),
        (refusal(409, "exists"), errors.ConflictError, "exists"),
        (refusal(412, "is at version 4"), errors.ConflictError, "version 4"),
        (refusal(422, "device.cpus: wrong"), errors.InvalidInput, "device.cpus: wrong"),
        (refusal(500, "oops"), errors.BadResponse, "oops .HTTP 500 for /api/v1/machines/a"),
        (text("<html>404</html>", 404, "text/html"), errors.BadResponse, "Is this the machine server"),
        (text("404 page not found", 404), errors.BadResponse, "Is this the machine server"),
        (answer({"detail": "Not Found"}, 404), errors.BadResponse, "Is this the machine server"),
        (text("<html>hi</html>", 200, "text/html"), errors.BadResponse, f"{URL}/api/v1/machines/a: expected JSON"),
        (text("", 200), errors.BadResponse, "expected JSON"),
        (answer(["a"]), errors.BadResponse, "expected an object"),
        (
            answer(None, 302, location="https://sso.example.com/?secret=1"),
            errors.BadResponse,
            "to https://sso.example.com/ ",
        ),
        (text("nginx", 502, "text/html"), errors.Unreachable, "proxy"),
    ],
)
def test_refusals(response, kind, words):
    # Three times: some are worth repeating.
    client, _http, _clock = client_of(response, response, response)
    with pytest.raises(kind, match=words) as caught:
        client.machine("a")
    assert caught.value.__class__ is kind
    assert caught.value.message.startswith(("machine server " + URL, URL))
    assert caught.value.details["url"] == URL
    assert "\n" not in caught.value.message


def test_the_field_that_the_server_names_arrives():
    client, _http, _clock = client_of(refusal(422, "bad", details={"field": "bmc.mac"}))
    with pytest.raises(errors.InvalidInput) as caught:
        client.create_machine({"id": "a"})
    assert caught.value.details["field"] == "bmc.mac"


def test_401_without_a_token_says_how_to_get_one():
    with pytest.raises(errors.AuthenticationFailed, match=r"wants a token.*fleetd token create"):
        client_of(refusal(401, "no token"), token="")[0].machine("a")


def test_plain_text_is_what_the_json_v1_paths_refuse_with():
    with pytest.raises(errors.NotFound, match="no machine x"):
        client_of(text("no machine x\n", 404))[0].description("x")
    with pytest.raises(errors.BadResponse, match="Failed to read"):
        client_of(text("Failed to read\nstack", 500))[0].description("x")


# -- repetition --------------------------------------------------------------------------------------------------------

DOWN = errors.Unreachable("fleet.example.com:443: connection refused", address="fleet.example.com:443")


def test_a_get_is_repeated_and_the_pauses_grow():
    client, http, clock = client_of(DOWN, refusal(503, "starting"), answer({"id": "a"}))
    assert client.machine("a") == {"id": "a"}
    assert clock.slept == [0.5, 1.0]
    assert len(http.requests) == 3


def test_it_gives_up():
    client, http, _clock = client_of(DOWN, DOWN, DOWN, DOWN)
    with pytest.raises(errors.Unreachable, match=f"^machine server {URL}: connection refused. Is it running there"):
        client.machine("a")
    assert len(http.requests) == 3


def test_retry_after_is_heeded_within_reason():
    busy = refusal(429, "slow down", **{"retry-after": "3"})
    absurd = refusal(503, "down", **{"retry-after": "86400"})
    client, _http, clock = client_of(busy, absurd, answer({}))
    client.machine("a")
    assert clock.slept == [3, 10]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_refusals_are_not_repeated(status):
    client, http, _clock = client_of(refusal(status, "no"))
    with pytest.raises(errors.FleetError):
        client.machine("a")
    assert len(http.requests) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.create_machine({"id": "a"}),
        lambda c: c.patch_machine("a", {}),
        lambda c: c.powercycle_complete("a"),
        lambda c: c.report_powercycle("1", "failed"),
        lambda c: c.cancel_powercycle("1"),
    ],
)
def test_what_must_not_happen_twice_is_sent_once(call):
    client, http, _clock = client_of(DOWN)
    with pytest.raises(errors.Unreachable):
        call(client)
    assert len(http.requests) == 1


def test_a_repeated_request_for_a_power_cycle_has_the_same_key():
    client, http, _clock = client_of(DOWN, answer({"id": "1"}, 201))
    client.request_powercycle("a", "hangs")
    first, second = (request.headers["Idempotency-Key"] for request in http.requests)
    assert first == second


# -- lists and inventory -----------------------------------------------------------------------------------------------


def test_pages_are_followed_with_the_filters():
    client, http, _clock = client_of(
        answer({"items": [{"id": "a"}], "next": "c 1"}), answer({"items": [{"id": "b"}], "next": None})
    )
    found = list(client.machines(site="ber 1", labels={"role": "x=y"}, page=1))
    assert [item["id"] for item in found] == ["a", "b"]
    assert [request.url for request in http.requests] == [
        "/api/v1/machines?site=ber+1&label=role%3Dx%3Dy&limit=1",
        "/api/v1/machines?site=ber+1&label=role%3Dx%3Dy&limit=1&cursor=c+1",
    ]


def test_a_server_that_turns_in_circles_is_left():
    page = answer({"items": [], "next": "c"})
    with pytest.raises(errors.BadResponse, match="new cursor"):
        list(client_of(page, page)[0].machines())


def test_inventory_and_its_etag():
    data = {"hosts": {"a": {}}, "groups": {}}
    client, http, _clock = client_of(answer(data, etag='"1"'), answer(None, 304, etag='"1"'))
    first = client.inventory(rack="r1")
    assert (first.etag, first.data) == ('"1"', data)
    assert client.inventory(rack="r1", etag=first.etag).data is None
    assert http.requests[1].headers["If-None-Match"] == '"1"'
    assert http.requests[1].url == "/api/v1/inventory?rack=r1"


def test_inventory_that_is_none():
    with pytest.raises(errors.BadResponse, match="hosts"):
        client_of(answer({"hosts": []}))[0].inventory()


def test_304_where_nobody_asked_for_it():
    with pytest.raises(errors.BadResponse):
        client_of(answer(None, 304))[0].machine("a")


def test_bulk_publishing_gives_one_result_per_document():
    client, http, _clock = client_of(DOWN, answer({"items": [{"changed": True}, {"error": {}}]}), answer({"items": []}))
    assert len(client.publish_devices([("a", {}), ("b", {})])) == 2
    assert json.loads(http.requests[1].body)["items"][1] == {"machine": "b", "device": {}}
    with pytest.raises(errors.BadResponse, match="2 documents"):
        client.publish_devices([("a", {}), ("b", {})])


def test_publishing_wants_the_verdict():
    with pytest.raises(errors.BadResponse, match="changed"):
        client_of(answer({}))[0].publish_device("a", {}, "oob")


# -- the stream of changes


class Streams:
    """One answer, line by line. ``closed`` counts."""

    def __init__(self, status, lines, error=None):
        self.answer = (status, lines, error)
        self.requests = []
        self.closed = 0

    def stream(self, request, quiet):
        self.requests.append((request, quiet))
        status, lines, error = self.answer

        def all_of_it():
            yield from lines
            if error is not None:
                raise error

        return HttpStream(status, {"content-type": "text/plain"}, all_of_it(), self.close)

    def close(self):
        self.closed += 1


def test_each_change_is_told_and_comments_are_not():
    client, _http, _clock = client_of()
    streams = Streams(200, [b": connected\n", b"\n", b"data: update\n", b"\n", b": still here\n", b"data: update\n"])
    assert list(client.description_updates("a/b c", streams, 9)) == [None] * 3  # once for that it listens
    request, quiet = streams.requests[0]
    assert (request.url, quiet) == ("/json/v1/machine/sse/description/updated?stream=a%2Fb+c", 9)
    assert request.headers["Authorization"] == "Bearer secret"
    assert streams.closed == 1


def test_a_stream_that_is_refused_or_breaks_says_whose_it_was():
    client, _http, _clock = client_of()
    refused = Streams(403, [b"agent-m2 (agent) may not do this\n"])
    with pytest.raises(errors.PermissionDenied, match=r"https://fleet\.example\.com: agent-m2"):
        next(client.description_updates("m1", refused, 9))
    broken = Streams(200, [b": x\n"], errors.TimedOut("10.0.0.1:443: no answer", address="10.0.0.1:443"))
    with pytest.raises(errors.TimedOut, match=r"^machine server https://fleet\.example\.com: no answer"):
        list(client.description_updates("m1", broken, 9))
    assert (refused.closed, broken.closed) == (1, 1)
