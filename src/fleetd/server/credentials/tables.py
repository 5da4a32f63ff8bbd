# SPDX-License-Identifier: BSD-2-Clause
"""Credentials, and the audit of what is done to them."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from fleetd.server.kernel.tables import UtcDateTime, key, metadata

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
