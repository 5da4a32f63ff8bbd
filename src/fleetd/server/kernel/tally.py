# SPDX-License-Identifier: BSD-2-Clause
"""What this process did since it started, counted for metrics. The counts only grow; each process has its own."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Something that is counted.

    :param name: of the metric, without its prefix. :param words: what it means.
    :param label: by what it is told apart; empty: by nothing.
    :param known: the values of the label that are there from the start.
    """

    name: str
    words: str
    label: str = ""
    known: tuple[str, ...] = ("",)


class Tally:
    """Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, what: Count, which: str = "", count: int = 1) -> None:
        """So many more; ``which`` is one of few."""
        with self._lock:
            self._counts[what.name][which] += count

    def counts(self, what: Count) -> Mapping[str, int]:
        """How many so far, by label; those that are known from the start included."""
        with self._lock:
            return {**dict.fromkeys(what.known, 0), **self._counts[what.name]}
