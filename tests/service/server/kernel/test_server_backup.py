# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup and restore."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import ConflictError, InvalidInput
from sqlalchemy import select, text

from fleetd.server.app import CAPABILITIES
from fleetd.server.credentials.cipher import KeyRing, new_key
from fleetd.server.kernel import migrate, tables
from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.backup import backup, restore
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.machines.model import BmcAccess
from fleetd.server.work.model import Lease, Retry

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def rows(store: Transactions) -> dict[str, list[Any]]:
    with store.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables.metadata.sorted_tables
        }


def database(url: str) -> Transactions:
    return Transactions(make_engine(url))


def services_over(store: Transactions, cipher: Any = None) -> Services:
    return Services(CAPABILITIES, store, lambda: NOW, {"credentials": {"cipher": cipher}})


def fill(url: str) -> tuple[Transactions, Services]:
    """A database with a row in every table."""
    store = database(url)
    services = services_over(store, KeyRing([new_key()]))
    services.machines.create(
        "site/m1", {"labels": {"ünï": "✓"}, "lifecycle": "new", "bmc": BmcAccess("10.0.0.1", credential="login1")}
    )
    services.powercycles.request("site/m1", "alice", "hung\n")
    services.devices.publish("site/m1", "oob", {"vendor": "ACME", "drives": [{"serial": "D1"}]})
    services.devices.publish("site/m1", "inband", {"vendor": "Other Systems", "drives": [{"serial": "D1"}]})
    services.credentials.put("login1", "root", "the-password", "alice")
    services.machines.set_powercycle_states(
        {"unknown": services.machines.get("site/m1").machine.description.powercycle_state}
    )
    secret = services.tokens.create("alice", Scope.OPERATOR)[1]
    services.tokens.login(secret)
    session = services.work.start("runner", "alice", {"job": 7}, 3600).id
    services.work.take(session, "alice", "powercycle", "site/m1")
    services.machines.create("m2", {"lifecycle": "new"})
    held = services.work.take(session, "alice", "onboard", "m2")
    services.work.fail(Lease(held.subject, held.process, held.session, held.token), "alice", "no", Retry())
    services.requests.once("alice", "k", "x", lambda: {"n": 1})
    services.retention.take_duty("prune", "server", 60)
    return store, services


@pytest.fixture
def filled(database_url: str) -> Iterator[tuple[Transactions, Services]]:
    """One of each kind."""
    store, services = fill(database_url)
    yield store, services
    store.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[[], Transactions]]:
    made = []

    def make() -> Transactions:
        made.append(database(f"sqlite:///{tmp_path / f'new{len(made)}.db'}"))
        return made[-1]

    yield make
    for store in made:
        store.close()


def test_everything_comes_back(filled: tuple[Transactions, Services], empty: Any, tmp_path: Path) -> None:
    """Also into a database of another kind."""
    store, services = filled
    before = rows(store)
    assert [name for name, found in before.items() if not found] == []
    path = tmp_path / "fleet.jsonl.gz"
    counts = backup(store.engine, path)
    assert counts == {name: len(found) for name, found in before.items()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".*partial")) == []
    assert b"the-password" not in gzip.decompress(path.read_bytes())
    copy = empty()
    assert restore(copy.engine, path) == (migrate.head(), counts)
    assert rows(copy) == before
    migrate.ready(copy)
    again = services_over(copy, services.credentials._cipher)
    assert again.credentials.read("login1", "bob").password == "the-password"
    assert again.events.append([NewEvent("test.x")])[0].seq > services.events.bounds()[1]  # numbers go on


@pytest.mark.postgres
def test_restored_into_postgresql(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    store, _services = fill(sqlite_url)
    before, path = rows(store), tmp_path / "fleet.jsonl.gz"
    backup(store.engine, path)
    engine = make_engine(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS restored"))
        connection.execute(text("CREATE DATABASE restored"))
    engine.dispose()
    copy = database(postgres_url.replace("/postgres?", "/restored?"))
    restore(copy.engine, path)
    assert rows(copy) == before
    with pytest.raises(ConflictError, match="not empty"):
        restore(copy.engine, path)
    copy.close()


def test_a_backup_under_load_is_of_one_moment(database_url: str, empty: Any, tmp_path: Path) -> None:
    """Each transaction of the load writes a machine, its event and the log's counter: a backup has all or none."""
    store = database(database_url)
    services = services_over(store)
    stop, failures = threading.Event(), []

    def load(number: int) -> None:
        try:
            step = 0
            while not stop.is_set():
                services.machines.create(f"m{number}-{step}", {})
                step += 1
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(3):
            services.events.append([NewEvent("test.turn")])
            path = tmp_path / f"{turn}.gz"
            counts = backup(store.engine, path)
            copy = empty()
            restore(copy.engine, path)
            copied = services_over(copy)
            assert counts["events"] == copied.events.bounds()[1]
            assert counts["machines"] == counts["events"] - turn - 1
            made = {view.machine.id for view in copied.machines.find()}
            assert {item.machine for item in copied.events.find()} - {None} == made
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    store.close()


def test_only_into_an_empty_database(filled: tuple[Transactions, Services], empty: Any, tmp_path: Path) -> None:
    store, _services = filled
    path = tmp_path / "fleet.gz"
    backup(store.engine, path)
    with pytest.raises(ConflictError, match="exists"):
        backup(store.engine, path)
    before = rows(store)
    with pytest.raises(ConflictError, match="machines"):
        restore(store.engine, path)
    assert rows(store) == before
    ready = empty()
    migrate.upgrade(ready.engine)
    restore(ready.engine, path)
    assert rows(ready) == before


@pytest.mark.parametrize("damage", ["cut", "no end", "lost row", "no gzip", "other", "newer", "twice"])
def test_what_is_not_a_whole_backup_restores_nothing(sqlite_url: str, empty: Any, tmp_path: Path, damage: str) -> None:
    store, _services = fill(sqlite_url)
    path = tmp_path / "fleet.gz"
    backup(store.engine, path)
    store.close()
    raw = path.read_bytes()
    lines = gzip.decompress(raw).decode().splitlines()
    header = json.loads(lines[0])
    row = next(number for number, line in enumerate(lines) if line.startswith('["machines"'))
    changed = {
        "no end": lines[:-1],
        "lost row": lines[:row] + lines[row + 1 :],
        "other": ["{}", *lines[1:]],
        "newer": [json.dumps({**header, "schema": "9999"}), *lines[1:]],
        "twice": [*lines[: row + 1], *lines[row:]],
    }
    if damage == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "no gzip":
        path.write_bytes(b"hello")
    else:
        path.write_bytes(gzip.compress("\n".join(changed[damage]).encode()))
    copy = empty()
    with pytest.raises(InvalidInput, match=str(path)):
        restore(copy.engine, path)
    with copy.engine.connect() as connection:
        assert migrate.current(connection) is None


def test_the_command_line(tmp_path: Path, run_fleetd: Any) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    done = run_fleetd("backup", "fleet.gz")
    assert (done.returncode, "0 machines" in done.stdout) == (0, True), done.stderr
    refused = run_fleetd("restore", "fleet.gz")
    assert (refused.returncode, "not empty" in refused.stderr) == (1, True)
    assert f"move {tmp_path / 'fleetd.db'} away" in refused.stderr
    (tmp_path / "fleetd.db").rename(tmp_path / "old.db")
    done = run_fleetd("restore", "fleet.gz")
    assert done.returncode == 0, done.stderr
    done = run_fleetd("restore", "fleet.gz", FLEETD_DATABASE__URL=f"sqlite:///{tmp_path / 'new.db'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
    assert secret not in gzip.decompress((tmp_path / "fleet.gz").read_bytes()).decode()
