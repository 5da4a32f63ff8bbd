# SPDX-License-Identifier: BSD-2-Clause

"""What the cores ask of the world. Live, record and replay are adapters of the same port."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Protocol


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request. ``url`` is absolute or a path that the transport resolves against its base."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Optional[bytes] = None
    timeout: Optional[float] = None  # seconds; None: the transport's own


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP answer, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class HttpStream:
    """An HTTP answer whose body goes on: ``lines`` gives each as it comes and raises a ``TransportError`` when it
    breaks off.

    Call ``close`` when done with it. Header names are lower case.
    """

    status: int
    headers: Mapping[str, str]
    lines: Iterator[bytes]
    close: Callable[[], None]


class HttpStreams(Protocol):
    """Sends one request and returns the answer as soon as its body begins.

    :param quiet: seconds without a byte after which the body counts as broken off.
    :raises TransportError: no answer came.
    """

    def stream(self, request: HttpRequest, quiet: float) -> HttpStream: ...


class Http(Protocol):
    """Sends one request and returns the answer.

    :raises TransportError: no answer came (``Unreachable``, ``TimedOut``, ``CertificateInvalid``). A status is not an
        error.
    """

    def send(self, request: HttpRequest) -> HttpResponse: ...

    def close(self) -> None: ...


class AsyncHttp(Protocol):
    """:class:`Http` in an event loop."""

    async def send(self, request: HttpRequest) -> HttpResponse: ...

    def close(self) -> None: ...


class Clock(Protocol):
    """Time, injected. ``monotonic`` in seconds, ``now`` as a UTC RFC 3339 string with a trailing ``Z``."""

    def monotonic(self) -> float: ...

    def now(self) -> str: ...

    def sleep(self, seconds: float) -> None: ...


class Locks(Protocol):
    """Names that one process at a time may hold.

    ``hold`` takes all of them, waits at most ``timeout`` seconds altogether, tells whether it had to wait, and gives
    them back at the end, however it ends.

    :raises Busy: others had one of them for all that time.
    """

    def hold(self, names: Iterable[str], timeout: float) -> AbstractContextManager[bool]: ...


@dataclass(frozen=True)
class CommandResult:
    """What a command left: ``rc`` is None when it was killed at its time-out."""

    argv: Sequence[str]
    rc: Optional[int]
    stdout: str
    stderr: str


class CommandRunner(Protocol):
    """Runs one tool without a shell.

    :raises MissingDependency: the tool is not installed.
    """

    def run(self, argv: Sequence[str], timeout: float) -> CommandResult: ...


class FileReader(Protocol):
    """Reads files of the machine, above all of ``/sys`` and ``/proc``. Paths are absolute.

    ``read`` gives the first ``limit`` bytes of a file, ``names`` what is in a folder, sorted, ``link`` where a symbolic
    link points to, as it is written.

    :raises NotFound: there is no such file, folder or link.
    :raises PermissionDenied: only root may.
    :raises TransportError: anything else; a device that went away while it was read.
    """

    def read(self, path: str, limit: int) -> bytes: ...

    def names(self, path: str) -> Sequence[str]: ...

    def link(self, path: str) -> str: ...


def _nothing() -> None:
    """Close what was never opened."""


@dataclass(frozen=True)
class Plan:
    """A change that is worked out and not yet made. Nothing is written before ``apply``; ``check_mode`` calls
    ``preview``.

    :param before: the managed part of what is there; shown as diff.
    :param after: that part as it is to be. Equal to ``before``: nothing to do, unless ``always``.
    :param preview: gives the return values if nothing is done.
    :param apply: does it, reads back, and gives the return values. ``warnings`` among them are shown as such.
    :param always: apply even if there is no difference to be seen; the return values may then say ``changed``.
    :param besides: return values that are added to both.
    :param close: gives back what the plan holds open. Called once, however it ends.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    preview: Callable[[], Mapping[str, Any]]
    apply: Callable[[], Mapping[str, Any]]
    always: bool = False
    besides: Mapping[str, Any] = field(default_factory=dict)
    close: Callable[[], None] = _nothing


class PowerState(str, enum.Enum):
    """Power as the controller reports it. Unknown vendor words become UNKNOWN."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class PowerWait(str, enum.Enum):
    """A step of a power request that only waits; its other steps are a :class:`PowerAction`."""

    PAUSE = "wait"
    OFF = "wait for off"
    ON = "wait for on"


class PowerAction(str, enum.Enum):
    """What a controller can be told to do. ``SHUTDOWN`` asks the OS; ``OFF`` does not ask.

    ``CYCLE`` is off and on again by the controller itself, for those that can't do the halves.
    """

    ON = "on"
    OFF = "off"
    SHUTDOWN = "shutdown"
    RESET = "reset"
    NMI = "nmi"
    CYCLE = "cycle"


BMC_ACTIONS = frozenset(PowerAction) - {PowerAction.CYCLE}


class PowerDriver(Protocol):
    """One way to one machine's power. Drivers only act and query: retry and verification are in ``power.base``.

    ``actions``: what it can be told at all; another action is ``Unsupported``. ``reads_state``: false where nobody can
    be asked: ``power_state`` is then always UNKNOWN, and whatever is done stays unverified.

    Methods raise ``FatalError``, ``TransientError`` or ``Unsupported``; vendor exceptions never leave a driver.
    """

    name: str
    actions: frozenset[PowerAction]
    reads_state: bool

    def power_state(self) -> PowerState: ...

    def set_power(self, action: PowerAction) -> None: ...

    def close(self) -> None: ...
