# SPDX-License-Identifier: BSD-2-Clause

"""Holds sessions of IPMI over LAN with pyghmi, whose errors it translates. A session can be recorded and replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional, TypeVar, Union

from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    MissingDependency,
    PermissionDenied,
    SessionLimit,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ..ports import Clock
from .capture import RecordingSession, ReplayedSession, Transcript, record_late, record_login
from .fru import Asking, conducted
from .timed import TimedSession

try:
    from pyghmi import exceptions as pyghmi_exceptions
    from pyghmi.ipmi import command as pyghmi_command
except ImportError:
    pyghmi_command = None

T = TypeVar("T")
_NO_ANSWER = 0xFFFF  # pyghmi's own
# Completion codes (IPMI 2.0, table 5-2) by what they mean for us; the rest are bad responses.
_CODES: dict[int, tuple[type[FleetError], str]] = {
    0xC0: (Busy, "the BMC is busy"),
    0xC1: (Unsupported, "the BMC does not know this command"),
    0xC3: (Busy, "the BMC's own time-out"),
    0xCC: (Unsupported, "the BMC does not accept this value"),
    0xD4: (PermissionDenied, "this account may not do this"),
    0xD5: (Busy, "not possible in the present state"),
    _NO_ANSWER: (Unreachable, "no answer"),
}
# A BMC ends a session that was silent for a minute (IPMI 2.0, 6.12.15), and then does not answer in it.
_IDLE_SECONDS = 45.0


class Session:
    """A session with one BMC, which begins at the first command, and anew when the BMC has forgotten it.

    :param host: name or IP address. :param port: UDP. :param timeout: seconds for each answer.
    :param record: takes down every command.
    :param replay: commands with their answers, out of which is answered; nobody is contacted.
    :param on_login: is called right after the first login, with the session. What it raises ends the session, and it is
        called again after the next login.
    :raises MissingDependency: pyghmi is not installed (from the constructor).
    """

    name = "ipmi"

    def __init__(
        self,
        host: str,
        clock: Clock,
        *,
        port: int = 623,
        username: Optional[str] = None,
        password: Optional[str] = None,
        timeout: float = 30.0,
        record: Optional[Transcript] = None,
        replay: Optional[Iterable[Mapping[str, Any]]] = None,
        on_login: Optional[Callable[[Session], None]] = None,
    ) -> None:
        if pyghmi_command is None:
            raise MissingDependency(
                "the Python package pyghmi is not installed where the module runs: pip install pyghmi", package="pyghmi"
            )
        self.host = host
        self.clock = clock
        self._port = port
        self._username = username
        self._password = password
        self._timeout = timeout
        self._record = record
        self._replayed = None if replay is None else ReplayedSession(replay, pyghmi_exceptions.IpmiException)
        self._on_login = on_login
        self._connection: Any = None
        self._was_connected = False
        self._used = 0.0

    def raw(self, **request: Any) -> list[int]:
        """Send one command; the bytes of the answer after the completion code."""
        response = self.call(lambda connection: connection.raw_command(**request))
        if "error" in response:
            code = int(response.get("code") or 0)
            if code == _NO_ANSWER:
                self.drop()
            kind, words = _CODES.get(code, (BadResponse, str(response["error"])))
            raise kind(f"{self.host}: IPMI: {words} (completion code 0x{code:02x})", code=code)
        return list(response.get("data") or [])

    def call(self, function: Callable[[Any], Any]) -> Any:
        """Call into pyghmi with a connection that is logged in; its errors become ours."""
        try:
            if self._connection is not None and self.clock.monotonic() - self._used > _IDLE_SECONDS:
                self.drop()
            if self._connection is None:
                self._connection = self._connect()
                self._used = self.clock.monotonic()
                self._greet()
            result = function(self._connection)
            self._used = self.clock.monotonic()
            return result
        except FleetError:
            raise
        except pyghmi_exceptions.IpmiException as error:
            if not getattr(error, "ipmicode", 0):  # no completion code: the connection is at fault
                self.drop()
            raise _translate(self.host, error) from error
        except Exception as error:  # pyghmi trips over unexpected bytes with any built-in exception
            raise BadResponse(
                f"{self.host}: IPMI: the answer can't be used ({type(error).__name__}: {str(error)[:200]})"
            ) from error
        except BaseException:  # interrupted in the middle: what follows needs a login of its own
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(Exception):  # a session that can't be closed ends by itself
                    connection.ipmi_session.abandon()
            raise

    def ask(self, asking: Asking[T]) -> T:
        """Hold a conversation; what comes of it."""
        return conducted(
            asking, lambda said: bytes([0, *self.raw(netfn=said[0], command=said[1], data=list(said[2:]))])
        )

    def is_late(self, end: float, section: str) -> bool:
        """Say whether the deadline ``end`` (monotonic) has passed before ``section``; in a replay, whether it had."""
        if self._replayed is not None:
            return self._replayed.was_late(section)
        late = self.clock.monotonic() > end
        if late and self._record is not None:
            record_late(self._record, section)
        return late

    def drop(self) -> None:
        """Forget the connection; the next command logs in anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # a session that can't be closed ends by itself
                connection.ipmi_session.logout()

    def remember(self, password: str) -> None:
        """Use another password from the next login on: that of this login has changed."""
        self._password = password

    def close(self) -> None:
        """Log out. Idempotent."""
        self.drop()

    def _greet(self) -> None:
        """Call ``on_login`` once; what it asks must not call it again."""
        on_login, self._on_login = self._on_login, None
        if on_login is None:
            return
        try:
            on_login(self)
        except BaseException:
            self._on_login = on_login
            self.drop()
            raise

    def _connect(self) -> Any:
        again, self._was_connected = self._was_connected, True
        if self._replayed is not None:
            if again:
                self._replayed.log_in_again()
            return _over(self._replayed, "the capture")
        try:
            connection = self._log_in()
        except pyghmi_exceptions.IpmiException as error:
            if again and self._record is not None:
                record_login(self._record, str(error))
            raise
        if again and self._record is not None:
            record_login(self._record)
        if self._record is not None:
            connection.ipmi_session = RecordingSession(connection.ipmi_session, self._record)
        return connection

    def _log_in(self) -> Any:
        try:
            # As bytes: given text, pyghmi finds its closed session of the same login again, and fails.
            login = ((self._username or "").encode(), (self._password or "").encode())
            return _over(TimedSession(self.host, *login, self._port, seconds=self._timeout), self.host)
        except OSError as error:
            raise Unreachable(f"{self.host}: IPMI: {error.strerror or error}", address=self.host) from error


def _over(session: Union[TimedSession, ReplayedSession], host: str) -> Any:
    """pyghmi's Command over a session of ours. Its constructor would make one of its own."""
    connection = pyghmi_command.Command.__new__(pyghmi_command.Command)
    unknown = ("onlogon", "_sdrcachedir", "_sdr", "_oem", "_netchannel", "_ipv6support", "certverify")
    vars(connection).update(dict.fromkeys(unknown), bmc=host, _oemknown=False, kwargs={})
    connection.ipmi_session = session
    return connection


def _translate(host: str, error: Exception) -> FleetError:
    words = str(error) or type(error).__name__
    lower = words.lower()
    if "password" in lower or "unauthorized name" in lower or "rakp4" in lower:
        return AuthenticationFailed(
            f"{host}: IPMI: the BMC refused the login ({words}). Check username and password; not tried again, so as "
            "not to lock the account",
            address=host,
        )
    if "insufficient resources" in lower:
        return SessionLimit(f"{host}: IPMI: the BMC has no session left ({words})", address=host)
    if words in ("None", "IpmiException"):  # pyghmi has no words for a port that nobody listens on
        return Unreachable(f"{host}: IPMI: no answer", address=host)
    if "timeout" in lower or "no longer connected" in lower or "disconnected" in lower:
        return TimedOut(f"{host}: IPMI: no answer", address=host)
    if "privilege" in lower or "role" in lower:
        return PermissionDenied(f"{host}: IPMI: {words}", address=host)
    return BadResponse(f"{host}: IPMI: {words}", address=host)
