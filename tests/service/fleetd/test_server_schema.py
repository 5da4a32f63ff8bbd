# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations lead to the schema that the code declares."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from fleetd.adapters.sql import codec, migrate
from fleetd.adapters.sql.engine import make_engine
from fleetd.adapters.sql.store import SqlStore
from fleetd.adapters.sql.tables import metadata
from fleetd.domain import Description
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
