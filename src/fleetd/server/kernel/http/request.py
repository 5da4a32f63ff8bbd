# SPDX-License-Identifier: BSD-2-Clause
"""What routes of /api/v1 ask of a request: services, pages, versions. Who asks is in ``auth.http``."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, TypeVar, get_origin

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fleetcore.errors import InvalidInput

from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http import answers, fields, state
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.ids import is_machine_id

T = TypeVar("T")


def _parameters(dependant: Dependant) -> dict[str, bool]:
    """Names of the query parameters that a route and its dependencies declare; whether each may be repeated."""
    found = {str(item.alias): get_origin(item.field_info.annotation) is list for item in dependant.query_params}
    for below in dependant.dependencies:
        found |= _parameters(below)
    return found


async def _only_known(request: Request, who: Who) -> None:
    """Refuse query parameters that the route does not declare: a typing mistake must not answer everything.

    One that has a single value and is given twice is refused, too: only one of the two would be heard.

    :raises InvalidInput: there is one. Not for who may do nothing here: the route tells them so.
    """
    if not request.query_params or who.may == May.NOTHING:
        return
    known = _parameters(request.scope["route"].dependant)
    for name, count in Counter(name for name, _value in request.query_params.multi_items()).items():
        shown = name[:80]
        if name not in known:
            those = f"known are {', '.join(sorted(known))}" if known else "there is none here"
            raise InvalidInput(f"{shown}: no such parameter; {those}", field=shown)
        if count > 1 and not known[name]:
            raise InvalidInput(f"{shown}: given {count} times, it has one value", field=shown)


def router(*tags: str) -> APIRouter:
    """The routes of a capability on /api/v1."""
    return APIRouter(prefix="/api/v1", responses=answers.errors(), tags=list(tags), dependencies=[Depends(_only_known)])


def service(kind: type[Any]) -> Any:
    """A dependency: the service of that class."""

    async def given(request: Request) -> Any:
        return state.of(request).services.of(kind)

    return Depends(given)


# -- pages of lists


def encode(position: str) -> str:
    """The cursor of a position in a list."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode(cursor: str | None) -> str | None:
    """The position of a cursor.

    :raises InvalidInput: not a cursor of ours.
    """
    if cursor is None:
        return None
    try:
        position = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        position = ""
    if not is_machine_id(position):
        raise InvalidInput("cursor: not one that this server gave; start without", field="cursor")
    return position


@dataclass(frozen=True)
class Paging:
    """Which part of a list is asked for: at most ``limit`` items after the position ``after``."""

    limit: int
    after: str | None

    @property
    def wanted(self) -> int:
        """How many items to look for: one more than is shown tells whether there is a next page."""
        return self.limit + 1

    def answer(
        self,
        shape: answers.Shape[T] | Callable[[T], Any],
        found: Sequence[T],
        position: Callable[[T], Any] = attrgetter("id"),
    ) -> Response:
        """``{items, next}`` of what was found, which is at most :attr:`wanted`.

        :param position: of an item in the list: what the next page follows.
        """
        show = shape.json if isinstance(shape, answers.Shape) else shape
        page = found[: self.limit]
        following = encode(str(position(page[-1]))) if len(found) > self.limit else None
        return Json({"items": [show(item) for item in page], "next": following})


async def _paging(
    limit: Annotated[int, Query(ge=1, le=1000, description="items per page")] = 100,
    cursor: Annotated[fields.Words | None, Query(description="`next` of the page before")] = None,
) -> Paging:
    return Paging(limit, decode(cursor))


Page = Annotated[Paging, Depends(_paging)]

# -- versions


async def _version(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="ETag of the version that is to be changed")
    ] = None,
) -> int | None:
    """The version of an If-Match; one that is none of ours matches nothing (-1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


IfMatch = Annotated[int | None, Depends(_version)]


def etag(version: object) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"'}


def matches(if_none_match: str | None, version: object) -> bool:
    """Whether an If-None-Match names the version."""
    given: Iterable[str] = (if_none_match or "").split(",")
    return f'"{version}"' in [item.strip().removeprefix("W/") for item in given]
