# SPDX-License-Identifier: BSD-2-Clause
"""What people do to a machine on the page: one table of actions, each asked about before it is done.

GET shows the question with all that tells this machine from its neighbours; POST does it and leads to the machine. Each
action says what will be, never "the other way round": sending it twice, or after somebody else did, is no surprise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request, Response
from fleetcore.errors import InvalidInput, NotFound

from fleetd.server.devices.service import Devices
from fleetd.server.kernel.auth.http import Who, check_csrf, check_form, ensure
from fleetd.server.kernel.auth.service import May, Principal
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.http import state
from fleetd.server.machines import holds
from fleetd.server.machines.model import ControllerState
from fleetd.server.machines.service import Machines, MachineView, checked_id, set_note
from fleetd.server.page.rendering import go, login_page, plain, render
from fleetd.server.page.status import findings
from fleetd.server.powercycles.service import Powercycles
from fleetd.server.work.service import WorkService

router = APIRouter(include_in_schema=False)

Do = Callable[[Services, MachineView, str, str, str], None]  # (services, machine, text, user, item)


@dataclass(frozen=True)
class Field:
    """What a person types."""

    label: str
    hint: str = ""
    required: bool = False


REASON = Field("Reason", "for those who come after you")


@dataclass(frozen=True)
class Action:
    """``offered`` says whether it makes sense for a machine now; done anyway, it changes nothing or says why not."""

    title: str
    question: str
    says: str
    button: str
    done: str
    do: Do
    offered: Callable[[MachineView], bool] = lambda _view: True
    field: Field | None = REASON
    danger: bool = False


def _describe(change: Callable[[str, str], holds.Change]) -> Do:
    return lambda known, view, text, user, _item: known.of(Machines).describe(view.machine.id, change(text, user))


def _cycle(known: Services, view: MachineView, text: str, user: str, _item: str) -> None:
    known.of(Powercycles).request(view.machine.id, user, text)


def _cancel(known: Services, view: MachineView, _text: str, user: str, _item: str) -> None:
    if view.powercycle is None:
        raise NotFound(f"no power cycle of {view.machine.id} is requested")
    known.of(Powercycles).cancel(view.powercycle.id, user)


def _accept(known: Services, view: MachineView, text: str, user: str, item: str) -> None:
    if not 0 < len(text) <= 255:  # as the API has it
        raise InvalidInput("reason: say why it may stay as it is, in 255 characters at most", field="reason")
    known.of(Devices).accept_finding(view.machine.id, item, text, user)


def _reopen(known: Services, view: MachineView, _text: str, user: str, item: str) -> None:
    known.of(Devices).reopen_finding(view.machine.id, item, user)


def _delete(known: Services, view: MachineView, text: str, _user: str, _item: str) -> None:
    if text != view.machine.id:
        raise InvalidInput(f"name: {text[:80]!r} is not {view.machine.id}: type it to delete the machine", field="name")
    known.of(Machines).delete(view.machine.id)


ACTIONS: Mapping[str, Action] = {
    "powercycle": Action(
        "Power cycle",
        "Power cycle {id}?",
        "It is turned off and on again, whatever runs on it.",
        "Power cycle {id}",
        "The power cycle is requested. A runner does it; this page follows.",
        _cycle,
        lambda view: not view.power_cycle,
        danger=True,
    ),
    "cancel": Action(
        "Cancel the power cycle",
        "Cancel the power cycle of {id}?",
        "The request is closed. Once a runner has claimed it, it is too late: it ends the cycle, "
        "so that the machine is not left off.",
        "Cancel the power cycle",
        "The power cycle is cancelled.",
        _cancel,
        lambda view: view.power_cycle,
        field=None,
    ),
    "set-maintenance": Action(
        "Set maintenance",
        "Set {id} into maintenance?",
        "It gets no more work until somebody ends the maintenance. What runs on it goes on.",
        "Set maintenance",
        "The machine is in maintenance.",
        _describe(holds.set_maintenance),
        lambda view: not view.machine.description.maintenance_mode,
    ),
    "clear-maintenance": Action(
        "End maintenance",
        "End the maintenance of {id}?",
        "It may get work again, unless something else holds it.",
        "End maintenance",
        "The maintenance has ended.",
        _describe(holds.clear_maintenance),
        lambda view: bool(view.machine.description.maintenance_mode),
    ),
    "set-quarantine": Action(
        "Quarantine",
        "Quarantine {id}?",
        "It gets no more work until a person clears it.",
        "Quarantine {id}",
        "The machine is quarantined.",
        _describe(holds.set_quarantine),
        lambda view: not view.machine.description.is_quarantined,
    ),
    "clear-quarantine": Action(
        "Clear quarantine",
        "Clear the quarantine of {id}?",
        "You trust the machine again: it may get work, unless something else holds it.",
        "Clear quarantine",
        "The quarantine is cleared.",
        _describe(holds.clear_quarantine),
        lambda view: view.machine.description.is_quarantined,
    ),
    "clear-recovery": Action(
        "End recovery",
        "End the recovery of {id}?",
        "Its monitor ends it by itself once the cause is gone. Ended by hand, it starts again "
        "if the monitor still sees the cause.",
        "End recovery",
        "The recovery has ended.",
        _describe(holds.clear_recovery),
        lambda view: bool(view.machine.description.recovering),
    ),
    "note": Action(
        "Edit note",
        "Note on {id}",
        "Everybody who looks at the machine sees it. Empty: no note.",
        "Save the note",
        "The note is saved.",
        _describe(set_note),
        field=Field("Note"),
    ),
    "accept-finding": Action(
        "Accept the finding",
        "Accept this finding about {id}?",
        "It stays on the page and counts no more, as long as the same is said. Other values are a new finding.",
        "Accept the finding",
        "The finding is accepted.",
        _accept,
        field=Field("Reason", "for those who come after you", required=True),
    ),
    "reopen-finding": Action(
        "Open the finding again",
        "Open this finding about {id} again?",
        "It counts again.",
        "Open the finding again",
        "The finding is open again.",
        _reopen,
        field=None,
    ),
    "delete": Action(
        "Delete",
        "Delete {id}?",
        "The server forgets the machine with its documents, history and power cycles. This can't be undone. "
        "A monitor that still runs on it registers it again.",
        "Delete {id}",
        "",
        _delete,
        field=Field("Type the machine's name to delete it", required=True),
        danger=True,
    ),
}


def warnings(action: str, view: MachineView, known: Services) -> list[str]:
    """What speaks against doing it now."""
    if action not in ("powercycle", "delete", "set-quarantine"):
        return []
    said = view.machine.description
    found = []
    if said.running_swarming_task:
        since = f" since {said.task_started:%Y-%m-%d %H:%M} UTC" if said.task_started else ""
        found.append(f"A task runs on it{since}: it will be lost." if action == "powercycle" else "A task runs on it.")
    found += [
        f"Somebody works on it: {item.process}, since {item.started_at:%H:%M:%S} UTC."
        for item in known.of(WorkService).find(view.machine.id)
    ]
    if action == "powercycle":
        if said.powercycle_state == ControllerState.IN_ERROR:
            found.append("Its power controller is in error: the power cycle will probably fail.")
        elif said.powercycle_state == ControllerState.NOT_AVAILABLE:
            found.append("No runner has said that it can power cycle this machine: the request waits until one can.")
        if view.power_cycle:
            found.append("A power cycle is requested already: this one would be the same.")
    return found


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise NotFound(f"no action {name[:80]}")
    return ACTIONS[name]


@router.get("/actions/{name}")
def question(
    request: Request,
    name: str,
    who: Who,
    machine_id: Annotated[str, Query(alias="machine", max_length=255)],
    item: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Ask before it is done."""
    if not who.can(May.READ):
        return login_page(request, who)
    ensure(who, May.OPERATE)
    return _question(request, who, name, machine_id, item)


def _question(
    request: Request, who: Principal, name: str, machine_id: str, item: str, problem: str = "", status: int = 200
) -> Response:
    known = state.of(request).services
    view = known.of(Machines).get(checked_id(machine_id))
    return render(
        request,
        who,
        "confirm.html",
        status,
        name=name,
        action=_action(name),
        view=view,
        found=findings(view, known.of(Machines).stale_before()),
        warnings=warnings(name, view, known),
        problem=problem,
        item=item,
        about=[found.message for found in known.of(Devices).findings(view.machine.id) if item and found.id == item],
    )


@router.post("/actions/{name}")
def act(
    request: Request,
    name: str,
    who: Who,
    machine_id: Annotated[str, Form(alias="machine", max_length=255)],
    text: Annotated[str, Form(max_length=1000)] = "",
    csrf: Annotated[str, Form()] = "",
    item: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Do it."""
    check_form(request)
    check_csrf(who, csrf)
    ensure(who, May.OPERATE)
    action = _action(name)
    known = state.of(request).services
    view = known.of(Machines).get(checked_id(machine_id))
    try:
        action.do(known, view, plain(text), who.actor, item)
    except InvalidInput as exc:
        return _question(request, who, name, machine_id, item, exc.message, 422)
    return go("/" if name == "delete" else f"/machine/{quote(machine_id)}?done={name}")
