# SPDX-License-Identifier: BSD-2-Clause

"""Shared by the parsers of drive tools: what SMART counts, and what of it speaks against a drive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ...document.outputs import at
from ...document.values import integer, number, text

# NVM Express, Get Log Page, SMART / Health Information: critical warning.
_WARNINGS: Mapping[int, str] = {
    0: "available spare is below its threshold",
    1: "the temperature is out of range",
    2: "the reliability is degraded by media or internal errors",
    3: "the media are read-only",
    4: "the backup of volatile memory failed",
    5: "the persistent memory region is read-only or unreliable",
}
# Numbers of ATA attributes; makers use some for other things, which have other names.
_ATA: Mapping[int, tuple[str, str]] = {
    5: ("reallocated_sectors", "realloc|retired|bad_block"),
    184: ("end_to_end_errors", "end.to.end"),
    187: ("reported_uncorrectable_errors", "uncorrect"),
    197: ("pending_sectors", "pending"),
    198: ("uncorrectable_sectors", "uncorrect"),
    199: ("crc_errors", "crc"),
}
# smartctl's names of the fields of NVMe's log. A data unit is a thousand blocks of 512 bytes.
_NVME: Mapping[str, tuple[str, int]] = {
    "media_errors": ("media_errors", 1),
    "error_log_entries": ("num_err_log_entries", 1),
    "unsafe_shutdowns": ("unsafe_shutdowns", 1),
    "power_cycles": ("power_cycles", 1),
    "available_spare_percent": ("available_spare", 1),
    "data_read_bytes": ("data_units_read", 512_000),
    "data_written_bytes": ("data_units_written", 512_000),
}
# Counters that are a sign against the drive from one on.
_SIGNS = (
    *("media_errors", "grown_defects", "reallocated_sectors", "pending_sectors", "uncorrectable_sectors"),
    *("reported_uncorrectable_errors", "end_to_end_errors"),
    *(f"uncorrected_{kind}_errors" for kind in ("read", "write", "verify")),
)


def errors_of(counters: Mapping[str, int]) -> tuple[str, ...]:
    """``10 pending sectors`` and the like."""
    return tuple(f"{counters[name]} {name.replace('_', ' ')}" for name in _SIGNS if counters.get(name))


def ata_counters(table: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Of smartctl's table of attributes. Makers pack more into a raw value than the figure that is written first."""
    out: dict[str, int] = {}
    for row in table:
        name, sign = _ATA.get(integer(row.get("id")) or 0, ("", "$^"))
        if re.search(sign, text(row.get("name")) or "", re.IGNORECASE):
            count = counted(at(row, "raw", "value"))
            written = re.match(r"\d{1,15}(?![\dh])", text(at(row, "raw", "string")) or "")
            if written and (count is None or count > 0xFFFF):
                count = int(written[0])
            if count is not None:
                out[name] = count
    return out


def nvme_counters(log: Mapping[str, Any]) -> dict[str, int]:
    found = {name: counted(log.get(field), scale) for name, (field, scale) in _NVME.items()}
    return {name: count for name, count in found.items() if count is not None}


def nvme_warning(log: Mapping[str, Any]) -> Optional[int]:
    """The bits of the critical warning; None if the log has none."""
    return counted(log.get("critical_warning"))


def nvme_warnings(log: Mapping[str, Any]) -> tuple[str, ...]:
    warning = nvme_warning(log) or 0
    return tuple(words for bit, words in _WARNINGS.items() if warning & 1 << bit)


def life_left(used: Any) -> Optional[float]:
    """Percent of a drive's life that are left; drives count on behind 100 percent, up to 255."""
    found = number(used)
    return max(0.0, 100.0 - found) if found is not None and 0 <= found <= 255 else None


def celsius(value: Any) -> Optional[float]:
    """A temperature, which some tools give in kelvin. Zero is what drives say that have no thermometer."""
    found = number(value)
    if found is not None and found > 200:
        found -= 273
    return found if found is not None and found and -40 < found < 150 else None


def counted(value: Any, scale: int = 1) -> Optional[int]:
    """A count, which is no negative number."""
    found = integer(value, scale)
    return found if found is not None and found >= 0 else None
