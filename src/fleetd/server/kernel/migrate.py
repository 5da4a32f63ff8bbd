# SPDX-License-Identifier: BSD-2-Clause
"""The schema: which one a database has, and how it gets this version's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from fleetcore.errors import InvalidInput
from sqlalchemy import Connection, Engine, exc

from fleetd.server.kernel.engine import Transactions, translated

_SCRIPTS = Path(__file__).parents[1] / "migrations"
_LOCK = 0x666C6565  # of PostgreSQL: one migration at a time


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


@cache
def head() -> str:
    """The revision that this version needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 - there is a first migration
    return revision


def current(connection: Connection) -> str | None:
    """The revision that the database has; None: no schema of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def ready(tx: Transactions) -> None:
    """Answer if the database answers and its schema is of this version.

    :raises Busy: it does not answer. :raises InvalidInput: another schema; the message says what to do.
    """
    present = tx.read(current)
    if present != head():
        raise InvalidInput(
            f"the database's schema is {present or 'empty'}, this version needs {head()}: run `fleetd migrate`"
        )


def knows(revision: str) -> bool:
    """Whether it is a revision of this version or of an older one."""
    return any(item.revision == revision for item in ScriptDirectory.from_config(_config()).walk_revisions())


def to(connection: Connection, revision: str) -> None:
    """Bring the schema to ``revision``, in the transaction of ``connection``."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema to :func:`head` in one transaction; nothing happens if it is there.

    :returns: the revisions before and after.
    :raises InvalidInput: a newer version made the schema. :raises Busy: the database does not answer.
    """
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            before = current(connection)
            if before != head():
                to(connection, "head")
            return before, head()
    except CommandError as error:
        raise InvalidInput(f"the database's schema is of a newer version: {error}; install that version") from None
    except exc.DBAPIError as error:
        raise translated(error) from error
