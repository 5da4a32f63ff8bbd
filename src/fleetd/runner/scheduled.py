# SPDX-License-Identifier: BSD-2-Clause
"""Any process whose work is claimed machine by machine and done by a playbook: collections, and those that a user adds.

Which machines are due, and when each is tried again, is the server's knowledge (its processes, intervals and backoff);
here is how the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fleetcore.errors import ConflictError, FleetError, NotFound, TransportError

from fleetd.runner.adapters.leases import SessionLeases
from fleetd.runner.config import RunnerSettings
from fleetd.runner.ports import HostOutcome, JournalBroken, PlaybookRun
from fleetd.runner.tools import Tools

BUSY_SECONDS = 1.0


class ScheduledDuty:
    """See :class:`fleetd.runner.loop.Duty`. One batch at a time; a full one is followed by the next at once.

    What is claimed for a run is in the journal, so that the next life settles what an earlier one began.
    """

    finish_before_stop = False

    def __init__(
        self,
        name: str,
        settings: RunnerSettings,
        tools: Tools,
        leases: SessionLeases,
        served: Callable[[], Iterable[str]],
    ) -> None:
        self._tools = tools
        self.name = name
        self._how = how = settings.definitions[name]
        self._extra_vars = {**settings.extra_vars, **how.extra_vars}
        self._inventories = tuple(settings.inventory)
        self._leases = leases
        self._served = served
        self._next_look = tools.clock.monotonic() + how.splay_seconds * tools.random()
        self._runs = tools.journal.work(name)  # run -> what is not told yet: machine -> token
        self._said = ""
        self.failures = 0

    @property
    def busy(self) -> bool:
        return bool(self._runs)

    @property
    def settled(self) -> bool:
        return not self._runs

    def step(self, *, accept_work: bool) -> float:
        for run in list(self._runs):
            self._settle(run)
        self._tools.metrics.in_flight.labels(self.name).set(sum(len(tokens) for tokens in self._runs.values()))
        if (
            accept_work
            and not self._runs
            and self._tools.clock.monotonic() >= self._next_look
            and not self._tools.link.wait()
        ):
            self._next_look = self._tools.in_about(self._how.poll_seconds)
            self._look()
        if self._runs:
            return BUSY_SECONDS
        return max(self._tools.link.wait(), self._next_look - self._tools.clock.monotonic(), 0.0)

    def _look(self) -> None:
        served = sorted(self._served())
        if not served:
            return
        try:
            known = {m: token for tokens in self._runs.values() for m, token in tokens.items()}
            claims = self._leases.claim(self.name, self._how.batch, served, known)
            self._tools.link.worked()
            self._said = ""
            self._tools.metrics.polls.labels(self.name, "ok").inc()
        except JournalBroken:
            raise
        except FleetError as error:
            self._tools.metrics.polls.labels(self.name, error.code).inc()
            if isinstance(error, TransportError) and not isinstance(error, NotFound):
                self._tools.link.failed(error)
            elif error.message != self._said:
                self._said = error.message
                self._tools.log.error("claim_refused", process=self.name, message=error.message)
            return
        if not claims:
            return
        if len(claims) == self._how.batch:
            self._next_look = self._tools.clock.monotonic()
        run = f"{self.name}-{self._tools.new_id()}"
        try:
            self._tools.journal.save_work(self.name, run, claims)
        except JournalBroken:  # nothing is begun that the journal does not know
            for machine in claims:
                self._leases.cancel(self.name, machine)
            raise
        self._runs[run] = dict(claims)
        self._tools.log.info("working", process=self.name, machines=len(claims), run=run)
        hosts = tuple(sorted(claims))
        how, report = self._how, tuple(self._how.report)
        work = PlaybookRun(
            run, how.playbook, self._inventories, hosts, report, self._extra_vars, on_controller=how.on_controller
        )
        if not self._tools.start(self.name, work):
            self.failures += 1

    def _settle(self, run: str) -> None:
        """Tell what has come of a run so far; when it has ended and all is told, it is forgotten."""
        progress = self._tools.runner.progress(run)
        left = self._runs[run]
        for outcome in progress.outcomes:
            if outcome.host in left and not self._tell(run, outcome):
                return
        if not progress.finished:
            return
        for machine in list(left):
            if progress.launched or progress.problem:
                error = {"code": "no_result", "message": progress.problem or "the playbook gave no result"}
                told = self._tell(run, HostOutcome(machine, False, {}, error))
            else:
                told = self._exchange(lambda name=machine: self._leases.cancel(self.name, name))  # type: ignore[misc]
                if told:
                    del left[machine]
            if not told:
                return
        self._tools.runner.discard(run)
        self._tools.journal.forget_work(run)
        del self._runs[run]

    def _tell(self, run: str, outcome: HostOutcome) -> bool:
        machine, token = outcome.host, self._runs[run][outcome.host]
        cause = str(outcome.error.get("message") or "failed")[:500]
        if outcome.ok:
            told = self._exchange(lambda: self._leases.finish(self.name, machine, token))
        else:
            told = self._exchange(lambda: self._leases.fail(self.name, machine, token, cause))
        if told:
            del self._runs[run][machine]
            self._tools.metrics.work.labels(self.name, "finished" if outcome.ok else "failed").inc()
            if not outcome.ok:
                self.failures += 1
                code = str(outcome.error.get("code") or "failed")
                self._tools.metrics.failures.labels(self.name, code).inc()
                self._tools.log.warning("work_failed", process=self.name, machine=machine, code=code, message=cause)
        return told

    def _exchange(self, say: Callable[[], None]) -> bool:
        """Whether the server knows now; also when it does not want to."""

        def refused(error: FleetError) -> None:
            if not isinstance(error, ConflictError):  # told before and the answer was lost, or the claim is over
                self._tools.log.error("report_refused", process=self.name, message=error.message)

        return self._tools.link.told(say, refused)
