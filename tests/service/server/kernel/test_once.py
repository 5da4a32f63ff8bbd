# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are done once, on every store."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from fleetcore.errors import NotFound

from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.idempotency.model import KeyReused, Once
from fleetd.server.kernel.ids import JsonMap
from fleetd.server.machines.model import Machine
from fleetd.server.ports import Store
from fleetd.server.store import SqlStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ASKED = Once("alice", "key-1", "digest")


def test_the_same_request_gets_the_same_answer(store: Store) -> None:
    calls = []

    def work() -> JsonMap:
        calls.append(store.create_machine(Machine("m1", NOW, NOW)))
        return {"number": len(calls), "text": "ünï"}

    assert store.once(ASKED, NOW, work) == ({"number": 1, "text": "ünï"}, False)
    assert store.once(ASKED, NOW, work) == ({"number": 1, "text": "ünï"}, True)
    assert len(calls) == 1
    assert [item.id for item in store.list_machines()] == ["m1"]


def test_a_key_belongs_to_one_request_of_one_caller(store: Store) -> None:
    store.once(ASKED, NOW, lambda: {"n": 1})
    with pytest.raises(KeyReused):
        store.once(Once("alice", "key-1", "other"), NOW, lambda: {"n": 2})
    assert store.once(Once("bob", "key-1", "other"), NOW, lambda: {"n": 3}) == ({"n": 3}, False)
    assert store.once(Once("alice", "key-2", "digest"), NOW, lambda: {"n": 4}) == ({"n": 4}, False)


def test_a_request_that_failed_is_tried_again(store: Store) -> None:
    def fails() -> JsonMap:
        raise NotFound("no")

    with pytest.raises(NotFound):
        store.once(ASKED, NOW, fails)
    assert store.once(ASKED, NOW, lambda: {"n": 1}) == ({"n": 1}, False)


def test_two_at_once_do_it_once(store: Store) -> None:
    start = threading.Barrier(4)
    answers: list[object] = []

    def send() -> None:
        start.wait(30)
        try:
            answers.append(store.once(ASKED, NOW, lambda: {"seq": store.append_events([NewEvent("test.x")])[0].seq}))
        except BaseException as exc:
            answers.append(exc)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers, key=str) == sorted([({"seq": 1}, False)] + [({"seq": 1}, True)] * 3, key=str)
    assert len(store.list_events()) == 1


def test_what_was_done_before_a_failure_is_undone(database_url: str) -> None:
    store = SqlStore(database_url)

    def fails() -> JsonMap:
        store.create_machine(Machine("m1", NOW, NOW))
        assert store.get_machine("m1") is not None  # the same transaction
        raise NotFound("no")

    with pytest.raises(NotFound):
        store.once(ASKED, NOW, fails)
    assert store.list_machines() == []
    assert store.list_events() == []
    store.close()
