# SPDX-License-Identifier: BSD-2-Clause

"""Connects to a BMC for a change, writes, and reads back until it is so: all that kinds of changes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional, TypeVar, Union

from ..document.model import to_dict
from ..errors import FleetError, NotVerified, TimedOut, TransientError, Unreachable, Unsupported
from ..ipmi.session import Session as Ipmi
from ..option import Options, Params
from ..ports import Clock, Plan
from ..power.attempts import first_driver
from ..power.ipmi import open_session
from ..power.options import bmc_options, check_system, seconds
from ..power.redfish import open_service
from ..redfish.service import Service

T = TypeVar("T")
POLL_SECONDS = 2.0


Connection = Union[Service, Ipmi]
"""An open way to one BMC. ``name`` is that of the driver."""


Maker = Callable[[Any, Params], Plan]
"""What plans a change, of the connection and the module's options."""


@dataclass(frozen=True)
class Change:
    """One kind of change. Each file of this folder exports one, as ``CHANGE``.

    :ivar what: it changes, for messages: "<driver> can't do this (<what>)".
    :ivar options: what its module takes besides how to reach the BMC.
    :ivar redfish: plans the change over Redfish. ``ipmi``: over IPMI; None: it can't be done so.
    """

    what: str
    options: Options
    redfish: Maker
    ipmi: Optional[Maker] = None

    def plan(self, params: Params, clock: Clock) -> Plan:
        """Plan over the first driver that can: they are tried in order, as nothing is written yet.

        The plan holds the connection open until it is closed, and tells ``attempts`` besides.

        :raises FleetError: as of :func:`fleetcore.power.attempts.first_driver`.
        """
        options = bmc_options(params)

        def attempt(name: str) -> Plan:
            maker = {"redfish": self.redfish, "ipmi": self.ipmi}.get(name)
            if maker is None:
                raise Unsupported(f"{name} can't do this ({self.what})", driver=name)
            connection: Any = open_service(options, clock) if name == "redfish" else open_session(options, clock)
            try:
                if name == "redfish" and options.expected:  # over IPMI the driver looks itself, at its login
                    check_system(options, connection.system()[1])
                return replace(maker(connection, params), close=connection.close)
            except BaseException:
                connection.close()
                raise

        plan, attempts = first_driver(options.drivers, attempt)
        return replace(plan, besides={"attempts": [to_dict(item) for item in attempts]})


def reach(
    clock: Clock,
    params: Mapping[str, Any],
    write: Callable[[], Any],
    read: Callable[[], T],
    good: Callable[[T], bool],
    what: str,
    *,
    settle: float = 0.0,
    why: Callable[[Any], str] = lambda _answer: "",
) -> T:
    """Write, then read until it is ``good``, for as long as the option ``verify_timeout`` says.

    Parameters, results and errors are those of :func:`carry_out` and :func:`read_back`.
    """
    timeout = seconds(params, "verify_timeout")
    return carry_out(write, lambda: read_back(clock, read, good, what, timeout=timeout, settle=settle), why)


def carry_out(write: Callable[[], Any], look: Callable[[], T], why: Callable[[Any], str] = lambda _answer: "") -> T:
    """Write, then look whether it is so, also when the answer to the write was lost: only a look tells what was done.

    :param look: :func:`read_back`, as a rule.
    :param why: says, of the answer to the write, why nothing happened; empty: nobody knows.
    :raises FleetError: of ``write`` when it was refused, or lost and without effect; else of ``look``.
    """
    lost, answer = None, None
    try:
        answer = write()
    except (TimedOut, Unreachable) as error:
        lost = error
    try:
        return look()
    except NotVerified as error:
        if lost is not None:
            raise lost from None
        reason = why(answer)
        if reason:
            error.message = f"{error.message} ({reason})"
        raise


def read_back(
    clock: Clock,
    read: Callable[[], T],
    good: Callable[[T], bool],
    what: str,
    *,
    timeout: float,
    settle: float = 0.0,
) -> T:
    """Read until it is ``good``, and still is after ``settle`` seconds: some BMCs take a change back.

    :param timeout: seconds that the BMC has to show it.
    :raises NotVerified: it is not so in the end; ``details["found"]`` is what was read last.
    :raises FleetError: the last error, if nothing could be read.
    """
    begin = clock.monotonic()
    last: Optional[FleetError] = None
    found: Any = None
    once_good = False
    while True:
        try:
            value = read()
            found, last = value, None
        except TransientError as error:
            last = error
        else:
            if good(value):
                if once_good or not settle:
                    return value
                once_good = True
                clock.sleep(settle)
                continue
            if once_good:
                raise NotVerified(
                    f"the BMC took it back: {what} was so at first, then it is {_short(found)}",
                    found=found,
                    reverted=True,
                )
        if clock.monotonic() - begin >= timeout:
            if last is not None:
                raise last
            raise NotVerified(
                f"the BMC accepted it and nothing happened: {what} is {_short(found)} after {timeout:g} s", found=found
            )
        clock.sleep(min(POLL_SECONDS, max(0.05, timeout / 10)))


def _short(value: Any) -> str:
    words = ", ".join(f"{name}: {item}" for name, item in value.items()) if isinstance(value, Mapping) else str(value)
    return words[:300]
