# SPDX-License-Identifier: BSD-2-Clause
"""Any process whose work is claimed machine by machine and done by a playbook: collections, and those that a user adds.

Which machines are due, and when each is tried again, is the server's knowledge (its processes, intervals and backoff);
here is how the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fleetcore.errors import ConflictError, FleetError

from fleetd.runner.adapters.leases import SessionLeases
from fleetd.runner.config import RunnerSettings
from fleetd.runner.ports import HostOutcome, JournalBroken, PlaybookRun, problem
from fleetd.runner.tools import Tools

BUSY_SECONDS = 1.0


@dataclass
class ScheduledDuty:
    """See :class:`fleetd.runner.loop.Duty`. One batch at a time; a full one is followed by the next at once.

    What is claimed for a run is in the journal, so that the next life settles what an earlier one began.
    """

    finish_before_stop = False

    name: str
    settings: RunnerSettings
    tools: Tools
    leases: SessionLeases
    served: Callable[[], Iterable[str]]
    failures: int = field(default=0, init=False)
    _said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._how = self.settings.definitions[self.name]
        self._next_look = self.tools.clock.monotonic() + self._how.splay_seconds * self.tools.random()
        self._runs = self.tools.journal.work(self.name)  # run -> what is not told yet: machine -> token

    @property
    def busy(self) -> bool:
        return bool(self._runs)

    @property
    def settled(self) -> bool:
        return not self._runs

    def step(self, *, accept_work: bool) -> float:
        for run in list(self._runs):
            self._settle(run)
        self.tools.metrics.in_flight.labels(self.name).set(sum(len(tokens) for tokens in self._runs.values()))
        if (
            accept_work
            and not self._runs
            and self.tools.clock.monotonic() >= self._next_look
            and not self.tools.link.wait()
        ):
            self._next_look = self.tools.in_about(self._how.poll_seconds)
            self._look()
        if self._runs:
            return BUSY_SECONDS
        return max(self.tools.link.wait(), self._next_look - self.tools.clock.monotonic(), 0.0)

    def _look(self) -> None:
        served = sorted(self.served())
        if not served:
            return
        known = {m: token for tokens in self._runs.values() for m, token in tokens.items()}
        claims = self.tools.ask(
            self.name, lambda: self.leases.claim(self.name, self._how.batch, served, known), self._refused
        )
        if claims is not None:
            self._said = ""
        if not claims:
            return
        if len(claims) == self._how.batch:
            self._next_look = self.tools.clock.monotonic()
        run = f"{self.name}-{self.tools.new_id()}"
        try:
            self.tools.journal.save_work(self.name, run, claims)
        except JournalBroken:  # nothing is begun that the journal does not know
            for machine in claims:
                self.leases.cancel(self.name, machine)
            raise
        self._runs[run] = dict(claims)
        self.tools.log.info("working", process=self.name, machines=len(claims), run=run)
        hosts = tuple(sorted(claims))
        how, inventories = self._how, tuple(self.settings.inventory)
        extra_vars = {**self.settings.extra_vars, **how.extra_vars}
        work = PlaybookRun(
            run, how.playbook, inventories, hosts, tuple(how.report), extra_vars, on_controller=how.on_controller
        )
        if not self.tools.start(self.name, work):
            self.failures += 1

    def _refused(self, error: FleetError) -> None:
        if error.message != self._said:
            self._said = error.message
            self.tools.log.error("claim_refused", process=self.name, message=error.message)

    def _settle(self, run: str) -> None:
        """Tell what has come of a run so far; when it has ended and all is told, it is forgotten."""
        progress = self.tools.runner.progress(run)
        left = self._runs[run]
        for outcome in progress.outcomes:
            if outcome.host in left and not self._tell(run, outcome):
                return
        if not progress.finished:
            return
        for machine in list(left):
            if progress.launched or progress.problem:
                error = problem("no_result", progress.problem or "the playbook gave no result")
                told = self._tell(run, HostOutcome(machine, False, {}, error))
            else:
                told = self._exchange(lambda name=machine: self.leases.cancel(self.name, name))  # type: ignore[misc]
                if told:
                    del left[machine]
            if not told:
                return
        self.tools.runner.discard(run)
        self.tools.journal.forget_work(run)
        del self._runs[run]

    def _tell(self, run: str, outcome: HostOutcome) -> bool:
        machine, token = outcome.host, self._runs[run][outcome.host]
        cause = str(outcome.error.get("message") or "failed")[:500]
        if outcome.ok:
            told = self._exchange(lambda: self.leases.finish(self.name, machine, token))
        else:
            told = self._exchange(lambda: self.leases.fail(self.name, machine, token, cause))
        if told:
            del self._runs[run][machine]
            self.tools.metrics.work.labels(self.name, "finished" if outcome.ok else "failed").inc()
            if not outcome.ok:
                self.failures += 1
                code = str(outcome.error.get("code") or "failed")
                self.tools.metrics.failures.labels(self.name, code).inc()
                self.tools.log.warning("work_failed", process=self.name, machine=machine, code=code, message=cause)
        return told

    def _exchange(self, say: Callable[[], None]) -> bool:
        """Whether the server knows now; also when it does not want to."""

        def refused(error: FleetError) -> None:
            if not isinstance(error, ConflictError):  # told before and the answer was lost, or the claim is over
                self.tools.log.error("report_refused", process=self.name, message=error.message)

        return self.tools.link.told(say, refused)
