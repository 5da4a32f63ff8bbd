# SPDX-License-Identifier: BSD-2-Clause

"""What an HTTP answer of a Redfish service means: a resource, a verdict, words for a person, an error. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from ..document.model import Verdict
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    ConflictError,
    FleetError,
    PermissionDenied,
    Unsupported,
)
from ..ports import HttpResponse
from .values import at, items, link, text
from .wants import Outcome

BUSY = (429, 502, 503, 504)
"""Statuses of a service that can't take this now: it is starting, a job runs, too many ask."""


def outcome_of(response: HttpResponse) -> Outcome:
    """An HTTP answer as the walker takes it.

    Errors inside a 200 (an object with only ``error`` in it) count as errors.
    """
    status = response.status
    body = _json(response.body)
    error = body.get("error") if isinstance(body, Mapping) else None
    if status == 200 and isinstance(body, Mapping) and error is not None and "@odata.id" not in body:
        words = message_of(response)
        missing = "resourcemissing" in words.lower() or "resourcenotfound" in words.lower()
        return Outcome(Verdict.ABSENT if missing else Verdict.FAILED, reason=words[:200] or "an error", status=status)
    if status in (200, 203, 206) and isinstance(body, Mapping):
        return Outcome(Verdict.COLLECTED, body, status=status)
    if status in (200, 203, 206):
        return Outcome(Verdict.FAILED, reason="the answer is not a JSON object", status=status)
    reason = f"HTTP {status}" + (f": {message_of(response)[:160]}" if error is not None else "")
    verdict = {401: Verdict.DENIED, 403: Verdict.DENIED, 404: Verdict.ABSENT, 410: Verdict.ABSENT, 501: Verdict.ABSENT}
    return Outcome(verdict.get(status, Verdict.FAILED), reason=reason, status=status)


def body_of(response: HttpResponse) -> Mapping[str, Any]:
    """The JSON object of any answer that is no error, such as the task in a 202; empty without one."""
    body = _json(response.body) if response.status < 300 else None
    return body if isinstance(body, Mapping) else {}


def redirected(response: HttpResponse) -> Optional[str]:
    """Where a redirect leads. Only its path is used: another host would get the credentials."""
    location = response.headers.get("location", "")
    path = link(location) if response.status in (301, 302, 307, 308) else None
    return path + "/" if path and location.endswith("/") else path


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def message_of(response: HttpResponse) -> str:
    """Message ids and texts of a Redfish error (DSP0266 section 8.6), on one line; empty if there are none."""
    return error_text(_json(response.body))


def error_text(body: Any) -> str:
    """The same of a body."""
    error = at(body, "error")
    extended = items(at(error, "@Message.ExtendedInfo"))
    words = [text(item.get(name)) for item in extended[:3] for name in ("MessageId", "Message")]
    words = words or [text(at(error, "code")), text(at(error, "message"))]
    return " ".join(item for item in words if item)


def retry_after(response: HttpResponse) -> float:
    """Seconds after which the service wants to be asked again; 0 if it does not say."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() and len(value) < 6 else 0.0


def refusal(host: str, response: HttpResponse, otherwise: str = "") -> FleetError:
    """The error that an answer with a status of 400 or more means, in the words of the service.

    :param otherwise: what to say where the service says nothing.
    """
    status = response.status
    words = message_of(response)[:300] or otherwise or f"HTTP {status}"
    if status == 401:
        return AuthenticationFailed(f"{host}: the BMC does not accept the login any more ({words})", status=status)
    if status == 403:
        return PermissionDenied(f"{host}: this account may not do this ({words})", status=status)
    if status == 409 or status in BUSY:
        return Busy(f"{host}: the BMC can't do this now ({words})", status=status)
    if status in (412, 428):
        return ConflictError(
            f"{host}: the BMC takes no ETag that it shows, or somebody else changes this ({words})", status=status
        )
    if status in (404, 405, 501):
        return Unsupported(f"{host}: the BMC can't do this ({words})", status=status)
    return BadResponse(f"{host}: HTTP {status} ({words})", status=status)
