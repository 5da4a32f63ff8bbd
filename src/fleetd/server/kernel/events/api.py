# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/events: the log of what changed, and its stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fleetcore.errors import InvalidInput

from fleetd.server import schemas, wire
from fleetd.server.kernel.auth.http import Publisher, Reader, ensure, still
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.events.model import EventFilter, NewEvent
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.streams import EventStream, Feed, News
from fleetd.server.kernel.idempotency import http as once
from fleetd.server.machines.api import Cursor, Limit, answers, decode, encode, services

router = APIRouter(prefix="/api/v1", responses=answers(), tags=["events"])

Machine = Annotated[schemas.MachineId | None, Query(description="only events of this machine")]
Kind = Annotated[
    schemas.EventKind | None, Query(description="a kind, or its first words: `powercycle` is all of those")
]
_MAX = 2**62


@router.post("/events", status_code=201, responses={201: {"model": schemas.EventsAppended}, **answers(400)})
def append_events(request: Request, body: schemas.NewEvents, who: Publisher, key: once.Key = None) -> Response:
    """Append what you saw; all or none. Kinds that begin with a word of the server's own are refused."""
    for item in body.items:
        ensure(who, May.PUBLISH, item.machine)
    actor = who.name or "anonymous"
    made = [NewEvent(item.kind, item.machine, actor, item.message, item.data) for item in body.items]

    def work() -> once.Answer:
        return once.Answer({"items": [wire.event(item) for item in services(request).events.append(made)]}, 201)

    return once.once(request, who, key, body, work)


@router.get("/events", responses={200: {"model": schemas.EventList}})
def list_events(
    request: Request,
    _who: Reader,
    machine: Machine = None,
    kind: Kind = None,
    since: Annotated[datetime | None, Query(description="only events of that time and later")] = None,
    order: Literal["newest", "oldest"] = "newest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What happened, page by page."""
    where = EventFilter(machine, kind, _aware(since))
    place = _number(decode(cursor), "cursor")
    newest = order == "newest"
    after, before = (None, place) if newest else (place or 0, None)
    found = services(request).events.find(where, limit + 1, after, before)
    page = found[:limit]
    following = encode(str(page[-1].seq)) if len(found) > limit else None
    return Json({"items": [wire.event(item) for item in page], "next": following})


@router.get(
    "/events/stream",
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
    response_class=EventStream,
)
def stream_events(
    request: Request,
    who: Reader,
    machine: Machine = None,
    kind: Kind = None,
    after: Annotated[
        int | None, Query(ge=0, le=_MAX, description="begin after this number; 0: all that is kept")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="the last `id` that was received; wins over `after`")
    ] = None,
) -> Response:
    """Each event as it happens; `data` is what the list has. Nothing is skipped over a reconnect with `Last-Event-ID`.

    An event named `gap` says which numbers can't be had any more: they were pruned, or a backup was restored.
    """
    place = _number(last_event_id, "Last-Event-ID") if last_event_id else after
    feed: Feed = request.app.state.feed

    async def lines() -> AsyncGenerator[str, None]:
        yield ": connected\n\n"
        async for news in feed.follow(EventFilter(machine, kind), place):
            yield _block(news)

    return EventStream(lines(), still(request, who))


def _block(news: News) -> str:
    """News as text. Without events it moves the reader's id, which a filter may have left far behind."""
    blocks = []
    if news.missing:
        first, last = news.missing
        blocks.append(f"event: gap\ndata: {json.dumps({'first': first, 'last': last})}\n\n")
    for item in news.events:
        data = json.dumps(wire.event(item), separators=(",", ":"))
        blocks.append(f"id: {item.seq}\nevent: {item.kind}\ndata: {data}\n\n")
    if not news.events:
        blocks.append(f": still here\nid: {news.seen}\n\n")
    return "".join(blocks)


def _number(text: str | None, field: str) -> int | None:
    """:raises InvalidInput: not a number of an event."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _MAX:
        raise InvalidInput(f"{field}: not one that this server gave; start without", field=field)
    return int(text)


def _aware(value: datetime | None) -> datetime | None:
    """A time without a zone is UTC.

    :raises InvalidInput: beyond what a calendar has in UTC.
    """
    try:
        return value if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise InvalidInput("since: not a time that can be used", field="since") from None
