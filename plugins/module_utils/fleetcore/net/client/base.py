# SPDX-License-Identifier: BSD-2-Clause

"""Base of all resources of the machine server's API: requests, retries, and the server's refusals as errors.

Sans-IO: it builds requests, judges answers and decides on retries; the transport (:class:`~.ports.Http`) and the time
(:class:`~.ports.Clock`) are handed in. Objects go in and out as plain JSON data in the shapes of the server's OpenAPI
document.

Every answer that is not a success becomes a :class:`~.errors.FleetError` whose message starts with the server's URL:

=============================  =====================================================================================
401                            ``AuthenticationFailed``
403                            ``PermissionDenied``
404                            ``NotFound``
409, 412                       ``ConflictError``
400, 413, 422                  ``InvalidInput``; ``details["field"]`` if the server names one
429, 503                       ``Busy``; ``details["retry_after"]`` in seconds if the server gives it
502, 504                       ``Unreachable``: a proxy answered in the server's place
all else, redirects included   ``BadResponse``, as is a success that is not the JSON that was expected
=============================  =====================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote, urlencode, urlsplit

from ...errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    ConflictError,
    FleetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TransientError,
    TransportError,
    Unreachable,
)
from ...ports import Clock, Http, HttpRequest, HttpResponse
from ..retry import ExponentialWait, retry

ATTEMPTS = 3
WAIT = ExponentialWait(first=0.5, longest=10.0)
PAGE = 500


class Api:
    """A machine server. Each resource of its API is a subclass; a caller that needs several makes a class of those.

    Requests that can be repeated without harm (all GET and DELETE, PUT, and the POSTs whose docstring says so) are
    sent up to ``attempts`` times as long as the failure is a ``TransientError``; the others once.

    :param http: transport whose base is ``url``.
    :param url: for messages only.
    :param token: bearer token; None or empty sends none.
    :param timeout: seconds for one request; None: the transport's own.
    :param option_prefix: what stands before ``url`` and ``token`` in the advice of error messages.
    """

    def __init__(
        self,
        http: Http,
        clock: Clock,
        url: str,
        *,
        token: Optional[str] = None,
        timeout: Optional[float] = None,
        attempts: int = ATTEMPTS,
        option_prefix: str = "server_",
    ) -> None:
        self.url = url.rstrip("/")
        self._http = http
        self.clock = clock
        self._token = (token or "").strip()
        self._timeout = timeout
        self._attempts = max(1, attempts)
        self._prefix = option_prefix
        if not set(self._token) <= _TOKEN_CHARACTERS:
            raise InvalidInput(
                f"{option_prefix}token: holds characters that no token has (a space, a line break?)",
                field=option_prefix + "token",
            )

    def close(self) -> None:
        self._http.close()

    # -- requests -----------------------------------------------------------------------------------------------------

    def _pages(self, path: str, query: list[tuple[str, str]], page: int) -> Iterator[dict[str, Any]]:
        cursor: Optional[str] = None
        seen: set[str] = set()
        while True:
            answer = self._object("GET", with_query(path, [*query, ("limit", str(page)), *given(cursor=cursor)]))
            yield from self._items(path, answer)
            cursor = answer.get("next")
            if not cursor:
                return
            if cursor in seen:
                raise self._not_ours(path, "a new cursor on each page")
            seen.add(cursor)

    def _items(self, path: str, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        items = answer.get("items")
        if not isinstance(items, list):
            raise self._not_ours(path, 'an object with "items"')
        return items

    def _list(self, method: str, path: str, body: Any = None) -> list[dict[str, Any]]:
        return self._items(path, self._object(method, path, body))

    def _object(self, method: str, path: str, body: Any = None, **how: Any) -> dict[str, Any]:
        """The answer to :meth:`_send`, which is an object."""
        data = self._json(method, path, body, **how)
        if not isinstance(data, dict):
            raise self._not_ours(path, "an object")
        return data

    def _json(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        return self._decode(self._send(method, path, body, **how), path)

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        repeat: bool = False,
    ) -> HttpResponse:
        response = self._exchange(method, path, body, headers or {}, repeat or method in ("GET", "PUT", "DELETE"))
        if response.status == 304:
            raise self._error(response, path)
        return response

    def _exchange(self, method: str, path: str, body: Any, headers: Mapping[str, str], repeat: bool) -> HttpResponse:
        """Send a request and return its answer if that is 2xx or 304."""
        sent = {"Accept": "application/json", **headers, **self._authorization()}
        payload: Optional[bytes] = None
        if body is not None:
            sent["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
            payload = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        elif method == "POST":
            payload = b""
        request = HttpRequest(method, path, sent, payload, self._timeout)
        attempts = self._attempts if repeat else 1
        return retry(lambda: self._once(request), self.clock, WAIT, attempts, _may_get_better)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _once(self, request: HttpRequest) -> HttpResponse:
        try:
            response = self._http.send(request)
        except TransportError as error:
            raise self._named(error) from error
        if 200 <= response.status < 300 or response.status == 304:
            return response
        raise self._error(response, request.url)

    # -- answers ------------------------------------------------------------------------------------------------------

    def _decode(self, response: HttpResponse, path: str) -> Any:
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError):
            raise self._not_ours(path, "JSON", response.status) from None

    def _named(self, error: TransportError) -> TransportError:
        """Tell the transport's error of the machine server instead of an address."""
        address = error.details.get("address")
        what = error.message
        if address and what.startswith(f"{address}: "):
            what = what[len(address) + 2 :]
        advice = (
            f". Is it running there? {self._prefix}url says where to look" if isinstance(error, Unreachable) else ""
        )
        return type(error)(f"machine server {self.url}: {what}{advice}", **{**error.details, "url": self.url})

    def _error(self, response: HttpResponse, path: str) -> FleetError:
        status = response.status
        said, details = _said(response, path)
        details.pop("retry_after", None)  # the header says it
        details.update(url=self.url, status=status)
        where = f"machine server {self.url}"
        if status == 401:
            return AuthenticationFailed(f"{where}: {self._token_advice(said)}", **details)
        if status in (502, 504):
            return Unreachable(f"{where}: the proxy before it does not reach it (HTTP {status})", **details)
        if 300 <= status < 400:
            to = response.headers.get("location", "").split("?", 1)[0][:200]
            what = f"redirects to {to or 'nowhere'} (HTTP {status}). Give the final address as {self._prefix}url"
            return BadResponse(f"{where}: {what}", **details)
        kind, unsaid = _REFUSALS.get(status, (BadResponse, ""))
        if not (said or unsaid):
            return self._not_ours(path, "an answer of the machine server", status)
        if issubclass(kind, Busy):
            wait = response.headers.get("retry-after", "")
            details["retry_after"] = int(wait[:9]) if wait.isdecimal() else 0
        at = f" (HTTP {status} for {_plain(path)})" if issubclass(kind, TransientError) else ""
        return kind(f"{where}: {said or unsaid}{at}", **details)

    def _token_advice(self, said: str) -> str:
        option = f"{self._prefix}token"
        if not self._token:
            return f"wants a token: set {option} or FLEETD_TOKEN (`fleetd token create` on the server makes one)"
        return f"refused the token ({said or 'unknown, expired or revoked'}); check {option} or FLEETD_TOKEN"

    def _not_ours(self, path: str, expected: str, status: int = 200) -> BadResponse:
        return BadResponse(
            f"{self.url}{_plain(path)}: expected {expected}, got something else (HTTP {status}). "
            "Is this the machine server?",
            url=self.url,
            status=status,
        )


# Class by status, and what to say when the server says nothing; without either it is not the machine server.
_REFUSALS: dict[int, tuple[type[FleetError], str]] = {
    400: (InvalidInput, ""),
    403: (PermissionDenied, "the token may not do this"),
    404: (NotFound, ""),
    409: (ConflictError, ""),
    412: (ConflictError, "somebody else has changed it in the meantime"),
    413: (InvalidInput, "the request is too large"),
    422: (InvalidInput, ""),
    429: (Busy, "too many requests"),
    503: (Busy, "can't take requests now"),
}

_TOKEN_CHARACTERS = frozenset(chr(code) for code in range(0x21, 0x7F))


def _may_get_better(error: TransientError) -> bool:
    """False for an answer in the wrong format, which stays wrong; one that broke off may come whole the next time."""
    return not (isinstance(error, BadResponse) and "status" in error.details)


def check_id(machine: str, field: str = "machine") -> str:
    """Return a machine id unchanged if it can stand in a URL.

    :raises InvalidInput: empty, or it has control characters or the parts ``.`` or ``..``, which proxies resolve.
    """
    if not isinstance(machine, str) or not machine.strip():
        raise InvalidInput(f"{field}: a machine's name must not be empty", field=field)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in machine):
        raise InvalidInput(f"{field}: {machine!r} holds control characters", field=field)
    if any(part in ("", ".", "..") for part in machine.split("/")):
        raise InvalidInput(f"{field}: {machine!r} holds an empty part, '.' or '..' between its slashes", field=field)
    return machine


def tail(machine: str) -> str:
    """Quote a machine id as the last part of a path of ``/json/v1``.

    Go's net/http leaves some characters as they are in a path, so that routers that match the raw path see the plain
    id.
    """
    return quote(check_id(machine), safe="/:@$&+,;=")


def path_of(collection: str, name: str, field: str) -> str:
    """The path of one resource of ``/api/v1``, whose name may hold slashes.

    :raises InvalidInput: see :func:`check_id`.
    """
    return f"/api/v1/{collection}/{quote(check_id(name, field), safe='')}"


def machine_path(machine: str) -> str:
    """The path of a machine.

    :raises InvalidInput: see :func:`check_id`.
    """
    return path_of("machines", machine, "machine")


def given(**query: Optional[str]) -> list[tuple[str, str]]:
    """The parameters of a query that have a value."""
    return [(key, value) for key, value in query.items() if value]


def said(**fields: Any) -> dict[str, Any]:
    """The fields of a body that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", {})}


def place(site: Optional[str], rack: Optional[str], labels: Optional[Mapping[str, str]]) -> list[tuple[str, str]]:
    """The parameters that choose machines by where they are and how they are labelled."""
    return given(site=site, rack=rack) + [("label", f"{key}={value}") for key, value in (labels or {}).items()]


def with_query(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _plain(path: str) -> str:
    return urlsplit(path).path


def _said(response: HttpResponse, path: str) -> tuple[str, dict[str, Any]]:
    """Message and details of a refusal; on ``/json/`` one short line of plain text; empty if it says nothing."""
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "text/plain" and path.startswith("/json/"):
        return response.body[:300].decode("utf-8", "replace").strip().split("\n")[0].strip(), {}
    try:
        error = json.loads(response.body)["error"]
        message, details = error["message"], error.get("details")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", {}
    return str(message)[:500], dict(details) if isinstance(details, dict) else {}
