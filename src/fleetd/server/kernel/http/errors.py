# SPDX-License-Identifier: BSD-2-Clause
"""Errors to answers: one table, and three ways to say it.

The API answers in JSON, the older paths in text, and people get a page.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from fleetcore.errors import Busy, ConflictError, FleetError, InvalidInput, NotFound, ParseError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from fleetd.common import logs
from fleetd.server.kernel.errors import BadRequest, Forbidden, TooManyFailures, Unauthorized, VersionMismatch
from fleetd.server.kernel.http import state

_log = logs.get("fleetd.api")


STATUS: tuple[tuple[type[FleetError], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (TooManyFailures, 429),
    (NotFound, 404),
    (VersionMismatch, 412),
    (ConflictError, 409),
    (BadRequest, 400),
    (InvalidInput, 422),
    (ParseError, 422),
    (Busy, 503),
)
_CODES = {
    400: "parse_error",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    431: "too_large",
}
_SECRET = ("password",)  # never repeated
_HEADERS = {401: {"WWW-Authenticate": 'Bearer realm="fleetd"'}, 503: {"Retry-After": "2"}}


class Json(Response):
    """JSON in ASCII: whatever characters a value has, it can be sent."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def is_plain(path: str) -> bool:
    """Whether errors of ``path`` are text: the interface that existing clients speak."""
    return path.startswith(("/json/v1/", "/_/", "/loginstatus", "/healthz", "/metrics", "/static/"))


def is_page(path: str) -> bool:
    """Whether people read the errors of ``path`` in a browser."""
    return not is_plain(path) and not path.startswith("/api/") and path != "/openapi.json"


def status_of(error: FleetError, path: str) -> int:
    """The HTTP status of an error; the older interface knows 400 where the new one says 422."""
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    return 400 if status == 422 and is_plain(path) else status


def render(
    request: Request,
    status: int,
    code: str,
    message: str,
    *,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer in the manner of the path."""
    path = request.url.path
    headers = {**_HEADERS.get(status, {}), **(headers or {})}
    if is_plain(path):
        return PlainTextResponse(message + "\n", status, headers)
    if is_page(path):
        page = state.of(request).error_page(request, status, message)
        if page is not None:
            return page
    return Json({"error": {"code": code, "message": message, "details": details or {}}}, status, headers)


async def on_fleet_error(request: Request, exc: Exception) -> Response:
    """Errors of the use cases."""
    assert isinstance(exc, FleetError)  # noqa: S101
    status = status_of(exc, request.url.path)
    if status >= 500:
        _log.warning("request_failed", path=request.url.path, code=exc.code, message=exc.message)
    wait = exc.details.get("retry_after")
    headers = {"Retry-After": str(wait)} if wait else None
    return render(request, status, exc.code, exc.message, details=exc.details, headers=headers)


async def on_http_error(request: Request, exc: Exception) -> Response:
    """Errors of the framework: no such path, wrong method, a body that is not JSON."""
    assert isinstance(exc, HTTPException)  # noqa: S101
    words = {404: f"no such path: {request.url.path[:200]}", 405: f"{request.method} is not possible here"}
    message = words.get(exc.status_code, str(exc.detail))
    code = _CODES.get(exc.status_code, "failed")
    return render(request, exc.status_code, code, message, headers=dict(exc.headers or {}))


async def on_invalid(request: Request, exc: Exception) -> Response:
    """Input that does not fit its declaration."""
    assert isinstance(exc, RequestValidationError)  # noqa: S101
    first = exc.errors()[0]
    if first["type"] == "json_invalid":
        return render(request, 400, "parse_error", f"the body is not JSON: {first.get('ctx', {}).get('error', '')}")
    if first["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        return render(request, 415, "unsupported_media_type", "send the body with `Content-Type: application/json`")
    field, message = explain(first, skip=1)
    return render(request, 422, "invalid_input", message, details={"field": field})


async def on_crash(request: Request, exc: Exception) -> Response:
    """A defect: the log has the traceback, the client a sentence."""
    _log.error("request_crashed", path=request.url.path, method=request.method, exc_info=exc)
    return render(request, 500, "failed", "internal error; the server's log says more")


def explain(error: Any, skip: int = 0) -> tuple[str, str]:
    """``(field, message)`` of one error of pydantic; the message starts with the field."""
    field = ".".join(str(part) for part in error["loc"][skip:]) or "body"
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "no such field"
    got = error.get("input")
    if isinstance(got, str | int | float | bool) and field.rpartition(".")[2] not in _SECRET:
        message += f" (got {str(got)[:80]!r})"
    return field, f"{field}: {message}"


def as_invalid_input(exc: ValidationError, prefix: str = "") -> InvalidInput:
    """The first problem that pydantic found."""
    field, message = explain(exc.errors(include_url=False)[0])
    return InvalidInput(prefix + message, field=prefix + field)
