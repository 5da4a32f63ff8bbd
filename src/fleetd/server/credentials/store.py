# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd.server.ports.CredentialStore`` in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from fleetcore.errors import NotFound
from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from fleetd.server.credentials.model import AuditEntry, Credential, CredentialInUse
from fleetd.server.kernel import tables
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.events import model as events
from fleetd.server.kernel.events.store import tell

_C, _A, _M = tables.credentials, tables.audit, tables.machines


class SqlCredentials:
    """The part of ``SqlStore`` for credentials."""

    _tx: Transactions

    def put_credential(self, credential: Credential, audit: AuditEntry) -> Credential:
        def work(connection: Connection) -> Credential:
            row = connection.execute(_by_name(credential.name)).first()
            kept = replace(credential, created_at=row.created_at) if row else credential
            if row:
                connection.execute(update(_C).where(_C.c.name == kept.name).values(**asdict(kept)))
            else:
                connection.execute(insert(_C).values(**asdict(kept)))
            _log(connection, audit)
            return kept

        return self._tx.write(work, again_on_conflict=True)

    def read_credential(self, name: str, audit: AuditEntry) -> Credential:
        def work(connection: Connection) -> Credential:
            row = connection.execute(_by_name(name)).first()
            if row is None:
                raise _unknown(name)
            _log(connection, audit)
            return _credential(row)

        return self._tx.write(work)

    def delete_credential(self, name: str, audit: AuditEntry, force: bool = False) -> None:
        def work(connection: Connection) -> None:
            users = [] if force else connection.execute(_users(name)).scalars().all()
            if users and connection.execute(_by_name(name)).first():
                raise CredentialInUse(name, users)
            if not connection.execute(delete(_C).where(_C.c.name == name)).rowcount:
                raise _unknown(name)
            _log(connection, audit)

        self._tx.write(work)

    def list_credentials(self) -> Sequence[Credential]:
        query = select(_C).order_by(_C.c.name)
        return self._tx.read(lambda connection: [_credential(row) for row in connection.execute(query)])

    def change_secrets(self, change: Callable[[Credential], str]) -> int:
        def work(connection: Connection) -> int:
            changed = 0
            for row in connection.execute(select(_C).order_by(_C.c.name).with_for_update()).all():
                secret = change(_credential(row))
                if secret != row.secret:
                    connection.execute(update(_C).where(_C.c.name == row.name).values(secret=secret))
                    changed += 1
            return changed

        return self._tx.write(work)

    def list_audit(
        self, subject: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[AuditEntry]:
        query = select(_A).order_by(_A.c.id.desc()).limit(limit)
        if subject is not None:
            query = query.where(_A.c.subject == subject)
        if after is not None:
            query = query.where(_A.c.id < after)

        def work(connection: Connection) -> list[AuditEntry]:
            rows = connection.execute(query)
            return [AuditEntry(row.id, row.at, row.actor, row.action, row.subject) for row in rows]

        return self._tx.read(work)


def _by_name(name: str) -> Any:
    return select(_C).where(_C.c.name == name).with_for_update()


def _users(name: str) -> Select[Any]:
    """Machines whose BMC names it."""
    return select(_M.c.id).where(_M.c.credential == name).order_by(_M.c.id)


def _log(connection: Connection, audit: AuditEntry) -> None:
    connection.execute(insert(_A).values(**asdict(audit)))
    tell(connection, events.of_credential(audit))


def _credential(row: Row[Any]) -> Credential:
    return Credential(row.name, row.username, row.secret, row.created_at, row.updated_at)


def _unknown(name: str) -> NotFound:
    return NotFound(f"no credential {name}", credential=name)
