# SPDX-License-Identifier: BSD-2-Clause
"""Make sure that machines of which nobody saw the end of a power cycle are on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fleetcore.net.retry import ExponentialWait

from fleetd.runner import core
from fleetd.runner.cycles import Cycles
from fleetd.runner.launch import Launcher
from fleetd.runner.ports import Entry, EntryState, HostOutcome, problem
from fleetd.runner.reports import Reports
from fleetd.runner.tools import Tools

RECOVER_MAXIMUM = 300.0
"""Longest wait, in seconds, before a machine that could not be switched on is tried again."""
_WAIT = ExponentialWait(10.0, RECOVER_MAXIMUM)


@dataclass
class Recovery:
    """Switches machines of unknown state on, and settles their entries; tries again as long as it fails."""

    tools: Tools
    cycles: Cycles
    launcher: Launcher
    reports: Reports
    runs: dict[str, list[str]] = field(default_factory=dict, init=False)  # run -> keys of its entries

    def step(self) -> None:
        """Settle what has ended, and begin what is due."""
        for run in list(self.runs):
            self._settle(run)
        under_way = {k for keys in self.runs.values() for k in keys}
        todo = [
            e
            for e in self.cycles.of(EntryState.UNKNOWN)
            if e.key not in under_way and core.due(e.not_before, self.tools.wall(), RECOVER_MAXIMUM)
        ]
        if not todo:
            return
        started = self.launcher.power_on(todo)
        if started is None:
            self.cycles.save([replace(e, not_before=self.tools.wall() + RECOVER_MAXIMUM) for e in todo])
        else:
            self.runs[started] = [e.key for e in todo]

    def waits(self) -> list[float]:
        """Seconds until each machine that may be off is tried again."""
        return [min(e.not_before - self.tools.wall(), RECOVER_MAXIMUM) for e in self.cycles.of(EntryState.UNKNOWN)]

    def _settle(self, run: str) -> None:
        progress = self.tools.runner.progress(run)
        if not progress.finished:
            return
        outcomes = {o.host: o for o in progress.outcomes}
        changed = []
        for entry in (self.cycles[k] for k in self.runs[run]):
            lost = HostOutcome(entry.machine, False, {}, problem("interrupted", progress.problem))
            settled = core.resolve(entry, outcomes.get(entry.machine, lost), self.tools.wall())
            if settled.state is EntryState.UNKNOWN:
                settled = self._again_later(entry, settled)
            changed.append(settled)
            self.cycles.note(settled)
        self.cycles.save(changed)
        self.tools.runner.discard(run)
        del self.runs[run]

    def _again_later(self, entry: Entry, settled: Entry) -> Entry:
        tries = int(entry.detail.get("recoveries", 0)) + 1
        delay = _WAIT.after(tries)
        settled = replace(settled, not_before=self.tools.wall() + delay, detail={**settled.detail, "recoveries": tries})
        self.cycles.failures += 1
        error = settled.detail.get("recovery")
        self.tools.log.error(
            "power_unknown", machine=entry.machine, message="the machine may be off", retry_seconds=delay, error=error
        )
        return self.reports.trouble(settled)
