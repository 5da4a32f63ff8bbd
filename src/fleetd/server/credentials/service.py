# SPDX-License-Identifier: BSD-2-Clause
"""Credentials: written by operators, read by runners, encrypted at rest, every access audited."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fleetcore.errors import InvalidInput

from fleetd.server.credentials.model import AuditEntry, Cipher, Credential
from fleetd.server.credentials.store import CredentialStore
from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.ids import new_id


@dataclass(frozen=True)
class Login:
    """A credential with its secret in the clear: for who may read it, and nobody's log."""

    name: str
    username: str
    password: str = field(repr=False)


class Credentials:
    """Use cases around credentials; ``cipher`` None: no key is configured, nothing can be written or read."""

    def __init__(self, tx: Transactions, clock: Clock, cipher: Cipher | None = None) -> None:
        self._store = CredentialStore(tx)
        self._clock = clock
        self._cipher = cipher

    def put(self, name: str, username: str, password: str, actor: str) -> Credential:
        """Store a login under ``name``, in place of the one that is there; if it is the same, its ``updated_at`` stays.

        :raises InvalidInput: no key is configured.
        """
        cipher = self._key()
        now = self._clock()
        wanted = Credential(name, username, cipher.encrypt(password, name), now, now)
        present = next((item for item in self._store.all() if item.name == name), None)
        if present and present.username == username and self._opens(present, password):
            wanted = replace(wanted, updated_at=present.updated_at)
        return self._store.put(wanted, self._entry(actor, "credential.write", name))

    def read(self, name: str, actor: str) -> Login:
        """The login; the audit has it before the caller does.

        :raises NotFound: there is none. :raises InvalidInput: no key for it is configured.
        """
        cipher = self._key()
        found = self._store.read(name, self._entry(actor, "credential.read", name))
        return Login(name, found.username, cipher.decrypt(found.secret, name))

    def delete(self, name: str, actor: str, force: bool = False) -> None:
        """Forget it; ``force``: also if BMCs are reached with it.

        :raises NotFound: there is none. :raises CredentialInUse: machines name it.
        """
        self._store.delete(name, self._entry(actor, "credential.delete", name), force)

    def find(self) -> Sequence[Credential]:
        """All, by name."""
        return self._store.all()

    def rotate(self) -> int:
        """Encrypt every secret with the first key; how many had another one.

        It is safe while servers run, if they have both keys.

        :raises InvalidInput: no key, or one that is needed for an old secret is not configured; then nothing changed.
        """
        cipher = self._key()

        def change(item: Credential) -> str:
            if cipher.current(item.secret):
                return item.secret
            return cipher.encrypt(cipher.decrypt(item.secret, item.name), item.name)

        return self._store.change_secrets(change)

    def audit(
        self, subject: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[AuditEntry]:
        """Who did what, newest first."""
        return self._store.audit(subject, limit, after)

    def _opens(self, item: Credential, password: str) -> bool:
        """Whether its secret is this password; one that no configured key decrypts is not."""
        try:
            return hmac.compare_digest(self._key().decrypt(item.secret, item.name).encode(), password.encode())
        except InvalidInput:
            return False

    def _key(self) -> Cipher:
        if self._cipher is None:
            raise InvalidInput(
                "credentials: the server has no key; set credentials.key_file (`fleetd credential key` makes a key)"
            )
        return self._cipher

    def _entry(self, actor: str, action: str, name: str) -> AuditEntry:
        now = self._clock()
        return AuditEntry(new_id(now), now, actor, action, name)
