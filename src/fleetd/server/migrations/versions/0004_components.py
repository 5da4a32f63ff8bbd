# SPDX-License-Identifier: BSD-2-Clause
"""Where components are and were; the history keeps documents."""

import json
import zlib
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from fleetcore.document.components import components
from fleetcore.document.values import clean_serial

from fleetd.server.kernel.ids import new_id
from fleetd.server.migrations.columns import key

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("device_history", sa.Column("document", sa.LargeBinary))
    table = op.create_table(
        "components",
        sa.Column("id", key(64), nullable=False),
        sa.Column("machine", key(), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.Column("serial", sa.Text),
        sa.Column("serial_key", sa.String(255)),
        sa.Column("vendor", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_components"),
        sa.ForeignKeyConstraint(["machine"], ["machines.id"], ondelete="CASCADE", name="fk_components_machine"),
    )
    op.create_index("ix_components_serial_key_id", "components", ["serial_key", "id"])
    op.create_index("ix_components_machine_id", "components", ["machine", "id"])
    _fill(op.get_bind(), table)


def _fill(connection: sa.Connection, table: sa.Table) -> None:
    """From the documents that are stored: since when their parts are there is in the history. Machine by machine."""
    time = sa.DateTime(timezone=True)
    devices = sa.table(
        "devices", sa.column("machine"), sa.column("source"), sa.column("document"), sa.column("updated_at", time)
    )
    history = sa.table(
        "device_history",
        sa.column("id"),
        sa.column("machine"),
        sa.column("source"),
        sa.column("at", time),
        sa.column("changes"),
        sa.column("document", sa.LargeBinary),
    )
    for machine, source in connection.execute(sa.select(devices.c.machine, devices.c.source)).fetchall():
        whose = (devices.c.machine == machine, devices.c.source == source)
        text, updated_at = connection.execute(sa.select(devices.c.document, devices.c.updated_at).where(*whose)).one()
        entries = connection.execute(
            sa.select(history.c.id, history.c.at, history.c.changes)
            .where(history.c.machine == machine, history.c.source == source)
            .order_by(history.c.id)
        ).fetchall()
        added: dict[str, datetime] = {}
        for _id, at, changes in entries:
            for change in json.loads(changes):
                if change.get("op") == "added" and "field" not in change and change.get("component"):
                    added[change["component"]] = at
        if entries:
            newest = history.c.id == entries[-1].id
            connection.execute(sa.update(history).where(newest).values(document=zlib.compress(text.encode(), 1)))
        rows = []
        document = json.loads(text)
        parts = [{"component": "device", **{name: document.get(name) for name in ("serial", "vendor", "model")}}]
        for part in [*parts, *components(document)]:
            first = added.get(part["component"], entries[0].at if entries else updated_at)
            serial = clean_serial(part.get("serial"))
            place = part.get("slot") or (part.get("id") if source == "oob" else None) or ""
            rows.append(
                {
                    "id": new_id(first if first.tzinfo else first.replace(tzinfo=UTC)),
                    "machine": machine,
                    "source": source,
                    "kind": part["component"].partition(":")[0],
                    "name": _text(part["component"]),
                    "slot": _text(place),
                    "serial": _text(serial),
                    "serial_key": serial_key(serial)[:255] if serial else None,
                    "vendor": _text(part.get("vendor")),
                    "model": _text(part.get("model")),
                    "first_seen": first,
                    "last_seen": updated_at,
                    "current": True,
                }
            )
        connection.execute(sa.insert(table), rows)


def serial_key(serial: str) -> str:
    """What serial numbers were compared by then."""
    return "".join(letter for letter in serial.lower() if letter.isalnum())


def _text(value: Any) -> Any:
    return value.replace("\x00", "") if isinstance(value, str) else value
