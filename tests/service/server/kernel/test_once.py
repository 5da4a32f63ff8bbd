# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are done once, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from fleetcore.errors import NotFound

from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.idempotency import KeyReused
from fleetd.server.kernel.ids import JsonMap
from fleetd.server.machines.model import Machine

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ASKED = ("alice", "key-1", "digest")


def test_the_same_request_gets_the_same_answer(store: Any) -> None:
    calls = []

    def work() -> JsonMap:
        calls.append(store.machines.create(Machine("m1", NOW, NOW)))
        return {"number": len(calls), "text": "ünï"}

    assert store.requests.once(*ASKED, work) == ({"number": 1, "text": "ünï"}, False)
    assert store.requests.once(*ASKED, work) == ({"number": 1, "text": "ünï"}, True)
    assert len(calls) == 1
    assert [item.id for item in store.machines.find()] == ["m1"]


def test_a_key_belongs_to_one_request_of_one_caller(store: Any) -> None:
    store.requests.once(*ASKED, lambda: {"n": 1})
    with pytest.raises(KeyReused):
        store.requests.once("alice", "key-1", "other", lambda: {"n": 2})
    assert store.requests.once("bob", "key-1", "other", lambda: {"n": 3}) == ({"n": 3}, False)
    assert store.requests.once("alice", "key-2", "digest", lambda: {"n": 4}) == ({"n": 4}, False)


def test_a_request_that_failed_is_tried_again(store: Any) -> None:
    def fails() -> JsonMap:
        raise NotFound("no")

    with pytest.raises(NotFound):
        store.requests.once(*ASKED, fails)
    assert store.requests.once(*ASKED, lambda: {"n": 1}) == ({"n": 1}, False)


def test_two_at_once_do_it_once(store: Any) -> None:
    start = threading.Barrier(4)
    answers: list[object] = []

    def send() -> None:
        start.wait(60)
        try:
            answers.append(
                store.requests.once(*ASKED, lambda: {"seq": store.events.append([NewEvent("test.x")])[0].seq})
            )
        except BaseException as exc:
            answers.append(exc)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers, key=str) == sorted([({"seq": 1}, False)] + [({"seq": 1}, True)] * 3, key=str)
    assert len(store.events.find()) == 1


def test_what_was_done_before_a_failure_is_undone(store: Any) -> None:
    def fails() -> JsonMap:
        store.machines.create(Machine("m1", NOW, NOW))
        assert store.machines.get("m1") is not None  # the same transaction
        raise NotFound("no")

    with pytest.raises(NotFound):
        store.requests.once(*ASKED, fails)
    assert store.machines.find() == []
    assert store.events.find() == []
