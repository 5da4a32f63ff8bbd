# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work is about subjects of any kind: each kind for itself, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from fleetcore.errors import NotFound
from sqlalchemy import Column, ColumnElement, MetaData, Table, delete, insert

from fleetd.server.kernel.tables import UtcDateTime, key
from fleetd.server.machines.conditions import LifecycleNotIn
from fleetd.server.machines.model import Machine
from fleetd.server.work.model import Fail, Finish, Lease, NothingToDo, Retry, Subject, SubjectGone, Work
from fleetd.server.work.process import Kind, Process, Simple

SWITCHES = Table(
    "switches_of_a_test",
    MetaData(),
    Column("id", key(), primary_key=True),
    Column("role", key(), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)


class IsLeaf(Simple):
    """The switch is one at the edge."""

    text = "it is a leaf"

    def holds(self, _kind: Kind, _now: datetime) -> ColumnElement[bool]:
        return SWITCHES.c.role == "leaf"


@pytest.fixture
def exhausted() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def store(timed_store: Any, clock: Any, exhausted: list[tuple[str, str]]) -> Iterator[Any]:
    def too_often(held: Work, cause: str, _now: datetime) -> None:
        exhausted.append((held.subject, cause))

    with timed_store.tx.engine.begin() as connection:
        SWITCHES.create(connection)
        for name, role in (("m1", "leaf"), ("leaf2", "leaf"), ("spine1", "spine")):
            connection.execute(insert(SWITCHES).values(id=name, role=role, updated_at=clock()))
    timed_store.machines.create(Machine("m1", clock(), clock()))
    timed_store.work.kinds["switch"] = Kind("switch", SWITCHES, exhausted=too_often)
    for process in (
        Process("sync", IsLeaf(), kind="switch", exclusion="machine"),
        Process("own", LifecycleNotIn(()), exclusion="machine"),
    ):
        timed_store.work.processes[process.name] = process
    yield timed_store
    with timed_store.tx.engine.begin() as connection:
        SWITCHES.drop(connection)


@pytest.fixture
def take(store: Any) -> Callable[..., Work]:
    who = store.work.start("syncer", "token", {}, 10_000).id
    return lambda process, subject: store.work.take_for(who, store.work.processes[process], subject, needed=False)


def test_a_machine_and_a_switch_of_one_name_exclude_each_other_in_nothing(store: Any, take: Any) -> None:
    ours, theirs = take("own", "m1"), take("sync", "m1")
    assert (ours.machine, theirs.machine, theirs.kind) == ("m1", None, "switch")
    assert (ours.token, theirs.token) == (1, 1), "fencing tokens are each subject's own"
    assert [item.process for item in store.work.find(Subject("m1"))] == ["own"]
    assert [item.process for item in store.work.find(Subject("m1", "switch"))] == ["sync"]
    assert [item.process for item in store.services.work.find("m1")] == ["own"]


def test_its_predicate_is_over_its_own_table(store: Any) -> None:
    who = store.work.start("syncer", "token", {}, 10_000).id
    sync = store.work.processes["sync"]
    assert store.work.explain("spine1", sync.name).unmet == ("it is a leaf",)
    assert store.work.counts()[sync.name].eligible == 2
    assert sorted(item.subject for item in store.work.claim_for(who, sync, 9)) == ["leaf2", "m1"]
    with pytest.raises(NothingToDo):
        store.work.claim_for(who, sync, 9)
    with pytest.raises(NotFound) as missing:
        store.work.explain("leaf9", sync.name)
    assert missing.value.details == {"switch": "leaf9"}


def test_its_kind_hears_of_too_many_failures(store: Any, take: Any, exhausted: list[tuple[str, str]]) -> None:
    for _attempt in range(2):
        held = take("sync", "m1")
        leave = Fail("no answer", Retry(1, attempts=2))
        store.work.report(Lease("m1", "sync", held.session, held.token), lambda _held, _now: None, leave)
    assert exhausted == [("m1", "no answer")]
    machine = store.machines.get("m1")
    assert machine is not None
    assert machine.description.is_quarantined is False
    told = [item for item in store.events.find() if item.kind == "work.failed"]
    assert [(item.machine, item.data["kind"], item.data["subject"]) for item in told] == [(None, "switch", "m1")] * 2


def test_when_it_is_gone_its_work_goes_and_that_of_others_stays(store: Any, take: Any) -> None:
    held = take("own", "m1")
    store.work.report(Lease("m1", "own", held.session, held.token), lambda _held, _now: None, Finish())
    take("sync", "m1")

    def go(connection: Any) -> None:
        connection.execute(delete(SWITCHES).where(SWITCHES.c.id == "m1"))
        store.tx.tell([SubjectGone(Subject("m1", "switch"))])

    store.tx.write(go)
    assert store.work.find() == []
    assert store.work.history(Subject("m1", "switch")) == []
    assert len(store.work.history(Subject("m1"))) == 2
