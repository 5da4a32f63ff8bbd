# SPDX-License-Identifier: BSD-2-Clause
"""The credential of a machine as a column, and indexes for the filters of lists."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_BATCH = 500


def upgrade() -> None:
    op.add_column("machines", sa.Column("credential", sa.String(255)))
    _fill()
    for name in ("lifecycle", "controller", "power_state", "credential"):
        op.create_index(f"ix_machines_{name}_id", "machines", [name, "id"])
    for name in ("held", "maintenance", "quarantined", "recovering"):
        where = sa.text(name)
        op.create_index(f"ix_machines_{name}", "machines", ["id"], sqlite_where=where, postgresql_where=where)


def _fill() -> None:
    connection = op.get_bind()
    machines = sa.table("machines", *(sa.column(name, sa.Text) for name in ("id", "bmc", "credential")))
    change = (
        sa.update(machines).where(machines.c.id == sa.bindparam("of")).values(credential=sa.bindparam("credential"))
    )
    last = ""
    while True:
        query = sa.select(machines.c.id, machines.c.bmc).where(machines.c.id > last, machines.c.bmc.is_not(None))
        found = connection.execute(query.order_by(machines.c.id).limit(_BATCH)).all()
        if not found:
            return
        connection.execute(
            change, [{"of": row.id, "credential": json.loads(row.bmc).get("credential")} for row in found]
        )
        last = found[-1].id
