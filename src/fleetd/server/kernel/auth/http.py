# SPDX-License-Identifier: BSD-2-Clause
"""Who asks: a bearer token, a login of the page, or nobody. 401 and 403, never a redirect."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fleetcore.errors import Busy, FleetError

from fleetd.server.kernel.auth.policy import LEGACY
from fleetd.server.kernel.auth.service import May, Principal, Tokens, digest
from fleetd.server.kernel.errors import Forbidden, TooManyFailures, Unauthorized
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.proxy import IDENTITY, Identity

T = TypeVar("T")
COOKIE = "fleetd_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def principal(request: Request) -> Principal:
    """Who asks.

    :raises Unauthorized: a token was sent and is not valid. :raises TooManyFailures: of its address, lately.
    :raises Forbidden: a login without its CSRF token, or a page of another site sent this.
    """
    known = state.of(request)
    tokens, policy = known.services.of(Tokens), known.policy
    header = request.headers.get("authorization")
    if header:
        kind, _space, secret = header.partition(" ")
        found = counted(request, secret.strip(), tokens.by_secret) if kind.lower() == "bearer" else None
        if found is None:
            raise Unauthorized("the token is unknown, expired or revoked")
        return found
    said: Identity | None = request.scope.get(IDENTITY)
    if said is not None:
        if request.method not in _SAFE:
            check_same_site(request)
        return policy.identified(said)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        found = tokens.by_session(cookie)
        if found is not None:
            if request.method not in _SAFE and request.url.path.startswith(("/api/", *LEGACY)):
                check_csrf(found, request.headers.get("x-csrf-token", ""))
            return found
    return policy.anonymous(request.url.path)


def still(request: Request, who: Principal) -> Callable[[], bool]:
    """Whether ``who`` would be let in again with the same request. A database that does not answer locks nobody out."""

    def ask() -> bool:
        try:
            return principal(request) == who
        except Busy:
            return True
        except FleetError:
            return False

    return ask


def counted(request: Request, secret: str, look: Callable[[str], T | None]) -> T | None:
    """What ``look`` finds for a secret; that it finds nothing counts against the address that sent it.

    :raises TooManyFailures: there were too many.
    """
    failures = state.of(request).failures
    address, shown = request.client.host if request.client else "", digest(secret)
    seconds = failures.wait(address, shown)
    if seconds:
        raise TooManyFailures(f"too many failed logins from {address}: wait {seconds} s", retry_after=seconds)
    found = look(secret)
    if found is None:
        failures.failed(address, shown)
    else:
        failures.succeeded(address, shown)
    return found


def check_same_site(request: Request) -> None:
    """Refuse what a page of another site sent in somebody's name.

    Browsers say where it comes from in ``Sec-Fetch-Site``. Older ones say only ``Origin``, which has to be the host; a
    proxy may give the host another name, so it counts for those alone.

    :raises Forbidden: it comes from elsewhere.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is None and origin:
        site = "same-origin" if urlsplit(origin).netloc == request.headers.get("host") else "cross-site"
    if site not in (None, "same-origin", "none"):
        raise Forbidden("this came from a page of another site")


def check_form(request: Request) -> None:
    """Refuse a form that was not sent from a page of this host, whatever else a browser says of it.

    :raises Forbidden: it comes from elsewhere.
    """
    check_same_site(request)
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("this came from a page of another site")


def check_csrf(who: Principal, sent: str) -> None:
    """:raises Forbidden: the request carries a login's cookie without that login's form token."""
    if who.csrf is not None and not hmac.compare_digest(who.csrf.encode(), sent.encode("utf-8", "replace")):
        raise Forbidden("this form has expired: load the page again")


Who = Annotated[Principal, Depends(principal)]


def ensure(who: Principal, wanted: May, machine: str | None = None) -> None:
    """Stop a request that is not granted.

    :raises Unauthorized: nobody asks. :raises Forbidden: somebody who may not.
    """
    if who.can(wanted, machine):
        return
    if who.anonymous:
        raise Unauthorized("a token is needed: send it as `Authorization: Bearer <token>`")
    raise Forbidden(f"{who.name} ({', '.join(who.roles)}) may not do this")


def ensure_follower(who: Principal, machine: str) -> None:
    """Who may read, may follow a machine's description; an agent may follow the one of its own machine.

    :raises Unauthorized: nobody asks. :raises Forbidden: somebody who may not.
    """
    if who.machine is None or who.machine != machine:
        ensure(who, May.READ, machine)


def need(wanted: May) -> Any:
    """A dependency: the caller, who was granted ``wanted``."""

    def check(who: Who) -> Principal:
        ensure(who, wanted, who.machine)
        return who

    return Depends(check)


Reader = Annotated[Principal, need(May.READ)]
Operator = Annotated[Principal, need(May.OPERATE)]
Reporter = Annotated[Principal, need(May.REPORT)]
Worker = Annotated[Principal, need(May.WORK)]
SecretReader = Annotated[Principal, need(May.SECRETS)]
Publisher = Annotated[Principal, need(May.PUBLISH)]
Admin = Annotated[Principal, need(May.ADMIN)]
