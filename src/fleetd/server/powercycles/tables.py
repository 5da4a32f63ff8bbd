# SPDX-License-Identifier: BSD-2-Clause
"""Power cycle requests."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text

from fleetd.server.kernel.tables import UtcDateTime, key, metadata, of_machine

powercycles = Table(
    "powercycles",
    metadata,
    Column("id", key(64), primary_key=True),
    of_machine(),
    Column("state", String(32), nullable=False),
    Column("requester", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("not_before", UtcDateTime),
    Column("attempts", BigInteger, nullable=False),
    Column("error", Text),
    Column("steps", Text, nullable=False),
    Index("ix_powercycles_machine_id", "machine", "id"),
    Index("ix_powercycles_state_machine", "state", "machine"),
    # A machine has at most one open request, whoever asks and however many servers there are.
    Index(
        "uq_powercycles_open",
        "machine",
        unique=True,
        sqlite_where=text("finished_at IS NULL"),
        postgresql_where=text("finished_at IS NULL"),
    ),
)
