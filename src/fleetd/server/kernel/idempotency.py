# SPDX-License-Identifier: BSD-2-Clause
"""``Idempotency-Key``: a request that may be sent again, because its answer was lost, is done once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import BaseModel
from sqlalchemy import Connection, delete, insert, select, update

from fleetd.server.kernel import codec, tables
from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import Principal
from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.ids import JsonMap

_A = tables.answers
_KEY = re.compile(r"^[\x21-\x7e]{1,255}\Z")


class KeyReused(InvalidInput):
    """The key of a request was used for another one."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key: {key[:64]!r} was used for another request; a new request needs a new key",
            field="Idempotency-Key",
        )


class Requests:
    """Answers to requests, by who asked and the key of the request."""

    def __init__(self, tx: Transactions, clock: Clock) -> None:
        self._tx = tx
        self._clock = clock

    def once(self, actor: str, key: str, text: str, work: Callable[[], JsonMap]) -> tuple[JsonMap, bool]:
        """Do ``work`` and keep its answer, all in one transaction; or answer as it was answered before.

        The flag says whether it was answered before. What ``work`` raises is not kept: the next one tries again. Two at
        once: the second waits for the first.

        :param text: all of the request that matters. :raises KeyReused: another request had this key.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        mine = (_A.c.actor == actor, _A.c.key == key)

        def look_or_do(connection: Connection) -> tuple[JsonMap, bool]:
            row = connection.execute(select(_A).where(*mine)).first()
            if row is not None and row.request != digest:
                raise KeyReused(key)
            if row is not None:
                return codec.loads(dict[str, Any], row.answer), True
            # The same request at the same time waits here for our commit, fails, and finds our answer.
            values = {"actor": actor, "key": key, "request": digest, "at": self._clock()}
            connection.execute(insert(_A).values(answer="{}", **values))
            answer = work()
            connection.execute(update(_A).where(*mine).values(answer=codec.dumps(answer)))
            return answer, False

        return self._tx.write(look_or_do, again_on_conflict=True)


def prune_answers(connection: Connection, before: datetime, limit: int) -> int:
    """Forget the answers that are older than ``before``, the oldest first."""
    oldest = select(_A.c.actor, _A.c.key).where(_A.c.at < before).order_by(_A.c.at).limit(limit)
    found = connection.execute(oldest).all()
    for row in found:
        connection.execute(delete(_A).where(_A.c.actor == row.actor, _A.c.key == row.key, _A.c.at < before))
    return len(found)


@dataclass(frozen=True)
class Answer:
    """What is sent, and kept under the key of its request."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Repeatable:
    """A request that may carry a key of its own."""

    request: Request
    who: Principal
    key: str | None

    def once(self, body: BaseModel, work: Callable[[], Answer]) -> Response:
        """Send the answer of ``work``; with a key it is done once.

        :raises InvalidInput: the key can't be used, or another request had it.
        """
        if self.key is None:
            answer = work()
            return Json(answer.body, answer.status, dict(answer.headers))
        if not _KEY.match(self.key):
            raise InvalidInput(
                "Idempotency-Key: use 1 to 255 characters of ASCII without spaces, for example a UUID",
                field="Idempotency-Key",
            )
        text = f"{self.request.method} {self.request.url.path}\n{body.model_dump_json()}"

        def kept() -> dict[str, Any]:
            answer = work()
            return {"body": answer.body, "status": answer.status, "headers": dict(answer.headers)}

        requests = state.of(self.request).services.of(Requests)
        found, before = requests.once(self.who.actor, self.key, text, kept)
        headers = {**found["headers"], **({"Idempotency-Replayed": "true"} if before else {})}
        return Json(found["body"], found["status"], headers)


async def _repeatable(
    request: Request,
    who: Who,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="of your choice, new for each request: the same request with the same key gets the same answer "
            "and is done once; with another body it is refused (422). Errors are not kept",
        ),
    ] = None,
) -> Repeatable:
    return Repeatable(request, who, key)


Once = Annotated[Repeatable, Depends(_repeatable)]
