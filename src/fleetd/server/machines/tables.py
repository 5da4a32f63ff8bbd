# SPDX-License-Identifier: BSD-2-Clause
"""Machines, their labels, and what was said of machines that are not known yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text, text

from fleetd.server.kernel.tables import UtcDateTime, key, metadata, of_machine

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
    Column("bmc_address", key(), nullable=False, server_default="", index=True),
    Column("bmc_mac", key(), nullable=False, server_default="", index=True),
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
    of_machine(primary_key=True),
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
