# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/events: the log of what changed, and its stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Header, Query, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import Field

from fleetd.server.kernel.auth.http import Publisher, Reader, ensure, still
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.events import model
from fleetd.server.kernel.events.model import Event, EventFilter
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.answers import Shape, errors, list_of, page_of
from fleetd.server.kernel.http.fields import Body, Data, EventKind, MachineId, Text
from fleetd.server.kernel.http.request import Page
from fleetd.server.kernel.http.streams import EventStream, Feed, News
from fleetd.server.kernel.idempotency import Answer, Once

router = http.router("events")
Known = Annotated[Events, http.service(Events)]

# `id` is what a stream calls `id`: it grows.
EVENT = Shape(Event, names={"seq": "id"})

Machine = Annotated[MachineId | None, Query(description="only events of this machine")]
Kind = Annotated[EventKind | None, Query(description="a kind, or its first words: `powercycle` is all of those")]
_MAX = 2**62


class NewEvent(Body):
    """Something that was seen."""

    kind: EventKind = Field(description="words with dots, the most general first", examples=["rack.door_opened"])
    machine: MachineId | None = Field(default=None, description="the machine it is about; it need not be known")
    message: Text = ""
    data: Data = Field(default={}, description="more about it; no secrets: everybody who may read sees it")


class NewEvents(Body):
    """What was seen, in order."""

    items: list[NewEvent] = Field(min_length=1, max_length=500)


@router.post("/events", status_code=201, responses={201: {"model": list_of(EVENT)}, **errors(400)})
def append_events(body: NewEvents, known: Known, who: Publisher, repeatable: Once) -> Response:
    """Append what you saw; all or none. Kinds that begin with a word of the server's own are refused."""
    for item in body.items:
        ensure(who, May.PUBLISH, item.machine)
    made = [model.NewEvent(item.kind, item.machine, who.actor, item.message, item.data) for item in body.items]
    return repeatable.once(body, lambda: Answer(EVENT.items(known.append(made)), 201))


@router.get("/events", responses={200: {"model": page_of(EVENT)}})
def list_events(
    known: Known,
    _who: Reader,
    page: Page,
    machine: Machine = None,
    kind: Kind = None,
    since: Annotated[datetime | None, Query(description="only events of that time and later")] = None,
    order: Literal["newest", "oldest"] = "newest",
) -> Response:
    """What happened, page by page."""
    where = EventFilter(machine, kind, _aware(since))
    place = _number(page.after, "cursor")
    newest = order == "newest"
    after, before = (None, place) if newest else (place or 0, None)
    return page.answer(EVENT, known.find(where, page.wanted, after, before), lambda event: event.seq)


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
    feed = state.of(request).stream(Feed)

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
        data = json.dumps(EVENT.json(item), separators=(",", ":"))
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
