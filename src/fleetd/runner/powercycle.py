# SPDX-License-Identifier: BSD-2-Clause
"""The duty of power cycles: take what the server wants cycled, run it, report each machine as it ends."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from typing import Any

from fleetcore.power.controllers import machines_of_one_bmc

from fleetd.runner import core
from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.config import RunnerSettings
from fleetd.runner.cycles import Cycles
from fleetd.runner.launch import CYCLE, RECOVER, Launcher
from fleetd.runner.ports import Entry, EntryState, JournalBroken, RunProgress, Wanted
from fleetd.runner.recovery import Recovery
from fleetd.runner.reports import Reports
from fleetd.runner.tools import Tools
from fleetd.runner.waves import Budget, choose

BUSY_SECONDS = 0.3


@dataclass
class PowercycleDuty:
    """See :class:`fleetd.runner.loop.Duty`. ``served`` returns the machines of this runner with their host variables.

    The order of writes makes a cycle happen once: the intent is in the journal before the playbook starts, the outcome
    before the server is told, the acknowledgement after it has answered.
    """

    name = "powercycle"
    finish_before_stop = True

    settings: RunnerSettings
    tools: Tools
    _: KW_ONLY
    server: HttpWorkServer
    served: Callable[[], Mapping[str, Mapping[str, Any]]]
    budget: Budget
    _next_poll: float = field(default=0.0, init=False)
    _waiting: int = field(default=0, init=False)  # requests that could not begin at the last poll
    _first_seen: dict[str, float] = field(default_factory=dict, init=False)  # of requests without a time
    # Of what is in flight, also when it leaves the inventory meanwhile.
    _facts: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        how = self.settings
        self._retry = core.RetryPolicy(how.retry_initial_seconds, how.retry_maximum_seconds, how.max_attempts)
        self._cycles = Cycles(self.tools)
        self._launcher = Launcher(how, self.tools, self.server)
        self._reports = Reports(self.tools, self._cycles, self.server, self._retry)
        self._recovery = Recovery(self.tools, self._cycles, self._launcher, self._reports)
        # Runs whose directory is to be discarded once they have ended; those of earlier lives too.
        self._ending = {run for run in self.tools.runner.known() if run.startswith((CYCLE, RECOVER))}
        for entry in self._flying():
            self.tools.log.info("cycle_found", machine=entry.machine, state=entry.state.value, run=entry.run)

    @property
    def failures(self) -> int:
        return self._cycles.failures

    @property
    def busy(self) -> bool:
        # A machine that could not be switched on yet is tried again later: neither a stop nor --once waits for that.
        return bool(self._recovery.runs or self._cycles.of(EntryState.RUNNING))

    @property
    def settled(self) -> bool:
        """Nothing is held for which a claim is still needed."""
        return not self._cycles.held()

    def step(self, *, accept_work: bool) -> float:
        self._collect()
        self._recovery.step()
        self._reports.outcomes()
        if not self._waiting and not self._flying():
            self.budget.wave_ended()
        self.tools.metrics.in_flight.labels("powercycle").set(len(self._flying()))
        now = self.tools.clock.monotonic()
        if accept_work and now >= self._next_poll and not self.tools.link.wait():
            self._poll()
            self._next_poll = self.tools.in_about(self.settings.poll_seconds)
        if self.busy:
            return BUSY_SECONDS
        if self._ending:
            return 1.0
        next_poll = max(self.tools.link.wait(), self._next_poll - self.tools.clock.monotonic())
        return max(min([next_poll, *self._recovery.waits()]), 0.0)

    def _flying(self) -> list[Entry]:
        """Entries of machines that may be without power now."""
        return self._cycles.of(EntryState.RUNNING, EntryState.UNKNOWN)

    # --- runs

    def _collect(self) -> None:
        """Read what the runs have come to; the journal learns it before anybody else."""
        self._ending.update(e.run for e in self._cycles.of(EntryState.RUNNING) if e.run)
        for run in sorted(self._ending - self._recovery.runs.keys()):
            progress = self.tools.runner.progress(run)
            outcomes = {o.host: o for o in progress.outcomes}
            self._follow(run, progress, {o.host for o in progress.outcomes if o.ok})
            now = self.tools.wall()
            changed = []
            for entry in [e for e in self._cycles.of(EntryState.RUNNING) if e.run == run]:
                if entry.machine not in outcomes and not progress.finished:
                    continue
                ended = core.after_run(entry, outcomes.get(entry.machine), progress, now)
                if entry.machine not in outcomes and ended.state is EntryState.UNKNOWN:
                    self.tools.log.warning("cycle_lost", machine=entry.machine, run=run, problem=progress.problem)
                changed.append(self._settled(ended))
            self._cycles.save(changed)
            for entry in changed:
                self._cycles.note(entry)
            if progress.finished:
                self.tools.runner.discard(run)
                self._ending.discard(run)

    def _follow(self, run: str, progress: RunProgress, done: Container[str]) -> None:
        """Off and on, while the playbook still works: the journal learns it, then the server, if it can be reached.

        Of a host that is ``done`` the outcome has the steps, and the module may have closed its request by now.
        """
        of_run = {e.machine: e for e in self._cycles.of(EntryState.RUNNING) if e.run == run}
        for step in progress.steps:
            entry = of_run.get(step.host)
            if entry is None or step.state in core.steps_told(entry):
                continue
            now = self.tools.wall()
            begun = float(entry.detail.get("at") or entry.changed_at)
            self.tools.metrics.stage.labels(step.state.value).observe(max(0.0, now - begun))
            entry = of_run[step.host] = replace(entry, detail={**entry.detail, "at": now})
            if step.host not in done:
                entry = of_run[step.host] = core.passed(entry, step.state)
                self._cycles.save([entry])
                self._reports.step(entry, step.state, step.message)

    def _settled(self, entry: Entry) -> Entry:
        """Count an outcome; when it is one failure too many, the entry's error says so."""
        if entry.state not in (EntryState.FAILED, EntryState.UNKNOWN) or not self.budget.failed(
            entry.machine, self.tools.wall()
        ):
            return entry
        self.tools.metrics.waves_stopped.inc()
        self.tools.log.error(
            "wave_stopped", machine=entry.machine, message="too many machines failed: no further power cycle is begun"
        )
        error = dict(entry.detail.get("error") or {})
        if not error:
            return entry
        error["message"] = f"{error.get('message', '')}; too many machines failed, the runner has stopped the wave"
        error["details"] = {**(error.get("details") or {}), "wave_stopped": True}
        return replace(entry, detail={**entry.detail, "error": error})

    # --- the server

    def _poll(self) -> None:
        served = self.served()
        if served:
            self.tools.ask(
                self.name,
                lambda: self._take(served),
                lambda error: self.tools.log.error("poll_refused", message=error.message),
            )

    def _take(self, served: Mapping[str, Mapping[str, Any]]) -> None:
        wanted = self.server.wanted(frozenset(served), self._cycles.held())
        now = self.tools.wall()
        decision = core.decide(wanted, self._cycles.all(), frozenset(served), now, self._retry)
        self._cycles.forget(decision.forget)
        begin = self._may_begin(decision.start, served)
        self._note_queue(wanted, decision.start, now)
        if not begin and not decision.again and not decision.reclaim:
            return
        claims = self._claim(wanted, [*begin, *decision.again, *decision.reclaim])
        begin, again, reclaim = (
            [replace(e, token=claims[e.machine]) for e in some if e.machine in claims]
            for some in (begin, decision.again, decision.reclaim)
        )
        self._waiting = len(decision.start) - len(begin)
        run = self._launcher.cycle_id()
        ambiguous = machines_of_one_bmc(served)
        refused = [core.refuse(e, ambiguous[e.machine], now) for e in begin if e.machine in ambiguous]
        entries = [replace(e, run=run) for e in begin if e.machine not in ambiguous]
        told_again = [replace(e, state=EntryState.VERIFIED) for e in again]
        try:
            self._cycles.save([*reclaim, *told_again, *refused, *entries])
        except JournalBroken:  # nothing is begun that the journal does not know
            for entry in begin:
                if entry.token is not None:
                    self.server.release(entry.machine)
            raise
        for entry in refused:
            self._cycles.note(entry)
        if not entries:
            return
        self.tools.log.info("cycling", machines=[e.machine for e in entries], run=run)
        if not self._launcher.cycle(run, entries):
            later = self.tools.wall() + self._retry.initial
            self._cycles.save(
                [replace(e, state=EntryState.WAITING, attempts=e.attempts - 1, not_before=later) for e in entries]
            )
            return
        for want in wanted:
            if any(e.machine == want.machine for e in entries):
                self.tools.metrics.stage.labels("queue").observe(self._age(want, now))
                self._first_seen.pop(want.machine, None)

    def _may_begin(self, start: Sequence[Entry], served: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        settings = self.settings
        stopped = not self.budget.may_begin(self.tools.wall())
        self.tools.metrics.wave_stopped.set(stopped)
        flying = self._flying()
        facts = {**self._facts, **served}
        self._waiting = len(start)
        if stopped or len({e.run for e in self._cycles.of(EntryState.RUNNING)}) >= settings.max_runs:
            return []
        candidates, in_flight = [e.machine for e in start], [e.machine for e in flying]
        # As many as one run works on at a time: none waits within a run for its turn.
        chosen = set(choose(candidates, in_flight, facts, settings.waves)[: settings.forks])
        self._facts = {m: facts[m] for m in {*chosen, *in_flight} if m in facts}
        return [e for e in start if e.machine in chosen]

    def _claim(self, wanted: Sequence[Wanted], entries: Sequence[Entry]) -> dict[str, int | None]:
        machines = {e.machine for e in entries}
        claims = self.server.claim([w for w in wanted if w.machine in machines], self._cycles.held())
        if len(claims) < len(machines):
            self.tools.log.info("claimed_elsewhere", machines=sorted(machines - claims.keys()))
        return claims

    def _note_queue(self, wanted: Sequence[Wanted], start: Sequence[Entry], now: float) -> None:
        waiting = {e.machine for e in start}
        self._first_seen = {m: self._first_seen.get(m, now) for m in waiting}
        self.tools.metrics.queue.set(len(waiting))
        self.tools.metrics.queue_age.set(max([self._age(w, now) for w in wanted if w.machine in waiting], default=0.0))

    def _age(self, want: Wanted, now: float) -> float:
        if want.requested_at:
            return max(0.0, now - datetime.fromisoformat(want.requested_at).timestamp())
        return now - self._first_seen.get(want.machine, now)
