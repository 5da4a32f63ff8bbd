# SPDX-License-Identifier: BSD-2-Clause
"""Columns that lists of machines are filtered, counted and ordered by."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from fleetd.server.migrations.columns import key

revision = "0005"
down_revision = "0004"

_BATCH = 500


def upgrade() -> None:
    for name in ("maintenance", "recovering"):
        op.add_column("machines", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.add_column("machines", sa.Column("controller", sa.String(32), nullable=False, server_default="not_available"))
    for name in ("power_state", "vendor", "model", "serial"):
        op.add_column("machines", sa.Column(name, key(), nullable=False, server_default=""))
    for name in ("heard_at", "seen_at"):
        op.add_column("machines", sa.Column(name, sa.DateTime(timezone=True)))
    op.create_index("ix_powercycles_state_machine", "powercycles", ["state", "machine"])
    _fill()


def _fill() -> None:
    connection = op.get_bind()
    machines = sa.table(
        "machines",
        *(sa.column(name, sa.String) for name in ("id", "description", "device", "controller")),
        *(sa.column(name, sa.String) for name in ("power_state", "vendor", "model", "serial")),
        *(sa.column(name, sa.Boolean) for name in ("maintenance", "recovering")),
        *(sa.column(name, sa.DateTime(timezone=True)) for name in ("heard_at", "seen_at")),
    )
    naive = connection.dialect.name == "sqlite"
    last = ""
    while True:
        query = sa.select(machines.c.id, machines.c.description, machines.c.device)
        found = connection.execute(query.where(machines.c.id > last).order_by(machines.c.id).limit(_BATCH)).all()
        if not found:
            return
        for name, description, device in found:
            values = _columns(json.loads(description), json.loads(device) if device else {}, naive)
            connection.execute(machines.update().where(machines.c.id == name).values(**values))
        last = found[-1][0]


def _columns(description: Mapping[str, Any], device: Mapping[str, Any], naive: bool) -> dict[str, Any]:
    heard, collected = _time(description.get("last_updated")), _time(device.get("collected_at"))
    seen = max((time for time in (heard, collected) if time), default=None)
    texts = {
        name: str(device.get(name) or "").replace("\x00", "")[:255]
        for name in ("power_state", "vendor", "model", "serial")
    }
    times = {"heard_at": heard, "seen_at": seen}
    return {
        "maintenance": bool(description.get("maintenance_mode")),
        "recovering": bool(description.get("recovering")),
        "controller": description.get("powercycle_state") or "not_available",
        **texts,
        **{name: time.replace(tzinfo=None) if time and naive else time for name, time in times.items()},
    }


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
