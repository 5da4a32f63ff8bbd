# SPDX-License-Identifier: BSD-2-Clause
"""Requests that may arrive more than once."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcore.errors import InvalidInput


@dataclass(frozen=True)
class Once:
    """A request that may arrive often and is to be done once: who sent it, under which key, and its digest."""

    actor: str
    key: str
    request: str


class KeyReused(InvalidInput):
    """The key of a request was used for another one."""

    def __init__(self, request: Once) -> None:
        super().__init__(
            f"Idempotency-Key: {request.key[:64]!r} was used for another request; a new request needs a new key",
            field="Idempotency-Key",
        )
