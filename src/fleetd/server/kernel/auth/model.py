# SPDX-License-Identifier: BSD-2-Clause
"""Tokens and logins of the page."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from fleetd.server.kernel.events.model import NewEvent


class Scope(enum.StrEnum):
    """What a token is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    RUNNER = "runner"
    AGENT = "agent"
    ADMIN = "admin"


@dataclass(frozen=True)
class Token:
    """An API token; the secret itself is nowhere, only its digest. ``machine`` binds an agent's token."""

    id: str
    name: str
    scope: Scope
    digest: str
    created_at: datetime
    machine: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class WebSession:
    """A login of the page. The cookie holds a secret of which ``digest`` is the hash; it ends with its token."""

    digest: str
    token_id: str
    expires_at: datetime


def of_token(before: Token | None, after: Token) -> Iterator[NewEvent]:
    """The event of a token that was made or revoked."""
    data = {"name": after.name, "scope": after.scope.value}
    if before is None:
        yield NewEvent("token.created", after.machine, data=data)
    elif before.revoked_at is None and after.revoked_at is not None:
        yield NewEvent("token.revoked", after.machine, data=data)
