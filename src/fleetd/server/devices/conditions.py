# SPDX-License-Identifier: BSD-2-Clause
"""When a machine is to be collected again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from fleetd.server.devices import tables
from fleetd.server.work.process import Aged, Kind

_D = tables.devices


@dataclass(frozen=True)
class DocumentOlder(Aged):
    """``source`` has published nothing within the last ``seconds``."""

    source: str
    seconds: int

    @property
    def text(self) -> str:
        return f"no {self.source} device document of the last {self.seconds} s"

    def times(self, kind: Kind) -> Select[tuple[datetime]]:
        return select(_D.c.updated_at).where(_D.c.machine == kind.table.c.id, _D.c.source == self.source)
