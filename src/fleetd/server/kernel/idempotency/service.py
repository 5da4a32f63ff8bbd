# SPDX-License-Identifier: BSD-2-Clause
"""Requests that may be sent again and are done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from fleetd.server.kernel.clock import Clock
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.idempotency.model import Once
from fleetd.server.kernel.idempotency.store import OnceStore
from fleetd.server.kernel.ids import JsonMap


class Requests:
    """Answers requests that carry a key of their own."""

    def __init__(self, tx: Transactions, clock: Clock) -> None:
        self._store = OnceStore(tx)
        self._clock = clock

    def once(self, actor: str, key: str, text: str, work: Callable[[], JsonMap]) -> tuple[JsonMap, bool]:
        """The answer of ``work``, or the one that this request got before; the flag says whether it did.

        :param text: all of the request that matters: with another text the key is refused.
        :raises InvalidInput: it was used for another request.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return self._store.once(Once(actor, key, digest), self._clock(), work)
