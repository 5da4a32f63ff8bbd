# SPDX-License-Identifier: BSD-2-Clause
"""Logins: with a token, for a browser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from fleetd.server.kernel.auth.http import COOKIE, Who, check_csrf, check_form, counted
from fleetd.server.kernel.auth.service import Tokens
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http import state
from fleetd.server.page.rendering import go, login_page, own_path

router = APIRouter(include_in_schema=False)
Known = Annotated[Tokens, http.service(Tokens)]


@router.post("/login")
def login(
    request: Request,
    who: Who,
    known: Known,
    token: Annotated[str, Form(max_length=500)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Log in with a token: the browser gets a session, never the token back."""
    check_form(request)
    made = counted(request, token.strip(), known.login)
    if made is None:
        return login_page(request, who, "This token is unknown, expired or revoked.", to)
    response = go(own_path(to))
    response.set_cookie(
        COOKIE,
        made.secret,
        max_age=made.seconds,
        httponly=True,
        samesite="strict",
        secure=state.of(request).policy.secure_cookies,
        path="/",
    )
    return response


@router.get("/login")
def login_form(request: Request, who: Who, to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """The form for it."""
    return login_page(request, who, to=to, status_code=200)


@router.post("/logout")
def logout(request: Request, who: Who, known: Known, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    check_form(request)
    check_csrf(who, csrf)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        known.logout(cookie)
    response = go("/")
    response.delete_cookie(COOKIE, path="/")
    return response
