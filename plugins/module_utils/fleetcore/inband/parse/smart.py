# SPDX-License-Identifier: BSD-2-Clause

"""Shared by the parsers of ``smartctl`` and ``nvme``: the SMART log of NVMe drives, by smartctl's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.values import integer, number, positive

# NVM Express, Get Log Page, SMART / Health Information: critical warning.
_WARNINGS: Mapping[int, str] = {
    0: "available spare is below its threshold",
    1: "the temperature is out of range",
    2: "the reliability is degraded by media or internal errors",
    3: "the media are read-only",
    4: "the backup of volatile memory failed",
    5: "the persistent memory region is read-only or unreliable",
}


def nvme_warning(log: Mapping[str, Any]) -> Optional[int]:
    """The bits of the critical warning; None if the log has none."""
    return _count(log.get("critical_warning"))


def nvme_errors(log: Mapping[str, Any]) -> tuple[str, ...]:
    """The signs against the drive."""
    warning, media = nvme_warning(log) or 0, positive(log.get("media_errors"))
    errors = [words for bit, words in _WARNINGS.items() if warning & 1 << bit]
    return (*errors, *([f"{media} media errors"] if media else []))


def nvme_hours(log: Mapping[str, Any]) -> Optional[int]:
    return _count(log.get("power_on_hours"))


def nvme_life(log: Mapping[str, Any]) -> Optional[float]:
    return life_left(number(log.get("percentage_used")))


def life_left(used: Optional[float]) -> Optional[float]:
    """Percent of a drive's life that are left; drives count on behind 100 percent, up to 255."""
    return max(0.0, 100.0 - used) if used is not None and 0 <= used <= 255 else None


def _count(value: Any) -> Optional[int]:
    found = integer(value)
    return found if found is not None and found >= 0 else None
