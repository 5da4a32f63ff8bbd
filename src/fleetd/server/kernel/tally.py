# SPDX-License-Identifier: BSD-2-Clause
"""What this process did since it started, counted for metrics. The counts only grow; each process has its own."""

from __future__ import annotations

import enum
import threading
from collections import Counter
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


class Done(enum.StrEnum):
    """What is counted; the value is the metric's name without its prefix."""

    EVENTS = "machine_events"  # that monitors sent and the store has
    DOCUMENTS = "device_documents_published"
    POWERCYCLES = "powercycles_closed"
    APPENDED = "events_appended"  # to the log, by others than the server itself
    PRUNED = "pruned_rows"
    LOGINS_FAILED = "logins_failed"


class Tally:
    """Safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Done, Counter[str]] = {item: Counter() for item in Done}

    def add(self, what: Done, which: str = "", count: int = 1) -> None:
        """So many more; ``which`` is one of few."""
        with self._lock:
            self._counts[what][which] += count

    def counts(self, what: Done) -> Mapping[str, int]:
        """How many so far."""
        with self._lock:
            return dict(self._counts[what])
