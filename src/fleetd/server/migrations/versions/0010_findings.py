# SPDX-License-Identifier: BSD-2-Clause
"""The worst finding about a machine as a column, for lists and counts."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_BATCH = 500


def upgrade() -> None:
    op.add_column("machines", sa.Column("worst_finding", sa.String(64)))
    connection = op.get_bind()
    machines = sa.table("machines", *(sa.column(name, sa.Text) for name in ("id", "device", "worst_finding")))
    change = sa.update(machines).where(machines.c.id == sa.bindparam("of")).values(worst_finding=sa.bindparam("worst"))
    last = ""
    while True:
        query = sa.select(machines.c.id, machines.c.device).where(machines.c.id > last, machines.c.device.is_not(None))
        found = connection.execute(query.order_by(machines.c.id).limit(_BATCH)).all()
        if not found:
            return
        connection.execute(
            change, [{"of": row.id, "worst": json.loads(row.device).get("worst_finding")} for row in found]
        )
        last = found[-1].id
