# SPDX-License-Identifier: BSD-2-Clause
"""Start the playbook runs of power cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.config import RunnerSettings
from fleetd.runner.ports import Entry, PlaybookRun
from fleetd.runner.tools import Tools

POWER_MODULE = "baremetal.fleet.bmc_power"
CLAIMS = "powercycle_claims"
MACHINES = "powercycle_machines"
"""The variable with the machines of a run: the playbooks refuse any other, however they came by it."""
CYCLE = "cycle-"
RECOVER = "recover-"


@dataclass
class Launcher:
    """Starts runs that cycle machines, and runs that make sure that machines are on."""

    settings: RunnerSettings
    tools: Tools
    server: HttpWorkServer

    def cycle_id(self) -> str:
        """The id of a run that cycles: the journal knows it before the run is started."""
        return f"{CYCLE}{self.tools.new_id()}"

    def cycle(self, run: str, entries: Sequence[Entry]) -> bool:
        """Start the playbook that cycles. False: nothing was started, and a log line says why.

        With the claims the playbook asks the server, just before it takes the power away, whether they still hold.
        """
        variables: dict[str, Any] = {}
        if self.settings.executor != "awx" or self.settings.awx.fence:
            claims = {e.machine: self.server.claim_of(e) for e in entries}
            variables[CLAIMS] = {machine: claim for machine, claim in claims.items() if claim is not None}
        return self._start(run, self.settings.playbook, entries, variables)

    def power_on(self, entries: Sequence[Entry]) -> str | None:
        """Start the playbook that makes sure that machines are on, and return its run; None as in :meth:`cycle`."""
        run = f"{RECOVER}{self.tools.new_id()}"
        self.tools.log.info("recovering", machines=[e.machine for e in entries], run=run)
        return run if self._start(run, self.settings.recover_playbook, entries, {}, urgent=True) else None

    def _start(
        self, run: str, playbook: str, entries: Sequence[Entry], variables: dict[str, Any], *, urgent: bool = False
    ) -> bool:
        hosts = tuple(sorted(e.machine for e in entries))
        extra_vars = {**self.settings.extra_vars, MACHINES: list(hosts), **variables}
        inventories = tuple(self.settings.inventory)
        started = PlaybookRun(run, playbook, inventories, hosts, (POWER_MODULE,), extra_vars, urgent=urgent)
        return self.tools.start("power_on" if urgent else "powercycle", started)
