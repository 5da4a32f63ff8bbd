# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What every topic shares: the change it prepares, the driver it goes over, and reading back until it is so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Protocol, TypeVar

from ..document.model import Attempt
from ..errors import FleetError, InvalidInput, NotVerified, TimedOut, TransientError, Unreachable, Unsupported
from ..ports import Clock
from ..power.attempts import first_driver
from ..power.ipmi import open_session
from ..power.options import BmcOptions, check_system
from ..power.redfish import open_service
from ..redfish.service import Service

T = TypeVar("T")
POLL_SECONDS = 2.0


class Ipmi(Protocol):
    """What a topic needs of :class:`fleetcore.ipmi.session.Session`."""

    name: str
    clock: Clock
    host: str

    def raw(self, **request: Any) -> list[int]: ...

    def call(self, function: Callable[[Any], Any]) -> Any: ...

    def drop(self) -> None: ...

    def remember(self, password: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Change:
    """A prepared change; nothing is written before ``apply``.

    :param before: the managed part as it is. ``after``: as it is to be; equal to ``before``: nothing to do, unless ``always``.
    :param facts: what the module returns when nothing is applied.
    :param apply: writes, reads back and returns what the module returns.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    apply: Callable[[], Mapping[str, Any]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    always: bool = False


@dataclass(frozen=True)
class Prepared:
    """A change, and the connection that it goes over, which the caller closes."""

    change: Change
    connection: Any
    attempts: tuple[Attempt, ...]


def open_ipmi(options: BmcOptions, clock: Clock) -> Ipmi:
    """IPMI over LAN; logs in at the first command.

    :raises MissingDependency: pyghmi is not installed.
    """
    return open_session(options, clock)


def prepare(
    options: BmcOptions,
    clock: Clock,
    what: str,
    redfish: Optional[Callable[[Service], Change]] = None,
    ipmi: Optional[Callable[[Ipmi], Change]] = None,
) -> Prepared:
    """The change as the first driver prepares it that can: drivers are tried in order while nothing was written yet.

    :param what: for messages: "<driver> can't do <what>".
    :raises FleetError: as of :func:`fleetcore.power.attempts.first_driver`.
    """

    def attempt(name: str) -> tuple[Change, Any]:
        makers: dict[str, Optional[Callable[[Any], Change]]] = {"redfish": redfish, "ipmi": ipmi}
        maker = makers.get(name)
        if maker is None:
            raise Unsupported(f"{name} can't do this ({what})", driver=name)
        connection: Any = open_service(options, clock) if name == "redfish" else open_ipmi(options, clock)
        try:
            if name == "redfish" and options.expected:  # over IPMI the driver looks itself, at its login
                check_system(options, connection.system()[1])
            return maker(connection), connection
        except BaseException:
            connection.close()
            raise

    (change, connection), attempts = first_driver(options.drivers, attempt)
    return Prepared(change, connection, attempts)


def carry_out(write: Callable[[], Any], look: Callable[[], T], why: Callable[[Any], str] = lambda _answer: "") -> T:
    """Write, then look whether it is so, also when the answer to the write was lost: only what is there tells whether it was done.

    :param look: :func:`read_back`, as a rule. ``why``: what there is to say, of the answer to the write, when nothing happened.
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
            error.args = (error.message,)
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
    :raises NotVerified: it is not so in the end; ``details["found"]`` is what was read last. The last error, if nothing was.
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


def seconds(params: Mapping[str, Any], name: str) -> float:
    """An option that is a time.

    :raises InvalidInput: less than 0.
    """
    value = float(params[name])
    if value < 0:
        raise InvalidInput(f"{name}: {value:g} is less than 0 seconds", field=name)
    return value
