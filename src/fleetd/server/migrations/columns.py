# SPDX-License-Identifier: BSD-2-Clause
"""Kinds of columns that migrations make. What stands here stays as it is: old migrations mean it."""

from typing import Any

import sqlalchemy as sa


def key(length: int = 255) -> Any:
    """Text that is compared by its bytes everywhere."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def moment() -> Any:
    return sa.DateTime(timezone=True)


def of_machine(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["machine"], ["machines.id"], name=f"fk_{table}_machine", ondelete="CASCADE")
