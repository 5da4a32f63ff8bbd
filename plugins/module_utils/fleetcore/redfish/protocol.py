# SPDX-License-Identifier: BSD-2-Clause

"""One login to one Redfish service, sans-IO: what is sent when, and what is made of the answers.

A wrong password stops at once: nothing here sends a refused password twice. A single resource that is wrong never
raises.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, NoReturn, Optional, TypeVar, Union, cast

from ..document.model import Verdict
from ..errors import (
    AuthenticationFailed,
    BadResponse,
    Busy,
    FleetError,
    SessionLimit,
    TimedOut,
    Unreachable,
    Unsupported,
)
from ..net.retry import ExponentialWait
from ..ports import Clock, HttpRequest, HttpResponse
from .answers import (
    BUSY,
    message_of,
    must_change,
    no_session_left,
    outcome_of,
    place_of_session,
    redirected,
    refusal,
    retry_after,
)
from .cache import Cache
from .quirks import BAD_LOGIN_WORDS
from .values import at, link, text
from .wants import ROOT, Outcome

DEFAULT_SESSIONS = ROOT + "/SessionService/Sessions"
_HEADERS = {"Accept": "application/json", "OData-Version": "4.0"}
LOGOUT_SECONDS = 10.0
"""How long a BMC may take to log out."""


class Patience(NamedTuple):
    """How often a busy service is asked again, and after which waits."""

    again: int
    wait: ExponentialWait


_READING = Patience(2, ExponentialWait(1.0, 5.0))
_ACTING = Patience(3, ExponentialWait(1.0, 10.0))


@dataclass(frozen=True)
class Pause:
    """A step that waits so many seconds."""

    seconds: float


class LoginRequest(HttpRequest):
    """A login. It is never left half done: only its answer tells where the session is that has to be ended."""


T = TypeVar("T")
Steps = Generator[Union[HttpRequest, Pause], Optional[HttpResponse], T]
"""Requests and pauses, one by one. A request is answered with its response or the transport's error, a pause: None."""


class Protocol:
    """Yields what a session sends, and is told what came back.

    Its methods in ``-ing`` are steps for an adapter to perform.

    :ivar root: the service root as it was read before the login. ``location``: path of the session.
    :ivar requests: HTTP requests sent; ``logins``: passwords sent; ``received``: bytes of bodies.
    :param cache: of what this BMC said before, for conditional GETs.
    :param end: on the clock's ``monotonic``: no request lasts longer than till then. Only the logout gets a little
        more.
    :param basic: use Basic authentication, and no session.
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
        basic: bool = False,
    ) -> None:
        self._cache = cache
        self._basic = basic
        self._timeout = timeout
        self._username = username
        self._password = password
        self._clock = clock
        self._address = address
        self._end = end
        self._lock = threading.Lock()
        self._auth: dict[str, str] = {}
        self.location: Optional[str] = None
        self._sessions: Optional[str] = None
        self._doubted = False
        self._settled = False
        self.root: Optional[Mapping[str, Any]] = None
        self.requests = 0
        self.logins = 0
        self.received = 0

    # -- login and logout ---------------------------------------------------------------------------------------------

    def opening(self) -> Steps[None]:
        """Log in.

        :raises AuthenticationFailed: the login was refused; it is not tried again.
        :raises SessionLimit: the service has no session left.
        :raises Unsupported: the address answers, but not as a Redfish service.
        """
        look = partial(self.sending, "GET", ROOT + "/")
        response = yield from self._until_free(look, _READING)
        if response.status == 401:
            self._use_basic()
            response = yield from self._until_free(look, _READING)
        outcome = outcome_of(response)
        if response.status == 401:
            self._refused(response)
        if outcome.status in BUSY:
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
        if self._basic:
            self._use_basic()
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
        try:
            yield from self._log_out()
        except (FleetError, GeneratorExit):
            pass
        except BaseException:  # interrupted in the middle: nobody knows whether the BMC was told
            yield from self._log_out()
            raise
        finally:
            self.location, self._auth = None, {}

    def _log_out(self) -> Steps[None]:
        """End the session, if there is one. A BMC that is busy or breaks the connection is told again."""
        if self.location is None:
            return
        end = partial(self.sending, "DELETE", self.location, timeout=LOGOUT_SECONDS)
        try:
            yield from self._until_free(end, _READING)
        except (BadResponse, Unreachable):
            with contextlib.suppress(FleetError):
                yield from end()

    def remember(self, password: str) -> None:
        """From now on log in with this password: it was changed."""
        self._password = password
        if "Authorization" in self._auth:
            self._use_basic()

    def _renewing(self) -> Steps[bool]:
        """Log in anew after the service forgot the session. False if there never was one to forget."""
        if self._sessions is None:
            return False
        with contextlib.suppress(FleetError):
            yield from self._log_out()  # not every 401 means that it is gone
        self._auth, self.location = {}, None
        yield from self._login(self._sessions)
        return True

    def _login(self, sessions: str) -> Steps[None]:
        body = json.dumps({"UserName": self._username, "Password": self._password or ""}).encode()
        self.logins += 1
        response = yield from self._until_free(
            partial(self.sending, "POST", sessions, body, kind=LoginRequest), _READING, unless=no_session_left
        )
        token = response.headers.get("x-auth-token")
        words = message_of(response)
        if no_session_left(response):
            raise SessionLimit(
                f"{self._address}: the BMC has no session left: log others out or wait until they expire "
                f"({words[:200]})",
                address=self._address,
            )
        if response.status in (200, 201, 202, 204) and token:
            self._auth, self._sessions = {"X-Auth-Token": token}, sessions
            self.location = place_of_session(response, sessions)
            return
        if response.status in (404, 405, 501) and not any(word in words.lower() for word in BAD_LOGIN_WORDS):
            self._use_basic()  # the service has no sessions: the password was not looked at
            return
        basic = response.headers.get("www-authenticate", "").lower().startswith("basic")
        if response.status == 401 and basic and not link(at(self.root, "Links.Sessions")):
            self._use_basic()  # no sessions either: it asks for Basic authentication before it says 404
            return
        if response.status in BUSY or response.status >= 500:
            raise refusal(self._address, response, f"the login failed with HTTP {response.status}")
        self._refused(response)

    def _use_basic(self) -> None:
        if self._username is None:
            return
        pair = f"{self._username}:{self._password or ''}".encode()
        self._sessions = None
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
        self._sessions = None  # a refused password is not sent again
        if must_change(response):
            raise refusal(self._address, response)
        words = message_of(response)
        who = f"user {self._username!r}" if self._username is not None else "no user name was given"
        raise AuthenticationFailed(
            f"{self._address}: the BMC refused the login ({who}, HTTP {response.status}"
            f"{': ' + words[:160] if words else ''}). Check username and password; not tried again, so as not to lock "
            "the account",
            address=self._address,
            status=response.status,
        )

    # -- reading ------------------------------------------------------------------------------------------------------

    def getting(self, url: str, fresh: bool = False) -> Steps[Outcome]:
        """Fetch one resource. What is wrong with it is in the outcome.

        :param fresh: never from the cache.
        :raises PasswordChangeRequired: no resource can be read before that.
        """
        cache = None if fresh else self._cache
        etag = cache.etag(url) if cache is not None else None
        condition = {"If-None-Match": etag} if etag is not None else {}
        token = self._auth.get("X-Auth-Token")

        def read() -> Steps[HttpResponse]:
            return self._until_free(partial(self.sending, "GET", url, headers=condition), _READING)

        try:
            response = yield from read()
            if response.status == 401 and token is not None and (yield from self._forgotten(token)):
                response = yield from read()
        except TimedOut as error:
            return Outcome(Verdict.TIMEOUT, reason=error.message)
        except FleetError as error:
            return Outcome(Verdict.FAILED, reason=error.message)
        if must_change(response):
            raise refusal(self._address, response, url)
        if cache is not None and response.status == 304 and condition:
            return outcome_of(HttpResponse(200, response.headers, cache.again(url)))
        outcome = outcome_of(response)
        if cache is not None and outcome.body is not None:
            etag = response.headers.get("etag") or text(outcome.body.get("@odata.etag"))
            if etag:
                cache.keep(url, etag, response.body)
        return outcome

    def _forgotten(self, token: str) -> Steps[bool]:
        """Tell whether there is a new session to ask with.

        Only the first 401 is looked into. The password, which was good, is sent once more at most.
        """
        with self._lock:
            first, self._doubted = not self._doubted, True
        if first:
            try:
                if self.location is not None:
                    probe = yield from self.sending("GET", self.location)
                    if probe.status in (401, 404):
                        yield from self._renewing()
            finally:
                self._settled = True
        while not self._settled:
            yield Pause(0.1)
        return self._auth.get("X-Auth-Token") not in (None, token)

    # -- acting -------------------------------------------------------------------------------------------------------

    def acting(
        self,
        method: str,
        url: str,
        body: Optional[bytes] = None,
        *,
        headers: Optional[Mapping[str, str]] = None,
        timeout: float = 0,
        renew: bool = True,
        patient: bool = True,
    ) -> Steps[HttpResponse]:
        """Send one request of any method.

        Its answer is returned whatever its status. Errors as :class:`fleetcore.ports.Http`.

        :param timeout: seconds for this request, where it is not the usual time-out.
        :param renew: log in anew, and send it once more, when the service has forgotten the session.
        :param patient: send it again while the service says that it is busy.
        """

        def send() -> Steps[HttpResponse]:
            one = partial(self.sending, method, url, body, timeout=timeout, headers=headers)
            return self._until_free(one, _ACTING) if patient else one()

        response = yield from send()
        if response.status == 401 and renew and (yield from self._renewing()):
            response = yield from send()
        return response

    # -- one request --------------------------------------------------------------------------------------------------

    def _until_free(
        self,
        send: Callable[[], Steps[HttpResponse]],
        patience: Patience,
        unless: Callable[[HttpResponse], bool] = lambda _response: False,
    ) -> Steps[HttpResponse]:
        """Send a request, and send it again while the service says that it is busy (429, 503).

        :param unless: tells answers that say busy and mean something else.
        """
        response = yield from send()
        for failures in range(1, patience.again + 1):
            if response.status not in (429, 503) or unless(response):
                break
            pause = min(max(patience.wait.after(failures), retry_after(response)), patience.wait.longest)
            if self._end is not None and self._clock.monotonic() + pause >= self._end:
                break
            yield Pause(pause)
            response = yield from send()
        return response

    def sending(
        self,
        method: str,
        url: str,
        body: Optional[bytes] = None,
        *,
        timeout: float = 0,
        headers: Optional[Mapping[str, str]] = None,
        kind: type[HttpRequest] = HttpRequest,
    ) -> Steps[HttpResponse]:
        """Send one request with the login's headers, once, and follow redirects on the same host."""
        content = {} if body is None else {"Content-Type": "application/json"}
        every = {**_HEADERS, **self._auth, **content, **(headers or {})}
        hops = 2
        while True:
            seconds = timeout or self._timeout
            if self._end is not None and not timeout:
                seconds = max(0.1, min(seconds, self._end - self._clock.monotonic()))
            with self._lock:
                self.requests += 1
            response = cast(HttpResponse, (yield kind(method, url, every, body, seconds)))
            with self._lock:
                self.received += len(response.body)
            moved = redirected(response)
            if moved is None or moved == url or not hops:
                return response
            url, hops = moved, hops - 1
