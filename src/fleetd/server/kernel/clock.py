# SPDX-License-Identifier: BSD-2-Clause
"""Use cases. What decides is a pure function ``(previous) -> next``; the store applies it in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]  # aware, UTC
