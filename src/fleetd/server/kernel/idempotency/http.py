# SPDX-License-Identifier: BSD-2-Clause
"""``Idempotency-Key``: a request that may be sent again, because its answer was lost, is done once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import BaseModel

from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import Principal
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.idempotency.service import Requests

_KEY = re.compile(r"^[\x21-\x7e]{1,255}\Z")


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
