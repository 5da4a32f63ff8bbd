# SPDX-License-Identifier: BSD-2-Clause
"""Answers to requests that may be repeated."""

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("actor", key(), nullable=False),
        sa.Column("key", key(), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name="pk_answers"),
    )
    op.create_index("ix_answers_at", "answers", ["at"])
