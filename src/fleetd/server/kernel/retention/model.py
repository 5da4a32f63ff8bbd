# SPDX-License-Identifier: BSD-2-Clause
"""What grows, and is forgotten after a while."""

from __future__ import annotations

import enum


class Kept(enum.Enum):
    """What grows, and is forgotten after a while. Documents, machines and open requests are not among it."""

    EVENTS = "events"
    DEVICE_HISTORY = "device_history"
    WORK_HISTORY = "work_history"
    POWERCYCLES = "powercycles"
    AUDIT = "audit"
    ANSWERS = "answers"
