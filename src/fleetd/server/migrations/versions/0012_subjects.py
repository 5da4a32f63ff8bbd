# SPDX-License-Identifier: BSD-2-Clause
"""Work, waits, history and fencing tokens belong to a subject (kind, id); what is there is about machines."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key, moment

revision = "0012"
down_revision = "0011"

_ROW = ("process", "exclusion", "session", "token", "started_at")
_WAIT = ("process", "until", "cause", "interval_seconds", "failures")
_LINE = ("id", "at", "process", "outcome", "session", "component", "actor", "cause", "token")


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    connection = op.get_bind()
    op.drop_index("ix_work_session", "work")
    op.drop_index("ix_work_history_machine_id", "work_history")
    _replace(
        connection,
        "work",
        _ROW,
        ("uq_work_machine_exclusion", "fk_work_session", "fk_work_machine"),
        _column("process", key(64)),
        _column("exclusion", key(64)),
        _column("session", key(64)),
        _column("token", sa.BigInteger),
        _column("started_at", moment()),
        sa.PrimaryKeyConstraint("kind", "subject", "process", name="pk_work"),
        sa.UniqueConstraint("kind", "subject", "exclusion", name="uq_work_kind_subject_exclusion"),
        sa.ForeignKeyConstraint(["session"], ["lease_sessions.id"], name="fk_work_session"),
    )
    _replace(
        connection,
        "fences",
        ("token",),
        (),
        _column("token", sa.BigInteger),
        sa.PrimaryKeyConstraint("kind", "subject", name="pk_fences"),
    )
    _replace(
        connection,
        "backoffs",
        _WAIT,
        ("fk_backoffs_machine",),
        _column("process", key(64)),
        _column("until", moment()),
        _column("cause", sa.Text),
        _column("interval_seconds", sa.BigInteger),
        _column("failures", sa.BigInteger),
        sa.PrimaryKeyConstraint("kind", "subject", "process", name="pk_backoffs"),
    )
    _replace(
        connection,
        "work_history",
        _LINE,
        ("fk_work_history_machine",),
        _column("id", key(64)),
        _column("at", moment()),
        _column("process", key(64)),
        _column("outcome", sa.String(32)),
        _column("session", sa.String(64)),
        _column("component", sa.String(255)),
        _column("actor", sa.String(255)),
        _column("cause", sa.Text),
        _column("token", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_work_history"),
    )
    op.create_index("ix_work_session", "work", ["session"])
    op.create_index("ix_work_history_kind_subject_id", "work_history", ["kind", "subject", "id"])
    # Nothing ever set this state, and this version does not know it.
    op.execute("UPDATE powercycles SET state = 'cancelled' WHERE state = 'expired'")


def _replace(
    connection: sa.Connection, table: str, kept: Sequence[str], constraints: Sequence[str], *parts: Any
) -> None:
    """A new table with the rows of the old one."""
    old = f"{table}_0011"
    op.rename_table(table, old)
    if connection.dialect.name == "postgresql":  # where names of keys are unique in the database
        for name in (*constraints, f"pk_{table}"):
            op.drop_constraint(name, old)
    op.create_table(table, _column("kind", key(64)), _column("subject", key()), *parts)
    names = ", ".join(kept)
    op.execute(f"INSERT INTO {table} (kind, subject, {names}) SELECT 'machine', machine, {names} FROM {old}")  # noqa: S608
    op.drop_table(old)
