# SPDX-License-Identifier: BSD-2-Clause
"""The fleet: a table of machines; what is filtered and how it is sorted is in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http import request as http
from fleetd.server.machines.facets import RANKED, Facet, MachineCounts, MachineFilter, Order
from fleetd.server.machines.service import Machines
from fleetd.server.page.rendering import PAGE_SIZE, login_page, plain, render
from fleetd.server.page.status import KINDS, findings

router = APIRouter(include_in_schema=False)
Known = Annotated[Machines, http.service(Machines)]

# Of the summary at the top of the fleet, in this order.
TILES = (Facet.TROUBLE, *RANKED)
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

    def where(self, known: Machines) -> MachineFilter:
        return MachineFilter(
            self.site or None,
            self.rack or None,
            {},
            self.q or None,
            facet=self.show,
            stale_before=known.stale_before(),
        )


def rows(known: Machines, asked: Asked) -> list[Any]:
    """The machines of a page of the table, each with what is to know about it."""
    where = asked.where(known)
    offset = (asked.page - 1) * PAGE_SIZE
    views = known.page(where, asked.order, PAGE_SIZE, offset, asked.descending)
    return [(view, findings(view, where.stale_before or known.stale_before())) for view in views]


def counts_of(known: Machines, asked: Asked) -> MachineCounts:
    """How many machines each list of the summary has."""
    return known.count(Asked(asked.q, asked.site, asked.rack).where(known))


@router.get("/")
def fleet(request: Request, who: Who, known: Known) -> Response:
    """The fleet table; what is filtered and how it is sorted is in the URL."""
    if not who.can(May.READ):
        return login_page(request, who)
    asked = Asked.of(request.query_params)
    counts = counts_of(known, asked)
    total = counts.facets[asked.show] if asked.show else counts.total
    return render(
        request,
        who,
        "fleet.html",
        rows=rows(known, asked),
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
