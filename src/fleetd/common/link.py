# SPDX-License-Identifier: BSD-2-Clause
"""Whether a program's server can be reached, and how often it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from fleetcore.errors import FatalError, FleetError, TransportError
from fleetcore.net.retry import ExponentialWait
from fleetcore.ports import Clock

from fleetd.common import logs


def jittered(seconds: float, random: float) -> float:
    """``seconds`` give or take a tenth, so that many programs don't ask at once. ``random`` is from 0 to 1."""
    return seconds * (0.9 + random / 5)


@dataclass
class Link:
    """Whether the server can be reached: when to try again, and one clear line when that changes.

    :param random: returns 0..1; spreads the retries of many runners.
    :param log: name of the logger.
    """

    clock: Clock
    random: Callable[[], float]
    _: KW_ONLY
    initial: float = 1.0
    maximum: float = 60.0
    log: str = "fleetd.runner"
    _failures: int = field(default=0, init=False)
    _until: float = field(default=0.0, init=False)
    _said: str = field(default="", init=False)

    def wait(self) -> float:
        """Seconds until the server may be asked again; 0 when it is up."""
        return max(0.0, self._until - self.clock.monotonic())

    def worked(self) -> None:
        if self._failures:
            logs.get(self.log).info("server_back", message="the machine server answers again", failures=self._failures)
        self._failures = 0
        self._until = 0.0
        self._said = ""

    def failed(self, error: FleetError) -> None:
        """Wait longer each time, up to the maximum; at once the maximum when trying again can't help by itself."""
        self._failures += 1
        wait = ExponentialWait(self.maximum if isinstance(error, FatalError) else self.initial, self.maximum)
        self._until = self.clock.monotonic() + wait.after(self._failures, self.random())
        if error.code != self._said:
            self._said = error.code
            logs.get(self.log).warning(
                "server_down", message=f"{error.message}; going on, and trying again", code=error.code
            )

    def told(self, say: Callable[[], object], refused: Callable[[FleetError], object]) -> bool:
        """Say something to the server unless it is down; whether it has heard it.

        :param refused: is told of an answer that the server does not want to hear it; to say it again would not help.
        """
        if self.wait():
            return False
        try:
            say()
        except TransportError as error:
            self.failed(error)
            return False
        except FleetError as error:
            refused(error)
        self.worked()
        return True
