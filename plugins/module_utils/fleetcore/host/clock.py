# SPDX-License-Identifier: BSD-2-Clause

"""The system's clock: the one place of fleetcore that sleeps."""

from __future__ import annotations

import time
from datetime import datetime, timezone


class SystemClock:
    """:class:`fleetcore.ports.Clock` on the system's time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> str:
        return datetime.now(timezone.utc).replace(microsecond=0).isoformat().replace("+00:00", "Z")

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))
