# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_session, and the sessions that modules leave behind: none, however they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from fleetlab.farm import BmcSpec, running_farm
from fleetlab.faults import Fault
from fleetlab.process import wait_until


def ids(bmc):
    return [session.id for session in bmc.access.sessions()]


def test_sessions_are_shown_and_ended(module, bmc, login):
    bmc.access.others["guest"] = "guest-password"
    mine, others = bmc.access.open(bmc.username).id, bmc.access.open("guest").id
    read = module("bmc_session", **login(bmc))
    shown = {item["id"]: (item["username"], item["used_here"]) for item in read["sessions"]}
    assert (shown.pop(mine), shown.pop(others)) == ((bmc.username, False), ("guest", False))
    assert list(shown.values()) == [(bmc.username, True)]
    assert (read["changed"], read["ended"], ids(bmc)) == (False, [], [mine, others])

    check = module("bmc_session", check=True, state="cleared", **login(bmc))
    assert (check["changed"], check["ended"], ids(bmc)) == (True, [mine], [mine, others])
    assert check["diff"]["before"]["sessions"] == [mine, others]
    assert check["diff"]["after"]["sessions"] == [others]
    own = module("bmc_session", state="cleared", **login(bmc))
    assert (own["changed"], own["ended"], ids(bmc)) == (True, [mine], [others])
    assert not module("bmc_session", state="cleared", **login(bmc))["changed"]
    everybody = module("bmc_session", state="cleared", whose="all", **login(bmc))
    assert (everybody["changed"], everybody["ended"], ids(bmc)) == (True, [others], [])


def test_the_own_session_is_not_ended_where_the_login_named_another_path_to_it(module, bmc, login):
    answer = bmc.answer

    def changed(request, fault=None):
        reply = answer(request, fault)
        if request.method == "POST" and request.path.endswith("/Sessions"):
            name = reply.headers["Location"].rpartition("/")[2]
            reply.headers["Location"] = f"/redfish/v1/Elsewhere/{name}"
        return reply

    bmc.answer = changed
    result = module("bmc_session", check=True, state="cleared", whose="all", **login(bmc))
    assert ([item["used_here"] for item in result["sessions"]], result["ended"]) == ([True], [])


def test_a_bmc_that_has_no_session_left(module, login):
    with running_farm(BmcSpec(tree="server", session_limit=2)) as farm:
        bmc = farm.bmcs[0]
        for _number in range(2):
            bmc.access.open(bmc.username)
        assert module("bmc_power", state="on", **login(bmc, drivers=["redfish"]))["failure"]["code"] == "session_limit"
        cured = module("bmc_session", state="cleared", **login(bmc))
        assert (cured.get("changed"), len(cured["ended"]), ids(bmc)) == (True, 2, []), cured
        assert module("bmc_power", state="on", **login(bmc, drivers=["redfish"]))["power"]["after"] == "on"


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (400, "Base.1.8.CreateLimitReachedForResource", "session_limit"),
        (403, "Base.1.8.CreateLimitReachedForResource", "session_limit"),
        (429, "Too many active sessions.", "session_limit"),
        (401, "The number of sessions has reached its limit.", "session_limit"),
        (401, "Base.1.8.NoValidSession", "authentication_failed"),
        (401, "The maximum number of failed login attempts is exceeded.", "authentication_failed"),
    ],
)
def test_words_of_a_bmc_that_has_no_session_left(module, bmc, login, status, said, code):
    """The password was not looked at: it is no refused login."""
    answer = bmc.answer

    def changed(request, fault=None):
        reply = answer(request, fault)
        if request.method == "POST" and request.path.endswith("/Sessions"):
            reply.status = status
            reply.headers.pop("X-Auth-Token", None)
            reply.body = json.dumps({"error": {"code": said, "message": said}}).encode()
        return reply

    bmc.answer = changed
    assert module("bmc_power", state="on", **login(bmc, drivers=["redfish"]))["failure"]["code"] == code


def test_a_session_that_does_not_end(module, bmc, login):
    left = bmc.access.open(bmc.username).id
    bmc.faults.add(f"status:method=DELETE,path=*/Sessions/{left},status=405")
    result = module("bmc_session", state="cleared", verify_timeout=0.2, **login(bmc))
    assert (result["failure"]["code"], result["failure"]["details"]["found"]["left"]) == ("not_verified", [left])


# -- whatever happens, the module logs out -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", method="DELETE", path="*/Sessions/*", status=503, times=1),
        Fault("reset", method="DELETE", path="*/Sessions/*", times=2),
    ],
)
def test_a_bmc_that_is_busy_when_it_is_told_to_end_the_session(module, bmc, login, fault):
    bmc.faults.add(fault)
    assert module("bmc_power", state="on", **login(bmc, drivers=["redfish"]))["power"]["after"] == "on"
    assert ids(bmc) == []


def test_a_login_whose_answer_names_the_session_by_its_id_only(module, bmc, login):
    answer = bmc.answer

    def changed(request, fault=None):
        reply = answer(request, fault)
        if request.method == "POST" and request.path.endswith("/Sessions"):
            reply.headers.pop("Location", None)
            body = {key: value for key, value in json.loads(reply.body).items() if key != "@odata.id"}
            reply.body = json.dumps(body).encode()
        return reply

    bmc.answer = changed
    assert module("bmc_power", state="on", **login(bmc, drivers=["redfish"]))["power"]["after"] == "on"
    assert ids(bmc) == []


@pytest.mark.parametrize(
    ("number", "name", "method", "path"),
    [
        (signal.SIGTERM, "bmc_power", "POST", "*/Sessions"),
        (signal.SIGINT, "bmc_power", "POST", "*/Sessions"),
        (signal.SIGHUP, "bmc_power", "GET", "*/Systems/1"),
        (signal.SIGTERM, "bmc_power", "DELETE", "*/Sessions/*"),
        (signal.SIGTERM, "bmc_info", "POST", "*/Sessions"),
        (signal.SIGINT, "bmc_info", "GET", "*/Systems/1"),
        (signal.SIGTERM, "bmc_info", "DELETE", "*/Sessions/*"),
    ],
)
def test_a_module_that_is_stopped_leaves_no_session(collections, bmc, login, tmp_path, number, name, method, path):
    """During the login nobody knows yet where the session is; during the logout, whether the BMC was told."""
    slow = bmc.faults.add(Fault("slow", method=method, path=path, seconds=1.5))
    arguments = tmp_path / "stopped.json"
    options = {**({"state": "on"} if name == "bmc_power" else {}), **login(bmc, drivers=["redfish"])}
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    module = f"ansible_collections.baremetal.fleet.plugins.modules.{name}"
    running = subprocess.Popen(
        [sys.executable, "-m", module, str(arguments)],
        env={**os.environ, "PYTHONPATH": str(collections)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: slow.hits > 0, 60, "the request")
        running.send_signal(number)
        output, _errors = running.communicate(timeout=100)
    finally:
        running.kill()
        running.wait()
    assert json.loads(output)["failure"]["code"] == "interrupted"
    wait_until(lambda: ids(bmc) == [], 60, "the end of the session")
