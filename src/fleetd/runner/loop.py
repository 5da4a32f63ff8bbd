# SPDX-License-Identifier: BSD-2-Clause
"""One control loop for all duties: call each when it is due, sleep in between, stop in an orderly way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fleetcore.errors import FleetError
from fleetcore.ports import Clock

from fleetd.common import logs


class Duty(Protocol):
    """A kind of work that the runner does again and again: power cycles, checks of controllers, a collection."""

    name: str

    finish_before_stop: bool
    """A stop waits for what it has in flight."""

    @property
    def busy(self) -> bool:
        """Work is in flight."""

    def step(self, *, accept_work: bool) -> float:
        """Do what is due and return the seconds until it wants to be called again.

        A server that is down is no error.

        :raises FleetError: it could not be done here, such as on a full disk; it is called again.
        """


class Stop:
    """Says how urgently to stop: 0 go on, 1 take no new work and finish, 2 leave now. Set from signal handlers."""

    def __init__(self) -> None:
        self.level = 0

    def request(self) -> None:
        self.level = min(self.level + 1, 2)


TROUBLE_SECONDS = 5.0


class _Troubles:
    """Processes whose step raised: the disk is full, the journal can't be written.

    One line each time that this changes.
    """

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self.any = False

    def step(self, duty: Duty, *, accept_work: bool) -> float:
        log = logs.get("fleetd.runner")
        try:
            wait = duty.step(accept_work=accept_work)
        except (FleetError, OSError) as error:
            message = error.message if isinstance(error, FleetError) else str(error)
            if self._said.get(duty.name) != message:
                log.error("process_stuck", process=duty.name, message=f"{message}; trying again")
            self._said[duty.name] = message
            self.any = True
            return TROUBLE_SECONDS
        if self._said.pop(duty.name, None) is not None:
            log.info("process_goes_on", process=duty.name)
        return wait


def run_loop(
    duties: Sequence[Duty],
    clock: Clock,
    stop: Stop,
    *,
    stop_seconds: float,
    once: bool = False,
    tick: float = 1.0,
) -> bool:
    """Run the duties until a stop is requested, or with ``once`` until each had its turn and none is busy.

    ``tick`` is the longest sleep: how long a stop may go unnoticed. After the first stop nothing new is accepted and
    what runs may end within ``stop_seconds``. A process that can't do its step is called again later, and holds up no
    other. Returns False when work was left behind (it goes on without this process and is picked up at the next start),
    or with ``once`` a step could not be done.
    """
    troubles = _Troubles()
    due = {p.name: 0.0 for p in duties}
    stopping_since: float | None = None
    turns = 0
    while stop.level < 2:
        now = clock.monotonic()
        if stop.level and stopping_since is None:
            stopping_since = now
            due = dict.fromkeys(due, 0.0)
            logs.get("fleetd.runner").info("stopping", busy=[p.name for p in duties if p.busy])
        accept = not stop.level and not (once and turns)
        for duty in duties:
            if due[duty.name] <= now:
                due[duty.name] = clock.monotonic() + troubles.step(duty, accept_work=accept)
        turns += 1
        busy = any(p.busy and (p.finish_before_stop or not stop.level) for p in duties)
        if not busy and (once or stop.level):
            return not (once and troubles.any)
        if stopping_since is not None and now - stopping_since >= stop_seconds:
            return False
        clock.sleep(max(0.0, min(tick, min(due.values()) - clock.monotonic())) if due else tick)
    return not any(p.busy and p.finish_before_stop for p in duties)
