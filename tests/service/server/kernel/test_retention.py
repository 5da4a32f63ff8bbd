# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting, on every store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fleetcore.errors import ConflictError

from fleetd.server.credentials.model import AuditEntry, Credential
from fleetd.server.devices.model import Publication
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.idempotency.model import Once
from fleetd.server.kernel.ids import new_id
from fleetd.server.kernel.retention import service as retention
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.kernel.retention.service import Retention
from fleetd.server.machines.model import DeviceSummary, Machine
from fleetd.server.ports import Store
from fleetd.server.powercycles.model import CycleState, Powercycle
from fleetd.server.work.model import Fail, Finish, Lease, unchanged
from fleetd.server.work.service import default_processes

PROCESSES = default_processes()
CHANGE = {"op": "changed", "component": "device", "field": "vendor", "before": None, "after": "A"}


def fill(store: Store, clock: Any, name: str = "m1") -> None:
    """One day of a machine: a document that changed, work, a finished power cycle, an audited write, an event."""
    now = clock()
    store.publish_device(name, "oob", now, lambda _present: Publication({}, (CHANGE,), DeviceSummary()))
    session = store.open_session("c", "alice", {}, 60).id
    held = store.take(session, PROCESSES["manual"], name, PROCESSES, needed=False)
    store.transact(Lease(name, "manual", session, held.token), unchanged, Finish())
    store.end_session(session, PROCESSES)
    asked, _created = store.open_powercycle(Powercycle(new_id(now), name, CycleState.QUEUED, now, now))
    store.update_powercycle(asked.id, lambda item: item.to(CycleState.VERIFIED, now, finished_at=now))
    audit = AuditEntry(new_id(now), now, "alice", "credential.write", "c1")
    store.put_credential(Credential("c1", "root", "x", now, now), audit)


@pytest.fixture
def store(timed_store: Store, clock: Any) -> Store:
    timed_store.create_machine(Machine("m1", created_at=clock(), updated_at=clock()))
    for _day in range(3):
        fill(timed_store, clock)
        clock.forward(86_400)
    return timed_store


def counts(store: Store) -> dict[str, int]:
    return {
        "events": len(store.list_events()),
        "device_history": len(store.device_history("m1")),
        "work_history": len(store.work_history("m1")),
        "powercycles": len(store.list_powercycles("m1")),
        "audit": len(store.list_audit()),
    }


def test_only_what_is_old_goes(store: Store, clock: Any) -> None:
    before = counts(store)
    ages = dict.fromkeys(Kept, timedelta(days=2, hours=1))  # the first of three days
    gone = Retention(store, clock, ages).prune()
    after = counts(store)
    assert {what.value: count for what, count in gone.items() if what != Kept.ANSWERS} == {
        name: before[name] - after[name] for name in before
    }
    assert {name: after[name] for name in after if name != "events"} == {
        "device_history": 2,
        "work_history": 4,
        "powercycles": 2,
        "audit": 2,
    }
    assert 0 < after["events"] < before["events"]


def test_what_is_newest_stays_however_old_it_is(store: Store, clock: Any) -> None:
    latest, documents = store.latest_powercycles(["m1"]), store.get_devices("m1")
    clock.forward(86_400 * 1000)
    Retention(store, clock, dict.fromkeys(Kept, timedelta(days=1))).prune()
    assert counts(store) == {"events": 0, "device_history": 1, "work_history": 2, "powercycles": 1, "audit": 0}
    assert store.latest_powercycles(["m1"]) == latest
    assert store.get_devices("m1") == documents
    assert [item.id for item in store.list_machines()] == ["m1"]


def test_when_work_was_last_finished_is_known_however_long_ago(store: Store, clock: Any) -> None:
    known = default_processes(intervals={"audit": 86_400 * 900})
    who = store.open_session("c", "alice", {}, 86_400 * 10_000).id
    (held,) = store.claim(who, known["audit"], 1, known)
    store.transact(Lease("m1", "audit", who, held.token), unchanged, Finish())
    clock.forward(86_400 * 400)
    held = store.take(who, known["audit"], "m1", known, needed=False)
    store.transact(Lease("m1", "audit", who, held.token), unchanged, Fail("no", None))
    Retention(store, clock, {Kept.WORK_HISTORY: timedelta(days=180)}).prune()
    assert store.explain(known["audit"], "m1").eligible is False
    clock.forward(86_400 * 501)
    assert store.explain(known["audit"], "m1").eligible is True


def test_an_open_request_stays(store: Store, clock: Any) -> None:
    now = clock()
    asked, _created = store.open_powercycle(Powercycle(new_id(now), "m1", CycleState.QUEUED, now, now))
    clock.forward(86_400 * 1000)
    Retention(store, clock, {Kept.POWERCYCLES: timedelta(days=1)}).prune()
    assert [item.id for item in store.list_powercycles("m1")] == [asked.id]


def test_the_log_says_what_is_gone_and_its_numbers_go_on(store: Store, clock: Any) -> None:
    last = store.event_bounds()[1]
    clock.forward(86_400 * 1000)
    assert Retention(store, clock, {Kept.EVENTS: timedelta(days=1)}).prune() == {Kept.EVENTS: last}
    assert store.event_bounds() == (last, last)
    assert store.append_events([NewEvent("test.x")])[0].seq == last + 1


def test_it_goes_in_batches(store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    before = counts(store)
    clock.forward(86_400 * 1000)
    assert store.prune(Kept.AUDIT, clock(), 2) == 2
    gone = Retention(store, clock, {Kept.AUDIT: timedelta(days=1), Kept.EVENTS: timedelta(days=1)}).prune()
    assert gone == {Kept.AUDIT: before["audit"] - 2, Kept.EVENTS: before["events"]}


def test_keys_of_requests_are_forgotten(store: Store, clock: Any) -> None:
    asked = Once("alice", "k", "digest")
    store.once(asked, clock(), lambda: {"n": 1})
    keep = Retention(store, clock, {Kept.ANSWERS: timedelta(hours=24)})
    assert keep.prune() == {Kept.ANSWERS: 0}
    clock.forward(86_400 + 1)
    assert keep.prune() == {Kept.ANSWERS: 1}
    assert store.once(asked, clock(), lambda: {"n": 2}) == ({"n": 2}, False)


def test_one_server_at_a_time(store: Store, clock: Any) -> None:
    assert store.take_duty("prune", "other", 60)
    mine = Retention(store, clock, {Kept.AUDIT: timedelta(0)})
    with pytest.raises(ConflictError, match="another server"):
        mine.prune()
    mine.run()
    assert counts(store)["audit"] == 3
    assert store.take_duty("prune", "other", 60)
    clock.forward(61)
    mine.run()
    assert counts(store)["audit"] == 0
    assert not store.take_duty("prune", "other", 60)
