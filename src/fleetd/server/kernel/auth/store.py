# SPDX-License-Identifier: BSD-2-Clause
"""API tokens and logins of the page, by digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from fleetcore.errors import ConflictError, NotFound
from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from fleetd.server.kernel import tables
from fleetd.server.kernel.auth.model import Scope, Token, WebSession, of_token
from fleetd.server.kernel.engine import Transactions

_T, _S = tables.tokens, tables.web_sessions


class TokenStore:
    """Tokens and logins; revoked tokens stay."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx

    def create(self, token: Token, only_first: bool = False) -> Token:
        """Insert it.

        :param only_first: refuse if there is any token already, in the same transaction.
        :raises ConflictError: there is one, or its name is taken by a token that is not revoked.
        """

        def work(connection: Connection) -> Token:
            if only_first and connection.execute(select(_T.c.id).limit(1)).first():
                raise ConflictError("there are tokens already")
            connection.execute(insert(_T).values({**asdict(token), "scope": token.scope.value}))
            self._tx.tell(of_token(None, token))
            return token

        try:
            return self._tx.write(work)
        except IntegrityError:
            raise ConflictError(f"a token named {token.name} exists; revoke it first", name=token.name) from None

    def find(self, digest: str) -> Token | None:
        """The token with that digest, whatever its state."""
        return self._one(select(_T).where(_T.c.digest == digest))

    def all(self) -> Sequence[Token]:
        """All of them, by creation time; revoked ones too."""
        query = select(_T).order_by(_T.c.created_at, _T.c.id)
        return self._tx.read(lambda connection: [_token(row) for row in connection.execute(query)])

    def revoke(self, id_or_name: str, now: datetime) -> Token:
        """Revoke the token of that id, or the unrevoked one of that name. Its logins end with it.

        :raises NotFound: there is none.
        """

        def work(connection: Connection) -> Token:
            query = select(_T).with_for_update()
            row = connection.execute(query.where(_T.c.id == id_or_name)).first()
            if row is None:
                row = connection.execute(query.where(_T.c.name == id_or_name, _T.c.revoked_at.is_(None))).first()
            if row is None:
                raise NotFound(f"no token {id_or_name}", token=id_or_name)
            previous = _token(row)
            token = replace(previous, revoked_at=previous.revoked_at or now)
            self._tx.tell(of_token(previous, token))
            connection.execute(update(_T).where(_T.c.id == token.id).values(revoked_at=token.revoked_at))
            connection.execute(delete(_S).where(_S.c.token_id == token.id))
            return token

        return self._tx.write(work)

    def create_session(self, session: WebSession, now: datetime) -> None:
        """Insert it; expired ones are deleted."""

        def work(connection: Connection) -> None:
            connection.execute(delete(_S).where(_S.c.expires_at <= now))
            connection.execute(insert(_S).values(asdict(session)))

        self._tx.write(work)

    def find_session(self, digest: str, now: datetime) -> Token | None:
        """The token behind an unexpired login, whatever its own state."""
        query = select(_T).join(_S, _S.c.token_id == _T.c.id)
        return self._one(query.where(_S.c.digest == digest, _S.c.expires_at > now))

    def delete_session(self, digest: str) -> None:
        """Forget it; one that is not there is no error."""
        self._tx.write(lambda connection: connection.execute(delete(_S).where(_S.c.digest == digest)))

    def _one(self, query: Select[Any]) -> Token | None:
        def work(connection: Connection) -> Token | None:
            row = connection.execute(query).first()
            return _token(row) if row else None

        return self._tx.read(work)


def _token(row: Row[Any]) -> Token:
    return Token(**{**row._mapping, "scope": Scope(row.scope)})
