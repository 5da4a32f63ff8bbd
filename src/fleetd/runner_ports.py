# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the runner asks of the world: playbooks, a journal, and a server that has work."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class PlaybookRun:
    """One start of a playbook for exactly these hosts.

    ``report`` names the modules (full names) whose result is a host's outcome; any other task only counts when it fails.
    """

    id: str
    playbook: str
    inventories: tuple[str, ...]
    hosts: tuple[str, ...]
    report: tuple[str, ...]
    extra_vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HostOutcome:
    """What became of one host. ``result`` is the part of the module's result that was asked for; never an argument.

    ``error`` is ``{"code", "message", "details"}``, empty when ``ok``.
    """

    host: str
    ok: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunProgress:
    """``outcomes``: those since the start, each host once, the last word. ``finished``: no process of this run is left.

    ``launched`` is False only when it is certain that no playbook was started. ``problem`` says why a run ended badly.
    """

    outcomes: Sequence[HostOutcome] = ()
    finished: bool = False
    launched: bool = True
    problem: str = ""


class PlaybookRunner(Protocol):
    """Runs playbooks in processes that outlive the caller: what was started ends, and is found again by its id."""

    def hosts(self, inventories: Sequence[str], pattern: str) -> list[str]:
        """Names of the hosts that an inventory and a pattern select, sorted.

        :raises InvalidInput: an inventory can't be read or parsed, or there is none.
        """

    def start(self, run: PlaybookRun) -> None:
        """Start it and return at once.

        :raises FleetError: it could not be started; nothing was done then.
        """

    def progress(self, run_id: str) -> RunProgress:
        """How far it is. A run that nobody knows is finished and was never launched."""

    def known(self) -> list[str]:
        """Ids of the runs that :meth:`discard` has not seen yet, from earlier lives too."""

    def discard(self, run_id: str) -> None:
        """Forget a finished run; what is kept for people to read holds no secrets."""


class State(enum.StrEnum):
    """Life of one request in the journal."""

    RUNNING = "running"  # recorded before the playbook starts
    UNKNOWN = "unknown"  # the run ended and nobody saw what became of the machine: it may be off
    VERIFIED = "verified"  # cycled; the server does not know yet
    FAILED = "failed"  # not cycled; the server does not know yet
    WAITING = "waiting"  # failed, the server knows; may be tried again at not_before
    GIVEN_UP = "given_up"  # tried often enough
    DONE = "done"  # cycled, and the server has acknowledged it


@dataclass(frozen=True)
class Entry:
    """One request as the journal remembers it. ``request`` is None on a server that has no request ids.

    ``changed_at`` and ``not_before`` are seconds since the epoch. ``detail`` is the outcome: ``{"power"}`` or ``{"error"}``.
    """

    key: str
    machine: str
    request: str | None
    state: State
    attempts: int = 0
    run: str | None = None
    changed_at: float = 0.0
    not_before: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)


class Journal(Protocol):
    """Remembers, across SIGKILL and reboot, what was begun, done and acknowledged."""

    def entries(self) -> list[Entry]: ...

    def save(self, entries: Sequence[Entry]) -> None:
        """Insert or replace by key, all or none; on disk when it returns."""

    def forget(self, keys: Sequence[str]) -> None: ...

    def served(self) -> list[str]:
        """Machines that the server believes this runner serves."""

    def save_served(self, machines: Sequence[str]) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """A machine that is to be power cycled. ``request`` is None on a server that has no request ids."""

    machine: str
    request: str | None = None


class WorkServer(Protocol):
    """The machine server, ours or any that speaks ``/json/v1``. Methods raise ``TransportError`` when it can't be reached."""

    def wanted(self, served: frozenset[str]) -> list[Wanted]:
        """What is to be power cycled now, of the machines in ``served``."""

    def begun(self, request: str | None) -> None:
        """A cycle was started. For people who watch: nothing depends on it, and it may get lost."""

    def verified(self, machine: str, request: str | None, power: Mapping[str, Any]) -> None:
        """The machine went off and came on again. May be told twice. A request that is gone is not an error."""

    def failed(self, request: str | None, error: Mapping[str, Any]) -> None:
        """This attempt failed; ``error["details"]["run"]`` tells attempts apart, so that telling twice counts once.

        A server without request ids can't be told; that is not an error.
        """

    def availability(self, states: Mapping[str, str]) -> None:
        """Machine -> ``available``, ``in_error`` or ``not_available``."""
