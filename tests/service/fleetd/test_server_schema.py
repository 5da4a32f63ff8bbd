# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations lead to the schema that the code declares."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from fleetd.adapters.sql import migrate
from fleetd.adapters.sql.engine import make_engine
from fleetd.adapters.sql.tables import metadata


def test_migrations_and_tables_agree(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_again_does_nothing(database_url: str) -> None:
    engine = make_engine(database_url)
    assert migrate.upgrade(engine) == (migrate.head(), migrate.head())
    engine.dispose()
