# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of events, on SQLite and PostgreSQL: what is in it, and that numbers become visible in their order."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fleetcore.errors import NotFound

from fleetd.server.credentials.model import AuditEntry, Credential
from fleetd.server.devices.model import Publication
from fleetd.server.kernel.auth.model import Scope, Token
from fleetd.server.kernel.events.model import Event, EventFilter, NewEvent
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.model import Annotation, BmcAccess, ControllerState, Description, DeviceSummary, Machine
from fleetd.server.powercycles.model import CycleState, CycleStep, Powercycle
from fleetd.server.work.model import Fail, Lease, Retry

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def machine(name: str = "m1", **values: Any) -> Machine:
    return replace(Machine(name, created_at=NOW, updated_at=NOW), **values)


def described(store: Any, **values: Any) -> None:
    store.machines.update("m1", lambda item: replace(item, description=replace(item.description, **values)))


def told(store: Any, after: int = 0) -> list[Event]:
    return list(store.events.find(after=after))


def kinds(store: Any, after: int = 0) -> list[str]:
    return [item.kind for item in told(store, after)]


@pytest.fixture
def known(store: Any) -> Any:
    store.machines.create(machine())
    return store


def test_events_come_back_as_they_were_with_numbers_and_times(store: Any) -> None:
    given = [
        NewEvent("rack.door", "m1", "alice", "ünï ✓", {"deep": {"list": [1, None]}}),
        NewEvent("rack.door"),
    ]
    before = datetime.now(UTC) - timedelta(seconds=5)
    made = store.events.append(given)
    assert [item.seq for item in made] == [1, 2]
    assert made == told(store)
    assert [NewEvent(i.kind, i.machine, i.actor, i.message, i.data) for i in made] == given
    assert all(before < item.at < datetime.now(UTC) + timedelta(seconds=5) for item in made)
    assert store.events.bounds() == (0, 2)
    assert store.events.append([]) == []
    assert store.events.bounds() == (0, 2)


def test_an_empty_log(store: Any) -> None:
    assert store.events.bounds() == (0, 0)
    assert told(store) == []


def test_pages_in_both_directions_and_filters(store: Any) -> None:
    store.events.append(
        [
            NewEvent(kind, name)
            for kind, name in [
                ("rack.door", "a"),
                ("rack.door.open", "b"),
                ("rack.doors", "a"),
                ("rack.door", None),
                ("r_ck.x", "a"),
            ]
        ]
    )

    def numbers(*args: Any, **options: Any) -> list[int]:
        return [item.seq for item in store.events.find(*args, **options)]

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(limit=2) == [5, 4]
    assert numbers(limit=2, before=4) == [3, 2]
    assert numbers(limit=2, after=0) == [1, 2]
    assert numbers(after=3) == [4, 5]
    assert numbers(after=5) == []
    assert numbers(EventFilter(machine="a")) == [5, 3, 1]
    assert numbers(EventFilter(kind="rack.door")) == [4, 2, 1]
    assert numbers(EventFilter(kind="rack")) == [4, 3, 2, 1]
    assert numbers(EventFilter(machine="a", kind="rack"), after=1) == [3]
    third = told(store)[2].at
    assert set(numbers(EventFilter(since=third))) >= {3, 4, 5}
    assert numbers(EventFilter(since=third + timedelta(days=1))) == []


def test_a_machine_from_its_beginning_to_its_end(store: Any) -> None:
    store.machines.create(machine(description=Description(is_quarantined=True)))
    store.machines.update("m1", lambda item: replace(item, site="ams", bmc=BmcAccess("10.0.0.1"), version=2))
    described(store, note=Annotation("look", "bob", NOW))
    store.machines.delete("m1")
    found = [(item.kind, item.machine, item.actor, dict(item.data)) for item in told(store)]
    assert found == [
        ("machine.created", "m1", "", {"lifecycle": "active"}),
        ("hold.set", "m1", "", {"hold": "quarantine"}),
        ("machine.updated", "m1", "", {"fields": ["site", "bmc"], "version": 2}),
        ("machine.updated", "m1", "bob", {"fields": ["note"], "version": 2}),
        ("machine.deleted", "m1", "", {}),
    ]


def test_holds_are_told_when_they_come_and_go(known: Any) -> None:
    start = known.events.bounds()[1]
    described(known, maintenance_mode="alice", annotation=Annotation("Set maintenance mode", "alice", NOW))
    described(known, recovering="Too hot.")
    described(known, recovering="Battery low.")
    described(known, recovering="", maintenance_mode="")
    described(known, is_quarantined=True)
    described(known, is_quarantined=False)
    assert [(item.kind, item.data["hold"], item.actor) for item in told(known, start)] == [
        ("hold.set", "maintenance", "alice"),
        ("hold.set", "recovery", ""),
        ("hold.cleared", "maintenance", ""),
        ("hold.cleared", "recovery", ""),
        ("hold.set", "quarantine", ""),
        ("hold.cleared", "quarantine", ""),
    ]


def test_what_a_monitor_repeats_is_no_news(known: Any) -> None:
    start = known.events.bounds()[1]
    for second in range(5):
        at = NOW + timedelta(seconds=30 * second)
        known.machines.upsert(
            "m1",
            at,
            lambda item, at=at, second=second: replace(  # type: ignore[misc]
                item,
                updated_at=at,
                description=replace(
                    item.description, last_updated=at, battery=90 - second, dimensions={"os": (f"v{second}",)}
                ),
            ),
        )
    assert kinds(known, start) == []


def test_controllers(known: Any) -> None:
    start = known.events.bounds()[1]
    for state in (ControllerState.AVAILABLE, ControllerState.AVAILABLE, ControllerState.IN_ERROR):
        known.machines.set_controller_states({"m1": state, "unknown": state}, NOW)
    assert [(item.machine, dict(item.data)) for item in told(known, start)] == [
        ("m1", {"from": "not_available", "to": "available"}),
        ("m1", {"from": "available", "to": "in_error"}),
    ]


def test_the_states_of_a_power_cycle(known: Any) -> None:
    start = known.events.bounds()[1]
    asked = Powercycle(
        new_id(NOW), "m1", CycleState.QUEUED, NOW, NOW, "alice", steps=(CycleStep(CycleState.QUEUED, NOW, "please"),)
    )
    known.powercycles.open(asked)
    known.powercycles.open(replace(asked, id=new_id(NOW)))  # there is one
    for state in (CycleState.OFF, CycleState.OFF):
        known.powercycles.update(asked.id, lambda item, state=state: item.to(state, NOW, "", "r1"))  # type: ignore[misc]
    known.powercycles.update(
        asked.id, lambda item: item.to(CycleState.FAILED, NOW, "no").to(CycleState.QUEUED, NOW, "again")
    )
    known.powercycles.toggle("m1", None, lambda item: item.to(CycleState.CANCELLED, NOW, finished_at=NOW))
    known.powercycles.toggle("m1", replace(asked, id=new_id(NOW)), None)
    found = told(known, start)
    assert [item.kind for item in found] == [
        "powercycle.queued",
        "powercycle.off",
        "powercycle.failed",
        "powercycle.queued",
        "powercycle.cancelled",
        "powercycle.queued",
    ]
    assert [item.actor for item in found[:2]] == ["alice", "r1"]
    assert found[0].data["powercycle"] == asked.id


def test_a_document_that_changed_something(known: Any) -> None:
    start = known.events.bounds()[1]
    change = {"op": "added", "component": "drives:serial=X", "field": None, "before": None, "after": {}}
    known.devices.publish("m1", "oob", NOW, lambda _present: Publication({}, (change, change), DeviceSummary()))
    known.devices.publish("m1", "oob", NOW, lambda _present: Publication({}, (), DeviceSummary(vendor="A")))
    assert [(item.kind, dict(item.data)) for item in told(known, start)] == [
        ("device.changed", {"source": "oob", "changes": 2, "components": ["drives:serial=X"]})
    ]


def test_work_that_failed_and_the_quarantine_after_it(store: Any) -> None:
    store.machines.create(machine(lifecycle="new"))
    start = store.events.bounds()[1]
    session = store.work.start("runner", "rack1", {}, 60).id
    held = store.work.take_for(session, store.work.processes["onboard"], "m1")
    store.work.report(
        Lease("m1", "onboard", session, held.token), lambda _held, _now: None, Fail("no disk", Retry(attempts=1))
    )
    found = told(store, start)
    assert [(item.kind, item.actor, item.message) for item in found] == [
        ("work.failed", "rack1", "no disk"),
        ("hold.set", "fleetd", "Quarantined: onboard failed too often: no disk"),
    ]


def test_tokens_and_credentials_without_their_secrets(store: Any) -> None:
    token = Token(new_id(NOW), "rack1", Scope.RUNNER, digest="digest-of-it", created_at=NOW)
    store.tokens.create(token)
    store.tokens.revoke("rack1", NOW)
    store.tokens.revoke(token.id, NOW)

    def audit(action: str) -> AuditEntry:
        return AuditEntry(new_id(NOW), NOW, "alice", f"credential.{action}", "login1")

    store.credentials.put(Credential("login1", "root", "the-cipher-text", NOW, NOW), audit("write"))
    store.credentials.read("login1", audit("read"))
    store.credentials.delete("login1", audit("delete"))
    assert kinds(store) == ["token.created", "token.revoked", "credential.written", "credential.deleted"]
    assert "digest-of-it" not in str(told(store))
    assert "the-cipher-text" not in str(told(store))


def test_a_change_that_fails_tells_nothing(known: Any) -> None:
    start = known.events.bounds()[1]

    def refuse(_machine: Machine) -> None:
        raise NotFound("stop")

    with pytest.raises(NotFound):
        known.machines.delete("m1", refuse)
    with pytest.raises(NotFound):
        known.machines.update("nobody", lambda item: item)
    known.machines.update("m1", lambda item: replace(item, rack="r1"))
    assert kinds(known, start) == ["machine.updated"]
    assert known.events.bounds()[1] == start + 1


def test_a_reader_that_follows_skips_nothing_while_many_write(known: Any) -> None:
    """Each number is seen when the next one is: a reader that only ever asks for greater ones gets all of them."""
    writers, each = 4, 15
    failures: list[BaseException] = []
    left = threading.Barrier(writers + 1)

    def write(number: int) -> None:
        try:
            left.wait(30)
            for step in range(each):
                if number % 2:
                    known.events.append([NewEvent("test.appended", f"w{number}")] * 2)
                else:
                    known.machines.create(machine(f"w{number}-{step}", description=Description(recovering="hot")))
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    start = known.events.bounds()[1]
    left.wait(30)
    seen: list[int] = []
    place = start
    while True:
        running = any(thread.is_alive() for thread in threads)
        found = known.events.find(after=place)
        seen += [item.seq for item in found]
        place = found[-1].seq if found else place
        if not running and not found:
            break
    assert failures == []
    assert seen == list(range(start + 1, start + 1 + writers * each * 2))
    assert known.events.bounds()[1] == seen[-1]
