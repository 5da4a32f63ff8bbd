# SPDX-License-Identifier: BSD-2-Clause
"""Machines, power cycles, device documents, tokens."""

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key, moment, of_machine

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "machines",
        sa.Column("id", key(), nullable=False),
        sa.Column("site", sa.String(255)),
        sa.Column("rack", sa.String(255)),
        sa.Column("position", sa.String(255)),
        sa.Column("lifecycle", sa.String(64), nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("bmc", sa.Text),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("device", sa.Text),
        sa.Column("search", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("updated_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_machines"),
    )
    op.create_index("ix_machines_site", "machines", ["site"])
    op.create_index("ix_machines_rack", "machines", ["rack"])
    op.create_table(
        "machine_labels",
        sa.Column("machine", key(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("value", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("machine", "name", name="pk_machine_labels"),
        of_machine("machine_labels"),
    )
    op.create_index("ix_machine_labels_name_value", "machine_labels", ["name", "value"])
    op.create_table(
        "pending_powercycle_states",
        sa.Column("machine", key(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("updated_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("machine", name="pk_pending_powercycle_states"),
    )
    op.create_table(
        "powercycles",
        sa.Column("id", key(64), nullable=False),
        sa.Column("machine", key(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_at", moment(), nullable=False),
        sa.Column("updated_at", moment(), nullable=False),
        sa.Column("finished_at", moment()),
        sa.Column("not_before", moment()),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("steps", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_powercycles"),
        of_machine("powercycles"),
    )
    op.create_index("ix_powercycles_machine_id", "powercycles", ["machine", "id"])
    _unique_while("uq_powercycles_open", "powercycles", "machine", "finished_at IS NULL")
    op.create_table(
        "devices",
        sa.Column("machine", key(), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("updated_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("machine", "source", name="pk_devices"),
        of_machine("devices"),
    )
    op.create_table(
        "device_history",
        sa.Column("id", key(64), nullable=False),
        sa.Column("machine", key(), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("at", moment(), nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_device_history"),
        of_machine("device_history"),
    )
    op.create_index("ix_device_history_machine_id", "device_history", ["machine", "id"])
    op.create_table(
        "tokens",
        sa.Column("id", key(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("scope", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("machine", sa.String(255)),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("expires_at", moment()),
        sa.Column("revoked_at", moment()),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
    )
    _unique_while("uq_tokens_name", "tokens", "name", "revoked_at IS NULL")
    op.create_table(
        "web_sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("token_id", key(64), nullable=False),
        sa.Column("expires_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_web_sessions"),
        sa.ForeignKeyConstraint(["token_id"], ["tokens.id"], name="fk_web_sessions_token_id", ondelete="CASCADE"),
    )
    op.create_index("ix_web_sessions_token_id", "web_sessions", ["token_id"])


def _unique_while(name: str, table: str, column: str, condition: str) -> None:
    op.create_index(
        name, table, [column], unique=True, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition)
    )
