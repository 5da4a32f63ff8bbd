# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One control loop for all processes: call each when it is due, sleep in between, stop in an orderly way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fleetcore.errors import FatalError, FleetError
from fleetcore.ports import Clock

from fleetd.common import logs


class Process(Protocol):
    """A kind of work: power cycles, availability checks, later collections."""

    name: str

    finish_before_stop: bool
    """A stop waits for what it has in flight."""

    @property
    def busy(self) -> bool:
        """Work is in flight."""

    def step(self, *, accept_work: bool) -> float:
        """Do what is due and return the seconds until it wants to be called again. Never raises for a server that is down.

        :raises FleetError: it could not be done here, such as on a full disk; it is called again.
        """


class Stop:
    """How urgently to stop: 0 go on, 1 take no new work and finish, 2 leave now. Set from signal handlers."""

    def __init__(self) -> None:
        self.level = 0

    def request(self) -> None:
        self.level = min(self.level + 1, 2)


class Link:
    """Whether the server can be reached: when to try again, and one clear line when that changes.

    :param random: returns 0..1; spreads the retries of many runners.
    :param log: name of the logger.
    """

    def __init__(
        self,
        clock: Clock,
        random: Callable[[], float],
        *,
        initial: float = 1.0,
        maximum: float = 60.0,
        log: str = "fleetd.runner",
    ) -> None:
        self._clock = clock
        self._random = random
        self._initial = initial
        self._maximum = maximum
        self._failures = 0
        self._until = 0.0
        self._said = ""
        self._log = logs.get(log)

    def wait(self) -> float:
        """Seconds until the server may be asked again; 0 when it is up."""
        return max(0.0, self._until - self._clock.monotonic())

    def worked(self) -> None:
        if self._failures:
            self._log.info("server_back", message="the machine server answers again", failures=self._failures)
        self._failures = 0
        self._until = 0.0
        self._said = ""

    def failed(self, error: FleetError) -> None:
        """Wait longer each time, up to the maximum; at once the maximum when trying again can't help by itself."""
        self._failures += 1
        delay = (
            self._maximum
            if isinstance(error, FatalError)
            else min(self._maximum, self._initial * 2.0 ** min(self._failures - 1, 30))
        )
        delay *= 0.5 + self._random() / 2
        self._until = self._clock.monotonic() + delay
        if error.code != self._said:
            self._said = error.code
            self._log.warning("server_down", message=f"{error.message}; going on, and trying again", code=error.code)


TROUBLE_SECONDS = 5.0


class _Troubles:
    """Processes whose step raised: the disk is full, the journal can't be written. One line each time that this changes."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self.any = False

    def step(self, process: Process, *, accept_work: bool) -> float:
        log = logs.get("fleetd.runner")
        try:
            wait = process.step(accept_work=accept_work)
        except (FleetError, OSError) as error:
            message = error.message if isinstance(error, FleetError) else str(error)
            if self._said.get(process.name) != message:
                log.error("process_stuck", process=process.name, message=f"{message}; trying again")
            self._said[process.name] = message
            self.any = True
            return TROUBLE_SECONDS
        if self._said.pop(process.name, None) is not None:
            log.info("process_goes_on", process=process.name)
        return wait


def run_loop(
    processes: Sequence[Process],
    clock: Clock,
    stop: Stop,
    *,
    stop_seconds: float,
    once: bool = False,
    tick: float = 1.0,
) -> bool:
    """Run the processes until a stop is requested, or with ``once`` until each had its turn and none is busy.

    ``tick`` is the longest sleep: how long a stop may go unnoticed. After the first stop nothing new is accepted and what runs may end
    within ``stop_seconds``. A process that can't do its step is called again later, and holds up no other. Returns False when work
    was left behind (it goes on without this process and is picked up at the next start), or with ``once`` a step could not be done.
    """
    troubles = _Troubles()
    due = {p.name: 0.0 for p in processes}
    stopping_since: float | None = None
    turns = 0
    while stop.level < 2:
        now = clock.monotonic()
        if stop.level and stopping_since is None:
            stopping_since = now
            due = dict.fromkeys(due, 0.0)
            logs.get("fleetd.runner").info("stopping", busy=[p.name for p in processes if p.busy])
        accept = not stop.level and not (once and turns)
        for process in processes:
            if due[process.name] <= now:
                due[process.name] = clock.monotonic() + troubles.step(process, accept_work=accept)
        turns += 1
        busy = any(p.busy and (p.finish_before_stop or not stop.level) for p in processes)
        if not busy and (once or stop.level):
            return not (once and troubles.any)
        if stopping_since is not None and now - stopping_since >= stop_seconds:
            return False
        clock.sleep(max(0.0, min(tick, min(due.values()) - clock.monotonic())) if due else tick)
    return not any(p.busy and p.finish_before_stop for p in processes)
