# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One login to one Redfish service, and GETs that never raise for what a single resource does wrong.

A wrong password stops at once: nothing here sends a refused password twice.

What is sent when is decided sans-IO in :class:`Protocol`, by generators that yield a request or a :class:`Pause` and are told
what came back. :class:`Session` performs them on threads, :class:`AsyncSession` in an event loop.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Optional, TypeVar, Union, cast

from ..document.model import Verdict
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    SessionLimit,
    TimedOut,
    Unsupported,
)
from ..ports import AsyncHttp, Clock, Http, HttpRequest, HttpResponse
from .cache import Cache
from .quirks import BAD_LOGIN_WORDS, SESSION_LIMIT_WORDS
from .values import at, items, link, text
from .walker import ROOT, Outcome

DEFAULT_SESSIONS = ROOT + "/SessionService/Sessions"
_HEADERS = {"Accept": "application/json", "OData-Version": "4.0"}
_BUSY_RETRIES = 2
LOGOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Pause:
    """A step that waits so many seconds."""

    seconds: float


T = TypeVar("T")
Steps = Generator[Union[HttpRequest, Pause], Optional[HttpResponse], T]
"""What to do, step by step: each request is answered with its response or the transport's error, a pause with None."""


class Protocol:
    """What a session sends and makes of the answers. Its public methods are steps for a driver to perform.

    :ivar root: the service root as it was read before the login.
    :ivar requests: HTTP requests sent; ``logins``: passwords sent; ``received``: bytes of bodies.
    :param cache: of what this BMC said before, for conditional GETs.
    :param end: on the clock's ``monotonic``: no request lasts longer than till then. Only the logout gets a little more.
    """

    def __init__(
        self,
        clock: Clock,
        address: str,
        *,
        username: Optional[str] = None,
        password: Optional[str] = None,
        timeout: float = 30.0,
        end: Optional[float] = None,
        cache: Optional[Cache] = None,
    ) -> None:
        self._cache = cache
        self._timeout = timeout
        self._username = username
        self._password = password
        self._clock = clock
        self._address = address
        self._end = end
        self._lock = threading.Lock()
        self._auth: dict[str, str] = {}
        self._location: Optional[str] = None
        self._doubted = False
        self._settled = False
        self.root: Optional[Mapping[str, Any]] = None
        self.requests = 0
        self.logins = 0
        self.received = 0

    # -- login and logout -------------------------------------------------------------------------------------------------

    def opening(self) -> Steps[None]:
        """Log in.

        :raises AuthenticationFailed: the login was refused; it is not tried again.
        :raises SessionLimit: the service has no session left.
        :raises Unsupported: the address answers, but not as a Redfish service.
        """
        response = yield from self.sending("GET", ROOT + "/")
        if response.status == 401:
            self._use_basic()
            response = yield from self.sending("GET", ROOT + "/")
        outcome = outcome_of(response)
        if response.status == 401:
            self._refused(response)
        if outcome.status in (502, 503, 504, 429):
            raise Busy(
                f"{self._address}: the BMC is busy or starting (HTTP {outcome.status})",
                address=self._address,
                status=outcome.status,
            )
        if outcome.body is None or not any(name in outcome.body for name in ("Systems", "RedfishVersion", "Chassis")):
            raise Unsupported(
                f"{self._address}: no Redfish service here ({outcome.reason or 'the answer is not a service root'})",
                address=self._address,
                status=outcome.status,
            )
        self.root = outcome.body
        if self._username is not None and not self._auth:
            sessions = link(at(self.root, "Links.Sessions"))
            if sessions or link(at(self.root, "SessionService")):
                yield from self._login(sessions or DEFAULT_SESSIONS)
            else:
                self._use_basic()
        if self._username is None or "Authorization" in self._auth:
            yield from self._probe()

    def closing(self) -> Steps[None]:
        """Log out. Never raises a FleetError: a BMC that can't end a session ends it by its own time-out."""
        location, self._location = self._location, None
        try:
            if location:
                left = LOGOUT_SECONDS if self._end is None else self._end - self._clock.monotonic()
                yield from self.sending("DELETE", location, timeout=max(2.0, min(LOGOUT_SECONDS, left)))
        except FleetError:
            pass
        finally:
            self._auth = {}

    def remember(self, password: str) -> None:
        """From now on log in with this password: it was changed."""
        self._password = password
        if "Authorization" in self._auth:
            self._use_basic()

    def renewing(self) -> Steps[bool]:
        """Log in anew after the service forgot the session. False if there is no session to renew."""
        if "X-Auth-Token" not in self._auth:
            return False
        self._auth, self._location = {}, None
        yield from self._login(link(at(self.root, "Links.Sessions")) or DEFAULT_SESSIONS)
        return True

    def _login(self, sessions: str) -> Steps[None]:
        body = json.dumps({"UserName": self._username, "Password": self._password or ""}).encode()
        self.logins += 1
        response = yield from self.sending("POST", sessions, body)
        token = response.headers.get("x-auth-token")
        answer = outcome_of(response)
        words = message_of(response)
        if any(word in words.lower() for word in SESSION_LIMIT_WORDS):
            raise SessionLimit(
                f"{self._address}: the BMC has no session left: log others out or wait until they expire ({words[:200]})",
                address=self._address,
            )
        if response.status in (200, 201, 202, 204) and token:
            self._auth = {"X-Auth-Token": token}
            self._location = link(response.headers.get("location", "")) or link(answer.body or {}, sessions)
            return
        if response.status in (404, 405, 501) and not any(word in words.lower() for word in BAD_LOGIN_WORDS):
            self._use_basic()  # the service has no sessions: the password was not looked at
            return
        basic = response.headers.get("www-authenticate", "").lower().startswith("basic")
        if response.status == 401 and basic and not link(at(self.root, "Links.Sessions")):
            self._use_basic()  # no sessions either: it asks for Basic authentication before it says 404
            return
        if response.status in (429, 502, 503, 504):
            raise Busy(
                f"{self._address}: the BMC is too busy to log in (HTTP {response.status})", address=self._address
            )
        if response.status >= 500:
            raise BadResponse(
                f"{self._address}: the login failed with HTTP {response.status} ({words[:200]})", address=self._address
            )
        self._refused(response)

    def _use_basic(self) -> None:
        if self._username is None:
            return
        pair = f"{self._username}:{self._password or ''}".encode()
        self._auth = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        self.logins += 1

    def _probe(self) -> Steps[None]:
        """Without a session nothing has checked the password yet: look at one protected resource."""
        target = link(at(self.root, "Systems")) or link(at(self.root, "Chassis"))
        if target:
            response = yield from self.sending("GET", target)
            if response.status == 401:
                self._refused(response)

    def _refused(self, response: HttpResponse) -> NoReturn:
        words = message_of(response)
        who = f"user {self._username!r}" if self._username is not None else "no user name was given"
        raise AuthenticationFailed(
            f"{self._address}: the BMC refused the login ({who}, HTTP {response.status}"
            f"{': ' + words[:160] if words else ''}). Check username and password; not tried again, so as not to lock the account",
            address=self._address,
            status=response.status,
        )

    # -- GET ----------------------------------------------------------------------------------------------------------------

    def getting(self, url: str, deadline: Optional[float] = None, fresh: bool = False) -> Steps[Outcome]:
        """Fetch one resource. What is wrong with it is in the outcome. Busy answers (503, 429) are asked again, twice.

        :param deadline: on the clock's ``monotonic``; the request's time-out is never longer than what is left.
        :param fresh: never from the cache.
        """
        end = self._end if deadline is None else deadline
        cache = None if fresh else self._cache
        etag = cache.etag(url) if cache is not None else None
        condition = {"If-None-Match": etag} if etag is not None else {}
        try:
            response = yield from self._asking(url, end, condition)
            for attempt in range(_BUSY_RETRIES):
                if response.status not in (429, 503):
                    break
                seconds = min(retry_after(response) or 1.0 + attempt, 5.0)
                if end is not None and self._clock.monotonic() + seconds >= end:
                    break
                yield Pause(seconds)
                response = yield from self.sending("GET", url, deadline=end, more_headers=condition)
        except TimedOut as error:
            return Outcome(Verdict.TIMEOUT, reason=error.message)
        except FleetError as error:
            return Outcome(Verdict.FAILED, reason=error.message)
        if cache is not None and response.status == 304 and condition:
            return outcome_of(HttpResponse(200, response.headers, cache.again(url)))
        outcome = outcome_of(response)
        if cache is not None and outcome.body is not None:
            etag = response.headers.get("etag") or text(outcome.body.get("@odata.etag"))
            if etag:
                cache.keep(url, etag, response.body)
        return outcome

    def _asking(self, url: str, end: Optional[float], condition: Mapping[str, str]) -> Steps[HttpResponse]:
        """A GET, and once more after a new login when the service has forgotten the session (it restarted, the session was idle)."""
        token = self._auth.get("X-Auth-Token")
        response = yield from self.sending("GET", url, deadline=end, more_headers=condition)
        if response.status == 401 and token is not None and (yield from self._forgotten(token)):
            response = yield from self.sending("GET", url, deadline=end, more_headers=condition)
        return response

    def _forgotten(self, token: str) -> Steps[bool]:
        """Whether there is a new session to ask with. Only the first 401 is looked into, and the password, which was good, sent once more at most."""
        with self._lock:
            first, self._doubted = not self._doubted, True
        if first:
            try:
                if self._location is not None:
                    probe = yield from self.sending("GET", self._location)
                    if probe.status in (401, 404):
                        yield from self.renewing()
            finally:
                self._settled = True
        while not self._settled:
            yield Pause(0.1)
        return self._auth.get("X-Auth-Token") not in (None, token)

    # -- one request --------------------------------------------------------------------------------------------------------

    def sending(
        self,
        method: str,
        url: str,
        body: Optional[bytes] = None,
        *,
        timeout: float = 0,
        deadline: Optional[float] = None,
        more_headers: Optional[Mapping[str, str]] = None,
    ) -> Steps[HttpResponse]:
        """One authenticated request of any method; follows redirects on the same host. Errors as :class:`fleetcore.ports.Http`."""
        headers = {**_HEADERS, **self._auth}
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers.update(more_headers or {})
        end = deadline if deadline is not None or timeout else self._end
        hops = 2
        while True:
            seconds = timeout or self._timeout
            if end is not None:
                seconds = max(0.1, min(seconds, end - self._clock.monotonic()))
            with self._lock:
                self.requests += 1
            response = cast(HttpResponse, (yield HttpRequest(method, url, headers, body, seconds)))
            with self._lock:
                self.received += len(response.body)
            moved = _moved(response)
            if moved is None or moved == url or not hops:
                return response
            url, hops = moved, hops - 1


class Session(Protocol):
    """The protocol on threads, as a context manager: logs in when entered, always logs out when left, and closes ``http``.

    Without a user name it does not log in. When the service has no sessions it uses Basic authentication.
    Errors on entering are those of :meth:`Protocol.opening`.
    """

    def __init__(self, http: Http, clock: Clock, address: str, **options: Any) -> None:
        super().__init__(clock, address, **options)
        self._http = http

    def __enter__(self) -> Session:
        self.open()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def open(self) -> None:
        """Log in; errors as of the class."""
        try:
            self._perform(self.opening())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Log out. Never raises for what the BMC does. Idempotent."""
        try:
            self._perform(self.closing())
        finally:
            self._http.close()

    def renew(self) -> bool:
        """See :meth:`Protocol.renewing`."""
        return self._perform(self.renewing())

    def get(self, url: str, deadline: Optional[float] = None, fresh: bool = False) -> Outcome:
        """See :meth:`Protocol.getting`. Thread-safe."""
        return self._perform(self.getting(url, deadline, fresh))

    def send(
        self,
        method: str,
        url: str,
        body: Optional[bytes] = None,
        *,
        timeout: float = 0,
        deadline: Optional[float] = None,
        more_headers: Optional[Mapping[str, str]] = None,
    ) -> HttpResponse:
        """See :meth:`Protocol.sending`."""
        return self._perform(
            self.sending(method, url, body, timeout=timeout, deadline=deadline, more_headers=more_headers)
        )

    def _perform(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._do(step)
                except BaseException as error:  # noqa: BLE001  (the steps decide what becomes of it)
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _do(self, step: Union[HttpRequest, Pause]) -> Optional[HttpResponse]:
        if isinstance(step, Pause):
            self._clock.sleep(step.seconds)
            return None
        return self._http.send(step)


class AsyncSession(Protocol):
    """The protocol in an event loop, as an asynchronous context manager. Like :class:`Session`; logs out when cancelled, too."""

    def __init__(self, http: AsyncHttp, clock: Clock, address: str, **options: Any) -> None:
        super().__init__(clock, address, **options)
        self._http = http

    async def __aenter__(self) -> AsyncSession:
        opening = asyncio.ensure_future(self._perform(self.opening()))
        try:
            await asyncio.shield(opening)
        except BaseException:
            if not opening.done():  # cancelled: a login under way would leave a session behind that nobody knows
                await asyncio.wait([opening], timeout=LOGOUT_SECONDS)
                opening.cancel()
            await self.close()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Log out. Never raises for what the BMC does. Idempotent."""
        try:
            await self._perform(self.closing())
        finally:
            self._http.close()

    async def get(self, url: str, deadline: Optional[float] = None, fresh: bool = False) -> Outcome:
        """See :meth:`Protocol.getting`."""
        return await self._perform(self.getting(url, deadline, fresh))

    async def _perform(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._do(step)
                except BaseException as error:  # noqa: BLE001  (the steps decide what becomes of it)
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    async def _do(self, step: Union[HttpRequest, Pause]) -> Optional[HttpResponse]:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        return await self._http.send(step)


def outcome_of(response: HttpResponse) -> Outcome:
    """An HTTP answer as the walker takes it. Errors inside a 200 (an object with only ``error`` in it) count as errors."""
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


def _moved(response: HttpResponse) -> Optional[str]:
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
    """Message ids and texts of a Redfish error (DSP0266 section 8.6), on one line; an empty string if there are none."""
    error = at(_json(response.body), "error")
    extended = items(at(error, "@Message.ExtendedInfo"))
    words = [text(item.get(name)) for item in extended[:3] for name in ("MessageId", "Message")]
    words = words or [text(at(error, "code")), text(at(error, "message"))]
    return " ".join(item for item in words if item)


def retry_after(response: HttpResponse) -> Optional[float]:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() and len(value) < 6 else None
