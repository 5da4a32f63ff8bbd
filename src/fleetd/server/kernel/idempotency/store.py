# SPDX-License-Identifier: BSD-2-Clause
"""Answers to requests that are done once, however often they arrive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from fleetd.server.kernel import codec, tables
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.idempotency.model import KeyReused, Once
from fleetd.server.kernel.ids import JsonMap

_A = tables.answers


class OnceStore:
    """Answers by who asked and the key of the request."""

    def __init__(self, tx: Transactions) -> None:
        self._tx = tx

    def once(self, request: Once, now: datetime, work: Callable[[], JsonMap]) -> tuple[JsonMap, bool]:
        """Do ``work`` and keep its answer, all in one transaction; or answer as it was answered before.

        The flag says whether it was answered before. What ``work`` raises is not kept: the next one tries again. Two at
        once: the second waits for the first.

        :raises KeyReused: another request had this key.
        """
        mine = (_A.c.actor == request.actor, _A.c.key == request.key)

        def look_or_do(connection: Connection) -> tuple[JsonMap, bool]:
            row = connection.execute(select(_A).where(*mine)).first()
            if row is not None and row.request != request.request:
                raise KeyReused(request)
            if row is not None:
                return codec.loads(dict[str, Any], row.answer), True
            # The same request at the same time waits here for our commit, fails, and finds our answer.
            values = {"actor": request.actor, "key": request.key, "request": request.request, "at": now}
            connection.execute(insert(_A).values(answer="{}", **values))
            answer = work()
            connection.execute(update(_A).where(*mine).values(answer=codec.dumps(answer)))
            return answer, False

        return self._tx.write(look_or_do, again_on_conflict=True)


def prune_answers(connection: Connection, before: datetime, limit: int) -> int:
    """Forget the answers that are older than ``before``, the oldest first."""
    found = connection.execute(
        select(_A.c.actor, _A.c.key).where(_A.c.at < before).order_by(_A.c.at).limit(limit)
    ).all()
    for row in found:
        connection.execute(delete(_A).where(_A.c.actor == row.actor, _A.c.key == row.key, _A.c.at < before))
    return len(found)
