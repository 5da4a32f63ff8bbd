# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The machine server's REST client: ``/json/v1`` (spoken by other machine servers too) and ``/api/v1`` (our own).

Sans-IO: it builds requests, judges answers and decides on retries; the transport (:class:`~.ports.Http`) and the time
(:class:`~.ports.Clock`) are handed in. Objects go in and out as plain JSON data in the shapes of the server's OpenAPI document.

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

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import quote, urlencode, urlsplit

from ..errors import (
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
from ..ports import Clock, Http, HttpRequest, HttpResponse, HttpStreams
from .retry import ExponentialWait, retry

ATTEMPTS = 3
WAIT = ExponentialWait(first=0.5, longest=10.0)
PAGE = 500
_REFUSAL_LINES = 50  # read of a stream's answer that is an error

# Go's net/http leaves these as they are in a path, so that routers that match the raw path see the plain id.
_SAFE_IN_TAIL = "/:@$&+,;="


@dataclass(frozen=True)
class Inventory:
    """Answer of :meth:`ServerClient.inventory`. ``data`` is None when the server's state is still the one of ``etag``."""

    etag: Optional[str]
    data: Optional[dict[str, Any]]


class ServerClient:
    """One machine server.

    Requests that can be repeated without harm (all GET and DELETE, PUT, and the POSTs whose docstring says so) are sent up
    to ``attempts`` times as long as the failure is a ``TransientError``; the others once.

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
        self._clock = clock
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

    # -- /json/v1 ----------------------------------------------------------------------------------------------------------

    def powercycle_list(self) -> list[str]:
        """Ids of the machines that somebody wants power cycled. An empty list is ``[]`` here and ``null`` on other servers."""
        path = "/json/v1/powercycle/list"
        data = self._json("GET", path)
        if data is None:
            return []
        if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
            raise self._not_ours(path, "a list of machine ids")
        return data

    def powercycle_complete(self, machine: str) -> None:
        """Say that the machine has been power cycled.

        Sent once: a repetition could swallow a request that was made in between.

        :raises NotFound: no such machine.
        """
        self._send("POST", f"/json/v1/powercycle/complete/{_tail(machine)}")

    def powercycle_state_update(self, states: Mapping[str, str]) -> None:
        """Say which machines can be power cycled from here: id to ``not_available``, ``available`` or ``in_error``.

        Repeated on transient errors. Ids that the server does not know are no error.
        """
        rows = [{"MachineID": machine, "PowerCycleState": state} for machine, state in states.items()]
        self._send("POST", "/json/v1/powercycle/state/update", {"Machines": rows}, repeat=True)

    def description(self, machine: str) -> dict[str, Any]:
        """The machine's Description, with Go's field names (``PowerCycle``, ``Dimensions``, ...).

        :raises NotFound: no such machine. (Other servers answer 500, which is ``BadResponse``.)
        """
        return self._object("GET", f"/json/v1/machine/description/{_tail(machine)}")

    def post_event(self, event: Mapping[str, Any]) -> None:
        """Tell what a machine monitor saw: ``{"type": "raw_state", "host": {"name", ...}, "standalone": {...}, ...}``.

        Sent once: the caller keeps what did not arrive. Events may arrive twice without harm.
        """
        self._send("POST", "/json/v1/machine/event/", dict(event))

    def description_updates(self, machine: str, streams: HttpStreams, quiet: float) -> Iterator[None]:
        """Yields once when the server listens, and then whenever the machine's description changed.

        Ends when the server ends it; changes between two calls are not told, so look at the description after each item.

        :param streams: transport whose base is ``url``.
        :param quiet: seconds without a sign of life, if only a comment, after which the connection counts as lost.
        :raises FleetError: the server refuses, or the connection broke.
        """
        path = "/json/v1/machine/sse/description/updated?" + urlencode({"stream": check_id(machine)})
        headers = {"Accept": "text/event-stream", **self._authorization()}
        try:
            stream = streams.stream(HttpRequest("GET", path, headers, None, self._timeout), quiet)
            try:
                if stream.status != 200:
                    body = b"".join(itertools.islice(stream.lines, _REFUSAL_LINES))
                    raise self._error(HttpResponse(stream.status, stream.headers, body), path)
                yield None
                for line in stream.lines:
                    if line.startswith(b"data:"):
                        yield None
            finally:
                stream.close()
        except TransportError as error:
            if "url" in error.details:  # of an answer, and named already
                raise
            raise self._named(error) from error

    # -- machines ----------------------------------------------------------------------------------------------------------

    def machines(
        self,
        site: Optional[str] = None,
        rack: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        q: Optional[str] = None,
        page: int = PAGE,
    ) -> Iterator[dict[str, Any]]:
        """All machines that match every filter, fetched page by page as the iterator goes on."""
        return self._pages("/api/v1/machines", _filters(site, rack, labels) + _given(q=q), page)

    def machine(self, machine: str) -> dict[str, Any]:
        """:raises NotFound: no such machine."""
        return self._object("GET", _machine(machine))

    def create_machine(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Create ``{"id", "labels", "site", "rack", "position", "bmc"}`` and return it as the server has it.

        :raises ConflictError: the id is taken.
        """
        return self._object("POST", "/api/v1/machines", dict(machine))

    def patch_machine(self, machine: str, patch: Mapping[str, Any], version: Optional[int] = None) -> dict[str, Any]:
        """Apply a JSON merge patch (null removes) and return the machine.

        :param version: the ``version`` that the patch was made for; the server refuses it for any other.
        :raises ConflictError: somebody changed the machine since ``version``.
        """
        return self._object("PATCH", _machine(machine), dict(patch), headers=_if_match(version))

    def delete_machine(self, machine: str, version: Optional[int] = None) -> None:
        """:raises NotFound: no such machine; also when a first attempt deleted it and its answer was lost."""
        self._send("DELETE", _machine(machine), headers=_if_match(version))

    def bmc(self, machine: str) -> dict[str, Any]:
        """:raises NotFound: no such machine, or it has no BMC."""
        return self._object("GET", _machine(machine) + "/bmc")

    def put_bmc(self, machine: str, bmc: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the machine's BMC data (address and protocol settings, never secrets)."""
        return self._object("PUT", _machine(machine) + "/bmc", dict(bmc))

    def delete_bmc(self, machine: str) -> None:
        self._send("DELETE", _machine(machine) + "/bmc")

    # -- device documents ----------------------------------------------------------------------------------------------------

    def publish_device(self, machine: str, document: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Publish one observation; ``{"changed": bool, "changes": number}``. Publishing the same again changes nothing.

        :param source: ``oob`` or ``inband``.
        :raises InvalidInput: the server does not accept the document; ``details["field"]`` is the place.
        """
        path = f"{_machine(machine)}/device/{quote(source, safe='')}"
        answer = self._object("PUT", path, dict(document))
        if not isinstance(answer.get("changed"), bool):
            raise self._not_ours(path, 'an object with "changed"')
        return answer

    def publish_devices(self, documents: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Publish many in one call: pairs of machine id and document. One result per pair, in order, failures included.

        Repeated on transient errors: each document replaces the one before of its machine and source.
        """
        path = "/api/v1/devices"
        items = [{"machine": machine, "device": dict(document)} for machine, document in documents]
        answer = self._object("POST", path, {"items": items}, repeat=True).get("items")
        if not isinstance(answer, list) or len(answer) != len(items):
            raise self._not_ours(path, f"results for {len(items)} documents")
        return answer

    def device(self, machine: str, source: Optional[str] = None) -> dict[str, Any]:
        """The device document, merged from all sources or of the one named.

        :raises NotFound: no such machine, or nothing was published for it.
        """
        return self._object("GET", _with_query(_machine(machine) + "/device", _given(source=source)))

    def device_history(self, machine: str, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """Observations that changed something: ``{"at", "source", "changes"}``, newest first."""
        return self._pages(_machine(machine) + "/device/history", [], page)

    def findings(self, machine: str) -> list[dict[str, Any]]:
        """Where the machine's sources contradict each other, worst first: see ``fleetcore.document.findings``."""
        path = _machine(machine) + "/device/findings"
        items = self._object("GET", path).get("items")
        if not isinstance(items, list):
            raise self._not_ours(path, 'an object with "items"')
        return items

    def components(
        self,
        serial: Optional[str] = None,
        machine: Optional[str] = None,
        kind: Optional[str] = None,
        page: int = PAGE,
    ) -> Iterator[dict[str, Any]]:
        """Where components are and were, by when they came there: ``{"machine", "slot", "first_seen", "last_seen", "current", ...}``."""
        return self._pages("/api/v1/components", _given(serial=serial, machine=machine, kind=kind), page)

    # -- power cycles --------------------------------------------------------------------------------------------------------

    def request_powercycle(self, machine: str, reason: str, requester: Optional[str] = None) -> dict[str, Any]:
        """Ask for a power cycle and return the request. A machine that has an open request keeps that one and it is returned.

        Repeated on transient errors, with one idempotency key for all attempts.
        """
        body = {"machine": machine, "reason": reason}
        if requester:
            body["requester"] = requester
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return self._object("POST", "/api/v1/powercycles", body, headers=headers, repeat=True)

    def powercycles(
        self, machine: Optional[str] = None, state: Optional[str] = None, page: int = PAGE
    ) -> Iterator[dict[str, Any]]:
        """Requests, newest first."""
        return self._pages("/api/v1/powercycles", _given(machine=machine, state=state), page)

    def powercycle(self, request: str) -> dict[str, Any]:
        """:raises NotFound: no such request."""
        return self._object("GET", _powercycle(request))

    def report_powercycle(
        self,
        request: str,
        state: str,
        message: Optional[str] = None,
        error: Optional[Mapping[str, Any]] = None,
        runner: Optional[str] = None,
        fencing_token: Optional[int] = None,
    ) -> dict[str, Any]:
        """Report progress (``claimed``, ``off``, ``on``) or the end (``verified``, ``failed``) and return the request.

        Sent once: each ``failed`` counts as an attempt.

        :param error: a :meth:`~.errors.FleetError.to_dict`.
        :param fencing_token: of the claim under which it was done; then ``verified`` and ``failed`` leave the work too.
        :raises ConflictError: the request is closed; with ``details["reason"]``: the claim of the token is over.
        """
        body: dict[str, Any] = {"state": state}
        if message:
            body["message"] = message
        if error:
            body["error"] = dict(error)
        if runner:
            body["runner"] = runner
        if fencing_token is not None:
            body["fencing_token"] = fencing_token
        return self._object("POST", _powercycle(request) + "/report", body)

    def cancel_powercycle(self, request: str) -> dict[str, Any]:
        """:raises ConflictError: too late, the request is closed or under way."""
        return self._object("POST", _powercycle(request) + "/cancel", {})

    # -- sessions and work ---------------------------------------------------------------------------------------------------
    # A ConflictError of these has ``details["reason"]``: session_expired, lease_lost, work_conflict or not_eligible.

    def start_session(
        self, component: str, interval: float = 5.0, info: Optional[Mapping[str, Any]] = None
    ) -> dict[str, Any]:
        """A session, ``{"id", "deadline", "interval", ...}``: lives ``interval`` seconds from each heartbeat, by the server's time.

        Repeated on transient errors: a session whose answer was lost dies by itself.
        """
        body = {"component": component, "interval": interval, "info": dict(info or {})}
        return self._object("POST", "/api/v1/sessions", body, repeat=True)

    def heartbeat(self, session: str) -> dict[str, Any]:
        """Renew the session; the answer's ``work`` is what it still holds. Sent once: the caller keeps the time.

        :raises ConflictError: it has expired, for ever.
        """
        return self._object("POST", _session(session) + "/heartbeat")

    def end_session(self, session: str) -> None:
        """Give all its work back. No error if it has ended already."""
        self._send("DELETE", _session(session))

    def claim_work(
        self, session: str, process: str, count: int = 1, machines: Optional[Sequence[str]] = None
    ) -> list[dict[str, Any]]:
        """Lock up to ``count`` eligible machines (of ``machines``): ``[{"machine", "fencing_token", ...}]``, oldest need first.

        Sent once: a claim whose answer was lost is in the work of the next heartbeat.
        """
        path = "/api/v1/work/claim"
        body: dict[str, Any] = {"session": session, "process": process, "count": count}
        if machines is not None:
            body["machines"] = list(machines)
        items = self._object("POST", path, body).get("items")
        if not isinstance(items, list):
            raise self._not_ours(path, 'an object with "items"')
        return items

    def take_work(self, session: str, machine: str, process: str = "manual", needed: bool = True) -> dict[str, Any]:
        """Lock one machine by name.

        :raises ConflictError: it is locked, or not eligible (``details["unmet"]`` says why not).
        """
        body = {"session": session, "process": process, "machine": machine, "needed": needed}
        return self._object("POST", "/api/v1/work/take", body)

    def finish_work(self, session: str, machine: str, process: str, fencing_token: Optional[int] = None) -> None:
        """Done. :raises ConflictError: it is not held (any more)."""
        self._send("POST", "/api/v1/work/finish", _exit(session, machine, process, fencing_token))

    def fail_work(
        self, session: str, machine: str, process: str, cause: str, fencing_token: Optional[int] = None
    ) -> None:
        """Not done; the server decides when it is eligible again. :raises ConflictError: it is not held (any more)."""
        body = {**_exit(session, machine, process, fencing_token), "cause": cause}
        self._send("POST", "/api/v1/work/fail", body)

    def cancel_work(self, session: str, machine: str, process: str, cause: str = "") -> None:
        """Give it back; repeated on transient errors. :raises ConflictError: the session has expired."""
        body = {**_exit(session, machine, process, None), "cause": cause}
        self._send("POST", "/api/v1/work/cancel", body, repeat=True)

    def work(self, machine: Optional[str] = None, process: Optional[str] = None) -> list[dict[str, Any]]:
        """Who holds what now."""
        path = _with_query("/api/v1/work", _given(machine=machine, process=process))
        items = self._object("GET", path).get("items")
        if not isinstance(items, list):
            raise self._not_ours(path, 'an object with "items"')
        return items

    def work_history(self, machine: Optional[str] = None, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """What was started, finished, failed and cancelled, newest first."""
        return self._pages("/api/v1/work/history", _given(machine=machine), page)

    def explain(self, machine: str, process: str) -> dict[str, Any]:
        """Why the machine is eligible for the process, or not: ``{"eligible", "conditions": [{"text", "holds"}], ...}``."""
        return self._object("GET", f"/api/v1/explain/{quote(check_id(machine), safe='')}/{quote(process, safe='')}")

    # -- credentials -----------------------------------------------------------------------------------------------------------

    def credentials(self) -> list[dict[str, Any]]:
        """``[{"name", "username", "created_at", "updated_at"}]``, by name: never a password."""
        path = "/api/v1/credentials"
        items = self._object("GET", path).get("items")
        if not isinstance(items, list):
            raise self._not_ours(path, 'an object with "items"')
        return items

    def read_credential(self, name: str) -> dict[str, Any]:
        """The login, ``{"name", "username", "password"}``. The server writes down who read it.

        :raises NotFound: there is none. :raises PermissionDenied: the token is not of scope runner or admin.
        """
        return self._object("GET", _credential(name))

    def put_credential(self, name: str, username: str, password: str) -> dict[str, Any]:
        """Store a login in place of the one of that name; ``updated_at`` stays if it was the same. Without the password."""
        return self._object("PUT", _credential(name), {"username": username, "password": password})

    def delete_credential(self, name: str) -> None:
        """:raises NotFound: there is none."""
        self._send("DELETE", _credential(name))

    def audit(self, subject: Optional[str] = None, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """Who did what to which credential, ``{"at", "actor", "action", "subject"}``, newest first."""
        return self._pages("/api/v1/audit", _given(subject=subject), page)

    # -- inventory -----------------------------------------------------------------------------------------------------------

    def inventory(
        self,
        site: Optional[str] = None,
        rack: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
        etag: Optional[str] = None,
    ) -> Inventory:
        """Hosts with their variables and groups, ``{"hosts": {id: {...}}, "groups": {name: {"hosts": [...]}}}``.

        :param etag: of an earlier answer to the same question; the same state then costs no body.
        """
        path = _with_query("/api/v1/inventory", _filters(site, rack, labels))
        response = self._exchange("GET", path, None, {"If-None-Match": etag} if etag else {}, True)
        if response.status == 304:
            return Inventory(etag, None)
        data = self._decode(response, path)
        if not _is_inventory(data):
            raise self._not_ours(path, "hosts and groups")
        return Inventory(response.headers.get("etag"), data)

    # -- requests ------------------------------------------------------------------------------------------------------------

    def _pages(self, path: str, query: list[tuple[str, str]], page: int) -> Iterator[dict[str, Any]]:
        cursor: Optional[str] = None
        seen: set[str] = set()
        while True:
            answer = self._object("GET", _with_query(path, [*query, ("limit", str(page)), *_given(cursor=cursor)]))
            items = answer.get("items")
            if not isinstance(items, list):
                raise self._not_ours(path, 'an object with "items"')
            yield from items
            cursor = answer.get("next")
            if not cursor:
                return
            if cursor in seen:
                raise self._not_ours(path, "a new cursor on each page")
            seen.add(cursor)

    def _object(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        repeat: bool = False,
    ) -> dict[str, Any]:
        data = self._json(method, path, body, headers, repeat)
        if not isinstance(data, dict):
            raise self._not_ours(path, "an object")
        return data

    def _json(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        repeat: bool = False,
    ) -> Any:
        return self._decode(self._send(method, path, body, headers, repeat), path)

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
        """The answer, if it is 2xx or 304."""
        sent = {"Accept": "application/json", **headers, **self._authorization()}
        payload: Optional[bytes] = None
        if body is not None:
            sent["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
            payload = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        elif method == "POST":
            payload = b""
        request = HttpRequest(method, path, sent, payload, self._timeout)
        attempts = self._attempts if repeat else 1
        return retry(lambda: self._once(request), self._clock, WAIT, attempts, _may_get_better)

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

    # -- answers -------------------------------------------------------------------------------------------------------------

    def _decode(self, response: HttpResponse, path: str) -> Any:
        try:
            return json.loads(response.body)
        except (ValueError, RecursionError):
            raise self._not_ours(path, "JSON", response.status) from None

    def _named(self, error: TransportError) -> TransportError:
        """The transport's error, told of the machine server instead of an address."""
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
            f"{self.url}{_plain(path)}: expected {expected}, got something else (HTTP {status}). Is this the machine server?",
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
    """An answer in the wrong format stays wrong when it is asked for again; one that broke off may come whole."""
    return not (isinstance(error, BadResponse) and "status" in error.details)


def check_id(machine: str, field: str = "machine") -> str:
    """A machine id that can stand in a URL, unchanged.

    :raises InvalidInput: empty, or it has control characters or the parts ``.`` or ``..``, which proxies resolve.
    """
    if not isinstance(machine, str) or not machine.strip():
        raise InvalidInput(f"{field}: a machine's name must not be empty", field=field)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in machine):
        raise InvalidInput(f"{field}: {machine!r} holds control characters", field=field)
    if any(part in ("", ".", "..") for part in machine.split("/")):
        raise InvalidInput(f"{field}: {machine!r} holds an empty part, '.' or '..' between its slashes", field=field)
    return machine


def _is_inventory(data: Any) -> bool:
    hosts, groups = (data.get("hosts"), data.get("groups")) if isinstance(data, dict) else (None, None)
    if not isinstance(hosts, dict) or not isinstance(groups, dict):
        return False
    if not all(name and isinstance(variables, dict) for name, variables in hosts.items()):
        return False
    members = [group.get("hosts") if isinstance(group, dict) else None for group in groups.values()]
    return all(groups) and all(isinstance(names, list) and all(name in hosts for name in names) for names in members)


def _tail(machine: str) -> str:
    return quote(check_id(machine), safe=_SAFE_IN_TAIL)


def _machine(machine: str) -> str:
    return "/api/v1/machines/" + quote(check_id(machine), safe="")


def _powercycle(request: str) -> str:
    return "/api/v1/powercycles/" + quote(check_id(str(request), "request"), safe="")


def _credential(name: str) -> str:
    if name in ("", ".", ".."):
        raise InvalidInput(f"name: {name!r} can't be the name of a credential", field="name")
    return f"/api/v1/credentials/{quote(name, safe='')}"


def _session(session: str) -> str:
    return "/api/v1/sessions/" + quote(check_id(str(session), "session"), safe="")


def _exit(session: str, machine: str, process: str, fencing_token: Optional[int]) -> dict[str, Any]:
    body: dict[str, Any] = {"session": session, "machine": machine, "process": process}
    if fencing_token is not None:
        body["fencing_token"] = fencing_token
    return body


def _if_match(version: Optional[int]) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _given(**query: Optional[str]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in query.items() if value]


def _filters(site: Optional[str], rack: Optional[str], labels: Optional[Mapping[str, str]]) -> list[tuple[str, str]]:
    return _given(site=site, rack=rack) + [("label", f"{key}={value}") for key, value in (labels or {}).items()]


def _with_query(path: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _plain(path: str) -> str:
    return urlsplit(path).path


def _said(response: HttpResponse, path: str) -> tuple[str, dict[str, Any]]:
    """What a refusal says: message and details of the error object, on ``/json/`` one short line of plain text, or nothing."""
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "text/plain" and path.startswith("/json/"):
        return response.body[:300].decode("utf-8", "replace").strip().split("\n")[0].strip(), {}
    try:
        error = json.loads(response.body)["error"]
        message, details = error["message"], error.get("details")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", {}
    return str(message)[:500], dict(details) if isinstance(details, dict) else {}
