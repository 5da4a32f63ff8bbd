# SPDX-License-Identifier: BSD-2-Clause

"""Counts of a walk by section, and the verdict of each at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Optional

from ..document.model import Coverage, Verdict
from ..document.sections import SECTIONS
from ..errors import InvalidInput

_SEVERITY = (Verdict.DENIED, Verdict.TIMEOUT, Verdict.FAILED, Verdict.SKIPPED, Verdict.ABSENT, Verdict.COLLECTED)


@dataclass
class _Section:
    collected: int = 0
    missing: int = 0
    failures: list[tuple[Verdict, str]] = field(default_factory=list)


class Report:
    """Counts by section.

    :param asked: the sections that are to be read; None: all.
    :raises InvalidInput: an unknown section.
    """

    def __init__(self, asked: Optional[Iterable[str]]) -> None:
        names = SECTIONS if asked is None else tuple(asked)
        unknown = [name for name in names if name not in SECTIONS]
        if unknown:
            known = ", ".join(SECTIONS)
            raise InvalidInput(f"sections: {unknown[0]!r} is not one of {known}", field="sections", value=unknown[0])
        self.asked = frozenset(names) | {"system", "power"}
        self._sections = {name: _Section() for name in SECTIONS}
        self._sections["power"] = self._sections["system"]  # one resource

    def collected(self, section: str) -> None:
        """Count a resource that came."""
        self._sections[section].collected += 1

    def missing(self, section: str) -> None:
        """Count a link that leads nowhere."""
        self._sections[section].missing += 1

    def failed(self, section: str, reason: str, verdict: Verdict = Verdict.FAILED) -> None:
        """Note why something of a section did not come."""
        self._sections[section].failures.append((verdict, reason))

    def exceeded(self, section: str, reason: str) -> None:
        """Note that a bound was reached, not again for each resource beyond it."""
        if (Verdict.FAILED, reason) not in self._sections[section].failures[-3:]:
            self.failed(section, reason)

    def coverage(self) -> dict[str, Coverage]:
        """Give the verdict of every section."""
        return {name: self._verdict(name) for name in SECTIONS}

    def _verdict(self, name: str) -> Coverage:
        report = self._sections[name]
        if name not in self.asked:
            return Coverage(Verdict.SKIPPED)
        if report.failures:
            worst = min(report.failures, key=lambda item: _SEVERITY.index(item[0]))
            more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
            return Coverage(worst[0], f"{worst[1][:300]}{more}")
        if report.collected:
            reason = f"{report.missing} links lead nowhere" if report.missing else None
            return Coverage(Verdict.COLLECTED, reason)
        return Coverage(Verdict.ABSENT, "not found (404)" if report.missing else "the BMC does not have it")
