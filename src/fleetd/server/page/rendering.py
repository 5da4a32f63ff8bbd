# SPDX-License-Identifier: BSD-2-Clause
"""Templates to answers, for all pages; errors and the login among them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fleetcore.document import tables
from fleetcore.errors import FleetError
from jinja2 import Environment, PackageLoader, select_autoescape

from fleetd import __version__
from fleetd.server.kernel.auth.http import principal
from fleetd.server.kernel.auth.service import May, Principal
from fleetd.server.machines.facets import seen_at
from fleetd.server.page import status

PAGE_SIZE = 100  # lines of a table
_environment = Environment(
    loader=PackageLoader("fleetd.server.page"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    ago=status.ago, stamp=status.stamp, seen=seen_at, path=quote, quantity=tables.quantity, value=tables.value
)
_environment.globals.update(version=__version__, may=May, troubled=status.troubled)


def here(request: Request) -> str:
    """Path and query of this page."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def render(request: Request, who: Principal, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """The template, with ``who`` in its header."""
    text = _environment.get_template(template).render(who=who, here=here(request), **values)
    return HTMLResponse(text, status_code)


def go(path: str) -> Response:
    """See another page."""
    return RedirectResponse(path, 303)


def own_path(path: str) -> str:
    """``path`` if it leads to this server, else the fleet."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def plain(text: str) -> str:
    """Without characters that no stored text has."""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def login_page(
    request: Request, who: Principal, problem: str = "", to: str | None = None, status_code: int = 401
) -> Response:
    """The form; ``to`` is where it leads."""
    to = here(request) if to is None else to
    return render(request, who, "login.html", status_code, problem=problem, to=to)


def error_page(request: Request, status_code: int, message: str) -> Response | None:
    """An error for people. 401 shows the login form."""
    if status_code == 401:
        return login_page(request, Principal("", May.NOTHING), message, "/")
    return render(request, _asker(request), "error.html", status_code, number=status_code, message=message)


def _asker(request: Request) -> Principal:
    """Who asks, if that can be told."""
    try:
        return principal(request)
    except FleetError:
        return Principal("", May.NOTHING)
