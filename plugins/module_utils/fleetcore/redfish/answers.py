# SPDX-License-Identifier: BSD-2-Clause

"""What an HTTP answer of a Redfish service means: a resource, a verdict, words for a person, an error. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from ..document.model import Verdict
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    ConflictError,
    FleetError,
    PasswordChangeRequired,
    PermissionDenied,
    Unsupported,
)
from ..ports import HttpResponse
from .quirks import SESSION_LIMIT_WORDS
from .values import at, items, link, text
from .wants import Outcome

_MUST_CHANGE = "passwordchangerequired"
# Where DSP0266 lets somebody in whose password has to be changed: the message names the account.
_ACCOUNT = re.compile(r"/redfish/v1/[^\s'\"(]*/Accounts/[^\s'\"]*[^\s'\".,)]")
# Of an account that is locked: it has a maximum number, too.
_ATTEMPTS = re.compile(r"(failed|login|logon|log-in|password|authentication) (attempt|failure|retr)|consecutive")
BUSY = (429, 502, 503, 504)
"""Statuses of a service that can't take this now: it is starting, a job runs, too many ask."""
_REFUSALS: Mapping[int, tuple[type[FleetError], str]] = {
    401: (AuthenticationFailed, "the BMC does not accept the login any more"),
    403: (PermissionDenied, "this account may not do this"),
    **dict.fromkeys((409, *BUSY), (Busy, "the BMC can't do this now")),
    **dict.fromkeys((412, 428), (ConflictError, "the BMC takes no ETag that it shows, or somebody else changes this")),
    **dict.fromkeys((404, 405, 501), (Unsupported, "the BMC can't do this")),
}


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
    """Message ids and texts of a Redfish error (DSP0266 section 8.6), on one line; empty if there are none.

    What a message is about is named at times in its arguments and related properties only.
    """
    return error_text(_json(response.body))


def error_text(body: Any) -> str:
    """Do as :func:`message_of` does, with a body that has been read."""
    error = at(body, "error")
    extended = items(at(error, "@Message.ExtendedInfo"))
    words = [text(item.get(name)) for item in extended[:3] for name in ("MessageId", "Message")]
    words = words or [text(at(error, "code")), text(at(error, "message"))]
    said = " ".join(item for item in words if item)
    named = [name for item in extended[:3] for name in _named(item) if name not in said]
    return said + (f" ({', '.join(dict.fromkeys(named))})" if named else "")


def _named(message: Mapping[str, Any]) -> list[str]:
    """What a message is about, by its arguments and related properties. Arguments that are values are left out."""
    related, arguments = (
        value if isinstance(value, list) else [] for value in map(message.get, ("RelatedProperties", "MessageArgs"))
    )
    missing = "Missing" in str(message.get("MessageId"))
    names = [*related, *(item for item in arguments if missing or str(item).startswith("/"))]
    return [name for name in map(text, names) if name]


def must_change(response: HttpResponse) -> bool:
    """Whether the service allows nothing before the password of the account is changed (DSP0266, section 13.6.1)."""
    return response.status in (401, 403) and _MUST_CHANGE in message_of(response).lower()


def no_session_left(response: HttpResponse) -> bool:
    """Whether a login is refused because the service has no session left."""
    words = message_of(response).lower()
    return any(word in words for word in SESSION_LIMIT_WORDS) and not _ATTEMPTS.search(words)


def place_of_session(response: HttpResponse, sessions: str) -> Optional[str]:
    """Where the session is that a login has made: by its Location, else by the Session in the body."""
    body = body_of(response)
    name = text(body.get("Id"))
    places = (link(response.headers.get("location", ""), sessions), link(body, sessions), name and f"{sessions}/{name}")
    return next((place for place in places if place and place != sessions), None)


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
    if must_change(response):
        account = _ACCOUNT.search(message_of(response))
        return PasswordChangeRequired(
            f"{host}: the BMC allows nothing before the password of this account is changed; bmc_account changes it "
            f"({words})",
            status=status,
            account=account.group() if account else None,
        )
    kind, meaning = _REFUSALS.get(status, (BadResponse, f"HTTP {status}"))
    return kind(f"{host}: {meaning} ({words})", status=status)
