# SPDX-License-Identifier: BSD-2-Clause
"""What keeps pages up to date: a stream that tells when one shows something else, and the files that pages need."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from fleetd.server.kernel.auth.http import Reader, still
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.streams import KEEP_ALIVE, EventStream
from fleetd.server.kernel.http.updates import Updates
from fleetd.server.machines.service import Machines, checked_id
from fleetd.server.page import machine
from fleetd.server.page.events import AskedEvents, happened
from fleetd.server.page.fleet import Asked, counts_of, rows

router = APIRouter(include_in_schema=False)

LOOK_SECONDS = 2.0  # between two looks for what pages show
_STATIC = Path(__file__).parent / "static"
_TYPES = {"fleet.css": "text/css", "fleet.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Looks(Updates):
    """Tells of what pages show. A subject is the query string that says which part of the fleet, machine, or events."""

    def __init__(self, services: Services) -> None:
        def look(subject: str) -> object:
            values = {name: found[-1] for name, found in parse_qs(subject, keep_blank_values=True).items()}
            if "events" in values:
                return happened(services.of(Events), AskedEvents.of(values))
            if "machine" in values:
                return machine.look(services, values["machine"])
            known, asked = services.of(Machines), Asked.of(values)
            return rows(known, asked), counts_of(known, asked)

        def all_of(subjects: Sequence[str]) -> Mapping[str, object]:
            return {subject: look(subject) for subject in subjects}

        super().__init__(all_of, LOOK_SECONDS, LOOK_SECONDS)


@router.get("/live")
def live(request: Request, who: Reader) -> Response:
    """Server-sent events: `data: changed` when the table of this query, `machine`, or `events` shows something else.

    The first one comes as soon as every later change is told: what happened while the page was on its way may be
    missing on it.
    """
    values = dict(request.query_params)
    if "events" in values:
        subject = {"events": "", **AskedEvents.of(values).values()}
    else:
        subject = {"machine": checked_id(values["machine"])} if "machine" in values else Asked.of(values).values()
    bus = state.of(request).stream(Looks)

    async def lines() -> AsyncGenerator[str, None]:
        yield ": connected\n\n"
        with bus.subscribe(urlencode(subject)) as subscription:
            await subscription.ready()
            changed = True
            while not bus.closed:
                yield "data: changed\n\n" if changed else ": still here\n\n"
                changed = await subscription.wait(KEEP_ALIVE)

    return EventStream(lines(), still(request, who))


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style, script and icon."""
    if name not in _TYPES:
        raise HTTPException(404)
    return FileResponse(_STATIC / name, media_type=_TYPES[name], headers={"Cache-Control": "no-cache"})
