# SPDX-License-Identifier: BSD-2-Clause
"""Device documents, the history of their changes, and where components are and were."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, String, Table, Text

from fleetd.server.kernel.tables import UtcDateTime, key, metadata, of_machine

devices = Table(
    "devices",
    metadata,
    of_machine(primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("document", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

device_history = Table(
    "device_history",
    metadata,
    Column("id", key(64), primary_key=True),
    of_machine(),
    Column("source", String(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("changes", Text, nullable=False),
    # As it was left, in JSON, compressed with zlib. Null: written before documents were kept.
    Column("document", LargeBinary),
    Index("ix_device_history_machine_id", "machine", "id"),
)

# Since when findings about a machine are known; those that are gone are not, unless a person has accepted them.
findings = Table(
    "findings",
    metadata,
    of_machine(primary_key=True),
    Column("id", key(64), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime),
    Column("accepted_by", String(255)),
    Column("reason", Text),
)

# Where components are and were; rows are never taken away but with their machine.
components = Table(
    "components",
    metadata,
    Column("id", key(64), primary_key=True),
    of_machine(),
    Column("source", String(32), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("serial", Text),
    Column("serial_key", String(255)),
    Column("vendor", Text),
    Column("model", Text),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("current", Boolean, nullable=False),
    Index("ix_components_serial_key_id", "serial_key", "id"),
    Index("ix_components_machine_id", "machine", "id"),
)
