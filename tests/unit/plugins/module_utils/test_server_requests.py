# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions of the modules that ask the server, on a scripted client. tests/service/client has a real server."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils import (
    _credential,
    _machine_finding,
    _machine_info,
    _powercycle,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    ConflictError,
    FleetError,
    InvalidInput,
    NotFound,
    TimedOut,
    Unreachable,
)


class FakeClock:
    def __init__(self):
        self.time = 0.0

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


def request(state, **more):
    steps = [{"state": state, "message": more.pop("message", "")}]
    return {"id": "r1", "machine": "m", "state": state, "attempts": 0, "error": None, "steps": steps, **more}


class Server:
    """One machine whose request goes through ``states``, one per look; an exception among them is raised."""

    def __init__(self, newest=None, states=()):
        self.clock = FakeClock()
        self.newest = newest
        self.states = list(states)
        self.calls = []

    def machine(self, name):
        if name == "gone":
            raise NotFound("no machine gone")
        return {"id": name, "powercycle": self.newest}

    def request_powercycle(self, machine, reason, requester):
        self.calls.append(("request", machine, reason, requester))
        return self.newest if self.newest and self.newest["state"] == "queued" else request("queued")

    def powercycle(self, request_id):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state

    def cancel_powercycle(self, request_id):
        self.calls.append(("cancel", request_id))
        return request("cancelled")


def powercycle(server, **given):
    options = {"machine": "m", "state": "requested", "reason": "hangs", "requester": None, "wait": False}
    return _powercycle.plan(server, {**options, "wait_timeout": 60, **given})


class TestPowercycle:
    def test_the_first_request_is_a_change_and_the_second_is_not(self):
        server = Server()
        plan = powercycle(server)
        assert (plan.before, plan.after) == ({"requested": False}, {"requested": True})
        assert plan.preview() == {"powercycle": None}
        assert plan.apply()["powercycle"]["state"] == "queued"
        assert server.calls == [("request", "m", "hangs", None)]
        again = powercycle(Server(request("queued")))
        assert again.before == again.after
        assert again.always is False

    def test_a_closed_request_is_none(self):
        assert powercycle(Server(request("verified"))).before == {"requested": False}

    def test_it_waits_through_retries_and_a_server_that_is_away(self):
        states = [request("claimed"), Unreachable("restarts"), request("queued"), request("verified")]
        assert powercycle(Server(states=states), wait=True).apply()["powercycle"]["state"] == "verified"

    def test_one_that_is_open_already_is_waited_for_but_no_change(self):
        plan = powercycle(Server(request("queued"), [request("verified")]), wait=True)
        assert plan.before == plan.after
        assert plan.always is True
        assert plan.apply()["powercycle"]["state"] == "verified"

    @pytest.mark.parametrize(
        ("end", "error", "code", "words"),
        [
            (request("failed", error={"message": "BMC says no"}), FleetError, "failed", "BMC says no"),
            (request("failed"), FleetError, "failed", "did not say why"),
            (request("cancelled", message="cancelled by ann"), ConflictError, "conflict", "cancelled by ann"),
            (request("queued"), TimedOut, "timeout", "no runner has taken it"),
            (request("off", message="is off"), TimedOut, "timeout", "it is off (is off)"),
        ],
    )
    def test_what_does_not_end_well_fails_the_task(self, end, error, code, words):
        with pytest.raises(error) as caught:
            powercycle(Server(states=[end]), wait=True).apply()
        assert caught.value.code == code
        assert words in caught.value.message
        assert caught.value.details["powercycle"]["id"] == "r1"

    def test_cancel(self):
        server = Server(request("queued"))
        plan = powercycle(server, state="cancelled")
        assert (plan.before, plan.after) == ({"requested": True}, {"requested": False})
        assert plan.apply()["powercycle"]["state"] == "cancelled"
        assert server.calls == [("cancel", "r1")]
        nothing = powercycle(Server(request("verified")), state="cancelled")
        assert nothing.before == nothing.after
        assert nothing.preview()["powercycle"]["state"] == "verified"

    def test_bad_options(self):
        with pytest.raises(InvalidInput):
            powercycle(Server(), wait_timeout=0)
        with pytest.raises(InvalidInput):
            powercycle(Server(), machine="")
        with pytest.raises(NotFound):
            powercycle(Server(), machine="gone")


class Vault:
    """Logins of a server that keeps ``updated_at`` when nothing changes."""

    def __init__(self, **logins):
        self.logins = logins  # name: (user, password, updated_at)

    def credentials(self):
        return [{"name": name, "username": user, "updated_at": at} for name, (user, _secret, at) in self.logins.items()]

    def put_credential(self, name, username, password):
        user, secret, at = self.logins.get(name, (None, None, 0))
        self.logins[name] = (username, password, at if (user, secret) == (username, password) else at + 1)
        return {"name": name, "username": username, "updated_at": self.logins[name][2]}

    def delete_credential(self, name):
        del self.logins[name]


def credential(vault, **given):
    options = {"name": "bmc", "state": "present", "username": "u", "password": "p", "update_password": "always"}
    return _credential.plan(vault, {**options, **given})


class TestCredential:
    def test_stored_once(self):
        vault = Vault()
        plan = credential(vault)
        assert (plan.before, plan.after) == ({}, {"name": "bmc", "username": "u"})
        assert plan.apply()["changed"] is True
        again = credential(vault)
        assert again.before == again.after
        assert again.apply()["changed"] is False
        assert credential(vault, password="other").apply()["changed"] is True
        assert vault.logins["bmc"][1] == "other"

    def test_a_password_is_never_shown(self):
        plan = credential(Vault(), password="s3cret")
        assert "s3cret" not in repr([plan.before, plan.after, plan.preview(), plan.apply()])

    def test_on_create_leaves_a_password_alone(self):
        plan = credential(Vault(bmc=("u", "old", 1)), password="new", update_password="on_create")
        assert plan.before == plan.after
        assert plan.always is False
        with pytest.raises(InvalidInput, match="username"):
            credential(Vault(bmc=("someone", "old", 1)), update_password="on_create")
        assert credential(Vault(), update_password="on_create").apply()["changed"] is True

    def test_absent(self):
        vault = Vault(bmc=("u", "p", 1))
        plan = credential(vault, state="absent", username=None, password=None)
        assert plan.before != plan.after
        plan.apply()
        assert vault.logins == {}
        gone = credential(vault, state="absent")
        assert gone.before == gone.after

    @pytest.mark.parametrize("option", ["username", "password"])
    def test_both_are_needed(self, option):
        with pytest.raises(InvalidInput, match=option):
            credential(Vault(), **{option: ""})


class Fleet:
    def __init__(self):
        self.asked = None

    def machine(self, name):
        if name == "gone":
            raise NotFound("no machine gone")
        return {"id": name}

    def machines(self, *filters):
        self.asked = filters
        return iter([{"id": "a"}, {"id": "b"}])

    def device(self, name, source):
        if name == "bare":
            raise NotFound("nothing published")
        return {"source": source or "merged"}

    def findings(self, name):
        return [{"id": "f1", "kind": "missing"}]

    def device_history(self, name, page):
        assert page <= 500
        return ({"id": number} for number in range(1000))


def info(fleet, **given):
    options = dict.fromkeys(("name", "site", "rack", "labels", "q"))
    return _machine_info.plan(fleet, {**options, "include": [], "source": "merged", "limit": 20, **given}).preview()


class TestMachineInfo:
    def test_by_name(self):
        found = info(Fleet(), name=["x", "y", "x"], include=["document"], source="oob")
        assert found == {"machines": [{"id": name, "document": {"source": "oob"}} for name in ("x", "y")]}
        assert info(Fleet(), name=["bare"], include=["document"])["machines"][0]["document"] is None

    def test_with_findings(self):
        (found,) = info(Fleet(), name=["x"], include=["findings"])["machines"]
        assert found == {"id": "x", "findings": [{"id": "f1", "kind": "missing"}]}

    def test_by_filters(self):
        fleet = Fleet()
        assert [item["id"] for item in info(fleet, site="s", labels={"units": 2, "gpu": True})["machines"]] == [
            "a",
            "b",
        ]
        assert fleet.asked == ("s", None, {"units": "2", "gpu": "true"}, None)

    def test_history_is_cut(self):
        found = info(Fleet(), name=["x"], include=["history"], limit=700)
        assert len(found["machines"][0]["history"]) == 700

    @pytest.mark.parametrize(
        "given", [{"name": []}, {"name": [""]}, {"site": ""}, {"labels": {}}, {"q": ""}, {"limit": 0}]
    )
    def test_nothing_selects_nothing(self, given):
        with pytest.raises(InvalidInput):
            info(Fleet(), **given)

    def test_an_unknown_name_is_an_error(self):
        with pytest.raises(NotFound):
            info(Fleet(), name=["x", "gone"])


class Judge:
    """A client with findings, of which the second one is accepted."""

    def __init__(self):
        accepted = {"by": "alice", "at": "2026-03-01T12:00:00Z", "reason": "known"}
        self.all = [
            {"id": "f1", "kind": "missing", "component": "memory:serial=M1", "field": None, "accepted": None},
            {"id": "f2", "kind": "missing", "component": "memory:serial=M2", "field": None, "accepted": accepted},
            {"id": "f3", "kind": "disagreement", "component": "bios", "field": "firmware", "accepted": None},
        ]
        self.done = []

    def findings(self, machine):
        return self.all

    def accept_finding(self, machine, finding, reason):
        self.done.append((machine, finding, reason))
        return {"id": finding, "accepted": {"reason": reason}}

    def reopen_finding(self, machine, finding):
        self.done.append((machine, finding, None))
        return {"id": finding, "accepted": None}


def judge(client, **given):
    options = dict.fromkeys(("id", "kind", "component", "field", "reason"))
    return _machine_finding.plan(client, {**options, "machine": "m1", "state": "accepted", **given})


class TestMachineFinding:
    def test_all_that_is_named_is_accepted_once(self):
        client = Judge()
        planned = judge(client, kind="missing", reason=" known ")
        assert (planned.before, planned.after) == ({"f1": None, "f2": "known"}, {"f1": "known", "f2": "known"})
        assert [item["id"] for item in planned.preview()["findings"]] == ["f1", "f2"]
        assert client.done == []
        assert [item["id"] for item in planned.apply()["findings"]] == ["f1", "f2"]
        assert client.done == [("m1", "f1", "known")]

    def test_another_reason_is_a_change(self):
        client = Judge()
        judge(client, id="f2", reason="better known").apply()
        assert client.done == [("m1", "f2", "better known")]

    def test_they_are_opened_again(self):
        client = Judge()
        planned = judge(client, kind="missing", state="open")
        assert planned.before != planned.after
        planned.apply()
        assert client.done == [("m1", "f2", None)]
        gone = judge(client, component="cpus:slot=1", state="open")
        assert gone.before == gone.after == {}

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"reason": "x"}, InvalidInput),
            ({"id": "", "reason": "x"}, InvalidInput),
            ({"id": "f1"}, InvalidInput),
            ({"id": "f1", "reason": " "}, InvalidInput),
            ({"id": "f1", "kind": "disagreement", "reason": "x"}, NotFound),
        ],
    )
    def test_what_selects_nothing_is_an_error(self, given, error):
        with pytest.raises(error):
            judge(Judge(), **given)
