# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations lead to the schema that the code declares."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from fleetd.adapters.sql import codec, migrate, rows
from fleetd.adapters.sql.engine import make_engine
from fleetd.adapters.sql.store import SqlStore
from fleetd.adapters.sql.tables import metadata
from fleetd.domain import Description, DeviceSummary, Machine, PowerCycleState
from fleetd.leases import LifecycleNotIn, NotHeld, NotQuarantined, Process


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
