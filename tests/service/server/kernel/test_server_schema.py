# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations lead to the schema that the code declares."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from fleetcore.errors import NotFound

from fleetd.server.app import CAPABILITIES
from fleetd.server.devices.model import ComponentFilter
from fleetd.server.kernel import codec, migrate
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import make_engine
from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.tables import metadata
from fleetd.server.machines.conditions import LifecycleNotIn, NotHeld, NotQuarantined
from fleetd.server.machines.facets import MachineFilter
from fleetd.server.machines.model import BmcAccess, ControllerState, Description, DeviceSummary
from fleetd.server.work.model import Subject
from fleetd.server.work.process import Process


def test_migrations_and_tables_agree(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_again_does_nothing(database_url: str) -> None:
    engine = make_engine(database_url)
    assert migrate.upgrade(engine) == (migrate.head(), migrate.head())
    engine.dispose()


def test_machines_of_the_first_schema_keep_their_holds(tmp_path: Path, open_stores: Any) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = make_engine(url)
    descriptions = {
        "free": Description(),
        "maintained": Description(maintenance_mode="alice"),
        "quarantined": Description(is_quarantined=True),
        "recovering": Description(recovering="Too hot."),
    }
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        statement = sa.text(
            "INSERT INTO machines (id, lifecycle, labels, description, search, version, created_at, updated_at)"
            " VALUES (:id, 'active', '{}', :description, '', 1,"
            " '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')"
        )
        for name, value in descriptions.items():
            connection.execute(statement, {"id": name, "description": codec.dumps(value)})
    assert migrate.upgrade(engine) == ("0001", migrate.head())
    engine.dispose()
    store = open_stores(url)
    for guard, expected in (
        (NotHeld(), ["free"]),
        (NotQuarantined(), ["free", "maintained", "recovering"]),
    ):
        process = Process("p", LifecycleNotIn(()), (guard,))
        store.work.add(process)
        assert [name for name in sorted(descriptions) if store.work.explain(name, process.name).eligible] == expected
    found = store.machines.get("recovering")
    assert found is not None
    assert found.description == descriptions["recovering"]


# What a database of each revision holds: rows by table, as that version wrote them.
STAMP = "2026-01-01 00:00:00.000000"
_SAID = Description(maintenance_mode="alice", powercycle_state=ControllerState.AVAILABLE)
_MACHINE = {
    "id": "m1",
    "lifecycle": "active",
    "labels": '{"role":"db"}',
    "bmc": codec.dumps(BmcAccess("10.0.0.1", credential="login1")),
    "description": codec.dumps(_SAID),
    "device": codec.dumps(DeviceSummary(vendor="ACME", power_state="on")),
    "search": "m1 acme",
    "version": 3,
    "created_at": STAMP,
    "updated_at": STAMP,
}
_REQUEST = {"id": "018", "machine": "m1", "state": "queued", "requester": "alice", "reason": "", "requested_at": STAMP}
_WORK = {
    "machine": "m1",
    "process": "powercycle",
    "exclusion": "machine",
    "session": "s1",
    "token": 7,
    "started_at": STAMP,
}
ADDED: dict[str, dict[str, dict[str, object]]] = {
    "0001": {
        "machines": _MACHINE,
        "machine_labels": {"machine": "m1", "name": "role", "value": "db"},
        "pending_powercycle_states": {"machine": "m2", "state": "available", "updated_at": STAMP},
        "powercycles": {**_REQUEST, "updated_at": STAMP, "attempts": 1, "steps": "[]"},
        "devices": {"machine": "m1", "source": "oob", "document": '{"vendor":"ACME"}', "updated_at": STAMP},
        "device_history": {"id": "017", "machine": "m1", "source": "oob", "at": STAMP, "changes": "[]"},
        "tokens": {"id": "t1", "name": "alice", "scope": "operator", "digest": "d", "created_at": STAMP},
        "web_sessions": {"digest": "w", "token_id": "t1", "expires_at": STAMP},
    },
    "0002": {
        "lease_sessions": {
            "id": "s1",
            "component": "runner",
            "actor": "alice",
            "info": "{}",
            "interval_seconds": 5.0,
            "created_at": STAMP,
            "deadline": STAMP,
        },
        "work": _WORK,
        "fences": {"machine": "m1", "token": 7},
        "backoffs": {
            "machine": "m1",
            "process": "onboard",
            "until": STAMP,
            "cause": "no",
            "interval_seconds": 60,
            "failures": 1,
        },
        "work_history": {
            "id": "016",
            "at": STAMP,
            "machine": "m1",
            "process": "powercycle",
            "outcome": "started",
            "session": "s1",
            "component": "runner",
            "actor": "alice",
            "cause": "",
            "token": 7,
        },
    },
    "0003": {
        "credentials": {"name": "login1", "username": "root", "secret": "x", "created_at": STAMP, "updated_at": STAMP},
        "audit": {"id": "015", "at": STAMP, "actor": "alice", "action": "credential.write", "subject": "login1"},
    },
    "0004": {
        "components": {
            "id": "014",
            "machine": "m1",
            "source": "oob",
            "kind": "device",
            "name": "device",
            "slot": "",
            "first_seen": STAMP,
            "last_seen": STAMP,
            "current": True,
        },
    },
    "0005": {},
    "0006": {
        "events": {"seq": 9, "at": STAMP, "kind": "test.x", "actor": "", "message": "", "data": "{}"},
        "event_log": {"id": 1, "last": 9, "pruned": 3},
    },
    "0007": {"answers": {"actor": "alice", "key": "k", "request": "d", "answer": '{"n":1}', "at": STAMP}},
    "0008": {"duties": {"name": "prune", "holder": "h", "until": STAMP}},
    "0009": {},
    "0010": {},
    "0011": {},
}
ADDED["0012"] = {
    table: {"kind": "machine", "subject": "m1", **{name: value for name, value in row.items() if name != "machine"}}
    for table, row in ADDED["0002"].items()
    if table != "lease_sessions"
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    url: str = request.getfixturevalue("postgres_url")
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("DROP DATABASE IF EXISTS old"))
        connection.execute(sa.text("CREATE DATABASE old"))
    engine.dispose()
    return url.replace("/postgres?", "/old?")


def _as_they_are_now(table: str, row: dict[str, object]) -> dict[str, object]:
    """Since 0012 work is about a subject: what there was is about machines."""
    if table not in ("work", "fences", "backoffs", "work_history") or "machine" not in row:
        return row
    return {"kind": "machine", "subject": row["machine"], **{k: v for k, v in row.items() if k != "machine"}}


@pytest.mark.parametrize("revision", sorted(ADDED))
def test_a_database_of_each_revision_keeps_its_rows(empty_url: str, revision: str, open_stores: Any) -> None:
    engine = make_engine(empty_url)
    added = {table: row for step in sorted(ADDED) if step <= revision for table, row in ADDED[step].items()}
    if revision >= "0002":
        added["machines"] = {**added["machines"], "held": True}
    if revision >= "0005":
        listed = {"maintenance": True, "controller": "available", "power_state": "on", "vendor": "ACME"}
        added["machines"] = {**added["machines"], **listed}
    if revision >= "0009":
        added["machines"] = {**added["machines"], "credential": "login1"}
    with engine.begin() as connection:
        migrate.to(connection, revision)
        for table, row in added.items():
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    assert migrate.upgrade(engine) == (revision, migrate.head())
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        for table in metadata.sorted_tables:
            found = connection.execute(sa.select(table)).mappings().all()
            if table.name == "components" and revision < "0004":
                assert [row["name"] for row in found] == ["device"]  # of the stored document
                continue
            assert len(found) == (table.name in added), table.name
            for name, value in _as_they_are_now(table.name, added.get(table.name, {})).items():
                if value is not STAMP:
                    assert found[0][name] == value
                else:
                    assert found[0][name] == datetime(2026, 1, 1, tzinfo=UTC) or engine.dialect.name != "sqlite"
    engine.dispose()
    store = open_stores(empty_url)
    (machine,) = store.machines.find(
        MachineFilter(hold="maintenance", power_state="on", credential="login1", controller=ControllerState.AVAILABLE)
    )
    assert machine.description == _SAID
    assert [item.id for item in store.machines.of_bmc(BmcAccess("10.0.0.1"))] == ["m1"]
    assert store.machines.of_bmc(BmcAccess("10.0.0.2")) == []
    assert store.machines.find(MachineFilter(hold="none")) == []
    assert store.events.append([NewEvent("test.y")])[0].seq == (10 if revision >= "0006" else 1)
    if revision >= "0002":
        assert [line.token for line in store.work.history(Subject("m1"))] == [7]
        assert store.work.reap() == 1  # the session of the row is dead: its work is given back
        assert [line.outcome for line in store.work.history(Subject("m1"))] == ["cancelled", "started"]
        who = store.work.start("runner", "alice", {}, 60).id
        assert store.work.take_for(who, store.work.processes["powercycle"], "m1", needed=False).token == 8
    store.machines.delete("m1")
    with store.tx.engine.begin() as connection:
        for name in ("work", "backoffs", "work_history"):
            assert connection.execute(sa.select(metadata.tables[name])).all() == []


def test_words_that_this_version_does_not_know_are_replaced(empty_url: str, open_stores: Any) -> None:
    engine = make_engine(empty_url)
    part = {**ADDED["0004"]["components"], "kind": "drives", "serial": "Ü-12", "serial_key": "ü12"}
    request = {**ADDED["0001"]["powercycles"], "state": "expired", "finished_at": STAMP}
    with engine.begin() as connection:
        migrate.to(connection, "0011")
        for table, row in (("machines", _MACHINE), ("components", part), ("powercycles", request)):
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    migrate.upgrade(engine)
    engine.dispose()
    store = open_stores(empty_url)
    assert [item.component.serial for item in store.devices.components(ComponentFilter("ü-12"))] == ["Ü-12"]
    assert [item.state for item in store.powercycles.find("m1")] == ["cancelled"]


def test_every_revision_is_tried_with_rows() -> None:
    revisions = {item.revision for item in ScriptDirectory.from_config(migrate._config()).walk_revisions()}
    assert revisions - {migrate.head()} == set(ADDED)


def test_parts_of_stored_documents_are_found_after_the_migration(empty_url: str, open_stores: Any) -> None:
    url = empty_url
    engine = make_engine(url)
    document = {
        "source": "oob",
        "serial": "S1",
        "drives": [{"serial": "D-1", "slot": "3", "id": "Disk.3"}, {"serial": "D2", "id": "Disk.4"}],
    }
    changes = [
        [{"op": "added", "component": "drives:serial=D-1"}, {"op": "added", "component": "device", "field": "serial"}],
        [{"op": "added", "component": "drives:serial=D2"}],
    ]
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            sa.text(
                "INSERT INTO machines (id, lifecycle, labels, description, search, version, created_at, updated_at)"
                " VALUES ('m1', 'active', '{}', '{}', '', 1,"
                " '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')"
            )
        )
        for number, entry in enumerate(changes, 1):
            connection.execute(
                sa.text(
                    "INSERT INTO device_history (id, machine, source, at, changes)"
                    " VALUES (:id, 'm1', 'oob', :at, :changes)"
                ),
                {"id": str(number), "at": f"2026-01-0{number} 00:00:00.000000", "changes": codec.dumps(entry)},
            )
        connection.execute(
            sa.text(
                "INSERT INTO devices (machine, source, document, updated_at)"
                " VALUES ('m1', 'oob', :text, '2026-01-09 00:00:00.000000')"
            ),
            {"text": codec.dumps(document)},
        )
    assert migrate.upgrade(engine)[1] == migrate.head()
    engine.dispose()
    store = open_stores(url)
    found = {
        item.component.name: (item.component.slot, item.first_seen.day, item.last_seen.day, item.current)
        for item in store.devices.components(ComponentFilter(machine="m1"))
    }
    assert found == {
        "device": ("", 1, 9, True),
        "drives:serial=D-1": ("3", 1, 9, True),
        "drives:serial=D2": ("Disk.4", 2, 9, True),
    }
    assert [item.component.serial for item in store.devices.components(ComponentFilter("d1"))] == ["D-1"]
    assert store.devices.documents_at("m1", datetime(2026, 2, 1, tzinfo=UTC)) == {"oob": document}
    assert store.devices.documents_at("m1", datetime(2026, 1, 1, 12, tzinfo=UTC)) == {"oob": None}
    # What was found by the migration is what publishing finds: nothing ends, nothing begins.
    services = Services(CAPABILITIES, store.tx, lambda: datetime(2026, 1, 10, tzinfo=UTC))
    assert services.devices.publish("m1", "oob", document).changes == ()
    assert [item.last_seen.day for item in store.devices.components(ComponentFilter(machine="m1"))] == [10, 10, 10]
    with pytest.raises(NotFound, match="was not kept"):
        services.devices.get("m1", at=datetime(2026, 1, 1, 12, tzinfo=UTC))


def test_machines_of_older_schemas_are_in_the_lists(tmp_path: Path, open_stores: Any) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = make_engine(url)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    said = {
        "recovering": Description(recovering="Too hot.", powercycle_state=ControllerState.IN_ERROR, last_updated=now),
        "maintained": Description(maintenance_mode="alice"),
    }
    device = codec.dumps(DeviceSummary(vendor="ACME", collected_at="2026-01-02T00:00:00Z", worst_finding="critical"))
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        statement = sa.text(
            "INSERT INTO machines (id, lifecycle, labels, description, device, search, version, created_at, updated_at)"
            " VALUES (:id, 'active', '{}', :said, :device, '', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
        for name, value in said.items():
            connection.execute(
                statement,
                {"id": name, "said": codec.dumps(value), "device": device if name == "recovering" else None},
            )
    migrate.upgrade(engine)
    table = metadata.tables["machines"]
    filled = (
        "maintenance",
        "recovering",
        "controller",
        "power_state",
        "vendor",
        "model",
        "serial",
        "heard_at",
        "seen_at",
        "worst_finding",
    )
    query = sa.select(*(table.c[name] for name in filled)).order_by(table.c.id)
    store = open_stores(url)
    with engine.begin() as connection:
        migrated = connection.execute(query).all()
    for name in said:
        store.machines.update(name, lambda machine: replace(machine, site="ams"))
    with engine.begin() as connection:
        assert connection.execute(query).all() == migrated
    assert [(row.maintenance, row.recovering, row.controller, row.vendor) for row in migrated] == [
        (True, False, "not_available", ""),
        (False, True, "in_error", "ACME"),
    ]
    engine.dispose()
