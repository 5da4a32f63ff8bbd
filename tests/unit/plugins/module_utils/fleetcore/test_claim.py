# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.claim import Claim
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    ConflictError,
    NotFound,
    Unreachable,
)

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
