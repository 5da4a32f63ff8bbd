# SPDX-License-Identifier: BSD-2-Clause
"""What grows, and is forgotten after a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection


@dataclass(frozen=True)
class Kept:
    """What grows, and is forgotten after a while. Documents, machines and open requests are not among it.

    :param name: in the settings, ``retention.<name>_days``, and in metrics.
    :param age: after which it goes, unless the settings say otherwise.
    :param prune: deletes at most so many of what is older than a time, the oldest first, and says how many went. What
        is newest stays, where a capability says so.
    """

    name: str
    age: timedelta
    prune: Callable[[Connection, datetime, int], int]
