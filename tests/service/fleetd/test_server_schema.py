# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations lead to the schema that the code declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from fleetcore.errors import NotFound

from fleetd.adapters.sql import codec, migrate, rows
from fleetd.adapters.sql.engine import make_engine
from fleetd.adapters.sql.store import SqlStore
from fleetd.adapters.sql.tables import metadata
from fleetd.domain import Description, DeviceSummary, Machine, PowerCycleState
from fleetd.leases import LifecycleNotIn, NotHeld, NotQuarantined, Process
from fleetd.ports import ComponentFilter
from fleetd.services.container import Services


def test_migrations_and_tables_agree(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_again_does_nothing(database_url: str) -> None:
    engine = make_engine(database_url)
    assert migrate.upgrade(engine) == (migrate.head(), migrate.head())
    engine.dispose()


def test_machines_of_the_first_schema_keep_their_holds(tmp_path: Path) -> None:
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
            " VALUES (:id, 'active', '{}', :description, '', 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')"
        )
        for name, value in descriptions.items():
            connection.execute(statement, {"id": name, "description": codec.dumps(value)})
    assert migrate.upgrade(engine) == ("0001", migrate.head())
    engine.dispose()
    store = SqlStore(url)
    for guard, expected in (
        (NotHeld(), ["free"]),
        (NotQuarantined(), ["free", "maintained", "recovering"]),
    ):
        process = Process("p", LifecycleNotIn(()), (guard,))
        assert [name for name in sorted(descriptions) if store.explain(process, name).eligible] == expected
    found = store.get_machine("recovering")
    assert found is not None
    assert found.description == descriptions["recovering"]
    store.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    base = sa.make_url(request.getfixturevalue("postgres_url"))
    engine = sa.create_engine(base, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE old"))
        yield base.set(database="old").render_as_string(hide_password=False)
        connection.execute(sa.text("DROP DATABASE old WITH (FORCE)"))
    engine.dispose()


def test_parts_of_stored_documents_are_found_after_the_migration(empty_url: str) -> None:
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
                " VALUES ('m1', 'active', '{}', '{}', '', 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')"
            )
        )
        for number, entry in enumerate(changes, 1):
            connection.execute(
                sa.text(
                    "INSERT INTO device_history (id, machine, source, at, changes) VALUES (:id, 'm1', 'oob', :at, :changes)"
                ),
                {"id": str(number), "at": f"2026-01-0{number} 00:00:00.000000", "changes": codec.dumps(entry)},
            )
        connection.execute(
            sa.text(
                "INSERT INTO devices (machine, source, document, updated_at) VALUES ('m1', 'oob', :text, '2026-01-09 00:00:00.000000')"
            ),
            {"text": codec.dumps(document)},
        )
    assert migrate.upgrade(engine)[1] == migrate.head()
    engine.dispose()
    store = SqlStore(url)
    found = {
        item.component.name: (item.component.slot, item.first_seen.day, item.last_seen.day, item.current)
        for item in store.list_components(ComponentFilter(machine="m1"))
    }
    assert found == {
        "device": ("", 1, 9, True),
        "drives:serial=D-1": ("3", 1, 9, True),
        "drives:serial=D2": ("Disk.4", 2, 9, True),
    }
    assert [item.component.serial for item in store.list_components(ComponentFilter("d1"))] == ["D-1"]
    assert store.devices_at("m1", datetime(2026, 2, 1, tzinfo=UTC)) == {"oob": document}
    assert store.devices_at("m1", datetime(2026, 1, 1, 12, tzinfo=UTC)) == {"oob": None}
    # What was found by the migration is what publishing finds: nothing ends, nothing begins.
    services = Services(store, lambda: datetime(2026, 1, 10, tzinfo=UTC))
    assert services.devices.publish("m1", "oob", document).changes == ()
    assert [item.last_seen.day for item in store.list_components(ComponentFilter(machine="m1"))] == [10, 10, 10]
    with pytest.raises(NotFound, match="was not kept"):
        services.devices.get("m1", at=datetime(2026, 1, 1, 12, tzinfo=UTC))
    store.close()


def test_machines_of_older_schemas_are_in_the_lists(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = make_engine(url)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    said = {
        "recovering": Description(recovering="Too hot.", powercycle_state=PowerCycleState.IN_ERROR, last_updated=now),
        "maintained": Description(maintenance_mode="alice"),
    }
    device = codec.dumps(DeviceSummary(vendor="ACME", collected_at="2026-01-02T00:00:00Z"))
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
    )
    query = sa.select(*(table.c[name] for name in filled)).order_by(table.c.id)
    with engine.begin() as connection:
        migrated = connection.execute(query).all()
        for name in said:
            rows.write_machine(
                connection, Machine("", now, now), replace(rows.locked_machine(connection, name), site="ams")
            )
        assert connection.execute(query).all() == migrated
    assert [(row.maintenance, row.recovering, row.controller, row.vendor) for row in migrated] == [
        (True, False, "not_available", ""),
        (False, True, "in_error", "ACME"),
    ]
    engine.dispose()
