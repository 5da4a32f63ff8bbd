# SPDX-License-Identifier: BSD-2-Clause
"""The clock that is handed to whatever needs the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]  # aware, UTC
