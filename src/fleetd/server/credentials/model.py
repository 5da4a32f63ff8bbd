# SPDX-License-Identifier: BSD-2-Clause
"""Logins of BMCs, and the audit of what is done to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fleetcore.errors import ConflictError

from fleetd.server.kernel.events.model import NewEvent


@dataclass(frozen=True)
class Credential:
    """A login, for example of BMCs. The secret is only here encrypted, and bound to the name."""

    name: str
    username: str
    secret: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


class CredentialInUse(ConflictError):
    """Machines' BMCs name the credential; ``details["machines"]`` has the first of them."""

    LISTED = 20

    def __init__(self, name: str, machines: Sequence[str]) -> None:
        listed = list(machines[: self.LISTED])
        more = f" and {len(machines) - len(listed)} more" if len(machines) > len(listed) else ""
        super().__init__(
            f"credential {name} is that of {', '.join(listed)}{more}: change their bmc.credential, or force it",
            credential=name,
            machines=listed,
            count=len(machines),
        )


@dataclass(frozen=True)
class AuditEntry:
    """Who did what to a secret, when."""

    id: str
    at: datetime
    actor: str
    action: str  # credential.read, credential.write, credential.delete
    subject: str


class Cipher(Protocol):
    """Encrypts secrets at rest. ``context`` is bound to the result: it decrypts with the same one only."""

    def encrypt(self, plain: str, context: str) -> str: ...

    def decrypt(self, secret: str, context: str) -> str:
        """:raises InvalidInput: no key that is configured made it, or it was tampered with."""

    def current(self, secret: str) -> bool:
        """Whether encrypting again would use the same key."""


def of_credential(audit: AuditEntry) -> Iterator[NewEvent]:
    """The event of a credential that was written or deleted; who read it is in the audit only."""
    kinds = {"credential.write": "credential.written", "credential.delete": "credential.deleted"}
    if audit.action in kinds:
        yield NewEvent(kinds[audit.action], None, audit.actor, data={"credential": audit.subject})
