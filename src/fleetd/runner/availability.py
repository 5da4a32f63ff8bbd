# SPDX-License-Identifier: BSD-2-Clause
"""The availability process: which machines this runner serves, and whether their power controllers answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetcore.errors import FleetError
from fleetcore.power.controllers import machines_of_one_bmc

from fleetd.runner import core
from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.config import RunnerSettings
from fleetd.runner.ports import PlaybookRun
from fleetd.runner.tools import Tools
from fleetd.runner.waves import variables_of

CHECK_MODULES = ("baremetal.fleet.bmc_info", "baremetal.fleet.bmc_power")
RUN_PREFIX = "check-"
RETRY_SECONDS = 15.0


@dataclass
class AvailabilityDuty:
    """See :class:`fleetd.runner.loop.Duty`.

    The inventory is read again at each check. When that fails, or selects nothing, the machines known before stay
    served and one line says why; a machine that left the inventory is told to the server as ``not_available``. When
    more than half of them are gone at once, that is believed only if the next look finds the same: till then nothing is
    told of them, and nothing is begun on them. A runner that does not power cycle only finds out which machines there
    are.
    """

    name = "availability"
    finish_before_stop = False

    settings: RunnerSettings
    tools: Tools
    server: HttpWorkServer
    served: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, init=False)  # with their host variables
    failures: int = field(default=0, init=False)
    _next_check: float = field(default=0.0, init=False)
    _run: str | None = field(default=None, init=False)
    _states: dict[str, str] = field(default_factory=dict, init=False)
    _untold: dict[str, str] = field(default_factory=dict, init=False)
    _said: str = field(default="", init=False)
    _doubted: frozenset[str] = field(default=frozenset(), init=False)  # gone at the last look, too many to believe

    def __post_init__(self) -> None:
        self._ending = {run for run in self.tools.runner.known() if run.startswith(RUN_PREFIX)}  # of earlier lives

    @property
    def busy(self) -> bool:
        return self._run is not None

    def step(self, *, accept_work: bool) -> float:
        if self._run is not None:
            self._collect(self._run)
        elif accept_work and self.tools.clock.monotonic() >= self._next_check:
            self._check()
        self._tell()
        if self._run is not None:
            return 0.3
        return (
            max(self.tools.link.wait(), 0.3)
            if self._untold
            else max(0.0, self._next_check - self.tools.clock.monotonic())
        )

    def _check(self) -> None:
        settings = self.settings
        for old in [run for run in self._ending if self.tools.runner.progress(run).finished]:
            self.tools.runner.discard(old)
            self._ending.discard(old)
        served = self._select()
        self._next_check = self.tools.in_about(settings.check_seconds if served else RETRY_SECONDS)
        if not served:
            self.failures += 1
            return
        if "powercycle" not in settings.processes:
            self.served = served
            return
        known = set(self.tools.journal.served()) | self.served.keys()
        gone = frozenset(known - served.keys())
        doubtful = len(gone) > len(known) / 2 and gone != self._doubted
        self._doubted = gone if doubtful else frozenset()
        if doubtful:
            self.tools.log.error(
                "inventory_shrunk", gone=len(gone), left=len(served),
                message="more than half of the machines left the inventory: nothing is told of them before the next "
                "look finds the same",
            )  # fmt: skip
        else:
            self._untold.update(dict.fromkeys(sorted(gone), "not_available"))
        if served.keys() != self.served.keys():
            self.tools.log.info("serving", machines=len(served), gone=sorted(gone)[:100])
        self.served = served
        self._untold = {m: s for m, s in self._untold.items() if s != "not_available" or m not in served}
        self._states = {m: s for m, s in self._states.items() if m in served}
        self.tools.journal.save_served(sorted(served.keys() | self._untold.keys() | self._doubted))
        run = f"{RUN_PREFIX}{self.tools.new_id()}"
        hosts = tuple(sorted(served))
        check = PlaybookRun(
            run, settings.check_playbook, tuple(settings.inventory), hosts, CHECK_MODULES, settings.extra_vars
        )
        if self.tools.start(self.name, check):
            self._run = run

    def _select(self) -> dict[str, Mapping[str, Any]]:
        settings = self.settings
        try:
            hosts = self.tools.runner.hosts(settings.inventory, settings.pattern, variables_of(settings.waves))
        except FleetError as error:
            self._say("inventory_failed", error.message)
            return {}
        names, inexact = core.exact_names(hosts)
        if inexact:
            self.tools.log.warning("names_refused", machines=inexact, message="these names can't be targeted exactly")
        if not names:
            self._say(
                "nothing_selected", f"pattern {settings.pattern!r} selects no host of {', '.join(settings.inventory)}"
            )
            return {}
        self._said = ""
        return {name: hosts[name] for name in names}

    def _say(self, event: str, message: str) -> None:
        if message != self._said:
            self._said = message
            self.tools.log.error(event, message=message, served=len(self.served))

    def _collect(self, run: str) -> None:
        progress = self.tools.runner.progress(run)
        ambiguous = machines_of_one_bmc(self.served)
        for outcome in progress.outcomes:
            if outcome.host in ambiguous:
                why = f"its BMC is, by the inventory, also that of {', '.join(ambiguous[outcome.host])}"
                self._note(outcome.host, "in_error", why)
            else:
                self._note(outcome.host, "available" if outcome.ok else "in_error", outcome.error.get("message"))
        if progress.finished:
            seen = {o.host for o in progress.outcomes}
            for machine in sorted(self.served.keys() - seen):
                self._note(machine, "in_error", progress.problem or "the check gave no result")
            # All of them once per check, so that a server that lost its state learns it again.
            self._untold.update({m: s for m, s in self._states.items() if m in self.served})
            self.tools.runner.discard(run)
            self._run = None
            for state in ("available", "in_error"):
                self.tools.metrics.controllers.labels(state).set(list(self._states.values()).count(state))

    def _note(self, machine: str, state: str, why: Any) -> None:
        if self._states.get(machine) == state:
            return
        self._states[machine] = self._untold[machine] = state
        if state == "available":
            self.tools.log.info("controller_available", machine=machine)
        else:
            self.tools.log.warning("controller_in_error", machine=machine, message=why)

    def _tell(self) -> None:
        if self._untold and self.tools.link.told(
            lambda: self.server.availability(self._untold),
            lambda error: self.tools.log.error("report_refused", message=error.message),
        ):
            self._untold.clear()
            self.tools.journal.save_served(sorted(self.served.keys() | self._doubted))
