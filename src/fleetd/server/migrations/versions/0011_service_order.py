# SPDX-License-Identifier: BSD-2-Clause
"""Claims by lifecycle in the order of service, without sorting all machines."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("ix_machines_lifecycle_updated", "machines", ["lifecycle", "updated_at", "id"])
