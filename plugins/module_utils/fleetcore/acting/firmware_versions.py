# SPDX-License-Identifier: BSD-2-Clause

"""Compares two firmware versions, in the formats that vendors use. Pure; says so when it can't tell which is newer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# "2.72 Sep 04 2022" of iLO, "U46 v2.80 (07/20/2023)" of HPE's BIOS.
_DATES = (
    re.compile(r"[ (]+(?P<month>[A-Za-z]{3}) (?P<day>\d{1,2}),? (?P<year>\d{4})\)?$"),
    re.compile(r"[ (]+(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})\)?$"),
    re.compile(r"[ (]+(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})\)?$"),
)
# What stands before the numbers: "U46 v", "iLO 5 v", Lenovo's build id "CDI3A4E-". Then the numbers, maybe with one
# letter ("3.4b").
_VERSION = re.compile(
    r"(?:(?P<family>[A-Za-z][A-Za-z0-9 ]*?)(?:-| +v?|(?<= )v))?v?(?P<numbers>\d+(?:\.\d+)*)(?P<letter>[a-z]?)", re.I
)
_BUILD = re.compile(
    r"[A-Z0-9]{3}[0-9][A-Z0-9]{2}[A-Z]"
)  # Lenovo: three signs name the machine's firmware, the rest counts builds


@dataclass(frozen=True)
class _Parsed:
    family: str
    numbers: tuple[str, ...]
    letter: str
    date: Optional[tuple[int, int, int]]


def compare(first: Optional[str], second: Optional[str]) -> Optional[int]:
    """-1 when ``first`` is older than ``second``, 0 when they are equal, 1 when it is newer; None: nobody can tell.

    Nobody can tell: a version is missing or has another form, they are of different families ("U46", "U30"), or numbers
    that only differ by a leading zero ("1.5", "1.05") make it ambiguous. A date counts only where both have one.
    """
    if first is None or second is None:
        return None
    if first.strip() == second.strip():
        return 0
    one, two = _parse(first), _parse(second)
    if one is None or two is None or one.family != two.family or _ambiguous(one, two):
        return None
    length = max(len(one.numbers), len(two.numbers))
    dated = bool(one.date and two.date)
    left, right = (
        (
            [int(number) for number in item.numbers] + [0] * (length - len(item.numbers)),
            item.letter,
            item.date if dated else None,
        )
        for item in (one, two)
    )
    return 0 if left == right else -1 if left < right else 1


def _ambiguous(one: _Parsed, two: _Parsed) -> bool:
    """Up to where they differ, some number is written in two ways."""
    for left, right in zip(one.numbers, two.numbers):
        if int(left) != int(right):
            return False
        if left != right and int(left):
            return True
    return False


def _parse(version: str) -> Optional[_Parsed]:
    words, date = version.strip(), None
    for pattern in _DATES:
        found = pattern.search(words)
        if found:
            month = found["month"].lower()
            if not month.isdigit() and month not in _MONTHS:
                return None
            number = int(month) if month.isdigit() else _MONTHS.index(month) + 1
            words, date = words[: found.start()].strip(), (int(found["year"]), number, int(found["day"]))
            break
    found = _VERSION.fullmatch(words)
    if found is None:
        return None
    family = (found["family"] or "").strip()
    if _BUILD.fullmatch(family):
        family = family[:3]
    return _Parsed(family.lower(), tuple(found["numbers"].split(".")), found["letter"].lower(), date)
