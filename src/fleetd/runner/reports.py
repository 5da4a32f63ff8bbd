# SPDX-License-Identifier: BSD-2-Clause
"""Tell the machine server what becomes of power cycles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fleetcore.errors import ConflictError, FleetError
from fleetcore.ports import PowerState

from fleetd.runner import core
from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.cycles import Cycles
from fleetd.runner.ports import Entry, EntryState
from fleetd.runner.tools import Tools


@dataclass
class Reports:
    """Reports to the server. What it does not take while it can't be reached stays in the journal."""

    tools: Tools
    cycles: Cycles
    server: HttpWorkServer
    retry: core.RetryPolicy

    def step(self, entry: Entry, state: PowerState, message: str) -> bool:
        """Whether the server was told that a machine is off, or on again, while its cycle goes on."""

        def refused(error: FleetError) -> None:
            # The module has reported the end in the same moment, or the claim is over: the outcome tells which.
            if not isinstance(error, ConflictError):
                self.tools.log.info("step_refused", **self._about(entry, error))

        return self.tools.link.told(lambda: self.server.step(entry, state, message), refused)

    def trouble(self, entry: Entry) -> Entry:
        """Say at its request that a machine may be off, and why; once for each reason."""
        trouble = str((entry.detail.get("recovery") or {}).get("message") or "no result")
        message = f"it may be off, and could not be switched on yet; trying on: {trouble}"
        if trouble == entry.detail.get("told") or not self.step(entry, PowerState.OFF, message):
            return entry
        return replace(entry, detail={**entry.detail, "told": trouble})

    def outcomes(self) -> None:
        """Report the outcomes that the server does not know, and give back claims under which nothing was done."""
        for entry in sorted(self.cycles.of(EntryState.VERIFIED, EntryState.FAILED), key=lambda e: e.changed_at):
            # A refusal is for good: telling it again would not help. If the claim was lost, the server offers the
            # request again, and what was done is told under a new claim.
            if not self._told(entry, self._report, "report_refused"):
                return
            after = core.after_report(entry, self.tools.wall(), self.retry, self.tools.random())
            self.cycles.save([after])
            self.tools.metrics.stage.labels("report").observe(max(0.0, self.tools.wall() - entry.changed_at))
            self.tools.log.info("reported", machine=entry.machine, request=entry.request, outcome=entry.state.value,
                           next=after.state.value)  # fmt: skip
        for entry in [e for e in self.cycles.of(EntryState.WAITING) if e.token is not None]:
            if not self._told(entry, lambda e: self.server.release(e.machine), "release_refused"):
                return
            self.cycles.save([replace(entry, token=None)])

    def _told(self, entry: Entry, say: Callable[[Entry], None], refused: str) -> bool:
        """Whether the server has answered, a refusal included."""
        return self.tools.link.told(
            lambda: say(entry), lambda error: self.tools.log.error(refused, **self._about(entry, error))
        )

    def _about(self, entry: Entry, error: FleetError) -> dict[str, object]:
        return {"machine": entry.machine, "request": entry.request, "message": error.message}

    def _report(self, entry: Entry) -> None:
        if entry.state is EntryState.FAILED:
            self.server.failed(entry)
            return
        power = entry.detail.get("power") or {}
        told = core.steps_told(entry)
        for state, message in core.steps_of(power):
            if state not in told and not power.get("reported"):  # reported by the module: the request is closed
                self.server.step(entry, state, message)
        self.server.verified(entry)
