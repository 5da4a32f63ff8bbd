# SPDX-License-Identifier: BSD-2-Clause
"""The page for people: server-rendered, works without scripts, no external assets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import FileResponse
from fleetcore.errors import NotFound
from starlette.exceptions import HTTPException

from fleetd.server.devices.model import ComponentFilter
from fleetd.server.kernel.auth.http import COOKIE, Policy, Reader, Who, check_csrf, counted, still
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.events.model import Event, EventFilter
from fleetd.server.kernel.http.streams import KEEP_ALIVE, EventStream
from fleetd.server.kernel.http.updates import Look, Updates
from fleetd.server.machines.facets import Facet, MachineFilter, Order
from fleetd.server.machines.service import checked_id
from fleetd.server.page import hardware
from fleetd.server.page.actions import ACTIONS, same_site
from fleetd.server.page.happenings import happening
from fleetd.server.page.rendering import go, login_page, own_path, plain, render, services
from fleetd.server.page.status import KINDS, findings

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 100
LOOK_SECONDS = 2.0  # between two looks for what pages show
_STATIC = Path(__file__).parent / "static"
_TYPES = {"fleet.css": "text/css", "fleet.js": "text/javascript", "icon.svg": "image/svg+xml"}
# Of the summary at the top of the fleet, in this order.
TILES = (
    Facet.TROUBLE,
    Facet.QUARANTINED,
    Facet.CYCLE_FAILED,
    Facet.CONTROLLER_ERROR,
    Facet.FINDINGS,
    Facet.RECOVERING,
    Facet.STALE,
    Facet.CYCLE_OPEN,
    Facet.MAINTENANCE,
)
ORDERS: Mapping[Order, str] = {
    Order.STATE: "worst first",
    Order.ID: "name",
    Order.SEEN: "longest unseen",
    Order.POWER: "power",
    Order.CYCLE: "power cycle",
    Order.CONTROLLER: "power controller",
    Order.VENDOR: "vendor",
    Order.MODEL: "model",
    Order.SERIAL: "serial",
    Order.SITE: "site",
    Order.RACK: "rack",
}
# The columns of the table and what each can be ordered by; the first is the heading's own.
COLUMNS = (
    ("Machine", (Order.ID,)),
    ("State", (Order.STATE,)),
    ("Power", (Order.POWER, Order.CONTROLLER, Order.CYCLE)),
    ("Hardware", (Order.VENDOR, Order.MODEL, Order.SERIAL)),
    ("Place", (Order.SITE, Order.RACK)),
    ("Last seen", (Order.SEEN,)),
)
_SHORT = {Order.POWER: "state"}  # where the heading says the rest


# -- the fleet


@dataclass(frozen=True)
class Asked:
    """What part of the fleet, in which order: all that the URL of the table says."""

    q: str = ""
    site: str = ""
    rack: str = ""
    show: Facet | None = None
    order: Order = Order.STATE
    descending: bool = False
    page: int = 1

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Asked:
        """From the query of a URL; what makes no sense is as if it were not there."""
        show, sort, page = (values.get(name, "") for name in ("show", "sort", "page"))
        order = sort.removeprefix("-")
        known = order in tuple(Order)
        q, site, rack = (plain(values.get(name, "")[:255]) for name in ("q", "site", "rack"))
        return cls(
            q,
            site,
            rack,
            show=Facet(show) if show in tuple(Facet) else None,
            order=Order(order) if known else Order.STATE,
            descending=known and sort.startswith("-"),
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 and int(page) else 1,
        )

    @property
    def sort(self) -> str:
        return ("-" if self.descending else "") + self.order.value

    def values(self) -> dict[str, str]:
        """What of it is not the default, for a URL."""
        said = {"q": self.q, "site": self.site, "rack": self.rack, "show": self.show.value if self.show else ""}
        said["sort"] = self.sort if self.sort != Order.STATE.value else ""
        said["page"] = str(self.page) if self.page > 1 else ""
        return {name: text for name, text in said.items() if text}

    def link(self, **changes: Any) -> str:
        """The URL with some of it changed, from its first page."""
        said = {**self.values(), "page": "", **{name: str(value) for name, value in changes.items()}}
        query = urlencode(Asked.of(said).values())
        return f"/?{query}" if query else "/"

    def where(self, services: Services) -> MachineFilter:
        return MachineFilter(
            self.site or None,
            self.rack or None,
            {},
            self.q or None,
            facet=self.show,
            stale_before=services.machines.stale_before(),
        )


def _rows(services: Services, asked: Asked) -> list[Any]:
    where = asked.where(services)
    offset = (asked.page - 1) * PAGE_SIZE
    views = services.machines.page(where, asked.order, PAGE_SIZE, offset, asked.descending)
    return [(view, findings(view, where.stale_before or services.machines.stale_before())) for view in views]


def _counts(services: Services, asked: Asked) -> Any:
    where = Asked(asked.q, asked.site, asked.rack).where(services)
    return services.machines.count(where)


@router.get("/")
def fleet(request: Request, who: Who) -> Response:
    """The fleet table; what is filtered and how it is sorted is in the URL."""
    if not who.can(May.READ):
        return login_page(request, who)
    asked = Asked.of(request.query_params)
    known = services(request)
    counts = _counts(known, asked)
    total = counts.facets[asked.show] if asked.show else counts.total
    return render(
        request,
        who,
        "fleet.html",
        rows=_rows(known, asked),
        asked=asked,
        counts=counts,
        total=total,
        pages=max(1, -(-total // PAGE_SIZE)),
        first=(asked.page - 1) * PAGE_SIZE + 1,
        last=min(asked.page * PAGE_SIZE, total),
        tiles=TILES,
        kinds=KINDS,
        columns=COLUMNS,
        orders=ORDERS,
        short=_SHORT,
        subject=urlencode(asked.values()),
    )


# -- one machine


@router.get("/machine/{machine_id:path}")
def machine(request: Request, machine_id: str, who: Who, done: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Everything about one machine."""
    if not who.can(May.READ):
        return login_page(request, who)
    known = services(request)
    view = known.machines.get(checked_id(machine_id))
    try:
        document: dict[str, Any] = known.devices.get(machine_id)
    except NotFound:
        document = {}
    return render(
        request,
        who,
        "machine.html",
        view=view,
        found=findings(view, known.machines.stale_before()),
        device=document,
        contradictions=known.devices.findings(machine_id) if view.machine.device else [],
        links=hardware.links(document),
        sources=hardware.SOURCES,
        events=[happening(item) for item in known.events.find(EventFilter(machine_id), _EVENTS)],
        groups=hardware.groups(document),
        gaps=hardware.gaps(document),
        settings=hardware.settings(document),
        sensors=hardware.sensors(document),
        firmware=hardware.firmware(document),
        cycles=known.powercycles.find(machine_id, limit=10),
        history=[
            (entry, hardware.changes(entry.changes[:_SHOWN]), max(0, len(entry.changes) - _SHOWN))
            for entry in known.devices.history(machine_id, 10)
        ],
        explanations=[known.work.explain(machine_id, name) for name in sorted(known.work.processes)],
        work=known.work.history(machine_id, limit=20),
        actions=ACTIONS,
        done=ACTIONS[done].done if done in ACTIONS else "",
        subject=urlencode({"machine": machine_id}),
    )


_SHOWN = 40  # changes of one observation
_EVENTS = 12  # of the machine
_STAYS = 500  # of one part


# -- what happened


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


def _happened(known: Services, asked: AskedEvents) -> list[Event]:
    where = asked.where(known.events.now())
    return list(known.events.find(where, PAGE_SIZE + 1, before=asked.before or None))


@router.get("/events")
def events(request: Request, who: Who) -> Response:
    """What happened, newest first; the filter is in the URL."""
    if not who.can(May.READ):
        return login_page(request, who)
    asked = AskedEvents.of(request.query_params)
    found = _happened(services(request), asked)
    return render(
        request,
        who,
        "events.html",
        asked=asked,
        events=[happening(item) for item in found[:PAGE_SIZE]],
        older=found[PAGE_SIZE - 1].seq if len(found) > PAGE_SIZE else None,
        kinds=sorted(services(request).events.reserved),
        spans=SPANS,
        subject=urlencode({"events": "", **asked.values()}),
    )


# -- one part


@router.get("/parts")
def part(request: Request, who: Who, serial: Annotated[str, Query(max_length=255)] = "") -> Response:
    """Where a part is and was."""
    if not who.can(May.READ):
        return login_page(request, who)
    serial = plain(serial)
    found = services(request).devices.components(ComponentFilter(serial), _STAYS + 1) if serial else []
    return render(
        request,
        who,
        "part.html",
        serial=serial,
        stays=found[:_STAYS],
        more=len(found) > _STAYS,
        sources=hardware.SOURCES,
    )


# -- updates


def looks(known: Services) -> Look:
    """Looks at what pages show; a subject is the query string that says which part of the fleet, or machine."""

    def look(subject: str) -> object:
        values = {name: found[-1] for name, found in parse_qs(subject, keep_blank_values=True).items()}
        if "events" in values:
            return _happened(known, AskedEvents.of(values))
        if "machine" not in values:
            asked = Asked.of(values)
            return _rows(known, asked), _counts(known, asked)
        name = values["machine"]
        try:
            view = known.machines.get(name)
        except NotFound:
            return None
        return (
            view,
            findings(view, known.machines.stale_before()),
            known.powercycles.find(name, limit=10),
            known.devices.history(name, 10),
            known.work.history(name, limit=20),
            known.events.find(EventFilter(name), _EVENTS),
        )

    return lambda subjects: {subject: look(subject) for subject in subjects}


@router.get("/live")
def live(request: Request, who: Reader) -> Response:
    """Server-sent events: `data: changed` when the table of this query, `machine`, or `events` shows something else.

    The first one comes as soon as every later change is told: what happened while the page was on its way may be missing on it.
    """
    values = dict(request.query_params)
    if "events" in values:
        subject = {"events": "", **AskedEvents.of(values).values()}
    else:
        subject = {"machine": checked_id(values["machine"])} if "machine" in values else Asked.of(values).values()
    bus: Updates = request.app.state.live

    async def lines() -> AsyncGenerator[str, None]:
        yield ": connected\n\n"
        with bus.subscribe(urlencode(subject)) as subscription:
            await subscription.ready()
            changed = True
            while not bus.closed:
                yield "data: changed\n\n" if changed else ": still here\n\n"
                changed = await subscription.wait(KEEP_ALIVE)

    return EventStream(lines(), still(request, who))


# -- logins


@router.post("/login")
def login(
    request: Request,
    who: Who,
    token: Annotated[str, Form(max_length=500)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Log in with a token: the browser gets a session, never the token back."""
    same_site(request)
    made = counted(request, token.strip(), services(request).tokens.login)
    if made is None:
        return login_page(request, who, "This token is unknown, expired or revoked.", to)
    policy: Policy = request.app.state.policy
    response = go(own_path(to))
    response.set_cookie(
        COOKIE,
        made.secret,
        max_age=made.seconds,
        httponly=True,
        samesite="strict",
        secure=policy.secure_cookies,
        path="/",
    )
    return response


@router.get("/login")
def login_form(request: Request, who: Who, to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """The form for it."""
    return login_page(request, who, to=to, status_code=200)


@router.post("/logout")
def logout(request: Request, who: Who, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    same_site(request)
    check_csrf(who, csrf)
    cookie = request.cookies.get(COOKIE)
    if cookie:
        services(request).tokens.logout(cookie)
    response = go("/")
    response.delete_cookie(COOKIE, path="/")
    return response


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style, script and icon."""
    if name not in _TYPES:
        raise HTTPException(404)
    return FileResponse(_STATIC / name, media_type=_TYPES[name], headers={"Cache-Control": "no-cache"})
