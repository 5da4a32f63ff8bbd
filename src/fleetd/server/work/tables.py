# SPDX-License-Identifier: BSD-2-Clause
"""Sessions, work, its history, waits and fencing tokens. All times are the database's.

Work is about a *subject*, which is named by its kind (``machine``) and its id. There is no foreign key to it: the
tables of a kind stand above this capability, which is told when a subject is gone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table, Text, UniqueConstraint

from fleetd.server.kernel.tables import UtcDateTime, key, metadata

lease_sessions = Table(
    "lease_sessions",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("component", String(255), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("info", Text, nullable=False),
    Column("interval_seconds", Float, nullable=False, key="interval"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deadline", UtcDateTime, nullable=False, index=True),
)

# Work of processes that exclude each other has one exclusion; that of a process which excludes no other is its name.
work = Table(
    "work",
    metadata,
    Column("kind", key(64), primary_key=True),
    Column("subject", key(), primary_key=True),
    Column("process", key(64), primary_key=True),
    Column("exclusion", key(64), nullable=False),
    Column("session", key(64), ForeignKey("lease_sessions.id"), nullable=False, index=True),
    Column("token", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    UniqueConstraint("kind", "subject", "exclusion"),
)

# The last fencing token of each subject. It stays: a machine that is deleted and made again goes on from there.
fences = Table(
    "fences",
    metadata,
    Column("kind", key(64), primary_key=True),
    Column("subject", key(), primary_key=True),
    Column("token", BigInteger, nullable=False),
)

backoffs = Table(
    "backoffs",
    metadata,
    Column("kind", key(64), primary_key=True),
    Column("subject", key(), primary_key=True),
    Column("process", key(64), primary_key=True),
    Column("until", UtcDateTime, nullable=False),
    Column("cause", Text, nullable=False),
    Column("interval_seconds", BigInteger, nullable=False, key="interval"),
    Column("failures", BigInteger, nullable=False),
)

work_history = Table(
    "work_history",
    metadata,
    Column("id", key(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", key(64), nullable=False),
    Column("subject", key(), nullable=False),
    Column("process", key(64), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("session", String(64), nullable=False),
    Column("component", String(255), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("cause", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Index("ix_work_history_kind_subject_id", "kind", "subject", "id"),
)
