# SPDX-License-Identifier: BSD-2-Clause
"""Since when findings are known and who accepted them; the address and MAC of a machine's BMC as columns."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key, moment, of_machine

revision = "0013"
down_revision = "0012"

_BATCH = 500


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("machine", key(), nullable=False),
        sa.Column("id", key(64), nullable=False),
        sa.Column("since", moment(), nullable=False),
        sa.Column("accepted_at", moment()),
        sa.Column("accepted_by", sa.String(255)),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("machine", "id", name="pk_findings"),
        of_machine("findings"),
    )
    for name in ("bmc_address", "bmc_mac"):
        op.add_column("machines", sa.Column(name, key(), nullable=False, server_default=""))
    _fill()
    for name in ("bmc_address", "bmc_mac"):
        op.create_index(f"ix_machines_{name}", "machines", [name])


def _fill() -> None:
    connection = op.get_bind()
    names = ("id", "bmc", "bmc_address", "bmc_mac")
    machines = sa.table("machines", *(sa.column(name, sa.Text) for name in names))
    values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names[2:]}
    change = sa.update(machines).where(machines.c.id == sa.bindparam("of")).values(**values)
    last = ""
    while True:
        query = sa.select(machines.c.id, machines.c.bmc).where(machines.c.id > last, machines.c.bmc.is_not(None))
        found = connection.execute(query.order_by(machines.c.id).limit(_BATCH)).all()
        if not found:
            return
        known = [(row.id, json.loads(row.bmc)) for row in found]
        rows = [
            {"of": name, "new_bmc_address": bmc.get("address") or "", "new_bmc_mac": bmc.get("mac") or ""}
            for name, bmc in known
        ]
        connection.execute(change, rows)
        last = found[-1].id
