# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fleetcore.errors import ConflictError

from fleetd.server.credentials import capability as credentials
from fleetd.server.credentials.model import AuditEntry, Credential
from fleetd.server.devices.model import Publication
from fleetd.server.kernel import retention
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.ids import new_id
from fleetd.server.kernel.retention import Retention
from fleetd.server.kernel.tally import Tally
from fleetd.server.machines.model import DeviceSummary, Machine
from fleetd.server.powercycles.model import CycleState, Powercycle
from fleetd.server.work.model import Fail, Finish, Lease, Subject
from fleetd.server.work.process import FinishedBefore, Process

KEPT = ("events", "device_history", "work_history", "powercycles", "audit", "answers")
CHANGE = {"op": "changed", "component": "device", "field": "vendor", "before": None, "after": "A"}


def fill(store: Any, clock: Any, name: str = "m1") -> None:
    """One day of a machine: a document that changed, work, a finished power cycle, an audited write, an event."""
    now = clock()
    store.devices.publish(name, "oob", now, lambda _present: Publication({}, (CHANGE,), DeviceSummary()))
    session = store.work.start("c", "alice", {}, 60).id
    held = store.work.take_for(session, store.work.processes["manual"], name, needed=False)
    store.work.report(Lease(name, "manual", session, held.token), lambda _held, _now: None, Finish())
    store.work.end_session(session)
    asked, _created = store.powercycles.open(Powercycle(new_id(now), name, CycleState.QUEUED, now, now))
    store.powercycles.update(asked.id, lambda item: item.to(CycleState.VERIFIED, now, finished_at=now))
    audit = AuditEntry(new_id(now), now, "alice", "credential.write", "c1")
    store.credentials.put(Credential("c1", "root", "x", now, now), audit)


@pytest.fixture
def store(timed_store: Any, clock: Any) -> Any:
    timed_store.machines.create(Machine("m1", created_at=clock(), updated_at=clock()))
    for _day in range(3):
        fill(timed_store, clock)
        clock.forward(86_400)
    return timed_store


def retention_of(store: Any, clock: Any, ages: Any) -> Retention:
    return Retention(store.tx, clock, Tally(), [item for one in store.services.capabilities for item in one.kept], ages)


def counts(store: Any) -> dict[str, int]:
    return {
        "events": len(store.events.find()),
        "device_history": len(store.devices.history("m1")),
        "work_history": len(store.work.history(Subject("m1"))),
        "powercycles": len(store.powercycles.find("m1")),
        "audit": len(store.credentials.audit()),
    }


def test_only_what_is_old_goes(store: Any, clock: Any) -> None:
    before = counts(store)
    ages = dict.fromkeys(KEPT, timedelta(days=2, hours=1))  # the first of three days
    gone = retention_of(store, clock, ages).prune()
    after = counts(store)
    assert {what: count for what, count in gone.items() if what != "answers"} == {
        name: before[name] - after[name] for name in before
    }
    assert {name: after[name] for name in after if name != "events"} == {
        "device_history": 2,
        "work_history": 4,
        "powercycles": 2,
        "audit": 2,
    }
    assert 0 < after["events"] < before["events"]


def test_what_is_newest_stays_however_old_it_is(store: Any, clock: Any) -> None:
    latest, documents = store.powercycles.latest(["m1"]), store.devices.documents("m1")
    clock.forward(86_400 * 1000)
    retention_of(store, clock, dict.fromkeys(KEPT, timedelta(days=1))).prune()
    assert counts(store) == {"events": 0, "device_history": 1, "work_history": 2, "powercycles": 1, "audit": 0}
    assert store.powercycles.latest(["m1"]) == latest
    assert store.devices.documents("m1") == documents
    assert [item.id for item in store.machines.find()] == ["m1"]


def test_when_work_was_last_finished_is_known_however_long_ago(store: Any, clock: Any) -> None:
    audit = Process("audit", FinishedBefore("audit", 86_400 * 900))
    store.work.processes["audit"] = audit
    who = store.work.start("c", "alice", {}, 86_400 * 10_000).id
    (held,) = store.work.claim_for(who, audit, 1)
    store.work.report(Lease("m1", "audit", who, held.token), lambda _held, _now: None, Finish())
    clock.forward(86_400 * 400)
    held = store.work.take_for(who, audit, "m1", needed=False)
    store.work.report(Lease("m1", "audit", who, held.token), lambda _held, _now: None, Fail("no", None))
    retention_of(store, clock, {"work_history": timedelta(days=180)}).prune()
    assert store.work.explain("m1", audit.name).eligible is False
    clock.forward(86_400 * 501)
    assert store.work.explain("m1", audit.name).eligible is True


def test_an_open_request_stays(store: Any, clock: Any) -> None:
    now = clock()
    asked, _created = store.powercycles.open(Powercycle(new_id(now), "m1", CycleState.QUEUED, now, now))
    clock.forward(86_400 * 1000)
    retention_of(store, clock, {"powercycles": timedelta(days=1)}).prune()
    assert [item.id for item in store.powercycles.find("m1")] == [asked.id]


def test_the_log_says_what_is_gone_and_its_numbers_go_on(store: Any, clock: Any) -> None:
    last = store.events.bounds()[1]
    clock.forward(86_400 * 1000)
    assert retention_of(store, clock, {"events": timedelta(days=1)}).prune() == {"events": last}
    assert store.events.bounds() == (last, last)
    assert store.events.append([NewEvent("test.x")])[0].seq == last + 1


def test_it_goes_in_batches(store: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    before = counts(store)
    clock.forward(86_400 * 1000)
    audit = credentials.CAPABILITY.kept[0]
    assert store.tx.write(lambda connection: audit.prune(connection, clock(), 2)) == 2
    gone = retention_of(store, clock, {"audit": timedelta(days=1), "events": timedelta(days=1)}).prune()
    assert gone == {"audit": before["audit"] - 2, "events": before["events"]}


def test_keys_of_requests_are_forgotten(store: Any, clock: Any) -> None:
    asked = ("alice", "k", "digest")
    store.requests.once(*asked, lambda: {"n": 1})
    keep = retention_of(store, clock, {"answers": timedelta(hours=24)})
    assert keep.prune() == {"answers": 0}
    clock.forward(86_400 + 1)
    assert keep.prune() == {"answers": 1}
    assert store.requests.once(*asked, lambda: {"n": 2}) == ({"n": 2}, False)


def test_one_server_at_a_time(store: Any, clock: Any) -> None:
    assert store.retention.take_duty("prune", "other", 60)
    mine = retention_of(store, clock, {"audit": timedelta(0)})
    with pytest.raises(ConflictError, match="another server"):
        mine.prune()
    mine.run()
    assert counts(store)["audit"] == 3
    assert store.retention.take_duty("prune", "other", 60)
    clock.forward(61)
    mine.run()
    assert counts(store)["audit"] == 0
    assert not store.retention.take_duty("prune", "other", 60)
