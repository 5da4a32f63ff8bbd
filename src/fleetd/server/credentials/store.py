# SPDX-License-Identifier: BSD-2-Clause
"""Credentials by name in SQL, and the audit of what is done to them, which is written in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from fleetcore.errors import NotFound
from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from fleetd.server.credentials import tables
from fleetd.server.credentials.model import AuditEntry, Credential, CredentialInUse, of_credential
from fleetd.server.kernel.engine import Transactions
from fleetd.server.machines.tables import machines

_C, _A = tables.credentials, tables.audit


class CredentialStore:
    """Credentials, whose secrets are encrypted, and the audit."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx

    def put(self, credential: Credential, audit: AuditEntry) -> Credential:
        """Insert or replace it; ``created_at`` of one that is replaced stays."""

        def work(connection: Connection) -> Credential:
            row = connection.execute(_by_name(credential.name)).first()
            kept = replace(credential, created_at=row.created_at) if row else credential
            if row:
                connection.execute(update(_C).where(_C.c.name == kept.name).values(**asdict(kept)))
            else:
                connection.execute(insert(_C).values(**asdict(kept)))
            self._log(connection, audit)
            return kept

        return self._tx.write(work, again_on_conflict=True)

    def read(self, name: str, audit: AuditEntry) -> Credential:
        """:raises NotFound: there is none; nothing is written."""

        def work(connection: Connection) -> Credential:
            row = connection.execute(_by_name(name)).first()
            if row is None:
                raise _unknown(name)
            self._log(connection, audit)
            return _credential(row)

        return self._tx.write(work)

    def delete(self, name: str, audit: AuditEntry, force: bool = False) -> None:
        """Delete it; if a machine's BMC names it, only with ``force``.

        :raises NotFound: there is none. :raises CredentialInUse: a machine names it. Then nothing is written.
        """

        def work(connection: Connection) -> None:
            users = [] if force else connection.execute(_users(name)).scalars().all()
            if users and connection.execute(_by_name(name)).first():
                raise CredentialInUse(name, users)
            if not connection.execute(delete(_C).where(_C.c.name == name)).rowcount:
                raise _unknown(name)
            self._log(connection, audit)

        self._tx.write(work)

    def all(self) -> Sequence[Credential]:
        """All, by name; not audited, because nobody may be given their secrets."""
        query = select(_C).order_by(_C.c.name)
        return self._tx.read(lambda connection: [_credential(row) for row in connection.execute(query)])

    def change_secrets(self, change: Callable[[Credential], str]) -> int:
        """Replace each secret by what ``change`` returns, all in one transaction; how many differ."""

        def work(connection: Connection) -> int:
            changed = 0
            for row in connection.execute(select(_C).order_by(_C.c.name).with_for_update()).all():
                secret = change(_credential(row))
                if secret != row.secret:
                    connection.execute(update(_C).where(_C.c.name == row.name).values(secret=secret))
                    changed += 1
            return changed

        return self._tx.write(work)

    def audit(
        self, subject: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[AuditEntry]:
        """At most ``limit`` entries, newest first, older than the one with id ``after``."""
        query = select(_A).order_by(_A.c.id.desc()).limit(limit)
        if subject is not None:
            query = query.where(_A.c.subject == subject)
        if after is not None:
            query = query.where(_A.c.id < after)

        def work(connection: Connection) -> list[AuditEntry]:
            rows = connection.execute(query)
            return [AuditEntry(**row._mapping) for row in rows]

        return self._tx.read(work)

    def _log(self, connection: Connection, audit: AuditEntry) -> None:
        connection.execute(insert(_A).values(**asdict(audit)))
        self._tx.tell(of_credential(audit))


def _by_name(name: str) -> Any:
    return select(_C).where(_C.c.name == name).with_for_update()


def _users(name: str) -> Select[Any]:
    """Machines whose BMC names it."""
    return select(machines.c.id).where(machines.c.credential == name).order_by(machines.c.id)


def _credential(row: Row[Any]) -> Credential:
    return Credential(**row._mapping)


def _unknown(name: str) -> NotFound:
    return NotFound(f"no credential {name}", credential=name)
