# SPDX-License-Identifier: BSD-2-Clause
"""What one server does for all of them."""

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "duties",
        sa.Column("name", key(64), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_duties"),
    )
