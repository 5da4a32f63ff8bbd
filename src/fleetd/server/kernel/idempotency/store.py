# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd.server.ports.OnceStore`` in SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from fleetd.server.kernel import codec, tables
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.idempotency.model import KeyReused, Once
from fleetd.server.kernel.ids import JsonMap

_A = tables.answers


class SqlOnce:
    """The part of ``SqlStore`` for requests that are done once."""

    _tx: Transactions

    def once(self, request: Once, now: datetime, work: Callable[[], JsonMap]) -> tuple[JsonMap, bool]:
        mine = (_A.c.actor == request.actor, _A.c.key == request.key)

        def reserve(connection: Connection) -> JsonMap | None:
            row = connection.execute(select(_A).where(*mine)).first()
            if row is None:
                # The same request at the same time waits here for our commit, fails, and finds our answer.
                values = {"actor": request.actor, "key": request.key, "request": request.request, "at": now}
                connection.execute(insert(_A).values(answer="{}", **values))
                return None
            if row.request != request.request:
                raise KeyReused(request)
            return codec.loads(dict[str, Any], row.answer)

        def keep(answer: JsonMap) -> Callable[[Connection], Any]:
            return lambda connection: connection.execute(update(_A).where(*mine).values(answer=codec.dumps(answer)))

        def together() -> tuple[JsonMap, bool]:
            present = self._tx.write(reserve)
            if present is not None:
                return present, True
            answer = work()
            self._tx.write(keep(answer))
            return answer, False

        return self._tx.together(together)
