# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions, work, backoff and history, on SQLite and PostgreSQL."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fleetcore.errors import NotFound
from sqlalchemy import Connection, select

from fleetd.server.devices.conditions import DocumentOlder
from fleetd.server.devices.model import Publication
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.conditions import HasBmc, LifecycleIn, LifecycleNotIn, NotHeld, NotQuarantined
from fleetd.server.machines.model import BmcAccess, Description, DeviceSummary, Machine
from fleetd.server.powercycles.conditions import PowercycleDue
from fleetd.server.powercycles.model import CycleState, Powercycle
from fleetd.server.work import tables
from fleetd.server.work.looks import backoff_value
from fleetd.server.work.model import (
    Backoff,
    Cancel,
    Fail,
    Finish,
    Lease,
    LeaseLost,
    NotEligible,
    NothingToDo,
    Outcome,
    Retry,
    SessionExpired,
    Subject,
    Work,
    WorkConflict,
)
from fleetd.server.work.process import FinishedBefore, Process
from fleetd.server.work.service import WorkService

ANY = LifecycleNotIn(())
ONE = Process("one", ANY, exclusion="machine")
TWO = Process("two", ANY, exclusion="machine")
OTHER = Process("other", ANY)
KNOWN = {item.name: item for item in (ONE, TWO, OTHER)}
EVERY_RETRY = Retry(1, 2, 5, attempts=None)


@pytest.fixture
def store(timed_store: Any, clock: Any) -> Any:
    add(timed_store, clock, "m1")
    timed_store.work.processes.update(KNOWN)
    return timed_store


def unchanged(_held: Work, _now: datetime) -> None:
    return


def add(store: Any, clock: Any, *names: str, **values: Any) -> None:
    for name in names:
        store.machines.create(Machine(name, created_at=clock(), updated_at=clock(), **values))


def session(store: Any, name: str = "worker", interval: float = 5) -> str:
    return store.work.start(name, "token", {"version": "1"}, interval).id


def claim(store: Any, who: str, process: Process = ONE, count: int = 1) -> list[str]:
    return [item.machine for item in store.work.claim_for(who, process, count)]


def outcomes(store: Any, machine: str = "m1") -> list[tuple[str, Outcome, str]]:
    return [(item.process, item.outcome, item.cause) for item in reversed(store.work.history(Subject(machine)))]


def backoffs(store: Any) -> list[Backoff]:
    """Those that last still."""

    def look(connection: Connection) -> list[Backoff]:
        last = tables.backoffs.c.until > store.tx.now(connection)
        return [backoff_value(row) for row in connection.execute(select(tables.backoffs).where(last))]

    found: list[Backoff] = store.tx.read(look)
    return found


# -- sessions


def test_a_session_lives_by_its_heartbeats_and_expires_for_ever(store: Any, clock: Any) -> None:
    made = store.work.start("runner", "token", {"host": "h1", "job": 7}, 5)
    assert store.work.get_session(made.id) == made
    assert made.deadline == clock() + timedelta(seconds=5)
    for _ in range(3):
        clock.forward(2.5)
        assert store.work.poke_session(made.id).deadline == clock() + timedelta(seconds=5)
    assert claim(store, made.id) == ["m1"]
    assert [item.id for item in store.work.sessions()] == [made.id]
    clock.forward(6)
    lease = Lease("m1", "one", made.id)
    for write in (
        lambda: store.work.poke_session(made.id),
        lambda: store.work.get_session(made.id),
        lambda: store.work.claim_for(made.id, OTHER, 1),
        lambda: store.work.take_for(made.id, OTHER, "m1"),
        lambda: store.work.report(lease, unchanged, Finish()),
        lambda: store.work.report(lease, unchanged, Fail("x", EVERY_RETRY)),
        lambda: store.work.report(lease, unchanged, Cancel()),
        lambda: store.work.report(lease, unchanged),
    ):
        with pytest.raises(SessionExpired):
            write()
    assert outcomes(store) == [("one", Outcome.STARTED, "")]
    assert store.work.sessions() == []
    assert store.work.find() == []


def test_the_time_is_the_stores_own() -> None:
    """No method takes one."""
    for name in ("start", "poke_session", "claim_for", "take_for", "report", "reap", "explain"):
        assert "now" not in getattr(WorkService, name).__annotations__


def test_ending_a_session_gives_its_work_back(store: Any) -> None:
    who = session(store)
    claim(store, who)
    store.work.end_session(who)
    store.work.end_session(who)
    with pytest.raises(SessionExpired):
        store.work.poke_session(who)
    assert outcomes(store)[1:] == [("one", Outcome.CANCELLED, "session ended")]
    assert claim(store, session(store)) == ["m1"]


def test_the_reaper_cancels_the_work_of_dead_sessions_only(store: Any, clock: Any) -> None:
    dead, alive = session(store, interval=5), session(store, interval=60)
    claim(store, dead)
    claim(store, alive, OTHER)
    clock.forward(6)
    assert store.work.reap() == 1
    assert store.work.reap() == 0
    assert outcomes(store)[2:] == [("one", Outcome.CANCELLED, "session expired")]
    assert [item.process for item in store.work.find()] == ["other"]


def test_a_clock_that_is_set_back_locks_nothing_for_long(store: Any, clock: Any) -> None:
    dead, alive = session(store, interval=5), session(store, interval=60)
    claim(store, dead)
    clock.forward(-3600)
    assert store.work.reap() == 0
    assert store.work.poke_session(alive).deadline == clock() + timedelta(seconds=60)
    clock.forward(6)
    assert store.work.reap() == 1
    assert [item.id for item in store.work.sessions()] == [alive]
    assert store.work.find() == []


# -- locks


def test_a_process_excludes_itself_and_its_group_but_no_other(store: Any) -> None:
    first, second = session(store, "first"), session(store, "second")
    held = store.work.take_for(first, ONE, "m1")
    for who in (first, second):
        for process in (ONE, TWO):
            with pytest.raises(WorkConflict, match="first"):
                store.work.take_for(who, process, "m1")
            with pytest.raises(NothingToDo):
                claim(store, who, process)
    assert store.work.take_for(second, OTHER, "m1").process == "other"
    assert store.work.find(Subject("m1"), "one") == [held]
    store.work.report(Lease("m1", "one", first, held.token), unchanged, Cancel("changed my mind"))
    assert claim(store, second, TWO) == ["m1"]


def test_unknown_machines(store: Any) -> None:
    who = session(store)
    with pytest.raises(NotFound):
        store.work.take_for(who, ONE, "nope")
    with pytest.raises(NotFound):
        store.work.explain("nope", ONE.name)
    with pytest.raises(NothingToDo):
        store.work.claim_for(who, ONE, 1, ["nope"])


def test_claims_can_be_narrowed(store: Any, clock: Any) -> None:
    add(store, clock, "m2", "m3")
    found = store.work.claim_for(session(store), ONE, 9, ["m2", "m3", "nope"])
    assert [item.machine for item in found] == ["m2", "m3"]


def test_tokens_grow_over_all_processes_and_survive_the_machine(store: Any, clock: Any) -> None:
    who = session(store)
    first = store.work.take_for(who, ONE, "m1").token
    second = store.work.take_for(who, OTHER, "m1").token
    store.machines.delete("m1")
    with pytest.raises((LeaseLost, NotFound)):
        store.work.report(Lease("m1", "one", who), unchanged, Finish())
    add(store, clock, "m1")
    assert first < second < store.work.take_for(who, ONE, "m1").token


def test_exits_end_the_lock_once(store: Any) -> None:
    who = session(store)
    for leave in (Finish(), Fail("x", Retry(1, None, 1, None)), Cancel("x")):
        token = store.work.take_for(who, ONE, "m1", needed=False).token
        lease = Lease("m1", "one", who, token)
        store.work.report(lease, unchanged, leave)
        for again in (Finish(), Fail("x", EVERY_RETRY)):
            with pytest.raises(LeaseLost):
                store.work.report(lease, unchanged, again)
        store.work.report(lease, unchanged, Cancel())
    kinds = [outcome for _process, outcome, _cause in outcomes(store)]
    assert kinds[1::2] == [Outcome.FINISHED, Outcome.FAILED, Outcome.CANCELLED]


def test_history_is_exactly_started_and_finished(store: Any) -> None:
    who = session(store)
    token = store.work.take_for(who, ONE, "m1").token
    store.work.report(Lease("m1", "one", who), unchanged, Finish())
    finished, started = store.work.history()
    for line, outcome in ((started, Outcome.STARTED), (finished, Outcome.FINISHED)):
        assert (line.machine, line.process, line.outcome, line.session) == ("m1", "one", outcome, who)
        assert (line.component, line.actor, line.token) == ("worker", "token", token)
    assert [item.id for item in store.work.history(limit=1)] == [finished.id]
    assert [item.id for item in store.work.history(process="one", after=finished.id)] == [started.id]
    assert store.work.history(process="two") == []


def test_changes_and_exits_are_one_transaction(store: Any) -> None:
    who = session(store)
    store.work.take_for(who, ONE, "m1")

    def site(held: Work, _now: datetime) -> str | None:
        return store.machines.update(held.subject, lambda machine: replace(machine, site="ams")).site

    def broken(held: Work, now: datetime) -> None:
        raise ValueError(site(held, now))

    with pytest.raises(ValueError, match="ams"):
        store.work.report(Lease("m1", "one", who), broken, Finish())
    assert len(store.work.find()) == 1
    assert len(store.work.history()) == 1
    assert store.machines.get("m1").site is None
    assert store.work.report(Lease("m1", "one", who), site, Finish()) == "ams"
    found = store.machines.get("m1")
    assert found is not None
    assert found.site == "ams"


# -- takeover


def test_work_of_a_dead_session_counts_as_free_and_its_late_report_is_refused(store: Any, clock: Any) -> None:
    dead, alive = session(store), session(store, interval=60)
    old = store.work.take_for(dead, ONE, "m1")
    clock.forward(6)
    new = store.work.take_for(alive, TWO, "m1")
    assert new.token > old.token
    assert outcomes(store) == [
        ("one", Outcome.STARTED, ""),
        ("one", Outcome.CANCELLED, "session expired"),
        ("two", Outcome.STARTED, ""),
    ]
    for lease in (Lease("m1", "one", dead), Lease("m1", "one", dead, old.token)):
        with pytest.raises(SessionExpired):
            store.work.report(lease, unchanged, Finish())
    for lease in (Lease("m1", "one", token=old.token), Lease("m1", "two", alive, old.token)):
        with pytest.raises(LeaseLost):
            store.work.report(lease, unchanged, Finish())
    store.work.report(Lease("m1", "two", token=new.token), unchanged, Finish())
    assert store.work.reap() == 1
    assert len(store.work.history()) == 4


def test_a_token_of_a_dead_session_is_stale_before_anybody_else_claims(store: Any, clock: Any) -> None:
    token = store.work.take_for(session(store), ONE, "m1").token
    clock.forward(6)
    with pytest.raises(SessionExpired):
        store.work.report(Lease("m1", "one", token=token), unchanged, Finish())


# -- backoff


def failed(store: Any, who: str, retry: Retry, jitter: float = 0.0) -> None:
    store.work.take_for(who, ONE, "m1", needed=False)
    store.work.report(Lease("m1", "one", who), unchanged, Fail("no", retry, jitter))


def test_backoff_hides_the_machine_and_gives_it_back(store: Any, clock: Any) -> None:
    who = session(store, interval=1000)
    failed(store, who, Retry(10, 2, 60))
    with pytest.raises(NothingToDo):
        claim(store, who)
    with pytest.raises(NotEligible) as error:
        store.work.take_for(who, ONE, "m1")
    assert error.value.details["unmet"] == ["not in backoff"]
    assert claim(store, who, TWO) == ["m1"]
    store.work.report(Lease("m1", "two", who), unchanged, Cancel())
    (found,) = backoffs(store)
    assert (found.cause, found.failures, found.until) == ("no", 1, clock() + timedelta(seconds=10))
    clock.forward(10)
    assert claim(store, who) == ["m1"]
    assert backoffs(store) == []


def test_backoff_grows_to_its_maximum_and_finish_resets_it(store: Any, clock: Any) -> None:
    who = session(store, interval=1000)

    def waits(count: int) -> list[int]:
        found = []
        for _ in range(count):
            failed(store, who, EVERY_RETRY)
            found.append(backoffs(store)[0].interval)
        return found

    assert waits(5) == [1, 2, 4, 5, 5]
    store.work.take_for(who, ONE, "m1", needed=False)
    store.work.report(Lease("m1", "one", who), unchanged, Finish())
    assert backoffs(store) == []
    assert waits(2) == [1, 2]
    failed(store, who, Retry(60, None, 600, None))
    failed(store, who, Retry(60, None, 600, None))
    assert backoffs(store)[0].interval == 60


def test_jitter_is_on_top(store: Any, clock: Any) -> None:
    who = session(store, interval=1000)
    failed(store, who, Retry(10, 2, 10, None), jitter=0.5)
    (found,) = backoffs(store)
    assert (found.interval, found.until) == (10, clock() + timedelta(seconds=15))


def test_too_many_failures_quarantine_the_machine(store: Any, clock: Any) -> None:
    who = session(store, interval=1000)
    for attempt in range(3):
        found = store.machines.get("m1")
        assert found is not None
        assert found.description.is_quarantined is False, attempt
        failed(store, who, Retry(1, 2, 5, attempts=3))
    found = store.machines.get("m1")
    assert found is not None
    assert found.description.held() == "Forced Quarantine"
    assert "one failed too often: no" in found.description.annotation.message
    assert backoffs(store) == []
    guarded = Process("one", ANY, (NotQuarantined(),))
    store.work.add(guarded)
    assert store.work.explain("m1", guarded.name).unmet == ("not quarantined",)


# -- predicates


def test_every_store_means_the_same_by_a_predicate(store: Any, clock: Any) -> None:
    """The scheduler, the count and the explanation agree, and so do SQL and Python."""
    dice = random.Random(7)
    observed: dict[str, dict[str, datetime]] = {}
    for number in range(40):
        name = f"r{number:02}"
        description = Description(
            maintenance_mode=dice.choice(["", "", "alice"]),
            is_quarantined=dice.random() < 0.2,
            recovering=dice.choice(["", "", "Too hot."]),
        )
        lifecycle = dice.choice(["active", "new", "retired"])
        bmc = dice.choice([None, BmcAccess("10.0.0.1")])
        add(store, clock, name, description=description, lifecycle=lifecycle, bmc=bmc)
        if dice.random() < 0.5:
            at = clock() - timedelta(seconds=dice.choice([10, 100]))
            store.devices.publish(name, "oob", at, lambda _present: Publication({}, (), DeviceSummary()))
            observed[name] = {"oob": at}
        if dice.random() < 0.5:
            late = dice.choice([None, clock() + timedelta(seconds=dice.choice([-1, 0, 1]))])
            closed = dice.choice([None, None, clock()])
            made = Powercycle(
                new_id(clock()), name, CycleState.QUEUED, clock(), clock(), not_before=late, finished_at=closed
            )
            store.powercycles.open(made)
    needs = (LifecycleIn(("new", "active")), ANY, DocumentOlder("oob", 60), PowercycleDue())
    guards = ((), (NotHeld(),), (NotQuarantined(), HasBmc()), (LifecycleNotIn(("retired",)),))
    who = session(store, interval=1000)
    sizes = []
    for number, (need, guard) in enumerate((need, guard) for need in needs for guard in guards):
        process = Process(f"p{number}", need, guard)
        store.work.add(process)
        expected = [item.id for item in store.machines.find() if store.work.explain(item.id, process.name).eligible]
        assert store.work.counts()[process.name].eligible == len(expected)
        assert expected == [
            item.id
            for item in store.machines.find()
            if _python(store, process, item, observed.get(item.id, {}), clock())
        ]
        assert sorted(claim(store, who, process, 99)) == expected
        assert store.work.counts()[process.name].working == len(expected)
        sizes.append(len(expected))
    assert min(sizes) > 0
    assert len(set(sizes)) > 5


def _python(store: Any, process: Process, machine: Machine, observed: dict[str, datetime], now: datetime) -> bool:
    request = next((item for item in store.powercycles.find(machine.id) if item.open), None)
    return all(_holds(item, machine, request, observed, now) for item in process.conditions)


def _holds(
    condition: Any, machine: Machine, request: Powercycle | None, observed: dict[str, datetime], now: datetime
) -> bool:
    if isinstance(condition, DocumentOlder):
        last = observed.get(condition.source)
        return last is None or last <= now - timedelta(seconds=condition.seconds)
    if isinstance(condition, PowercycleDue):
        return request is not None and (request.not_before is None or request.not_before <= now)
    if isinstance(condition, LifecycleIn | LifecycleNotIn):
        return (machine.lifecycle in condition.states) == isinstance(condition, LifecycleIn)
    plain = {
        HasBmc: machine.bmc is not None,
        NotQuarantined: not machine.description.is_quarantined,
        NotHeld: not machine.description.held(),
    }
    return plain[type(condition)]


def test_the_oldest_need_is_served_first(store: Any, clock: Any) -> None:
    add(store, clock, "m2", "m3")
    for name, age in (("m1", 100), ("m3", 200)):
        at = clock() - timedelta(seconds=age)
        store.devices.publish(name, "oob", at, lambda _present: Publication({}, (), DeviceSummary()))
    process = Process("p", DocumentOlder("oob", 60))
    store.work.add(process)
    who = session(store)
    assert [claim(store, who, process)[0] for _ in range(3)] == ["m2", "m3", "m1"]


def test_work_that_is_due_again_when_it_was_finished_long_ago(store: Any, clock: Any) -> None:
    add(store, clock, "m2", "m3")
    process = Process("audit", FinishedBefore("audit", 60))
    store.work.add(process)
    store.work.processes["audit"] = process
    who = session(store, interval=10_000)

    def due(machine: str | None = None) -> list[str]:
        return [item.machine for item in store.work.claim_for(who, process, 1, [machine] if machine else None)]

    for machine in ("m2", "m1"):
        assert due(machine) == [machine]
        store.work.report(Lease(machine, "audit", who), unchanged, Finish())
        clock.forward(10)
    assert store.work.counts()[process.name].eligible == 1, "never finished"
    assert due() == ["m3"]
    store.work.report(Lease("m3", "audit", who), unchanged, Fail("no", None))
    assert store.work.counts()[process.name].eligible == 1, "a failure is no finish"
    clock.forward(100)
    assert [due()[0] for _ in range(3)] == ["m3", "m2", "m1"]
    assert store.work.explain("m1", process.name).conditions[0] == ("audit not finished in the last 60 s", True)


def test_explain_names_the_holder_and_what_is_unmet(store: Any) -> None:
    process = Process("one", LifecycleIn(("new",)), (NotHeld(),), "machine")
    who = session(store)
    assert store.work.explain("m1", ONE.name).eligible is True
    store.work.add(process)
    work = store.work.take_for(who, TWO, "m1")
    found = store.work.explain("m1", process.name)
    assert found.unmet == ("lifecycle is new", "no live work that excludes it")
    assert found.work == work
    assert found.conditions[0] == ("no hold: maintenance, quarantine, recovery", True)


# -- power cycles


def test_a_power_cycle_is_work(store: Any, clock: Any) -> None:
    process = store.work.processes["powercycle"]
    who, other = session(store, "runner-1"), session(store, "runner-2", interval=1000)
    with pytest.raises(NothingToDo):
        store.work.claim_for(who, process, 1)
    made = Powercycle(new_id(clock()), "m1", CycleState.QUEUED, clock(), clock())
    store.powercycles.open(made)
    assert [item.machine for item in store.work.claim_for(who, process, 5)] == ["m1"]
    assert store.powercycles.due(clock()) == []  # whoever knows no leases leaves it to the one who has it
    claimed = store.powercycles.get(made.id)
    assert claimed is not None
    assert (claimed.state, claimed.steps[-1].runner) == (CycleState.CLAIMED, "runner-1")
    clock.forward(6)
    store.work.reap()
    lost = store.powercycles.get(made.id)
    assert lost is not None
    assert (lost.state, lost.steps[-1].message) == (CycleState.QUEUED, "given back: session expired")
    assert store.powercycles.due(clock()) == ["m1"]
    assert [item.machine for item in store.work.claim_for(other, process, 5)] == ["m1"]


# -- several at once


def at_once(work: list[Callable[[], None]]) -> None:
    errors: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def test_three_workers_share_six_machines(store: Any, clock: Any) -> None:
    names = [f"m{number}" for number in range(1, 7)]
    add(store, clock, *names[1:])
    done: list[tuple[str, str]] = []
    claimed = threading.Barrier(3)

    def worker(name: str) -> Callable[[], None]:
        def work() -> None:
            who = session(store, name, interval=1000)
            first = True
            while True:
                try:
                    (machine,) = claim(store, who)
                except NothingToDo:
                    return
                if first:
                    claimed.wait(30)  # so that each is used
                    first = False
                done.append((machine, name))
                store.work.report(Lease(machine, "one", who), unchanged, Fail("done", Retry(1000)))

        return work

    at_once([worker(name) for name in ("a", "b", "c")])
    assert sorted(machine for machine, _name in done) == names
    assert {name for _machine, name in done} == {"a", "b", "c"}


def test_a_machine_has_one_holder_however_many_want_it(store: Any) -> None:
    got: list[int] = []
    refused: list[str] = []

    def work() -> None:
        who = session(store, interval=1000)
        try:
            got.append(store.work.take_for(who, random.choice([ONE, TWO]), "m1").token)
        except WorkConflict as exc:
            refused.append(exc.details["reason"])

    at_once([work] * 8)
    assert got == [1]
    assert refused == ["work_conflict"] * 7


# -- the database's own time


@pytest.mark.parametrize("kind", ["sqlite_url", pytest.param("clean_postgres_url", marks=pytest.mark.postgres)])
def test_real_time_of_the_database(kind: str, request: pytest.FixtureRequest, open_stores: Any) -> None:
    store = open_stores(request.getfixturevalue(kind))
    who = session(store, interval=1.5)
    for _ in range(4):
        time.sleep(0.5)
        store.work.poke_session(who)
    found = store.work.get_session(who)
    assert -0.1 < (found.deadline - found.created_at).total_seconds() - 3.5 < 5
    time.sleep(1.7)
    with pytest.raises(SessionExpired):
        store.work.poke_session(who)


def test_a_claimed_request_changes_only_with_its_claim(store: Any, clock: Any) -> None:
    process = store.work.processes["powercycle"]
    now = clock()
    asked, _created = store.powercycles.open(Powercycle(new_id(now), "m1", CycleState.QUEUED, now, now))
    off = store.powercycles.update(asked.id, lambda item: item.to(CycleState.OFF, now), unclaimed=True)
    assert off.state == CycleState.OFF
    holder = session(store)
    store.work.claim_for(holder, process, 1)
    with pytest.raises(WorkConflict) as refused:
        store.powercycles.update(asked.id, lambda item: item.to(CycleState.ON, now), unclaimed=True)
    assert refused.value.details["holder"] == "worker"
    with pytest.raises(WorkConflict):
        store.powercycles.toggle(
            "m1", None, lambda item: item.to(CycleState.CANCELLED, now, finished_at=now), unclaimed=True
        )
    assert store.powercycles.update(asked.id, lambda item: item.to(CycleState.ON, now)).state == CycleState.ON
    clock.forward(6)  # the session is dead, and so is the claim
    closed = store.powercycles.update(
        asked.id, lambda item: item.to(CycleState.VERIFIED, now, finished_at=now), unclaimed=True
    )
    store.powercycles.open(Powercycle(new_id(now), "m1", CycleState.QUEUED, now, now))
    store.work.claim_for(session(store), process, 1)
    assert (
        store.powercycles.update(asked.id, lambda item: item, unclaimed=True) == closed
    )  # not the one that is claimed
