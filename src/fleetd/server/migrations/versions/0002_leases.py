# SPDX-License-Identifier: BSD-2-Clause
"""Sessions, work, backoff, history; holds as columns."""

import json

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key, moment, of_machine

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _holds()
    op.create_table(
        "lease_sessions",
        sa.Column("id", key(64), nullable=False),
        sa.Column("component", sa.String(255), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("info", sa.Text, nullable=False),
        sa.Column("interval_seconds", sa.Float, nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("deadline", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lease_sessions"),
    )
    op.create_index("ix_lease_sessions_deadline", "lease_sessions", ["deadline"])
    op.create_table(
        "work",
        sa.Column("machine", key(), nullable=False),
        sa.Column("process", key(64), nullable=False),
        sa.Column("exclusion", key(64), nullable=False),
        sa.Column("session", key(64), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("started_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("machine", "process", name="pk_work"),
        sa.UniqueConstraint("machine", "exclusion", name="uq_work_machine_exclusion"),
        sa.ForeignKeyConstraint(["session"], ["lease_sessions.id"], name="fk_work_session"),
        of_machine("work"),
    )
    op.create_index("ix_work_session", "work", ["session"])
    op.create_table(
        "fences",
        sa.Column("machine", key(), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("machine", name="pk_fences"),
    )
    op.create_table(
        "backoffs",
        sa.Column("machine", key(), nullable=False),
        sa.Column("process", key(64), nullable=False),
        sa.Column("until", moment(), nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("interval_seconds", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("machine", "process", name="pk_backoffs"),
        of_machine("backoffs"),
    )
    op.create_table(
        "work_history",
        sa.Column("id", key(64), nullable=False),
        sa.Column("at", moment(), nullable=False),
        sa.Column("machine", key(), nullable=False),
        sa.Column("process", key(64), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("component", sa.String(255), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_work_history"),
        of_machine("work_history"),
    )
    op.create_index("ix_work_history_machine_id", "work_history", ["machine", "id"])


def _holds() -> None:
    for name in ("held", "quarantined"):
        op.add_column("machines", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false")))
    machines = sa.table(
        "machines",
        *(sa.column(name, sa.String) for name in ("id", "description")),
        *(sa.column(name, sa.Boolean) for name in ("held", "quarantined")),
    )
    connection = op.get_bind()
    for name, text in connection.execute(sa.select(machines.c.id, machines.c.description)).all():
        value = json.loads(text)
        quarantined = bool(value.get("is_quarantined"))
        held = quarantined or bool(value.get("maintenance_mode") or value.get("recovering"))
        if held:
            change = machines.update().where(machines.c.id == name)
            connection.execute(change.values(held=held, quarantined=quarantined))
