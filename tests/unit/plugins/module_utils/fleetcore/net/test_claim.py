# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    ConflictError,
    NotFound,
    Unreachable,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.net.claim import Claim

MINE = Claim("m", "r1", "s1", 7, "site-a")
HELD = {"machine": "m", "process": "powercycle", "fencing_token": 7}


class Server:
    def __init__(self, answer):
        self.answer = answer
        self.told = []

    def heartbeat(self, session):
        assert session == "s1"
        return self._answer({"work": self.answer})

    def report_powercycle(self, request, state, message, error, runner, token):
        self.told.append((request, state, runner, token))
        self._answer(None)

    def _answer(self, value):
        if isinstance(self.answer, Exception):
            raise self.answer
        return value


def test_a_claim_that_holds_is_renewed():
    MINE.renew(Server([{**HELD, "machine": "other"}, HELD]))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [{**HELD, "fencing_token": 8}],
        [{**HELD, "machine": "other"}],
        [{**HELD, "process": "manual"}],
        ConflictError("expired", reason="session_expired"),
        NotFound("no such session"),
    ],
)
def test_a_claim_that_is_over_says_so(answer):
    with pytest.raises(ConflictError) as caught:
        MINE.renew(Server(answer))
    assert caught.value.details["reason"] == "lease_lost"


def test_a_server_that_is_away_gives_no_permission():
    with pytest.raises(Unreachable):
        MINE.renew(Server(Unreachable("away")))


def test_the_end_is_reported_under_the_claim():
    server = Server([])
    assert MINE.done(server, "done")
    assert server.told == [("r1", "on", "site-a", 7), ("r1", "verified", "site-a", 7)]
    assert not MINE.done(Server(Unreachable("away")), "done")


def test_it_travels_as_a_module_option():
    assert Claim.of(MINE.to_dict()) == MINE


class Clock:
    def __init__(self):
        self.time = 0.0

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


class Listener:
    """Answers with these times one after the other, the last one for ever; None: it does not answer."""

    def __init__(self, *times):
        self.times = list(times)

    def description(self, machine):
        assert machine == "m"
        last = self.times.pop(0) if len(self.times) > 1 else self.times[0]
        if last is None:
            raise Unreachable("away")
        return {"LastUpdated": last}


@pytest.mark.parametrize(
    ("times", "heard"),
    [
        (["t1", "t1", "t2"], True),
        ([None, "t1", None, "t2"], True),
        (["t1"], False),
        ([None], False),
        ([None, None, "t2"], False),  # what was said before nobody knows
    ],
)
def test_heard_again(times, heard):
    clock = Clock()
    assert MINE.heard_again(Listener(*times), clock, 60) is heard
    assert heard or clock.time == pytest.approx(60)


def test_a_machine_that_the_server_does_not_know_is_not_waited_for():
    class Nobody:
        def description(self, machine):
            raise NotFound("no such machine")

    with pytest.raises(NotFound):
        MINE.heard_again(Nobody(), Clock(), 60)
