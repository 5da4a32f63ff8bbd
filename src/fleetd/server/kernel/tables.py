# SPDX-License-Identifier: BSD-2-Clause
"""The one collection of tables, types of columns, and the kernel's own tables.

Each capability declares its tables in its ``tables.py``; a change needs a migration, and a test compares both. Types
are those that SQLite, PostgreSQL and CockroachDB share. What is searched or constrained is a column; the rest of a
value is JSON text of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
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


def of_machine(**options: Any) -> Column[str]:
    """A column that names a machine; the row goes when the machine goes."""
    return Column("machine", key(), ForeignKey("machines.id", ondelete="CASCADE"), nullable=False, **options)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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
