# SPDX-License-Identifier: BSD-2-Clause
"""Columns and indexes for the filters of lists."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BATCH = 500


def upgrade() -> None:
    for name in ("maintained", "recovering"):
        op.add_column("machines", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.add_column(
        "machines", sa.Column("controller", sa.String(32), nullable=False, server_default=sa.text("'not_available'"))
    )
    op.add_column("machines", sa.Column("power_state", sa.String(64)))
    op.add_column("machines", sa.Column("credential", sa.String(255)))
    _fill()
    for name in ("lifecycle", "controller", "power_state", "credential"):
        op.create_index(f"ix_machines_{name}_id", "machines", [name, "id"])
    for name in ("held", "maintained", "quarantined", "recovering"):
        where = sa.text(name)
        op.create_index(f"ix_machines_{name}", "machines", ["id"], sqlite_where=where, postgresql_where=where)


def _fill() -> None:
    connection = op.get_bind()
    texts = {name: sa.column(name, sa.Text) for name in ("id", "description", "device", "bmc")}
    machines = sa.table(
        "machines",
        *texts.values(),
        sa.column("maintained", sa.Boolean),
        sa.column("recovering", sa.Boolean),
        sa.column("controller", sa.String),
        sa.column("power_state", sa.String),
        sa.column("credential", sa.String),
    )
    change = (
        sa.update(machines)
        .where(machines.c.id == sa.bindparam("of"))
        .values(
            {
                name: sa.bindparam(name)
                for name in ("maintained", "recovering", "controller", "power_state", "credential")
            }
        )
    )
    last = ""
    while True:
        query = sa.select(*texts.values()).where(machines.c.id > last).order_by(machines.c.id).limit(_BATCH)
        found = connection.execute(query).all()
        if not found:
            return
        connection.execute(change, [{"of": row.id, **_columns(row)} for row in found])
        last = found[-1].id


def _columns(row: Any) -> dict[str, Any]:
    said = json.loads(row.description)
    return {
        "maintained": bool(said.get("maintenance_mode")),
        "recovering": bool(said.get("recovering")),
        "controller": said.get("powercycle_state") or "not_available",
        "power_state": (json.loads(row.device) if row.device else {}).get("power_state"),
        "credential": (json.loads(row.bmc) if row.bmc else {}).get("credential"),
    }
