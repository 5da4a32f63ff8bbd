# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The power cycle process: take what the server wants cycled, run it, report each machine as it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from fleetcore.errors import FleetError, TransportError
from fleetcore.ports import Clock

from fleetd.common import logs
from fleetd.runner import core
from fleetd.runner.loop import Link
from fleetd.runner.metrics import RunnerMetrics
from fleetd.runner.ports import (
    Entry,
    HostOutcome,
    Journal,
    JournalBroken,
    PlaybookRun,
    PlaybookRunner,
    RunProgress,
    State,
    Wanted,
    WorkServer,
)
from fleetd.runner.waves import Budget, WaveOptions, choose, shared

POWER_MODULE = "baremetal.fleet.bmc_power"
CLAIMS = "powercycle_claims"
MACHINES = "powercycle_machines"
"""The variable with the machines of a run: the playbooks refuse any other, however they came by it."""
CYCLE = "cycle-"
RECOVER = "recover-"
BUSY_SECONDS = 0.3
RECOVER_MAXIMUM = 300.0


@dataclass(frozen=True)
class PowercycleOptions:
    """``playbook`` cycles, ``recover_playbook`` makes sure that machines are on. Times in seconds.

    ``run_size``: machines in one run at most, so that none waits within a run for its turn. ``fence``: the playbook gets the claims
    and asks the server, just before it takes the power away, whether they still hold.
    """

    inventories: tuple[str, ...]
    playbook: str
    recover_playbook: str
    poll_seconds: float = 5.0
    max_runs: int = 4
    run_size: int = 20
    fence: bool = True
    waves: WaveOptions = field(default_factory=WaveOptions)
    retry: core.RetryPolicy = field(default_factory=core.RetryPolicy)
    extra_vars: dict[str, Any] = field(default_factory=dict)


class Powercycles:
    """See :class:`fleetd.runner.loop.Process`. ``served`` returns the machines of this runner with their host variables.

    The order of writes makes a cycle happen once: the intent is in the journal before the playbook starts, the outcome
    before the server is told, the acknowledgement after it has answered. ``wall`` gives seconds since the epoch.
    """

    name = "powercycle"
    finish_before_stop = True

    def __init__(
        self,
        options: PowercycleOptions,
        *,
        runner: PlaybookRunner,
        journal: Journal,
        server: WorkServer,
        served: Callable[[], Mapping[str, Mapping[str, Any]]],
        budget: Budget,
        metrics: RunnerMetrics,
        link: Link,
        clock: Clock,
        wall: Callable[[], float],
        random: Callable[[], float],
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12],
    ) -> None:
        self._options = options
        self._runner = runner
        self._journal = journal
        self._server = server
        self._served = served
        self._budget = budget
        self._metrics = metrics
        self._link = link
        self._clock = clock
        self._wall = wall
        self._random = random
        self._new_id = new_id
        self._log = logs.get("fleetd.runner")
        self._entries = {e.key: e for e in journal.entries()}
        self._recovering: dict[str, list[str]] = {}  # run -> keys
        # Runs whose directory is to be discarded once they have ended; those of earlier lives too.
        self._ending = {run for run in runner.known() if run.startswith((CYCLE, RECOVER))}
        self._next_poll = 0.0
        self._waiting = 0  # requests that could not begin at the last poll
        self._first_seen: dict[str, float] = {}  # of requests that the server gives no time for
        self._facts: dict[
            str, Mapping[str, Any]
        ] = {}  # of what is in flight, also when it leaves the inventory meanwhile
        self.failures = 0
        for entry in self._of(State.RUNNING, State.UNKNOWN):
            self._log.info("cycle_found", machine=entry.machine, state=entry.state.value, run=entry.run)

    @property
    def busy(self) -> bool:
        # A machine that could not be switched on yet is tried again later: neither a stop nor --once waits for that.
        return bool(self._recovering or self._of(State.RUNNING))

    @property
    def settled(self) -> bool:
        """Nothing is held for which a claim is still needed."""
        return not any(e.token is not None for e in self._entries.values())

    def step(self, *, accept_work: bool) -> float:
        self._collect()
        self._recover()
        self._tell()
        if not self._waiting and not self._of(State.RUNNING, State.UNKNOWN):
            self._budget.wave_ended()
        self._metrics.in_flight.labels("powercycle").set(len(self._of(State.RUNNING, State.UNKNOWN)))
        now = self._clock.monotonic()
        if accept_work and now >= self._next_poll and not self._link.wait():
            self._poll()
            self._next_poll = self._clock.monotonic() + self._options.poll_seconds * (0.9 + self._random() / 5)
        if self.busy:
            return BUSY_SECONDS
        waits = [min(e.not_before - self._wall(), RECOVER_MAXIMUM) for e in self._of(State.UNKNOWN)]
        if self._ending:
            return 1.0
        return max(min([max(self._link.wait(), self._next_poll - self._clock.monotonic()), *waits]), 0.0)

    # --- runs ----------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Read what the runs have come to; the journal learns it before anybody else."""
        self._ending.update(e.run for e in self._of(State.RUNNING) if e.run)
        for run in sorted(self._ending - self._recovering.keys()):
            progress = self._runner.progress(run)
            self._follow(run, progress)
            outcomes = {o.host: o for o in progress.outcomes}
            now = self._wall()
            changed: list[Entry] = []
            for entry in self._of(State.RUNNING):
                if entry.run != run:
                    continue
                if entry.machine in outcomes:
                    changed.append(core.settle(entry, outcomes[entry.machine], now))
                elif progress.finished and not progress.launched and progress.problem:
                    error = {"code": "not_started", "message": progress.problem, "details": {}}
                    changed.append(core.settle(entry, HostOutcome(entry.machine, False, {}, error), now))
                elif progress.finished and not progress.launched:
                    # Recorded, never started: nothing was done, so it is as if it had not been taken.
                    changed.append(
                        replace(entry, state=State.WAITING, attempts=entry.attempts - 1, not_before=0.0, changed_at=now)
                    )
                elif progress.finished:
                    self._log.warning("cycle_lost", machine=entry.machine, run=run, problem=progress.problem)
                    changed.append(replace(entry, state=State.UNKNOWN, changed_at=now))
            changed = [self._settled(entry) for entry in changed]
            self._save(changed)
            for entry in changed:
                self._log_outcome(entry)
            if progress.finished:
                self._runner.discard(run)
                self._ending.discard(run)

    def _follow(self, run: str, progress: RunProgress) -> None:
        """Off and on, while the playbook still works: the journal learns it, then the server, if it can be reached."""
        of_run = {e.machine: e for e in self._of(State.RUNNING) if e.run == run}
        for step in progress.steps:
            entry = of_run.get(step.host)
            if entry is None or step.state in core.steps_told(entry):
                continue
            now = self._wall()
            begun = float(entry.detail.get("at") or entry.changed_at)
            self._metrics.stage.labels(step.state).observe(max(0.0, now - begun))
            entry = core.passed(replace(entry, detail={**entry.detail, "at": now}), step.state)
            of_run[step.host] = entry
            self._save([entry])
            self._step(entry, step.state, step.message)

    def _step(self, entry: Entry, state: str, message: str) -> bool:
        """Whether the server was told."""
        if self._link.wait():
            return False
        try:
            self._server.step(entry, state, message)
        except TransportError as error:
            self._link.failed(error)
            return False
        except FleetError as error:
            self._log.info("step_refused", machine=entry.machine, request=entry.request, message=error.message)
        return True

    def _tell_trouble(self, entry: Entry) -> Entry:
        """That a machine may be off, and why, at its request; once for each reason."""
        trouble = str((entry.detail.get("recovery") or {}).get("message") or "no result")
        if trouble == entry.detail.get("told"):
            return entry
        if not self._step(entry, "off", f"it may be off, and could not be switched on yet; trying on: {trouble}"):
            return entry
        return replace(entry, detail={**entry.detail, "told": trouble})

    def _settled(self, entry: Entry) -> Entry:
        """Count an outcome; when it is one failure too many, the entry's error says so."""
        if entry.state not in (State.FAILED, State.UNKNOWN) or not self._budget.failed(entry.machine, self._wall()):
            return entry
        self._metrics.waves_stopped.inc()
        self._log.error(
            "wave_stopped", machine=entry.machine, message="too many machines failed: no further power cycle is begun"
        )
        error = dict(entry.detail.get("error") or {})
        if not error:
            return entry
        error["message"] = f"{error.get('message', '')}; too many machines failed, the runner has stopped the wave"
        error["details"] = {**(error.get("details") or {}), "wave_stopped": True}
        return replace(entry, detail={**entry.detail, "error": error})

    def _recover(self) -> None:
        """Make sure that machines with an unknown outcome are on, and settle them."""
        for run, keys in list(self._recovering.items()):
            progress = self._runner.progress(run)
            if not progress.finished:
                continue
            outcomes = {o.host: o for o in progress.outcomes}
            now = self._wall()
            changed = []
            for entry in (self._entries[k] for k in keys):
                lost = HostOutcome(entry.machine, False, {}, {"code": "interrupted", "message": progress.problem})
                settled = core.resolve(entry, outcomes.get(entry.machine, lost), now)
                if settled.state is State.UNKNOWN:
                    tries = int(entry.detail.get("recoveries", 0)) + 1
                    delay = min(RECOVER_MAXIMUM, 5.0 * 2.0 ** min(tries, 10))
                    settled = replace(settled, not_before=now + delay, detail={**settled.detail, "recoveries": tries})
                    self.failures += 1
                    self._log.error("power_unknown", machine=entry.machine, message="the machine may be off", retry_seconds=delay,
                                    error=settled.detail.get("recovery"))  # fmt: skip
                    settled = self._tell_trouble(settled)
                changed.append(settled)
                self._log_outcome(settled)
            self._save(changed)
            self._runner.discard(run)
            del self._recovering[run]
        waiting = {k for keys in self._recovering.values() for k in keys}
        todo = [
            e
            for e in self._of(State.UNKNOWN)
            if e.key not in waiting and core.due(e.not_before, self._wall(), RECOVER_MAXIMUM)
        ]
        if todo:
            run = f"{RECOVER}{self._new_id()}"
            self._log.info("recovering", machines=[e.machine for e in todo], run=run)
            if self._start(run, self._options.recover_playbook, todo):
                self._recovering[run] = [e.key for e in todo]
            else:
                self._save([replace(e, not_before=self._wall() + RECOVER_MAXIMUM) for e in todo])

    def _start(self, run: str, playbook: str, entries: Sequence[Entry]) -> bool:
        options = self._options
        hosts = tuple(sorted(e.machine for e in entries))
        extra_vars = {**options.extra_vars, MACHINES: list(hosts)}
        if options.fence and run.startswith(CYCLE):
            claims = {e.machine: self._server.claim_of(e) for e in entries}
            extra_vars[CLAIMS] = {machine: claim for machine, claim in claims.items() if claim is not None}
        try:
            urgent = run.startswith(RECOVER)
            self._runner.start(
                PlaybookRun(run, playbook, options.inventories, hosts, (POWER_MODULE,), extra_vars, urgent=urgent)
            )
        except FleetError as error:
            self._log.error("run_not_started", run=run, message=error.message)
            return False
        self._metrics.runs.labels("powercycle" if run.startswith(CYCLE) else "power_on").inc()
        return True

    # --- the server ----------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Report outcomes that the server does not know; what it does not take stays in the journal."""
        for entry in sorted(self._of(State.VERIFIED, State.FAILED), key=lambda e: e.changed_at):
            if self._link.wait():
                return
            try:
                self._report(entry)
            except TransportError as error:
                self._link.failed(error)
                return
            except FleetError as error:
                # Refused for good: telling it again would not help. If the claim was lost, the server offers the request again,
                # and what was done is told under a new claim.
                self._log.error("report_refused", machine=entry.machine, request=entry.request, message=error.message)
            self._link.worked()
            after = core.after_report(entry, self._wall(), self._options.retry, self._random())
            self._save([after])
            self._metrics.stage.labels("report").observe(max(0.0, self._wall() - entry.changed_at))
            self._log.info(
                "reported",
                machine=entry.machine,
                request=entry.request,
                outcome=entry.state.value,
                next=after.state.value,
            )
        for entry in [e for e in self._of(State.WAITING) if e.token is not None]:  # claimed, and nothing was done
            if self._link.wait():
                return
            try:
                self._server.release(entry.machine)
            except TransportError as error:
                self._link.failed(error)
                return
            except FleetError as error:
                self._log.error("release_refused", machine=entry.machine, message=error.message)
            self._save([replace(entry, token=None)])

    def _report(self, entry: Entry) -> None:
        if entry.state is State.FAILED:
            self._server.failed(entry)
            return
        power = entry.detail.get("power") or {}
        told = core.steps_told(entry)
        for state, message in core.steps_of(power):
            if state not in told and not power.get("reported"):  # reported by the module: the request is closed
                self._server.step(entry, state, message)
        self._server.verified(entry)

    def _poll(self) -> None:
        served = self._served()
        if not served:
            return
        try:
            self._take(served)
            self._link.worked()
            self._metrics.polls.labels("powercycle", "ok").inc()
        except JournalBroken:
            raise
        except TransportError as error:
            self._link.failed(error)
            self._metrics.polls.labels("powercycle", error.code).inc()
        except FleetError as error:
            self._log.error("poll_refused", message=error.message)
            self._metrics.polls.labels("powercycle", error.code).inc()

    def _take(self, served: Mapping[str, Mapping[str, Any]]) -> None:
        wanted = self._server.wanted(frozenset(served), self._held())
        now = self._wall()
        plan = core.plan(wanted, self._entries.values(), frozenset(served), now, self._options.retry)
        self._journal.forget(plan.forget)
        for key in plan.forget:
            del self._entries[key]
        begin = self._may_begin(plan.start, served)
        self._note_queue(wanted, plan.start, now)
        if not begin and not plan.again and not plan.reclaim:
            return
        claims = self._claim(wanted, [*begin, *plan.again, *plan.reclaim])
        begin = [replace(e, token=claims[e.machine]) for e in begin if e.machine in claims]
        self._waiting = len(plan.start) - len(begin)
        run = f"{CYCLE}{self._new_id()}"
        ambiguous = shared(served)
        refused = [core.refuse(e, ambiguous[e.machine], now) for e in begin if e.machine in ambiguous]
        entries = [replace(e, run=run) for e in begin if e.machine not in ambiguous]
        try:
            self._save(
                [
                    *(replace(e, token=claims[e.machine]) for e in plan.reclaim if e.machine in claims),
                    *(
                        replace(e, state=State.VERIFIED, token=claims[e.machine])
                        for e in plan.again
                        if e.machine in claims
                    ),
                    *refused,
                    *entries,
                ]
            )
        except JournalBroken:  # nothing is begun that the journal does not know
            for entry in begin:
                if entry.token is not None:
                    self._server.release(entry.machine)
            raise
        for entry in refused:
            self._log_outcome(entry)
        if not entries:
            return
        self._log.info("cycling", machines=[e.machine for e in entries], run=run)
        if not self._start(run, self._options.playbook, entries):
            later = self._wall() + self._options.retry.initial
            self._save([replace(e, state=State.WAITING, attempts=e.attempts - 1, not_before=later) for e in entries])
            return
        for want in wanted:
            if any(e.machine == want.machine for e in entries):
                self._metrics.stage.labels("queue").observe(self._age(want, now))
                self._first_seen.pop(want.machine, None)

    def _may_begin(self, start: Sequence[Entry], served: Mapping[str, Mapping[str, Any]]) -> list[Entry]:
        options = self._options
        stopped = not self._budget.may_begin(self._wall())
        self._metrics.wave_stopped.set(stopped)
        flying = self._of(State.RUNNING, State.UNKNOWN)
        facts = {**self._facts, **served}
        self._waiting = len(start)
        if stopped or len({e.run for e in self._of(State.RUNNING)}) >= options.max_runs:
            return []
        chosen = set(
            choose([e.machine for e in start], [e.machine for e in flying], facts, options.waves)[: options.run_size]
        )
        self._facts = {m: facts[m] for m in {*chosen, *(e.machine for e in flying)} if m in facts}
        return [e for e in start if e.machine in chosen]

    def _claim(self, wanted: Sequence[Wanted], entries: Sequence[Entry]) -> dict[str, int | None]:
        machines = {e.machine for e in entries}
        claims = self._server.claim([w for w in wanted if w.machine in machines], self._held())
        if len(claims) < len(machines):
            self._log.info("claimed_elsewhere", machines=sorted(machines - claims.keys()))
        return claims

    def _held(self) -> dict[str, int]:
        return {e.machine: e.token for e in self._entries.values() if e.token is not None}

    def _note_queue(self, wanted: Sequence[Wanted], start: Sequence[Entry], now: float) -> None:
        waiting = {e.machine for e in start}
        self._first_seen = {m: self._first_seen.get(m, now) for m in waiting}
        self._metrics.queue.set(len(waiting))
        self._metrics.queue_age.set(max([self._age(w, now) for w in wanted if w.machine in waiting], default=0.0))

    def _age(self, want: Wanted, now: float) -> float:
        if want.requested_at:
            return max(0.0, now - datetime.fromisoformat(want.requested_at).timestamp())
        return now - self._first_seen.get(want.machine, now)

    # --- bookkeeping ---------------------------------------------------------------------------------------------------

    def _of(self, *states: State) -> list[Entry]:
        return [e for e in self._entries.values() if e.state in states]

    def _save(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._journal.save(entries)
            self._entries.update((e.key, e) for e in entries)

    def _log_outcome(self, entry: Entry) -> None:
        if entry.state is State.VERIFIED:
            self._metrics.cycles.labels("verified").inc()
            self._log.info(
                "cycled",
                machine=entry.machine,
                request=entry.request,
                driver=(entry.detail.get("power") or {}).get("driver"),
            )
        elif entry.state is State.FAILED:
            self.failures += 1
            error = entry.detail.get("error") or {}
            self._metrics.cycles.labels("failed").inc()
            self._metrics.failures.labels("powercycle", str(error.get("code") or "failed")).inc()
            self._log.error("cycle_failed", machine=entry.machine, request=entry.request, attempt=entry.attempts,
                            code=error.get("code"), message=error.get("message"))  # fmt: skip
