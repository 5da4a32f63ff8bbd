# SPDX-License-Identifier: BSD-2-Clause

"""Brings a machine to a power state, safely and over any driver: acts, waits, asks, compares.

A driver only acts and asks. This file says what may be repeated, how long to wait, and what counts as done:

* fatal errors (credentials, certificates) are never retried; transient ones are;
* an action that was accepted and changed nothing is repeated, then a failure (``NotVerified``), never a success;
* a driver that can't read the state is told each action once, and the result is never ``verified``;
* ``cycle`` guarantees power-on: once the machine may be off, power-on is tried again and again, and when it fails the
  error says that the machine may be off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import FleetError, InvalidInput, NotVerified, TimedOut, TransientError, Unsupported
from ..net.retry import ExponentialWait, retry
from ..ports import BMC_ACTIONS, Clock, PowerAction, PowerDriver, PowerState, PowerWait

STATES = ("on", "off", "cycle", "reset", "nmi")
POLL_SECONDS = 2.0
_WAITS = {PowerState.OFF: PowerWait.OFF, PowerState.ON: PowerWait.ON}
ON_ATTEMPTS = 5
"""How often the second half of a cycle is tried."""
_PAUSE = ExponentialWait(2.0, 15.0)
"""Between two times that something is done."""
_SHORT_PAUSE = ExponentialWait(1.0, 3.0, factor=3.0)
"""Between two times that the state is asked for, before anything is done."""


@dataclass(frozen=True)
class PowerOptions:
    """Times in seconds.

    :param graceful_timeout: how long the OS may take to shut down; 0: do not ask it, cut the power.
    :param force: cut the power when the OS did not shut down in time (``off``; a ``cycle`` always does).
    :param off_seconds: how long a cycle leaves the machine without power.
    :param verify_timeout: how long the controller may take until it reports the state that was asked for.
    """

    graceful_timeout: float = 60.0
    force: bool = False
    off_seconds: float = 5.0
    verify_timeout: float = 60.0
    poll_seconds: float = POLL_SECONDS


@dataclass(frozen=True)
class PowerStep:
    """One thing that was done, or in a plan: would be done. ``at`` is UTC, ``result`` a few words."""

    action: str
    at: Optional[str] = None
    seconds: Optional[float] = None
    result: str = "planned"

    def to_dict(self) -> dict[str, Any]:
        return {"action": self.action, "at": self.at, "seconds": self.seconds, "result": self.result}


@dataclass
class PowerResult:
    """What became of a request. ``soft``: the OS shut down by itself; ``verified``: the state was read back and is
    right.

    Not verified, and no error: the driver can't read the state, so nobody knows.
    """

    driver: str
    before: PowerState = PowerState.UNKNOWN
    after: PowerState = PowerState.UNKNOWN
    verified: bool = False
    soft: bool = False
    changed: bool = False
    steps: list[PowerStep] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {
            "driver": self.driver,
            "before": self.before.value,
            "after": self.after.value,
            "verified": self.verified,
            "soft": self.soft,
            "steps": [step.to_dict() for step in self.steps],
        }


def check_can(driver: PowerDriver, state: str) -> None:
    """Check that this driver can bring a machine to ``state`` at all.

    :raises InvalidInput: an unknown state. :raises Unsupported: it can't.
    """
    if state not in STATES:
        raise InvalidInput(f"state: {state!r} is not one of {', '.join(STATES)}", field="state")
    able = {
        "on": PowerAction.ON in driver.actions,
        "off": bool({PowerAction.OFF, PowerAction.SHUTDOWN} & driver.actions),
        "cycle": _has_halves(driver.actions) or PowerAction.CYCLE in driver.actions,
        "reset": PowerAction.RESET in driver.actions,
        "nmi": PowerAction.NMI in driver.actions,
    }
    if not able[state]:
        can = ", ".join(sorted(action.value for action in driver.actions)) or "nothing"
        raise Unsupported(f"{driver.name} can't do {state} (it can do: {can})", driver=driver.name, state=state)


def _has_halves(actions: frozenset[PowerAction]) -> bool:
    return {PowerAction.ON, PowerAction.OFF} <= actions


def plan(
    state: str, before: PowerState, options: PowerOptions, actions: frozenset[PowerAction] = BMC_ACTIONS
) -> tuple[str, ...]:
    """List the actions that :class:`PowerController` would take from ``before``; empty: nothing to do.

    ``shutdown|off`` means: ask the OS, and cut the power if it does not follow.

    :param actions: what the driver can do; :func:`check_can` said that it is enough.
    :raises InvalidInput: an unknown state.
    :raises Unsupported: reset and nmi of a machine that is off.
    """
    if state not in STATES:
        raise InvalidInput(f"state: {state!r} is not one of {', '.join(STATES)}", field="state")
    soft = _asks(options, actions)
    if state in ("reset", "nmi"):
        if before is PowerState.OFF:
            raise Unsupported(f"the machine is off: there is nothing to {state}; use state: on", state=state)
        return (state,)
    if state == "on":
        return () if before is PowerState.ON else ("on",)
    if state == "off":
        if before is PowerState.OFF:
            return ()
        return (("shutdown|off" if options.force else "shutdown") if soft else "off",)
    if not _has_halves(actions):
        return ("cycle",)
    off = () if before is PowerState.OFF else ("shutdown|off" if soft else "off",)
    return (*off, PowerWait.PAUSE.value, "on")


def _asks(options: PowerOptions, actions: frozenset[PowerAction]) -> bool:
    """Say whether the operating system is asked first."""
    return options.graceful_timeout > 0 and PowerAction.SHUTDOWN in actions


class PowerController:
    """Brings one machine to a power state over one driver.

    :param notify: is told each step right after it.
    :param permit: is asked once, just before an action that may take the power away; what it raises means that nothing
        is done.
    """

    def __init__(
        self,
        driver: PowerDriver,
        clock: Clock,
        options: Optional[PowerOptions] = None,
        notify: Callable[[PowerStep], None] = lambda _step: None,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._options = options or PowerOptions()
        self.result = PowerResult(driver=driver.name)
        self._told_off = False
        self._notify = notify
        self._permit = permit

    def run(self, state: str, known: Optional[PowerState] = None) -> PowerResult:
        """Do it, and verify it.

        :param known: the power state, if it was read just now.
        :raises FleetError: it failed; ``details["power"]`` is what was done until then, ``details["may_be_off"]`` is
            true when a machine that was to be on may be off.
        """
        try:
            check_can(self._driver, state)
            self.result.before = self.result.after = self._query() if known is None else known
            actions = plan(state, self.result.before, self._options, self._driver.actions)
            if actions and state != "on":
                self._permit()
            if actions == ("cycle",):
                self._cycle_in_one()
            elif state == "cycle":
                self._cycle()
            elif actions:
                self.result.changed = True
                self._simple(state)
            else:
                self.result.verified = True
        except FleetError as error:
            error.details.setdefault("power", self.result.to_dict())
            raise
        return self.result

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def _simple(self, state: str) -> None:
        if state == "on":
            self._reach(PowerAction.ON, PowerState.ON, self._options.verify_timeout)
        elif state == "off":
            self._off(self._options.force or not _asks(self._options, self._driver.actions))
        else:
            self._once(PowerAction.RESET if state == "reset" else PowerAction.NMI)
            if not self._driver.reads_state:
                return
            if state == "reset":
                self._wait(PowerState.ON, self._options.verify_timeout)
            else:
                self.result.after = self._query()
            self.result.verified = self.result.after is PowerState.ON
            if not self.result.verified:
                raise NotVerified(
                    f"the machine is {self.result.after.value} after the {state}, not on", may_be_off=True
                )

    def _cycle_in_one(self) -> None:
        """Let the controller do both halves. It counts as done when the machine was seen off, and then on."""
        self.result.changed = True
        self._once(PowerAction.CYCLE)
        if not self._driver.reads_state:
            return
        if self.result.before is not PowerState.OFF:
            self._wait(PowerState.OFF, self._options.verify_timeout)
            if self.result.after is not PowerState.OFF:
                raise NotVerified(
                    f"the controller accepted the cycle, and the machine was not seen off within "
                    f"{self._options.verify_timeout:g} s (it is {self.result.after.value})",
                    state=self.result.after.value,
                )
        self._wait(PowerState.ON, self._options.verify_timeout)
        if self.result.after is not PowerState.ON:
            raise NotVerified("THE MACHINE MAY BE OFF: it went off and did not come back on", may_be_off=True)
        self.result.verified = True

    def _cycle(self) -> None:
        self.result.changed = True
        try:
            if self.result.before is not PowerState.OFF:
                self._off(True)
            begin = self._begin()
            self._clock.sleep(self._options.off_seconds)
            self._step(PowerWait.PAUSE.value, begin, f"{self._options.off_seconds:g} s without power")
        except BaseException as error:  # also when interrupted: a machine that we may have switched off comes back
            blind = not self._driver.reads_state
            if (
                not isinstance(error, FleetError)
                and self._told_off
                and not blind
                and self.result.after is not PowerState.OFF
            ):
                self._wait(PowerState.OFF, self._options.verify_timeout)  # it may yet go off: too early for power-on
            if self.result.after is not PowerState.ON:
                self._come_back(error)
            raise
        try:
            self._power_on()
        except FleetError:
            raise
        except BaseException:
            self._power_on()
            raise

    def _power_on(self) -> None:
        try:
            self._reach(PowerAction.ON, PowerState.ON, self._options.verify_timeout, attempts=ON_ATTEMPTS)
        except FleetError as error:
            error.message = f"THE MACHINE MAY BE OFF: it was switched off and did not come back on: {error.message}"
            error.args = (error.message,)
            error.details["may_be_off"] = True
            raise

    def _come_back(self, cause: BaseException) -> None:
        try:
            self._power_on()
        except FleetError as error:
            if isinstance(cause, FleetError):
                cause.message = f"{cause.message}. {error.message}"
                cause.args = (cause.message,)
                cause.details["may_be_off"] = True
            else:
                raise error from cause

    def _off(self, force: bool) -> None:
        if _asks(self._options, self._driver.actions) and self._soft_off():
            return
        if not force:
            raise NotVerified(
                f"the machine did not shut down within {self._options.graceful_timeout:g} s; set force: true to cut "
                "the power",
                seconds=self._options.graceful_timeout,
            )
        self._reach(PowerAction.OFF, PowerState.OFF, self._options.verify_timeout)

    def _soft_off(self) -> bool:
        try:
            self._once(PowerAction.SHUTDOWN)
        except (Unsupported, TransientError):
            return False  # recorded as a step; hard comes next
        if not self._driver.reads_state:  # nobody tells when it is off: it gets all of its time
            self._clock.sleep(self._options.graceful_timeout)
            return False
        self._wait(PowerState.OFF, self._options.graceful_timeout)
        self.result.soft = self.result.verified = self.result.after is PowerState.OFF
        return self.result.soft

    # -- act, wait, query, compare -------------------------------------------------------------------------------------

    def _reach(self, action: PowerAction, target: PowerState, timeout: float, attempts: int = 3) -> None:
        """Repeat an action until the controller reports the target. Actions to a state are idempotent.

        Some controllers begin anew when they are told again: the last time they are left ``timeout`` as a whole.

        :raises NotVerified: every attempt was accepted and none took effect. Else the last transient error.
        """
        last: Optional[FleetError] = None
        self.result.verified = False
        for attempt in range(attempts):
            if attempt and last is not None:
                self._clock.sleep(_PAUSE.after(attempt))
            try:
                last = None
                self._once(action)
            except TransientError as error:
                last = error
            if not self._driver.reads_state:
                if last is None:
                    return  # accepted is all that there is to know
                continue
            if last is not None:
                patience = self._options.poll_seconds
            else:
                patience = timeout if attempt == attempts - 1 else timeout / attempts
            self._wait(target, patience)
            if self.result.after is target:
                self.result.verified = True
                return
        if last is not None:
            raise last
        raise NotVerified(
            f"the controller accepted {action.value!r} {attempts} times, and {timeout:g} s after the last time the "
            f"machine is still {self.result.after.value}, not {target.value}",
            action=action.value,
            state=self.result.after.value,
        )

    def _once(self, action: PowerAction) -> None:
        begin = self._begin()
        self._told_off = self._told_off or action in (PowerAction.OFF, PowerAction.SHUTDOWN)
        try:
            self._driver.set_power(action)
        except FleetError as error:
            self._step(action.value, begin, f"{error.code}: {error.message}")
            raise
        self._step(action.value, begin, "accepted")

    def _wait(self, target: PowerState, seconds: float) -> None:
        """Ask until the target is reported or the time is over; a controller that does not answer may come back."""
        begin = self._begin()
        while True:
            try:
                self.result.after = self._driver.power_state()
            except TransientError:
                self.result.after = PowerState.UNKNOWN
            waited = self._clock.monotonic() - begin[0]
            if self.result.after is target or waited >= seconds:
                break
            self._clock.sleep(min(self._options.poll_seconds, max(0.05, seconds - waited)))
        self._step(_WAITS[target].value, begin, self.result.after.value)

    def _query(self) -> PowerState:
        """Ask for the state, up to three times.

        :raises FleetError: the last error.
        """
        return retry(
            self._driver.power_state, self._clock, _SHORT_PAUSE, 3, again=lambda error: not isinstance(error, TimedOut)
        )

    def _begin(self) -> tuple[float, str]:
        return self._clock.monotonic(), self._clock.now()

    def _step(self, action: str, begin: tuple[float, str], result: str) -> None:
        step = PowerStep(action, begin[1], round(self._clock.monotonic() - begin[0], 3), result)
        self.result.steps.append(step)
        self._notify(step)
