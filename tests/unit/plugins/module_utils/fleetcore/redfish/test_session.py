# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Login, logout and what a GET makes of each answer, over a scripted transport."""

from __future__ import annotations

import asyncio
import json

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import Verdict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    SessionLimit,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.answers import outcome_of
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.collector import collect
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.session import Session
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.walker import Walker

ROOT = {
    "RedfishVersion": "1.6.0",
    "Systems": {"@odata.id": "/redfish/v1/Systems"},
    "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}},
}
TOKEN = {"x-auth-token": "t0", "location": "https://10.0.0.1/redfish/v1/SessionService/Sessions/7"}


class Clock:
    def __init__(self):
        self.time = 0.0

    def monotonic(self):
        return self.time

    def now(self):
        return "2026-01-01T00:00:00Z"

    def sleep(self, seconds):
        self.time += seconds


def reply(status=200, body=None, **headers):
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, _bytes(body))


def _bytes(body):
    return body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()


def error(message_id, message="words"):
    return {"error": {"@Message.ExtendedInfo": [{"MessageId": message_id, "Message": message}]}}


class Script:
    """Answers by (method, path): a response, an error to raise, or a list of these, one after the other."""

    def __init__(self, answers):
        self.answers = {("GET", "/redfish/v1/"): reply(body=ROOT), **answers}
        self.sent = []
        self.closed = False

    def send(self, request):
        self.sent.append(request)
        found = self.answers.get((request.method, request.url), reply(404))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        return found

    def close(self):
        self.closed = True

    def log(self):
        return [(request.method, request.url) for request in self.sent]


class Live:
    """A script for an event loop."""

    def __init__(self, script):
        self.script = script
        self.close = script.close

    async def send(self, request):
        return self.script.send(request)


def document(script, clock, **options):
    """What is collected over a script."""
    return asyncio.run(collect(Live(script), clock, "bmc1", Walker(), username="root", password="calvin", **options))


LOGIN = ("POST", "/redfish/v1/SessionService/Sessions")
LOGOUT = ("DELETE", "/redfish/v1/SessionService/Sessions/7")
SYSTEMS = ("GET", "/redfish/v1/Systems")


def session(script, username="root", password="calvin"):
    return Session(script, Clock(), "bmc1", username=username, password=password)


def test_one_login_and_a_guaranteed_logout():
    script = Script({LOGIN: HttpResponse(201, TOKEN, b"{}"), SYSTEMS: reply(body={"Members": []})})
    bmc = session(script)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(bmc)
    assert script.log() == [("GET", "/redfish/v1/"), LOGIN, SYSTEMS, LOGOUT]
    assert script.sent[2].headers["X-Auth-Token"] == "t0"
    assert json.loads(script.sent[1].body) == {"UserName": "root", "Password": "calvin"}
    assert script.closed
    assert bmc.logins == 1


def _interrupted(bmc):
    with bmc:
        assert bmc.get("/redfish/v1/Systems").verdict is Verdict.COLLECTED
        raise KeyboardInterrupt


def test_a_login_that_tells_its_session_in_the_body_only_is_ended():
    body = json.dumps({"@odata.id": LOGOUT[1], "Id": "7"}).encode()
    script = Script({LOGIN: HttpResponse(201, {"x-auth-token": "t0"}, body)})
    with session(script):
        pass
    assert script.log()[-1] == LOGOUT


def test_a_session_that_is_forgotten_by_a_bmc_that_restarts_is_renewed_once_it_is_back():
    """The new login fails at first: nobody is logged in then, and the next request logs in."""
    script = Script(
        {
            LOGIN: [HttpResponse(201, TOKEN, b"{}"), Unreachable("it restarts"), HttpResponse(201, TOKEN, b"{}")],
            SYSTEMS: [reply(401), reply(401), reply(body={"Members": []})],
        }
    )
    with session(script) as bmc:
        with pytest.raises(Unreachable):
            bmc.send("GET", SYSTEMS[1])
        assert bmc.send("GET", SYSTEMS[1]).status == 200
    assert script.log()[-1] == LOGOUT


def test_a_refused_login_is_not_repeated_after_the_session_was_forgotten():
    script = Script({LOGIN: [HttpResponse(201, TOKEN, b"{}"), reply(401)], SYSTEMS: reply(401)})
    with session(script) as bmc:
        with pytest.raises(AuthenticationFailed):
            bmc.send("GET", SYSTEMS[1])
        assert bmc.send("GET", SYSTEMS[1]).status == 401
    assert script.log().count(LOGIN) == 2


def test_a_failing_logout_is_no_failure():
    script = Script({LOGIN: HttpResponse(201, TOKEN, b"{}"), LOGOUT: Unreachable("gone")})
    with session(script):
        pass
    assert script.closed


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, error("Base.1.0.AccessDenied")),
        reply(400, error("iLO.2.14.UnauthorizedLoginAttempt")),
        reply(403, error("Base.1.0.InsufficientPrivilege")),
        reply(200, error("Base.1.0.GeneralError")),
        reply(200, {"Status": "failed"}),
        reply(201, b"<html>"),
        reply(405, error("Base.1.0.InvalidCredentials")),
    ],
)
def test_a_refused_login_stops_at_once(answer):
    script = Script({LOGIN: answer})
    with (
        pytest.raises(AuthenticationFailed, match=r"refused the login.*root.*not tried again") as caught,
        session(script),
    ):
        pass
    assert script.log() == [("GET", "/redfish/v1/"), LOGIN]
    assert "calvin" not in str(caught.value.to_dict())
    assert script.closed


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(503, error("IDRAC.2.4.RAC0218", "The maximum number of user sessions is reached.")), SessionLimit),
        (reply(400, error("Base.1.0.SessionLimitExceeded")), SessionLimit),
        (reply(503), Busy),
        (reply(500), BadResponse),
    ],
)
def test_other_reasons_are_told_apart(answer, kind):
    with pytest.raises(kind), session(Script({LOGIN: answer})):
        pass


@pytest.mark.parametrize("status", [404, 405, 501])
def test_basic_when_there_are_no_sessions(status):
    script = Script({LOGIN: reply(status), SYSTEMS: reply(body={"Members": []})})
    with session(script) as bmc:
        assert bmc.logins == 2
    assert script.sent[-1].headers["Authorization"] == "Basic cm9vdDpjYWx2aW4="
    assert LOGOUT not in script.log()


def test_basic_at_once_when_the_service_names_no_sessions():
    root = {"RedfishVersion": "1.0.0", "Systems": {"@odata.id": "/redfish/v1/Systems"}}
    script = Script({("GET", "/redfish/v1/"): reply(body=root), SYSTEMS: reply(401)})
    with pytest.raises(AuthenticationFailed), session(script):
        pass
    assert LOGIN not in script.log()
    assert script.log().count(SYSTEMS) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(404), Unsupported),
        (reply(200, b"<html>a printer</html>"), Unsupported),
        (reply(200, {"hello": "world"}), Unsupported),
        (reply(503), Busy),
        (Unreachable("refused"), Unreachable),
        (TimedOut("no answer"), TimedOut),
    ],
)
def test_no_redfish_here(answer, kind):
    with pytest.raises(kind), session(Script({("GET", "/redfish/v1/"): answer})):
        pass


def test_busy_is_asked_again_and_patience_ends():
    script = Script(
        {LOGIN: HttpResponse(201, TOKEN, b"{}"), SYSTEMS: [reply(503, retry_after="2"), reply(body={"a": 1})]}
    )
    with session(script) as bmc:
        assert bmc.get("/redfish/v1/Systems").body == {"a": 1}
    script = Script({LOGIN: HttpResponse(201, TOKEN, b"{}"), SYSTEMS: reply(503)})
    with session(script) as bmc:
        assert bmc.get("/redfish/v1/Systems").verdict is Verdict.FAILED
    assert script.log().count(SYSTEMS) == 3


def test_a_redirect_stays_on_the_host():
    moved = reply(308, location="http://evil.example/redfish/v1/Systems/")
    script = Script(
        {LOGIN: HttpResponse(201, TOKEN, b"{}"), SYSTEMS: moved, ("GET", "/redfish/v1/Systems/"): reply(body={"a": 1})}
    )
    with session(script) as bmc:
        assert bmc.get("/redfish/v1/Systems").body == {"a": 1}
    assert all(request.url.startswith("/redfish/v1") for request in script.sent)


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (reply(200, {"Id": "1"}), Verdict.COLLECTED),
        (reply(200, [1]), Verdict.FAILED),
        (reply(200, b"{"), Verdict.FAILED),
        (reply(200, b"[" * 100_000), Verdict.FAILED),
        (reply(200, b"\xff\xfe"), Verdict.FAILED),
        (reply(200, error("Base.1.4.ResourceMissingAtURI")), Verdict.ABSENT),
        (reply(401), Verdict.DENIED),
        (reply(403), Verdict.DENIED),
        (reply(404), Verdict.ABSENT),
        (reply(500, error("Base.1.0.InternalError")), Verdict.FAILED),
    ],
)
def test_outcomes(response, verdict):
    assert outcome_of(response).verdict is verdict


def test_a_bmc_that_stops_answering_is_given_up():
    members = [{"@odata.id": f"/redfish/v1/Systems/1/Memory/{number}"} for number in range(200)]
    answers = {
        LOGIN: HttpResponse(201, TOKEN, b"{}"),
        SYSTEMS: reply(body={"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}),
        ("GET", "/redfish/v1/Systems/1"): reply(
            body={"Id": "1", "Memory": {"@odata.id": "/redfish/v1/Systems/1/Memory"}}
        ),
        ("GET", "/redfish/v1/Systems/1/Memory"): reply(body={"Members": members}),
    }
    answers.update({("GET", member["@odata.id"]): TimedOut("no answer within 30 s") for member in members})
    script = Script(answers)
    device = document(script, Clock())
    assert device.coverage["memory"].verdict is Verdict.TIMEOUT
    assert device.system_id == "1"
    assert len(script.sent) < 25
    assert script.log()[-1] == LOGOUT


def test_the_deadline_ends_it():
    clock = Clock()
    answers = {
        LOGIN: HttpResponse(201, TOKEN, b"{}"),
        SYSTEMS: reply(body={"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}),
        ("GET", "/redfish/v1/Systems/1"): reply(
            body={"Id": "1", "Memory": {"@odata.id": "/redfish/v1/Systems/1/Memory"}}
        ),
    }

    class Slow(Script):
        def send(self, request):
            clock.time += 10
            return super().send(request)

    device = document(Slow(answers), clock, deadline=40)
    assert device.coverage["memory"].verdict is Verdict.TIMEOUT
