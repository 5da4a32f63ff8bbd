# SPDX-License-Identifier: BSD-2-Clause
"""Ids: of machines, which people choose, and our own, which sort by time."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

JsonMap = Mapping[str, Any]


_ID = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.:@+~-]*(/[A-Za-z0-9_][A-Za-z0-9_.:@+~-]*)*$")


ID_RULE = "letters, digits and . _ : @ + ~ - in parts separated by /, at most 253 characters"


_sequence = itertools.count()


_latest = 0


_DAY = 86_400_000  # milliseconds


def is_machine_id(value: str) -> bool:
    """Whether ``value`` can name a machine: see ``ID_RULE``."""
    return len(value) <= 253 and bool(_ID.match(value)) and not value.endswith("\n")


def new_id(now: datetime) -> str:
    """An id that sorts by time, and in one process by order: 12 hex digits of milliseconds, 6 of a count, 16 random.

    When the clock is set back by less than a day, the time of the id before is used until it has caught up. If it is
    set back by more, the time before was wrong.
    """
    global _latest  # noqa: PLW0603
    time = int(now.timestamp() * 1000)
    _latest = _latest if time < _latest < time + _DAY else time
    return _id_of(_latest)


def id_at(at: datetime) -> str:
    """An id that sorts as those of :func:`new_id` that were made at that time, which may be long ago."""
    return _id_of(max(0, int(at.timestamp() * 1000)))


def _id_of(milliseconds: int) -> str:
    return f"{milliseconds:012x}{next(_sequence) & 0xFFFFFF:06x}{secrets.token_hex(8)}"


def id_floor(at: datetime) -> str:
    """Ids of :func:`new_id` that were made before ``at`` sort before it."""
    return f"{max(0, int(at.timestamp() * 1000)):012x}"
