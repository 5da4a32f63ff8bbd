# SPDX-License-Identifier: BSD-2-Clause

"""The system event log of a BMC over a session."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ..document.parts import LogEntry
from .session import Session
from .values import HEALTH, text_or_none

LIMIT = 4096
"""Entries that are read at most."""


def read_log(session: Session, last: int = LIMIT) -> list[LogEntry]:
    """Read the last entries of the first :data:`LIMIT` of the log, oldest first.

    :raises FleetError: as of :meth:`Session.call`.
    """
    entries = session.call(lambda bmc: list(itertools.islice(bmc.get_event_log(), LIMIT)))
    return [
        LogEntry(
            id=text_or_none(item.get("record_id")),
            created_at=_moment(item.get("timecode")),
            severity=HEALTH.get(int(item.get("severity") or 0)),
            message=_event(item),
            sensor=text_or_none(item.get("component")),
        )
        for item in entries[-last:]
        if isinstance(item, Mapping)
    ]


def _moment(timecode: Any) -> Optional[str]:
    """Give a time of the log in UTC; before 0x20000000 it is seconds since the BMC's start (IPMI 2.0 section 37)."""
    if not isinstance(timecode, int) or not 0x20000000 <= timecode < 0xFFFFFFFF:
        return None
    return datetime.fromtimestamp(timecode, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(item: Mapping[str, Any]) -> Optional[str]:
    """Say what happened to what, in words: `Power Supply: Power supply failure (deasserted)`."""
    words = [text_or_none(item.get("component_type")), text_or_none(item.get("event"))]
    message = ": ".join(word for word in words if word)
    return f"{message} (deasserted)" if message and item.get("deassertion") else message or None
