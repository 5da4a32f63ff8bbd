# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines, power cycle requests, documents and tokens in the database, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fleetcore.errors import ConflictError, NotFound
from sqlalchemy import event

from fleetd.server.devices.model import Publication
from fleetd.server.kernel.auth.model import Scope, Token, WebSession
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.facets import MachineFilter
from fleetd.server.machines.model import Annotation, BmcAccess, ControllerState, Description, DeviceSummary, Machine
from fleetd.server.powercycles.model import CycleState, CycleStep, Powercycle

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def machine(name: str = "m1", **values: object) -> Machine:
    return replace(Machine(name, created_at=NOW, updated_at=NOW), **values)  # type: ignore[arg-type]


def request(name: str = "m1", at: datetime = NOW, **values: object) -> Powercycle:
    made = Powercycle(
        new_id(at), name, CycleState.QUEUED, at, at, "alice", "hung", steps=(CycleStep(CycleState.QUEUED, at, "x"),)
    )
    return replace(made, **values)  # type: ignore[arg-type]


def token(name: str, **values: object) -> Token:
    made = Token(new_id(NOW), name, Scope.VIEWER, digest=f"digest of {name}", created_at=NOW)
    return replace(made, **values)  # type: ignore[arg-type]


def full_machine() -> Machine:
    return machine(
        "site/rack 1".replace(" ", "-"),
        labels={"role": "db", "ünï": "✓"},
        site="ams",
        rack="r1",
        position="U3",
        lifecycle="new",
        bmc=BmcAccess("10.0.0.1", mac="aa:bb:cc:dd:ee:ff", drivers=("ipmi",), validate_certs=False, redfish_port=8443),
        description=Description(
            maintenance_mode="alice",
            note=Annotation("look", "bob", NOW),
            last_updated=NOW,
            temperature={"cpu": 41.5},
            supplied_dimensions={"gpu": ("a", "b")},
            dimensions={"os": ("Linux",)},
            task_request={"name": "x", "deep": {"list": [1, None]}},
            powercycle_state=ControllerState.IN_ERROR,
        ),
        device=DeviceSummary(vendor="ACME", serial="S1", sources=("oob",), macs=("aa:bb:cc:00:11:22",)),
        version=7,
    )


def test_a_machine_comes_back_as_it_was(store: Any) -> None:
    store.machines.create(full_machine())
    assert store.machines.get("site/rack-1") == full_machine()
    assert store.machines.find() == [full_machine()]


def test_create_twice_conflicts_and_keeps_the_first(store: Any) -> None:
    store.machines.create(machine(site="first"))
    with pytest.raises(ConflictError):
        store.machines.create(machine(site="second"))
    assert store.machines.get("m1") == machine(site="first")


def test_some_machines_by_id(store: Any) -> None:
    for name in ("b", "a", "c"):
        store.machines.create(machine(name))
    assert store.machines.some(["c", "nope", "a", "a"]) == [machine("a"), machine("c")]
    assert store.machines.some([]) == []


def test_unknown_machines(store: Any) -> None:
    assert store.machines.get("m1") is None
    with pytest.raises(NotFound):
        store.machines.update("m1", lambda previous: previous)
    with pytest.raises(NotFound):
        store.machines.delete("m1")
    with pytest.raises(NotFound):
        store.powercycles.open(request())
    with pytest.raises(NotFound):
        store.powercycles.toggle("m1", request(), None)
    with pytest.raises(NotFound):
        store.devices.publish("m1", "oob", NOW, lambda present: Publication({}, (), DeviceSummary()))


def test_machines_are_listed_by_the_bytes_of_their_ids(store: Any) -> None:
    for name in ("b", "B", "a10", "a2", "a_1", "a-1"):
        store.machines.create(machine(name))
    assert [item.id for item in store.machines.find()] == ["B", "a-1", "a10", "a2", "a_1", "b"]
    assert [item.id for item in store.machines.find(limit=2, after="a-1")] == ["a10", "a2"]
    assert store.machines.find(after="b") == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (MachineFilter(lifecycle="new"), ["a"]),
        (MachineFilter(hold="maintenance"), ["a", "b"]),
        (MachineFilter(hold="quarantine"), ["b"]),
        (MachineFilter(hold="recovery"), ["c"]),
        (MachineFilter(hold="any"), ["a", "b", "c"]),
        (MachineFilter(hold="none"), ["d"]),
        (MachineFilter(power_state="on"), ["a", "d"]),
        (MachineFilter(power_state="off"), ["b"]),
        (MachineFilter(controller=ControllerState.IN_ERROR), ["c"]),
        (MachineFilter(credential="login1"), ["a"]),
        (MachineFilter(powercycle=True), ["b"]),
        (MachineFilter(powercycle=False), ["a", "c", "d"]),
        (MachineFilter(hold="none", power_state="on", powercycle=False), ["d"]),
    ],
)
def test_filters_by_state(store: Any, where: MachineFilter, expected: list[str]) -> None:
    on, off = DeviceSummary(power_state="on"), DeviceSummary(power_state="off")
    access = BmcAccess("10.0.0.1", credential="login1")
    held = Description(maintenance_mode="alice")
    store.machines.create(machine("a", lifecycle="new", description=held, device=on, bmc=access))
    store.machines.create(machine("b", description=held, device=off))
    store.machines.create(machine("c"))
    store.machines.create(machine("d", device=DeviceSummary(power_state="on\x00" + "x" * 100)))
    store.powercycles.open(request("b"))
    closed, _created = store.powercycles.open(request("c"))
    store.powercycles.update(closed.id, lambda item: item.to(CycleState.CANCELLED, NOW, finished_at=NOW))
    store.machines.update("b", lambda item: replace(item, description=replace(held, is_quarantined=True)))
    hot = Description(recovering="hot", powercycle_state=ControllerState.IN_ERROR)
    store.machines.update("c", lambda item: replace(item, description=hot))
    store.machines.update("d", lambda item: replace(item, device=on))
    assert [item.id for item in store.machines.find(where)] == expected
    assert [item.id for item in store.machines.find(where, limit=1, after="a")] == [n for n in expected if n > "a"][:1]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (MachineFilter(), ["a", "b", "c"]),
        (MachineFilter(site="ams"), ["a", "b"]),
        (MachineFilter(site="ams", rack="r2"), ["b"]),
        (MachineFilter(labels={"role": "db"}), ["a", "c"]),
        (MachineFilter(labels={"role": "db", "tier": "1"}), ["c"]),
        (MachineFilter(labels={"role": "d"}), []),
        (MachineFilter(q="S-123"), ["a"]),
        (MachineFilter(q="10.0.0.2"), ["b"]),
        (MachineFilter(q="%"), []),
        (MachineFilter(q="_"), []),
        (MachineFilter(site="nowhere"), []),
    ],
)
def test_filters(store: Any, where: MachineFilter, expected: list[str]) -> None:
    store.machines.create(
        machine("a", site="ams", rack="r1", labels={"role": "db"}, device=DeviceSummary(serial="s-123"))
    )
    store.machines.create(machine("b", site="ams", rack="r2", labels={"role": "web"}, bmc=BmcAccess("10.0.0.2")))
    store.machines.create(machine("c", labels={"role": "db", "tier": "1"}))
    assert [item.id for item in store.machines.find(where)] == expected


def test_any_text_of_a_device_can_be_kept(store: Any) -> None:
    summary = DeviceSummary(vendor="nul \x00 ünï ✓", serial="S1")
    store.machines.create(machine())
    store.devices.publish("m1", "oob", NOW, lambda present: Publication({"vendor": summary.vendor}, (), summary))
    assert store.devices.documents("m1") == {"oob": {"vendor": summary.vendor}}
    assert [item.device for item in store.machines.find(MachineFilter(q="s1"))] == [summary]


def test_labels_that_are_gone_are_not_found(store: Any) -> None:
    store.machines.create(machine(labels={"a": "1", "b": "2"}))
    store.machines.update("m1", lambda previous: replace(previous, labels={"b": "3"}))
    assert store.machines.find(MachineFilter(labels={"a": "1"})) == []
    assert store.machines.find(MachineFilter(labels={"b": "2"})) == []
    assert len(store.machines.find(MachineFilter(labels={"b": "3"}))) == 1


def test_an_update_that_raises_writes_nothing(store: Any) -> None:
    store.machines.create(machine())

    def change(previous: Machine) -> Machine:
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        store.machines.update("m1", change)
    with pytest.raises(ConflictError):
        store.machines.upsert("m2", NOW, change)
    assert store.machines.find() == [machine()]


def test_upsert_creates_then_updates(store: Any) -> None:
    def named(version: str) -> Callable[[Machine], Machine]:
        return lambda previous: replace(previous, description=replace(previous.description, version=version))

    assert store.machines.upsert("m1", NOW, named("1")).description.version == "1"
    store.machines.upsert("m1", NOW, lambda previous: replace(previous, site=previous.description.version))
    assert store.machines.get("m1") == machine(description=Description(version="1"), site="1")


def test_concurrent_updates_are_all_there(store: Any) -> None:
    store.machines.create(machine())
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                store.machines.update("m1", lambda previous: replace(previous, version=previous.version + 1))
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    found = store.machines.get("m1")
    assert found is not None
    assert found.version == 21


def test_deleting_takes_everything_of_the_machine(store: Any) -> None:
    store.machines.create(machine(labels={"a": "1"}))
    asked, _created = store.powercycles.open(request())
    store.devices.publish("m1", "oob", NOW, lambda present: Publication({"x": 1}, ({"op": "added"},), DeviceSummary()))

    def refuse(previous: Machine) -> None:
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        store.machines.delete("m1", refuse)
    assert store.machines.get("m1") is not None
    store.machines.delete("m1")
    assert store.machines.get("m1") is None
    assert store.powercycles.get(asked.id) is None
    assert store.powercycles.due(NOW) == []
    assert store.devices.documents("m1") == {}
    store.machines.create(machine())
    assert store.devices.history("m1") == []
    assert store.machines.find(MachineFilter(labels={"a": "1"})) == []


# -- controller states


def test_a_report_about_very_many_machines_takes_few_statements(sqlite_url: str, open_stores: Any) -> None:
    store = open_stores(sqlite_url)
    store.machines.create(machine("m0777"))
    count = 0

    def counted(*_args: object) -> None:
        nonlocal count
        count += 1

    event.listen(store.tx.engine, "before_cursor_execute", counted)
    for state in (ControllerState.AVAILABLE, ControllerState.IN_ERROR):
        store.machines.set_controller_states({f"m{number:04}": state for number in range(2000)}, NOW)
    assert count < 100
    for name in ("m0777", "m1999"):
        found = store.machines.get(name) or store.machines.create(machine(name))
        assert found.description.powercycle_state == ControllerState.IN_ERROR


def test_states_of_unknown_machines_wait_for_them(store: Any) -> None:
    store.machines.create(machine("known"))
    states = {"known": ControllerState.AVAILABLE, "later": ControllerState.IN_ERROR, "event": ControllerState.AVAILABLE}
    store.machines.set_controller_states(states, NOW)
    store.machines.set_controller_states({"later": ControllerState.AVAILABLE}, NOW)  # the last word counts
    assert store.machines.get("later") is None
    store.machines.create(machine("later"))
    store.machines.upsert("event", NOW, lambda previous: previous)
    for name in states:
        found = store.machines.get(name)
        assert found is not None
        assert found.description.powercycle_state == ControllerState.AVAILABLE, name
    store.machines.delete("later")
    store.machines.create(machine("later"))  # applied once only
    found = store.machines.get("later")
    assert found is not None
    assert found.description.powercycle_state == ControllerState.NOT_AVAILABLE


# -- power cycles


def test_a_request_comes_back_as_it_was(store: Any) -> None:
    store.machines.create(machine())
    asked = request(error={"code": "x", "details": {"a": [1]}}, attempts=2, not_before=NOW)
    assert store.powercycles.open(asked) == (asked, True)
    assert store.powercycles.get(asked.id) == asked
    assert store.powercycles.get("no such") is None


def test_one_open_request_per_machine(store: Any) -> None:
    store.machines.create(machine())
    first, created = store.powercycles.open(request())
    assert created
    assert store.powercycles.open(request()) == (first, False)
    store.powercycles.update(first.id, lambda previous: previous.to(CycleState.VERIFIED, NOW, finished_at=NOW))
    second, created = store.powercycles.open(request(at=NOW + timedelta(seconds=1)))
    assert created
    assert [item.id for item in store.powercycles.find("m1")] == [second.id, first.id]
    assert store.powercycles.latest() == {"m1": second}


def test_concurrent_requests_open_one(store: Any) -> None:
    store.machines.create(machine())
    answers: list[tuple[str, bool]] = []
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        found, created = store.powercycles.open(request())
        answers.append((found.id, created))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len({name for name, _created in answers}) == 1
    assert [created for _name, created in answers].count(True) == 1


def test_due_requests_are_open_and_not_waiting(store: Any) -> None:
    for name in ("late", "early", "waiting", "done"):
        store.machines.create(machine(name))
    store.powercycles.open(request("early", NOW))
    store.powercycles.open(request("late", NOW + timedelta(seconds=2)))
    store.powercycles.open(request("waiting", not_before=NOW + timedelta(seconds=60)))
    store.powercycles.open(request("done", finished_at=NOW, state=CycleState.FAILED))
    assert store.powercycles.due(NOW) == ["early", "late"]
    assert set(store.powercycles.due(NOW + timedelta(seconds=60))) == {"early", "late", "waiting"}


def test_requests_are_listed_newest_first(store: Any) -> None:
    store.machines.create(machine("a"))
    store.machines.create(machine("b"))
    made = [
        store.powercycles.open(request(name, NOW + timedelta(seconds=n), finished_at=NOW, state=CycleState.FAILED))[0]
        for n, name in enumerate(["a", "b", "a"])
    ]
    ids = [item.id for item in reversed(made)]
    assert [item.id for item in store.powercycles.find()] == ids
    assert [item.id for item in store.powercycles.find(limit=1, after=ids[0])] == [ids[1]]
    assert [item.id for item in store.powercycles.find(state=CycleState.QUEUED)] == []
    assert store.powercycles.count() == {CycleState.FAILED: 3}
    assert store.powercycles.latest(["b"]) == {"b": made[1]}


def test_updating_a_request(store: Any) -> None:
    store.machines.create(machine())
    asked, _created = store.powercycles.open(request())
    changed = store.powercycles.update(asked.id, lambda previous: previous.to(CycleState.OFF, NOW, "m", "r"))
    assert store.powercycles.get(asked.id) == changed
    assert [step.state for step in changed.steps] == [CycleState.QUEUED, CycleState.OFF]
    with pytest.raises(NotFound):
        store.powercycles.update("no such", lambda previous: previous)


def test_toggling(store: Any) -> None:
    store.machines.create(machine())
    done = lambda previous: previous.to(CycleState.CANCELLED, NOW, finished_at=NOW)  # noqa: E731
    assert store.powercycles.toggle("m1", None, done) is None
    opened = store.powercycles.toggle("m1", request(), done)
    assert opened is not None
    assert opened.open
    assert store.powercycles.toggle("m1", request(), None) is None
    closed = store.powercycles.toggle("m1", request(), done)
    assert closed is not None
    assert (closed.id, closed.open) == (opened.id, False)
    assert store.powercycles.due(NOW) == []


# -- device documents


def test_publishing_replaces_one_source_and_appends_history(store: Any) -> None:
    store.machines.create(machine())
    seen: list[object] = []

    def publish(source: str, document: dict[str, object], changes: tuple[dict[str, object], ...], at: datetime) -> None:
        def change(present: object) -> Publication:
            seen.append(present)
            return Publication(document, changes, DeviceSummary(vendor=str(document)))

        store.devices.publish("m1", source, at, change)

    publish("oob", {"v": 1}, ({"op": "added"},), NOW)
    publish("inband", {"v": 2}, (), NOW + timedelta(seconds=1))
    publish("oob", {"v": 3}, ({"op": "changed"},), NOW + timedelta(seconds=2))
    assert seen[-1] == {"oob": {"v": 1}, "inband": {"v": 2}}
    assert store.devices.documents("m1") == {"oob": {"v": 3}, "inband": {"v": 2}}
    newest, oldest = store.devices.history("m1")
    assert (newest.changes, newest.source, newest.at) == (({"op": "changed"},), "oob", NOW + timedelta(seconds=2))
    assert [item.id for item in store.devices.history("m1", limit=1, after=newest.id)] == [oldest.id]
    found = store.machines.get("m1")
    assert found is not None
    assert found.device == DeviceSummary(vendor="{'v': 3}")


# -- tokens


def test_tokens_are_found_by_digest_until_deleted(store: Any) -> None:
    first = store.tokens.create(token("first"), only_first=True)
    with pytest.raises(ConflictError):
        store.tokens.create(token("second"), only_first=True)
    other = store.tokens.create(token("agent", scope=Scope.AGENT, machine="m1", expires_at=NOW))
    assert store.tokens.find("digest of first") == first
    assert store.tokens.find("digest of agent") == other
    assert store.tokens.find("digest") is None
    assert {item.name for item in store.tokens.all()} == {"first", "agent"}


def test_names_of_tokens_are_free_again_after_revocation(store: Any) -> None:
    first = store.tokens.create(token("a"))
    with pytest.raises(ConflictError):
        store.tokens.create(token("a", digest="other"))
    revoked = store.tokens.revoke("a", NOW)
    assert revoked == replace(first, revoked_at=NOW)
    assert store.tokens.revoke(first.id, NOW + timedelta(seconds=9)) == revoked  # again: no change
    with pytest.raises(NotFound):
        store.tokens.revoke("a", NOW)
    store.tokens.create(token("a", digest="other"))


def test_logins_end_with_time_logout_and_their_token(store: Any) -> None:
    owner = store.tokens.create(token("a"))
    later = NOW + timedelta(hours=1)
    for name in ("one", "two"):
        store.tokens.create_session(WebSession(name, owner.id, later), NOW)
    assert store.tokens.find_session("one", NOW) == owner
    assert store.tokens.find_session("one", later) is None
    store.tokens.delete_session("one")
    store.tokens.delete_session("one")
    assert store.tokens.find_session("one", NOW) is None
    store.tokens.revoke("a", NOW)
    assert store.tokens.find_session("two", NOW) is None


def test_ready(store: Any) -> None:
    store.services.database_ready()
