# SPDX-License-Identifier: BSD-2-Clause
"""The power cycles that this runner knows of: its journal, held in memory too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleetd.runner.ports import Entry, EntryState
from fleetd.runner.tools import Tools


class Cycles:
    """Entries of the journal. What is saved is on disk before anything else is done.

    ``failures`` counts what went wrong since the start.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._entries = {e.key: e for e in tools.journal.entries()}
        self.failures = 0

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def all(self) -> Iterable[Entry]:
        return self._entries.values()

    def of(self, *states: EntryState) -> list[Entry]:
        return [e for e in self._entries.values() if e.state in states]

    def held(self) -> dict[str, int]:
        """Machines that are claimed, with the fencing token."""
        return {e.machine: e.token for e in self._entries.values() if e.token is not None}

    def save(self, entries: Sequence[Entry]) -> None:
        """Insert or replace, all or none. :raises JournalBroken: nothing was saved."""
        if entries:
            self._tools.journal.save(entries)
            self._entries.update((e.key, e) for e in entries)

    def forget(self, keys: Sequence[str]) -> None:
        self._tools.journal.forget(keys)
        for key in keys:
            del self._entries[key]

    def note(self, entry: Entry) -> None:
        """Log and count the outcome of an attempt, if there is one by now."""
        if entry.state is EntryState.VERIFIED:
            self._tools.metrics.cycles.labels("verified").inc()
            driver = (entry.detail.get("power") or {}).get("driver")
            self._tools.log.info("cycled", machine=entry.machine, request=entry.request, driver=driver)
        elif entry.state is EntryState.FAILED:
            self.failures += 1
            error = entry.detail.get("error") or {}
            self._tools.metrics.cycles.labels("failed").inc()
            self._tools.metrics.failures.labels("powercycle", str(error.get("code") or "failed")).inc()
            self._tools.log.error("cycle_failed", machine=entry.machine, request=entry.request, attempt=entry.attempts,
                            code=error.get("code"), message=error.get("message"))  # fmt: skip
