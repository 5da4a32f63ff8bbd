# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store has to do, on memory, SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fleetcore.errors import ConflictError, NotFound
from sqlalchemy import event

from fleetd.server.devices.model import Publication
from fleetd.server.kernel.auth.model import Scope, Token, WebSession
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.facets import MachineFilter
from fleetd.server.machines.model import Annotation, BmcAccess, ControllerState, Description, DeviceSummary, Machine
from fleetd.server.ports import Store
from fleetd.server.powercycles.model import CycleState, CycleStep, Powercycle
from fleetd.server.store import SqlStore

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


def test_a_machine_comes_back_as_it_was(store: Store) -> None:
    store.create_machine(full_machine())
    assert store.get_machine("site/rack-1") == full_machine()
    assert store.list_machines() == [full_machine()]


def test_create_twice_conflicts_and_keeps_the_first(store: Store) -> None:
    store.create_machine(machine(site="first"))
    with pytest.raises(ConflictError):
        store.create_machine(machine(site="second"))
    assert store.get_machine("m1") == machine(site="first")


def test_some_machines_by_id(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.create_machine(machine(name))
    assert store.get_machines(["c", "nope", "a", "a"]) == [machine("a"), machine("c")]
    assert store.get_machines([]) == []


def test_unknown_machines(store: Store) -> None:
    assert store.get_machine("m1") is None
    with pytest.raises(NotFound):
        store.update_machine("m1", lambda previous: previous)
    with pytest.raises(NotFound):
        store.delete_machine("m1")
    with pytest.raises(NotFound):
        store.open_powercycle(request())
    with pytest.raises(NotFound):
        store.toggle_powercycle("m1", request(), None)
    with pytest.raises(NotFound):
        store.publish_device("m1", "oob", NOW, lambda present: Publication({}, (), DeviceSummary()))


def test_machines_are_listed_by_the_bytes_of_their_ids(store: Store) -> None:
    for name in ("b", "B", "a10", "a2", "a_1", "a-1"):
        store.create_machine(machine(name))
    assert [item.id for item in store.list_machines()] == ["B", "a-1", "a10", "a2", "a_1", "b"]
    assert [item.id for item in store.list_machines(limit=2, after="a-1")] == ["a10", "a2"]
    assert store.list_machines(after="b") == []


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
def test_filters_by_state(store: Store, where: MachineFilter, expected: list[str]) -> None:
    on, off = DeviceSummary(power_state="on"), DeviceSummary(power_state="off")
    access = BmcAccess("10.0.0.1", credential="login1")
    held = Description(maintenance_mode="alice")
    store.create_machine(machine("a", lifecycle="new", description=held, device=on, bmc=access))
    store.create_machine(machine("b", description=held, device=off))
    store.create_machine(machine("c"))
    store.create_machine(machine("d", device=DeviceSummary(power_state="on\x00" + "x" * 100)))
    store.open_powercycle(request("b"))
    closed, _created = store.open_powercycle(request("c"))
    store.update_powercycle(closed.id, lambda item: item.to(CycleState.CANCELLED, NOW, finished_at=NOW))
    store.update_machine("b", lambda item: replace(item, description=replace(held, is_quarantined=True)))
    hot = Description(recovering="hot", powercycle_state=ControllerState.IN_ERROR)
    store.update_machine("c", lambda item: replace(item, description=hot))
    store.update_machine("d", lambda item: replace(item, device=on))
    assert [item.id for item in store.list_machines(where)] == expected
    assert [item.id for item in store.list_machines(where, limit=1, after="a")] == [n for n in expected if n > "a"][:1]


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
def test_filters(store: Store, where: MachineFilter, expected: list[str]) -> None:
    store.create_machine(
        machine("a", site="ams", rack="r1", labels={"role": "db"}, device=DeviceSummary(serial="s-123"))
    )
    store.create_machine(machine("b", site="ams", rack="r2", labels={"role": "web"}, bmc=BmcAccess("10.0.0.2")))
    store.create_machine(machine("c", labels={"role": "db", "tier": "1"}))
    assert [item.id for item in store.list_machines(where)] == expected


def test_any_text_of_a_device_can_be_kept(store: Store) -> None:
    summary = DeviceSummary(vendor="nul \x00 ünï ✓", serial="S1")
    store.create_machine(machine())
    store.publish_device("m1", "oob", NOW, lambda present: Publication({"vendor": summary.vendor}, (), summary))
    assert store.get_devices("m1") == {"oob": {"vendor": summary.vendor}}
    assert [item.device for item in store.list_machines(MachineFilter(q="s1"))] == [summary]


def test_labels_that_are_gone_are_not_found(store: Store) -> None:
    store.create_machine(machine(labels={"a": "1", "b": "2"}))
    store.update_machine("m1", lambda previous: replace(previous, labels={"b": "3"}))
    assert store.list_machines(MachineFilter(labels={"a": "1"})) == []
    assert store.list_machines(MachineFilter(labels={"b": "2"})) == []
    assert len(store.list_machines(MachineFilter(labels={"b": "3"}))) == 1


def test_an_update_that_raises_writes_nothing(store: Store) -> None:
    store.create_machine(machine())

    def change(previous: Machine) -> Machine:
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        store.update_machine("m1", change)
    with pytest.raises(ConflictError):
        store.upsert_machine("m2", NOW, change)
    assert store.list_machines() == [machine()]


def test_upsert_creates_then_updates(store: Store) -> None:
    def named(version: str) -> Callable[[Machine], Machine]:
        return lambda previous: replace(previous, description=replace(previous.description, version=version))

    assert store.upsert_machine("m1", NOW, named("1")).description.version == "1"
    store.upsert_machine("m1", NOW, lambda previous: replace(previous, site=previous.description.version))
    assert store.get_machine("m1") == machine(description=Description(version="1"), site="1")


def test_concurrent_updates_are_all_there(store: Store) -> None:
    store.create_machine(machine())
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                store.update_machine("m1", lambda previous: replace(previous, version=previous.version + 1))
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    found = store.get_machine("m1")
    assert found is not None
    assert found.version == 21


def test_deleting_takes_everything_of_the_machine(store: Store) -> None:
    store.create_machine(machine(labels={"a": "1"}))
    asked, _created = store.open_powercycle(request())
    store.publish_device("m1", "oob", NOW, lambda present: Publication({"x": 1}, ({"op": "added"},), DeviceSummary()))

    def refuse(previous: Machine) -> None:
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        store.delete_machine("m1", refuse)
    assert store.get_machine("m1") is not None
    store.delete_machine("m1")
    assert store.get_machine("m1") is None
    assert store.get_powercycle(asked.id) is None
    assert store.due_powercycles(NOW) == []
    assert store.get_devices("m1") == {}
    store.create_machine(machine())
    assert store.device_history("m1") == []
    assert store.list_machines(MachineFilter(labels={"a": "1"})) == []


# -- controller states


def test_a_report_about_very_many_machines_takes_few_statements(sqlite_url: str) -> None:
    store = SqlStore(sqlite_url)
    store.create_machine(machine("m0777"))
    count = 0

    def counted(*_args: object) -> None:
        nonlocal count
        count += 1

    event.listen(store.engine, "before_cursor_execute", counted)
    for state in (ControllerState.AVAILABLE, ControllerState.IN_ERROR):
        store.set_powercycle_states({f"m{number:04}": state for number in range(2000)}, NOW)
    assert count < 100
    for name in ("m0777", "m1999"):
        found = store.get_machine(name) or store.create_machine(machine(name))
        assert found.description.powercycle_state == ControllerState.IN_ERROR
    store.close()


def test_states_of_unknown_machines_wait_for_them(store: Store) -> None:
    store.create_machine(machine("known"))
    states = {"known": ControllerState.AVAILABLE, "later": ControllerState.IN_ERROR, "event": ControllerState.AVAILABLE}
    store.set_powercycle_states(states, NOW)
    store.set_powercycle_states({"later": ControllerState.AVAILABLE}, NOW)  # the last word counts
    assert store.get_machine("later") is None
    store.create_machine(machine("later"))
    store.upsert_machine("event", NOW, lambda previous: previous)
    for name in states:
        found = store.get_machine(name)
        assert found is not None
        assert found.description.powercycle_state == ControllerState.AVAILABLE, name
    store.delete_machine("later")
    store.create_machine(machine("later"))  # applied once only
    found = store.get_machine("later")
    assert found is not None
    assert found.description.powercycle_state == ControllerState.NOT_AVAILABLE


# -- power cycles


def test_a_request_comes_back_as_it_was(store: Store) -> None:
    store.create_machine(machine())
    asked = request(error={"code": "x", "details": {"a": [1]}}, attempts=2, not_before=NOW)
    assert store.open_powercycle(asked) == (asked, True)
    assert store.get_powercycle(asked.id) == asked
    assert store.get_powercycle("no such") is None


def test_one_open_request_per_machine(store: Store) -> None:
    store.create_machine(machine())
    first, created = store.open_powercycle(request())
    assert created
    assert store.open_powercycle(request()) == (first, False)
    store.update_powercycle(first.id, lambda previous: previous.to(CycleState.VERIFIED, NOW, finished_at=NOW))
    second, created = store.open_powercycle(request(at=NOW + timedelta(seconds=1)))
    assert created
    assert [item.id for item in store.list_powercycles("m1")] == [second.id, first.id]
    assert store.latest_powercycles() == {"m1": second}


def test_concurrent_requests_open_one(store: Store) -> None:
    store.create_machine(machine())
    answers: list[tuple[str, bool]] = []
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        found, created = store.open_powercycle(request())
        answers.append((found.id, created))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len({name for name, _created in answers}) == 1
    assert [created for _name, created in answers].count(True) == 1


def test_due_requests_are_open_and_not_waiting(store: Store) -> None:
    for name in ("late", "early", "waiting", "done"):
        store.create_machine(machine(name))
    store.open_powercycle(request("early", NOW))
    store.open_powercycle(request("late", NOW + timedelta(seconds=2)))
    store.open_powercycle(request("waiting", not_before=NOW + timedelta(seconds=60)))
    store.open_powercycle(request("done", finished_at=NOW, state=CycleState.FAILED))
    assert store.due_powercycles(NOW) == ["early", "late"]
    assert set(store.due_powercycles(NOW + timedelta(seconds=60))) == {"early", "late", "waiting"}


def test_requests_are_listed_newest_first(store: Store) -> None:
    store.create_machine(machine("a"))
    store.create_machine(machine("b"))
    made = [
        store.open_powercycle(request(name, NOW + timedelta(seconds=n), finished_at=NOW, state=CycleState.FAILED))[0]
        for n, name in enumerate(["a", "b", "a"])
    ]
    ids = [item.id for item in reversed(made)]
    assert [item.id for item in store.list_powercycles()] == ids
    assert [item.id for item in store.list_powercycles(limit=1, after=ids[0])] == [ids[1]]
    assert [item.id for item in store.list_powercycles(state=CycleState.QUEUED)] == []
    assert store.count_powercycles() == {CycleState.FAILED: 3}
    assert store.latest_powercycles(["b"]) == {"b": made[1]}


def test_updating_a_request(store: Store) -> None:
    store.create_machine(machine())
    asked, _created = store.open_powercycle(request())
    changed = store.update_powercycle(asked.id, lambda previous: previous.to(CycleState.OFF, NOW, "m", "r"))
    assert store.get_powercycle(asked.id) == changed
    assert [step.state for step in changed.steps] == [CycleState.QUEUED, CycleState.OFF]
    with pytest.raises(NotFound):
        store.update_powercycle("no such", lambda previous: previous)


def test_toggling(store: Store) -> None:
    store.create_machine(machine())
    done = lambda previous: previous.to(CycleState.CANCELLED, NOW, finished_at=NOW)  # noqa: E731
    assert store.toggle_powercycle("m1", None, done) is None
    opened = store.toggle_powercycle("m1", request(), done)
    assert opened is not None
    assert opened.open
    assert store.toggle_powercycle("m1", request(), None) is None
    closed = store.toggle_powercycle("m1", request(), done)
    assert closed is not None
    assert (closed.id, closed.open) == (opened.id, False)
    assert store.due_powercycles(NOW) == []


# -- device documents


def test_publishing_replaces_one_source_and_appends_history(store: Store) -> None:
    store.create_machine(machine())
    seen: list[object] = []

    def publish(source: str, document: dict[str, object], changes: tuple[dict[str, object], ...], at: datetime) -> None:
        def change(present: object) -> Publication:
            seen.append(present)
            return Publication(document, changes, DeviceSummary(vendor=str(document)))

        store.publish_device("m1", source, at, change)

    publish("oob", {"v": 1}, ({"op": "added"},), NOW)
    publish("inband", {"v": 2}, (), NOW + timedelta(seconds=1))
    publish("oob", {"v": 3}, ({"op": "changed"},), NOW + timedelta(seconds=2))
    assert seen[-1] == {"oob": {"v": 1}, "inband": {"v": 2}}
    assert store.get_devices("m1") == {"oob": {"v": 3}, "inband": {"v": 2}}
    newest, oldest = store.device_history("m1")
    assert (newest.changes, newest.source, newest.at) == (({"op": "changed"},), "oob", NOW + timedelta(seconds=2))
    assert [item.id for item in store.device_history("m1", limit=1, after=newest.id)] == [oldest.id]
    found = store.get_machine("m1")
    assert found is not None
    assert found.device == DeviceSummary(vendor="{'v': 3}")


# -- tokens


def test_tokens_are_found_by_digest_until_deleted(store: Store) -> None:
    first = store.create_token(token("first"), only_first=True)
    with pytest.raises(ConflictError):
        store.create_token(token("second"), only_first=True)
    other = store.create_token(token("agent", scope=Scope.AGENT, machine="m1", expires_at=NOW))
    assert store.find_token("digest of first") == first
    assert store.find_token("digest of agent") == other
    assert store.find_token("digest") is None
    assert {item.name for item in store.list_tokens()} == {"first", "agent"}


def test_names_of_tokens_are_free_again_after_revocation(store: Store) -> None:
    first = store.create_token(token("a"))
    with pytest.raises(ConflictError):
        store.create_token(token("a", digest="other"))
    revoked = store.revoke_token("a", NOW)
    assert revoked == replace(first, revoked_at=NOW)
    assert store.revoke_token(first.id, NOW + timedelta(seconds=9)) == revoked  # again: no change
    with pytest.raises(NotFound):
        store.revoke_token("a", NOW)
    store.create_token(token("a", digest="other"))


def test_logins_end_with_time_logout_and_their_token(store: Store) -> None:
    owner = store.create_token(token("a"))
    later = NOW + timedelta(hours=1)
    for name in ("one", "two"):
        store.create_session(WebSession(name, owner.id, later), NOW)
    assert store.find_session("one", NOW) == owner
    assert store.find_session("one", later) is None
    store.delete_session("one")
    store.delete_session("one")
    assert store.find_session("one", NOW) is None
    store.revoke_token("a", NOW)
    assert store.find_session("two", NOW) is None


def test_ready(store: Store) -> None:
    store.ready()
