# SPDX-License-Identifier: BSD-2-Clause
"""``Idempotency-Key``: a request that may be sent again, because its answer was lost, is done once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import BaseModel

from fleetd.server.kernel.auth.service import Principal
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.http.errors import Json

_KEY = re.compile(r"^[\x21-\x7e]{1,255}\Z")

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="of your choice, new for each request: the same request with the same key gets the same answer and is "
        "done once; with another body it is refused (422). Errors are not kept",
    ),
]


@dataclass(frozen=True)
class Answer:
    """What is sent, and kept under the key of its request."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def once(request: Request, who: Principal, key: str | None, body: BaseModel, work: Callable[[], Answer]) -> Response:
    """Send the answer of ``work``; with a key it is done once.

    :raises InvalidInput: the key can't be used, or another request had it.
    """
    if key is None:
        answer = work()
        return Json(answer.body, answer.status, dict(answer.headers))
    if not _KEY.match(key):
        raise InvalidInput(
            "Idempotency-Key: use 1 to 255 characters of ASCII without spaces, for example a UUID",
            field="Idempotency-Key",
        )
    services: Services = request.app.state.services
    text = f"{request.method} {request.url.path}\n{body.model_dump_json()}"

    def kept() -> dict[str, Any]:
        answer = work()
        return {"body": answer.body, "status": answer.status, "headers": dict(answer.headers)}

    found, before = services.requests.once(who.name or "anonymous", key, text, kept)
    headers = {**found["headers"], **({"Idempotency-Replayed": "true"} if before else {})}
    return Json(found["body"], found["status"], headers)
