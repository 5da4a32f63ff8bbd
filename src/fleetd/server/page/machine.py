# SPDX-License-Identifier: BSD-2-Clause
"""One machine: a page of cards.

A card is a template in ``templates/cards`` and the function that fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fleetcore.errors import NotFound

from fleetd.server.devices.service import Devices
from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.events.model import EventFilter
from fleetd.server.kernel.events.service import Events
from fleetd.server.kernel.http import state
from fleetd.server.machines.service import Machines, MachineView, checked_id
from fleetd.server.page import hardware
from fleetd.server.page.actions import ACTIONS
from fleetd.server.page.happenings import happening
from fleetd.server.page.rendering import login_page, render
from fleetd.server.page.status import findings
from fleetd.server.powercycles.service import Powercycles
from fleetd.server.work.service import WorkService

router = APIRouter(include_in_schema=False)

_EVENTS = 12
_CYCLES = 10
_OBSERVATIONS = 10
_CHANGES = 40  # of one observation
_LINES = 20  # of the history of work


@dataclass(frozen=True)
class Shown:
    """A machine that is shown, and the services that know of it."""

    services: Services
    view: MachineView

    @property
    def id(self) -> str:
        return self.view.machine.id

    @cached_property
    def document(self) -> dict[str, Any]:
        """Its device document, merged; empty without any."""
        try:
            return self.services.of(Devices).get(self.id)
        except NotFound:
            return {}


Values = Mapping[str, Any] | None  # of a card; None: it has nothing to show


def _state(shown: Shown) -> Values:
    return {"found": findings(shown.view, shown.services.of(Machines).stale_before())}


def _contradictions(shown: Shown) -> Values:
    found = shown.services.of(Devices).findings(shown.id)
    return {"found": found, "sources": hardware.SOURCES} if found else None


def _cycles(shown: Shown) -> Values:
    return {"cycles": shown.services.of(Powercycles).find(shown.id, limit=_CYCLES)}


def _events(shown: Shown) -> Values:
    found = shown.services.of(Events).find(EventFilter(shown.id), _EVENTS)
    return {"events": [happening(item) for item in found]}


def _identity(shown: Shown) -> Values:
    return {"device": shown.document}


def _work(shown: Shown) -> Values:
    known = shown.services.of(WorkService)
    return {
        "explanations": [known.explain(shown.id, name) for name in sorted(known.processes)],
        "history": known.history(shown.id, limit=_LINES),
    }


def _components(shown: Shown) -> Values:
    return {"groups": hardware.groups(shown.document), "gaps": hardware.gaps(shown.document)}


def _rows(name: str, look: Callable[[Mapping[str, Any]], Sequence[Any]]) -> Callable[[Shown], Values]:
    """A card of what ``look`` finds in the document, if anything."""

    def fill(shown: Shown) -> Values:
        found = look(shown.document)
        return {name: found} if found else None

    return fill


def _bios(shown: Shown) -> Values:
    found = hardware.settings(shown.document)
    return {"settings": found} if found.common or found.every or found.pending else None


def _changes(shown: Shown) -> Values:
    entries = shown.services.of(Devices).history(shown.id, _OBSERVATIONS)
    return {
        "observations": [
            (entry, hardware.changes(entry.changes[:_CHANGES]), max(0, len(entry.changes) - _CHANGES))
            for entry in entries
        ]
    }


Fill = Callable[[Shown], Values]
# Where each card is on the page, in its order.
CARDS: Mapping[str, Mapping[str, Fill]] = {
    "top": {"state": _state, "contradictions": _contradictions},
    "left": {"holds": lambda _shown: {}, "cycles": _cycles, "events": _events},
    "right": {"identity": _identity, "work": _work},
    "hardware": {
        "components": _components,
        "lists": _rows("groups", hardware.lists),
        "cables": _rows("links", hardware.links),
        "bios": _bios,
        "firmware": _rows("entries", hardware.firmware),
        "sensors": _rows("sensors", hardware.sensors),
        "changes": _changes,
    },
}


@router.get("/machine/{machine_id:path}")
def machine(request: Request, machine_id: str, who: Who, done: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Everything about one machine."""
    if not who.can(May.READ):
        return login_page(request, who)
    services = state.of(request).services
    shown = Shown(services, services.of(Machines).get(checked_id(machine_id)))
    cards = {
        where: [(f"cards/{name}.html", values) for name, fill in those.items() if (values := fill(shown)) is not None]
        for where, those in CARDS.items()
    }
    return render(
        request,
        who,
        "machine.html",
        view=shown.view,
        cards=cards,
        actions=ACTIONS,
        done=ACTIONS[done].done if done in ACTIONS else "",
        subject=urlencode({"machine": machine_id}),
    )


def look(services: Services, name: str) -> object:
    """What the page of a machine shows and may change; None: there is no such machine."""
    try:
        shown = Shown(services, services.of(Machines).get(name))
    except NotFound:
        return None
    history = services.of(Devices).history(name, _OBSERVATIONS)
    work = services.of(WorkService).history(name, limit=_LINES)
    return shown.view, _state(shown), _cycles(shown), history, work, _events(shown)
