# SPDX-License-Identifier: BSD-2-Clause
"""Decisions of the runner, as pure functions: which requests to start, which to forget, when to try again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fleetcore.net.retry import ExponentialWait
from fleetcore.ports import PowerState, PowerWait

from fleetd.runner.ports import Entry, EntryState, HostOutcome, RunProgress, Wanted, problem

OWNED = frozenset({EntryState.RUNNING, EntryState.UNKNOWN, EntryState.VERIFIED, EntryState.FAILED})
"""States in which a request is this runner's: nobody else should get it."""

KEEP_SECONDS = 7 * 86400.0
"""A settled request is remembered for so long, which is longer than a server shows a stale list."""

# Names that every inventory plugin and --limit take literally: no range, wildcard, exclusion, port or separator, and
# not what Ansible itself means by a word.
_EXACT = re.compile(r"(?!(?:all|ungrouped|localhost|_meta)$)[A-Za-z0-9_][A-Za-z0-9_.@/+-]*")


@dataclass(frozen=True)
class RetryPolicy:
    """After failure n, wait ``initial * 2**(n-1)`` seconds, at most ``maximum``; ``attempts`` in all."""

    initial: float = 60.0
    maximum: float = 3600.0
    attempts: int = 3

    @property
    def longest(self) -> float:
        """No wait is longer, its jitter included."""
        return max(self.initial, self.maximum) * 1.25

    def delay(self, attempts: int) -> float:
        return ExponentialWait(self.initial, self.maximum).after(attempts)


@dataclass(frozen=True)
class Decision:
    """``start``: entries to record and run. ``again``: cycled, but the server still lists them: tell it again.

    ``reclaim``: in flight, but the server offers them to everybody again, because the session was lost: claim them
    anew.
    """

    start: tuple[Entry, ...] = ()
    again: tuple[Entry, ...] = ()
    reclaim: tuple[Entry, ...] = ()
    forget: tuple[str, ...] = ()


def exact_names(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split into names that can be targeted exactly and names that a pattern could mistake."""
    good: list[str] = []
    bad: list[str] = []
    for name in names:
        (good if _EXACT.fullmatch(name) else bad).append(name)
    return good, bad


def due(not_before: float, now: float, longest: float) -> bool:
    """Whether a wait is over.

    One that would be longer than any wait can be is the work of a clock that was set back.
    """
    return not now < not_before <= now + longest


def decide(
    wanted: Sequence[Wanted],
    entries: Iterable[Entry],
    served: frozenset[str],
    now: float,
    policy: RetryPolicy = RetryPolicy(),
) -> Decision:
    """Compare what the server asks for with what the journal knows.

    ``wanted`` must have been fetched after the last acknowledgement was sent. On a server without request ids a machine
    that is listed again after its acknowledgement is a new request; one that is no longer listed was withdrawn.
    """
    by_key = {e.key: e for e in entries}
    by_machine: dict[str, list[Entry]] = {}
    for entry in by_key.values():
        by_machine.setdefault(entry.machine, []).append(entry)
    start: dict[str, Entry] = {}
    again: list[Entry] = []
    reclaim: list[Entry] = []
    for want in wanted:
        of_machine = by_machine.get(want.machine, [])
        if want.machine not in served or want.machine in start:
            continue
        if any(e.state in (EntryState.RUNNING, EntryState.UNKNOWN) for e in of_machine):
            reclaim += [
                e for e in of_machine if e.request is not None and e.request == want.request and e.state in OWNED
            ]
            continue
        entry = _known(want, by_key, of_machine) or Entry(
            key=want.request or f"{want.machine}@{now:.6f}",
            machine=want.machine,
            request=want.request,
            state=EntryState.WAITING,
        )
        if entry.state is EntryState.DONE:
            again.append(entry)
        elif entry.state in (EntryState.VERIFIED, EntryState.FAILED) and entry.request is not None:
            reclaim.append(entry)
        elif entry.state is EntryState.WAITING and due(entry.not_before, now, policy.longest):
            start[want.machine] = replace(
                entry, state=EntryState.RUNNING, attempts=entry.attempts + 1, changed_at=now, detail={}
            )
    listed = {w.machine for w in wanted}
    forget = [
        e.key for e in by_key.values() if _forgettable(e, listed, now) and e.key not in {s.key for s in start.values()}
    ]
    return Decision(tuple(start.values()), tuple(again), tuple(reclaim), tuple(forget))


def _known(want: Wanted, by_key: Mapping[str, Entry], of_machine: Sequence[Entry]) -> Entry | None:
    if want.request is not None:
        return by_key.get(want.request)
    return next((e for e in of_machine if e.request is None and e.state is not EntryState.DONE), None)


def _forgettable(entry: Entry, listed: set[str], now: float) -> bool:
    if entry.state not in (EntryState.DONE, EntryState.WAITING, EntryState.GIVEN_UP):
        return False
    if entry.request is None:
        return entry.state is EntryState.DONE or entry.machine not in listed
    return now - entry.changed_at > KEEP_SECONDS


_READ_BACK = {PowerWait.OFF: PowerState.OFF, PowerWait.ON: PowerState.ON}


def passed(entry: Entry, state: PowerState) -> Entry:
    """The entry once its machine was seen off, or on again, in the middle of the cycle."""
    return replace(entry, detail={**entry.detail, "steps": [*(s.value for s in steps_told(entry)), state.value]})


def steps_told(entry: Entry) -> list[PowerState]:
    """The steps that are in the journal; each is told to the server once."""
    return [PowerState(state) for state in entry.detail.get("steps") or []]


def step_seen(step: Mapping[str, Any]) -> tuple[PowerState, str] | None:
    """The power state that a step of the power module has read back, with a message; None for any other step.

    :param step: as in the module's result, and as a run writes it while the module works.
    """
    for wait, state in _READ_BACK.items():
        if (step.get("action"), step.get("result")) == (wait.value, state.value):
            seconds = float(step.get("seconds") or 0)
            return state, f"power read back at {step.get('at')}, {seconds:.1f} s after it was asked for"
    return None


def steps_of(power: Mapping[str, Any]) -> list[tuple[PowerState, str]]:
    """Off and on with a message, from the steps that the power module returns."""
    found = dict(seen for step in power.get("steps") or [] if (seen := step_seen(step)))
    return [(state, found[state]) for state in _READ_BACK.values() if state in found]


def after_run(entry: Entry, outcome: HostOutcome | None, progress: RunProgress, now: float) -> Entry:
    """The entry once its host has an outcome, or its run has ended without one."""
    if outcome is None and progress.launched:
        return replace(entry, state=EntryState.UNKNOWN, changed_at=now)
    if outcome is None and not progress.problem:
        # Recorded, never started: nothing was done, so it is as if it had not been taken.
        untaken = replace(entry, state=EntryState.WAITING, attempts=entry.attempts - 1, not_before=0.0)
        return replace(untaken, changed_at=now)
    failed = HostOutcome(entry.machine, False, {}, problem("not_started", progress.problem))
    return settle(entry, outcome or failed, now)


def settle(entry: Entry, outcome: HostOutcome, now: float) -> Entry:
    """The entry after its host's outcome: verified, failed, or unknown if the machine may be off."""
    power = dict(outcome.result.get("power") or {})
    if outcome.ok and power.get("verified"):
        return _ended(entry, EntryState.VERIFIED, now, power=power)
    if outcome.ok:
        error = problem("not_verified", "the playbook ended without a verified power cycle")
        return _ended(entry, EntryState.FAILED, now, error=error)
    state = EntryState.UNKNOWN if _may_be_off(outcome) else EntryState.FAILED
    return _ended(entry, state, now, error=dict(outcome.error))


def _ended(entry: Entry, state: EntryState, now: float, **detail: Any) -> Entry:
    return replace(entry, state=state, changed_at=now, detail={**_steps(entry), **detail})


def _steps(entry: Entry) -> dict[str, Any]:
    return {"steps": entry.detail["steps"]} if entry.detail.get("steps") else {}


def _may_be_off(outcome: HostOutcome) -> bool:
    details = outcome.error.get("details") or {}
    if details.get("reason") == "lease_lost":
        return False  # nothing was done; whoever has the machine now may have it off
    power = outcome.result.get("power") or details.get("power") or {}
    after = power.get("after") if isinstance(power, Mapping) else power
    return bool(details.get("may_be_off")) or after == "off"


def refuse(entry: Entry, others: Sequence[str], now: float) -> Entry:
    """The entry of a machine that is not power cycled: nobody knows which one its controller would switch."""
    message = (
        f"its power controller is, by the inventory, also that of {', '.join(others)}: nothing was done. "
        "Correct the inventory; where one BMC has several systems, bmc_system says which is which"
    )
    error = problem("conflict", message, machines=list(others))
    return replace(entry, state=EntryState.FAILED, changed_at=now, detail={"error": error})


def resolve(entry: Entry, outcome: HostOutcome, now: float) -> Entry:
    """The entry after its machine was made sure to be on. A machine that had to be switched on has been off: cycled.

    So has one that was seen off before the interruption. Of any other nobody can tell whether it was cycled, so this
    attempt counts as failed and says so.
    """
    if not outcome.ok:
        return replace(entry, changed_at=now, detail={**entry.detail, "recovery": dict(outcome.error)})
    power = dict(outcome.result.get("power") or {})
    error = dict(entry.detail.get("error") or {})
    if power.get("before") == "off" or (PowerState.OFF in steps_told(entry) and not error):
        return _ended(entry, EntryState.VERIFIED, now, power={**power, "recovered": True})
    unknown = "the run was interrupted; the machine is on, whether it was power cycled is not known"
    return _ended(entry, EntryState.FAILED, now, error=error or problem("interrupted", unknown), power=power)


def after_report(entry: Entry, now: float, policy: RetryPolicy, jitter: float) -> Entry:
    """The entry once the server knows its outcome. ``jitter`` in 0..1 stretches the delay by up to a quarter.

    A server with request ids counts the attempts and leaves the request out of its list until the next is due.
    """
    if entry.state is EntryState.VERIFIED:
        return replace(entry, state=EntryState.DONE, changed_at=now, token=None)
    if entry.request is not None:
        return replace(entry, state=EntryState.WAITING, changed_at=now, not_before=now, token=None)
    if entry.attempts >= policy.attempts:
        return replace(entry, state=EntryState.GIVEN_UP, changed_at=now)
    later = now + policy.delay(entry.attempts) * (1 + jitter / 4)
    return replace(entry, state=EntryState.WAITING, changed_at=now, not_before=later)
