# SPDX-License-Identifier: BSD-2-Clause
"""The tables. A change here needs a migration; a test compares both.

Types are those that SQLite, PostgreSQL and CockroachDB share. What is searched or constrained is a column; the rest of
a value is JSON text of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which knows no zones, keeps it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def key(length: int = 255) -> Any:
    """Text that is compared by its bytes everywhere, so that lists have one order."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _machine(**options: Any) -> Column[str]:
    return Column("machine", key(), ForeignKey("machines.id", ondelete="CASCADE"), nullable=False, **options)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

machines = Table(
    "machines",
    metadata,
    Column("id", key(), primary_key=True),
    Column("site", String(255), index=True),
    Column("rack", String(255), index=True),
    Column("position", String(255)),
    Column("lifecycle", String(64), nullable=False),
    Column("labels", Text, nullable=False),
    Column("bmc", Text),
    Column("description", Text, nullable=False),
    # Of the description, for predicates.
    Column("held", Boolean, nullable=False, server_default=text("false")),
    Column("quarantined", Boolean, nullable=False, server_default=text("false")),
    # Of the description and the device, for filters, counts and orders.
    Column("maintenance", Boolean, nullable=False, server_default=text("false")),
    Column("recovering", Boolean, nullable=False, server_default=text("false")),
    Column("controller", String(32), nullable=False, server_default="not_available"),
    Column("power_state", key(), nullable=False, server_default=""),
    Column("vendor", key(), nullable=False, server_default=""),
    Column("model", key(), nullable=False, server_default=""),
    Column("serial", key(), nullable=False, server_default=""),
    Column("heard_at", UtcDateTime),
    Column("seen_at", UtcDateTime),
    Column("credential", String(255)),
    Column("worst_finding", String(64)),
    Column("device", Text),
    Column("search", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_machines_lifecycle_id", "lifecycle", "id"),
    # The order in which those of a lifecycle are served.
    Index("ix_machines_lifecycle_updated", "lifecycle", "updated_at", "id"),
    Index("ix_machines_controller_id", "controller", "id"),
    Index("ix_machines_power_state_id", "power_state", "id"),
    Index("ix_machines_credential_id", "credential", "id"),
    # Few machines are held.
    *(
        Index(
            f"ix_machines_{hold}",
            "id",
            sqlite_where=text(hold),
            postgresql_where=text(hold),
        )
        for hold in ("held", "maintenance", "quarantined", "recovering")
    ),
)

machine_labels = Table(
    "machine_labels",
    metadata,
    _machine(primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("value", String(255), nullable=False),
    Index("ix_machine_labels_name_value", "name", "value"),
)

# What runners said about machines that are not known yet.
pending_powercycle_states = Table(
    "pending_powercycle_states",
    metadata,
    Column("machine", key(), primary_key=True),
    Column("state", String(32), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

powercycles = Table(
    "powercycles",
    metadata,
    Column("id", key(64), primary_key=True),
    _machine(),
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

devices = Table(
    "devices",
    metadata,
    _machine(primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("document", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

device_history = Table(
    "device_history",
    metadata,
    Column("id", key(64), primary_key=True),
    _machine(),
    Column("source", String(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("changes", Text, nullable=False),
    # As it was left, in JSON, compressed with zlib. Null: written before documents were kept.
    Column("document", LargeBinary),
    Index("ix_device_history_machine_id", "machine", "id"),
)

# Where components are and were; rows are never taken away but with their machine.
components = Table(
    "components",
    metadata,
    Column("id", key(64), primary_key=True),
    _machine(),
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

tokens = Table(
    "tokens",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("scope", String(32), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("machine", String(255)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Index(
        "uq_tokens_name",
        "name",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("token_id", key(64), ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False),
)

# -- sessions and work: all times are the database's

lease_sessions = Table(
    "lease_sessions",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("component", String(255), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("info", Text, nullable=False),
    Column("interval_seconds", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deadline", UtcDateTime, nullable=False, index=True),
)

# Work of processes that exclude each other has one exclusion; that of a process which excludes no other is its name.
work = Table(
    "work",
    metadata,
    _machine(primary_key=True),
    Column("process", key(64), primary_key=True),
    Column("exclusion", key(64), nullable=False),
    Column("session", key(64), ForeignKey("lease_sessions.id"), nullable=False, index=True),
    Column("token", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    UniqueConstraint("machine", "exclusion"),
)

# The last fencing token of each machine. No foreign key: a machine that is deleted and made again goes on from there.
fences = Table(
    "fences", metadata, Column("machine", key(), primary_key=True), Column("token", BigInteger, nullable=False)
)

backoffs = Table(
    "backoffs",
    metadata,
    _machine(primary_key=True),
    Column("process", key(64), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    Column("cause", Text, nullable=False),
    Column("interval_seconds", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
)

work_history = Table(
    "work_history",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    _machine(),
    Column("process", key(64), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("session", String(64), nullable=False),
    Column("component", String(255), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("cause", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Index("ix_work_history_machine_id", "machine", "id"),
)

# -- events

# No foreign key: the log also tells of machines that are gone.
events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("kind", key(64), nullable=False),
    Column("machine", key()),
    Column("actor", String(255), nullable=False),
    Column("message", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_events_machine_seq", "machine", "seq"),
    Index("ix_events_kind_seq", "kind", "seq"),
)

# One row (id 1): the last number that was given, and the last one that was pruned.
event_log = Table(
    "event_log",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False),
)

# What was answered to a request that may be repeated, by who asked and the key of the request.
answers = Table(
    "answers",
    metadata,
    Column("actor", key(), primary_key=True),
    Column("key", key(), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
)

# What one server does for all of them, and until when it has said so.
duties = Table(
    "duties",
    metadata,
    Column("name", key(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("name", key(), primary_key=True),
    Column("username", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", key(), nullable=False),
    Index("ix_audit_subject_id", "subject", "id"),
)
