# SPDX-License-Identifier: BSD-2-Clause
"""Who asks, and what they may do.

A token is 256 random bits, so a plain SHA-256 of it is enough at rest: there is nothing to guess.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fleetcore.errors import InvalidInput

from fleetd.server.kernel.auth.model import Scope, Token, WebSession
from fleetd.server.kernel.auth.store import TokenStore
from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.ids import new_id
from fleetd.server.kernel.tally import Count, Tally

LOGINS_FAILED = Count("logins_failed", "Tokens and logins that were refused", "kind", ("page", "token"))
PREFIX = "fleetd_"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.@:-]{0,99}$")


class May(enum.Flag):
    """What a caller may do."""

    NOTHING = 0
    READ = enum.auto()
    OPERATE = enum.auto()  # register and change machines, request power cycles
    REPORT = enum.auto()  # report power cycles, say whether controllers answer
    PUBLISH = enum.auto()  # device documents and events
    ADMIN = enum.auto()  # tokens
    WORK = enum.auto()  # hold sessions and work
    SECRETS = enum.auto()  # read credentials


GRANTS = {
    Scope.VIEWER: May.READ,
    Scope.OPERATOR: May.READ | May.OPERATE | May.PUBLISH | May.WORK,
    Scope.RUNNER: May.READ | May.REPORT | May.PUBLISH | May.WORK | May.SECRETS,
    Scope.AGENT: May.PUBLISH,
    Scope.ADMIN: May.READ | May.OPERATE | May.REPORT | May.PUBLISH | May.WORK | May.SECRETS | May.ADMIN,
}


@dataclass(frozen=True)
class Principal:
    """Who asks. ``machine`` limits an agent to its own machine."""

    name: str
    may: May
    roles: tuple[str, ...] = ()
    machine: str | None = None
    csrf: str | None = None  # of a login of the page

    @property
    def anonymous(self) -> bool:
        return not self.name

    @property
    def actor(self) -> str:
        """Who is said to have done it."""
        return self.name or "anonymous"

    def can(self, wanted: May, machine: str | None = None) -> bool:
        """Whether ``wanted`` is granted (for ``machine``, if the caller is bound to one)."""
        return wanted in self.may and (self.machine is None or self.machine == machine)


@dataclass(frozen=True)
class Login:
    """A new login of the page: the cookie's value and how many seconds it lasts."""

    secret: str
    seconds: int


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token(session_secret: str) -> str:
    """What forms of a login carry; another site can't compute it."""
    return hmac.new(session_secret.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


class Tokens:
    """Use cases around tokens and logins."""

    def __init__(self, tx: Transactions, clock: Clock, tally: Tally, session_hours: int = 12) -> None:
        self._store = TokenStore(tx)
        self._clock = clock
        self._tally = tally
        self._session = timedelta(hours=session_hours)

    def create(
        self,
        name: str,
        scope: Scope,
        expires_in: timedelta | None = None,
        machine: str | None = None,
        only_first: bool = False,
    ) -> tuple[Token, str]:
        """A new token and its secret, which can't be read again.

        :raises InvalidInput: the name; an agent's token without a machine, or a machine with another scope.
        :raises ConflictError: the name is taken, or (``only_first``) there are tokens.
        """
        if not _NAME.match(name):
            raise InvalidInput(f"name: {name[:80]!r}: use letters, digits and _ . @ : -, at most 100", field="name")
        if (scope == Scope.AGENT) != (machine is not None):
            raise InvalidInput("machine: a token of scope agent needs one, others can't have one", field="machine")
        now = self._clock()
        secret = PREFIX + secrets.token_urlsafe(32)
        token = Token(
            new_id(now), name, scope, digest(secret), now, machine, expires_at=now + expires_in if expires_in else None
        )
        return self._store.create(token, only_first), secret

    def list(self) -> Sequence[Token]:
        """All tokens, revoked ones too."""
        return self._store.all()

    def revoke(self, id_or_name: str) -> Token:
        """:raises NotFound: no such token."""
        return self._store.revoke(id_or_name, self._clock())

    def by_secret(self, secret: str) -> Principal | None:
        """Whose token it is; None: nobody's, expired or revoked."""
        found = self._principal(self._store.find(digest(secret)))
        if found is None:
            self._tally.add(LOGINS_FAILED, "token")
        return found

    def by_session(self, secret: str) -> Principal | None:
        """Whose login it is; None: over."""
        return self._principal(self._store.find_session(digest(secret), self._clock()), csrf_token(secret))

    def login(self, token_secret: str) -> Login | None:
        """A login of the page with a token; None if the token is no good."""
        token = self._store.find(digest(token_secret))
        now = self._clock()
        if token is None or not token.valid(now):
            self._tally.add(LOGINS_FAILED, "page")
            return None
        login = Login(secrets.token_urlsafe(32), int(self._session.total_seconds()))
        self._store.create_session(WebSession(digest(login.secret), token.id, now + self._session), now)
        return login

    def logout(self, secret: str) -> None:
        """End a login; ending it twice is no error."""
        self._store.delete_session(digest(secret))

    def _principal(self, token: Token | None, csrf: str | None = None) -> Principal | None:
        if token is None or not token.valid(self._clock()):
            return None
        return Principal(token.name, GRANTS[token.scope], (token.scope.value,), token.machine, csrf)
