# SPDX-License-Identifier: BSD-2-Clause
"""Values that the runner's parts hand to each other, and the port of what runs playbooks."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fleetcore.errors import FleetError
from fleetcore.ports import PowerState


@dataclass(frozen=True)
class PlaybookRun:
    """One start of a playbook for exactly these hosts.

    ``report`` names the modules (full names) whose result is a host's outcome; any other task only counts when it
    fails. With ``on_controller`` the playbook works on localhost for all of them: it gets them as the variable
    ``target``, and the module's ``failures`` (``[{"machine", "code", "message"}]``) says which of them failed. An
    ``urgent`` run makes machines safe: it is started also where there is hardly room for it.
    """

    id: str
    playbook: str
    inventories: tuple[str, ...]
    hosts: tuple[str, ...]
    report: tuple[str, ...]
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    on_controller: bool = False
    urgent: bool = False


def problem(code: str, message: str, **details: Any) -> dict[str, Any]:
    """An error as outcomes, the journal and the server have it."""
    return {"code": code, "message": message, "details": details}


@dataclass(frozen=True)
class HostOutcome:
    """The outcome of one host. ``result`` is the part of the module's result that was asked for; never an argument.

    ``error`` is a :func:`problem`, empty when ``ok``.
    """

    host: str
    ok: bool
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HostStep:
    """A power state, off or on, that was read back while the playbook still works on the host."""

    host: str
    state: PowerState
    message: str = ""


@dataclass(frozen=True)
class RunProgress:
    """``outcomes``: those since the start, each host once, the last word. ``finished``: no process of this run is left.

    ``steps`` is what hosts went through so far, in order; an executor that can't see it while it happens has none.
    ``launched`` is False only when it is certain that no playbook was started. ``problem`` says why a run ended badly.
    """

    outcomes: Sequence[HostOutcome] = ()
    finished: bool = False
    launched: bool = True
    problem: str = ""
    steps: Sequence[HostStep] = ()


Hosts = Callable[[Sequence[str], str, Sequence[str]], dict[str, dict[str, Any]]]
"""Takes inventories, a pattern and names of variables; see :class:`PlaybookRunner`."""


class PlaybookRunner(Protocol):
    """Runs playbooks in processes that outlive the caller: what was started ends, and is found again by its id."""

    @property
    def hosts(self) -> Hosts:
        """Function that reads an inventory: the hosts of a pattern, with those of the named variables that they have.

        :raises InvalidInput: an inventory can't be read or parsed, or there is none.
        """

    def start(self, run: PlaybookRun) -> None:
        """Start it and return at once.

        :raises FleetError: it could not be started; nothing was done then.
        """

    def progress(self, run_id: str) -> RunProgress:
        """Read how far a run is. A run that nobody knows is finished and was never launched."""

    def known(self) -> list[str]:
        """Ids of the runs that :meth:`discard` has not seen yet, from earlier lives too."""

    def discard(self, run_id: str) -> None:
        """Forget a finished run; what is kept for people to read holds no secrets."""


class EntryState(enum.StrEnum):
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

    ``changed_at`` and ``not_before`` are seconds since the epoch. ``detail`` is the outcome: ``{"power"}`` or
    ``{"error"}``; while it runs ``{"steps": [state, ...]}``. ``token`` is the fencing token of the claim under which it
    is done; None: nothing is claimed.
    """

    key: str
    machine: str
    request: str | None
    state: EntryState
    attempts: int = 0
    run: str | None = None
    changed_at: float = 0.0
    not_before: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)
    token: int | None = None


class JournalBroken(FleetError):
    """The journal can't be written or read: the disk is full, or the file is damaged."""

    code = "journal_broken"


@dataclass(frozen=True)
class Wanted:
    """A machine that is to be power cycled. ``request`` is None on a server that has no request ids.

    ``requested_at`` is in RFC 3339, empty when the server does not say.
    """

    machine: str
    request: str | None = None
    requested_at: str = ""
