# SPDX-License-Identifier: BSD-2-Clause
"""Access to a virtual BMC: accounts, sessions and their limit, lockout after wrong passwords."""

from __future__ import annotations

import base64
import binascii
import hmac
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Session:
    id: str
    token: str
    username: str
    used: float


class TooManySessions(Exception):
    """The BMC has no free session."""


class Access:
    """Accounts and their sessions: the first one, and `others` (name -> password) that can log in too.

    `limit`: sessions at a time; `timeout`: seconds without a request until a session ends; `lockout_after`: wrong
    passwords in a row until the account is locked (0: never) for `lockout_seconds`. `clock`: monotonic seconds.
    """

    def __init__(
        self,
        username: str,
        password: str,
        clock: Callable[[], float],
        *,
        limit: int = 16,
        timeout: float = 1800.0,
        lockout_after: int = 0,
        lockout_seconds: float = 60.0,
    ) -> None:
        self.username = username
        self.password = password
        self.others: dict[str, str] = {}
        self.limit = limit
        self.timeout = timeout
        self.failed = 0
        self._clock = clock
        self._lockout_after = lockout_after
        self._lockout_seconds = lockout_seconds
        self._failed_in_a_row = 0
        self._locked_until = float("-inf")
        self._by_token: dict[str, Session] = {}
        self._ids = itertools.count(1)

    @property
    def locked(self) -> bool:
        return self._clock() < self._locked_until

    def check_password(self, username: object, password: object) -> bool:
        """Whether name and password are right and the account isn't locked; counts failures."""
        known = {**self.others, self.username: self.password}
        expected = known.get(username) if isinstance(username, str) else None
        right = (
            expected is not None
            and isinstance(password, str)
            and hmac.compare_digest(password.encode(), expected.encode())
        )
        if right and not self.locked:
            self._failed_in_a_row = 0
            return True
        self.failed += 1
        self._failed_in_a_row += 1
        if self._lockout_after and self._failed_in_a_row >= self._lockout_after and not self.locked:
            self._locked_until = self._clock() + self._lockout_seconds
            self._failed_in_a_row = 0
        return False

    def check_basic(self, header: str) -> bool:
        """Whether an `Authorization` header carries the right Basic login."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self.check_password(username, password)

    def open(self, username: str) -> Session:
        """A new session. Raises TooManySessions."""
        if len(self.sessions()) >= self.limit:
            raise TooManySessions
        session = Session(str(next(self._ids)), secrets.token_hex(16), username, self._clock())
        self._by_token[session.token] = session
        return session

    def check_token(self, token: str) -> bool:
        session = self._by_token.get(token)
        if session is None:
            return False
        now = self._clock()
        if now - session.used > self.timeout:
            del self._by_token[token]
            return False
        session.used = now
        return True

    def close(self, session_id: str) -> bool:
        """End a session; False when there is none with this id."""
        for session in list(self._by_token.values()):
            if session.id == session_id:
                del self._by_token[session.token]
                return True
        return False

    def close_all(self) -> None:
        self._by_token.clear()

    def sessions(self) -> list[Session]:
        """The sessions that haven't timed out."""
        now = self._clock()
        for session in list(self._by_token.values()):
            if now - session.used > self.timeout:
                del self._by_token[session.token]
        return list(self._by_token.values())
