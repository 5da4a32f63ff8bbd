# SPDX-License-Identifier: BSD-2-Clause
"""What happened: the log of events; the filter is in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.events.model import Event, EventFilter
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.http import request as http
from fleetd.server.page.happenings import happening
from fleetd.server.page.rendering import PAGE_SIZE, login_page, plain, render

router = APIRouter(include_in_schema=False)
Known = Annotated[Events, http.service(Events)]

SPANS: Mapping[int, str] = {1: "last hour", 12: "last 12 hours", 24: "last day", 168: "last week", 0: "all"}


@dataclass(frozen=True)
class AskedEvents:
    """Which events: all that the URL says. ``before`` 0: the newest; ``hours`` 0: all that are kept."""

    machine: str = ""
    kind: str = ""
    hours: int = 0
    before: int = 0

    @classmethod
    def of(cls, values: Mapping[str, str]) -> AskedEvents:
        """From the query of a URL; what makes no sense is as if it were not there."""
        numbers = [values.get(name, "") for name in ("hours", "before")]
        hours, before = [int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0 for text in numbers]
        machine, kind = (plain(values.get(name, "")[:255]) for name in ("machine", "kind"))
        return cls(machine, kind, hours if hours in SPANS else 0, before)

    def values(self) -> dict[str, str]:
        """What of it is not the default, for a URL."""
        said = {
            "machine": self.machine,
            "kind": self.kind,
            "hours": str(self.hours or ""),
            "before": str(self.before or ""),
        }
        return {name: text for name, text in said.items() if text}

    def link(self, before: int) -> str:
        """The URL of another page of it."""
        query = urlencode(replace(self, before=before).values())
        return f"/events?{query}" if query else "/events"

    def where(self, now: datetime) -> EventFilter:
        since = now - timedelta(hours=self.hours) if self.hours else None
        return EventFilter(self.machine or None, self.kind or None, since)


def happened(known: Events, asked: AskedEvents) -> list[Event]:
    """The events of a page, and one more if there are older ones."""
    where = asked.where(known.now())
    return list(known.find(where, PAGE_SIZE + 1, before=asked.before or None))


@router.get("/events")
def events(request: Request, who: Who, known: Known) -> Response:
    """What happened, newest first; the filter is in the URL."""
    if not who.can(May.READ):
        return login_page(request, who)
    asked = AskedEvents.of(request.query_params)
    found = happened(known, asked)
    return render(
        request,
        who,
        "events.html",
        asked=asked,
        events=[happening(item) for item in found[:PAGE_SIZE]],
        older=found[PAGE_SIZE - 1].seq if len(found) > PAGE_SIZE else None,
        kinds=sorted(known.reserved),
        spans=SPANS,
        subject=urlencode({"events": "", **asked.values()}),
    )
