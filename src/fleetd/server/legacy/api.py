# SPDX-License-Identifier: BSD-2-Clause
"""``/json/v1`` and ``/_/``: the interface that existing power cycle servers, machine monitors and their page speak.

Wire-exact: Go's field names, zero times, text errors. Like Go's decoder it ignores unknown fields and takes null for
an empty value. An id may contain slashes, encoded or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import Field
from pydantic.dataclasses import dataclass

from fleetd.server.kernel.auth.http import Operator, Publisher, Reader, Reporter, Who, ensure, ensure_follower, still
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.looking import PERIOD
from fleetd.server.kernel.http.streams import KEEP_ALIVE, EventStream
from fleetd.server.kernel.http.updates import GAP, Updates
from fleetd.server.legacy import wire
from fleetd.server.legacy.event import GO, Go, MonitorEvent, parse
from fleetd.server.legacy.process import process
from fleetd.server.machines.holds import toggle_maintenance
from fleetd.server.machines.model import AttachedDevice, ControllerState
from fleetd.server.machines.service import Machines, checked_id
from fleetd.server.machines.service import remove_device as forget_device
from fleetd.server.machines.service import set_note as write_note
from fleetd.server.powercycles.service import Powercycles

_WORDS = {
    400: "Bad JSON, a bad value or a blank id",
    401: "No valid token",
    403: "A token of a scope that may not do this",
    404: "No such machine",
    413: "The body is too large",
    429: "Too many failed logins from this address",
    503: "The database does not answer",
}
router = APIRouter(
    tags=["json/v1"],
    default_response_class=Response,  # those that change something answer with an empty body
    responses={code: {"description": words, "content": {"text/plain": {}}} for code, words in _WORDS.items()},
)

_SSH_USER_IP = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9.\-@_]*\Z")
_CHUNK = 500  # machines of one query
E = TypeVar("E", bound=StrEnum)


def _json(schema: dict[str, Any], words: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": words, "content": {"application/json": {"schema": schema}}}}


@dataclass(frozen=True, config=GO)
class _StateUpdate(Go):
    machine_id: str = Field(default="", alias="MachineID")
    state: str = Field(default="", alias="PowerCycleState")


@dataclass(frozen=True, config=GO)
class _StateUpdates(Go):
    machines: list[_StateUpdate] = Field(default_factory=list, alias="Machines")


@dataclass(frozen=True, config=GO)
class _AttachedDevice(Go):
    device: str = Field(default="", alias="AttachedDevice")


@dataclass(frozen=True, config=GO)
class _Note(Go):
    message: str = Field(default="", alias="Message")


@dataclass(frozen=True, config=GO)
class _ChromeOs(Go):
    ssh_user_ip: str = Field(default="", alias="SSHUserIP")
    dimensions: dict[str, list[str] | None] = Field(default_factory=dict, alias="SuppliedDimensions")


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]


def _id(machine_id: str) -> str:
    """:raises InvalidInput: blank."""
    if not machine_id.strip():
        raise InvalidInput("the machine id is blank: add it to the path", field="id")
    return checked_id(machine_id)


def _one_of(kind: type[E], value: str, field: str) -> E:
    """:raises InvalidInput: it is none."""
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput(f"{field}: {value[:80]!r} is not one of {', '.join(kind)}", field=field) from None


AllMachines = Annotated[Machines, http.service(Machines)]
Cycles = Annotated[Powercycles, http.service(Powercycles)]


class Descriptions(Updates):
    """Tells of the Descriptions of machines, known ones or not."""

    def __init__(self, known: Machines, period: float = PERIOD, gap: float = GAP) -> None:
        def look(machines: Sequence[str]) -> Mapping[str, object]:
            found: dict[str, object] = dict.fromkeys(machines)
            for start in range(0, len(machines), _CHUNK):
                for view in known.some(machines[start : start + _CHUNK]):
                    found[view.machine.id] = json.dumps(wire.description(view))
            return found

        super().__init__(look, period, gap)


# -- power cycles


@router.get(
    "/json/v1/powercycle/list",
    response_class=Json,
    responses=_json({"type": "array", "items": {"type": "string"}}, "Ids of machines to power cycle"),
)
def powercycle_list(cycles: Cycles, _who: Reader) -> Response:
    """Machines that should be power cycled now: open requests whose backoff is over."""
    return Json(list(cycles.due()))


@router.post("/json/v1/powercycle/complete/{machine_id:path}")
def powercycle_complete(machine_id: str, cycles: Cycles, who: Reporter) -> Response:
    """The machine was power cycled: its open request is verified."""
    cycles.complete(_id(machine_id), who.name)
    return Response()


@router.post("/json/v1/powercycle/state/update")
def powercycle_state_update(body: Body, machines: AllMachines, _who: Reporter) -> Response:
    """Which controllers answer. All or nothing; machines that are not known yet get their state when they appear."""
    states = {
        _id(item.machine_id): _one_of(ControllerState, item.state, "PowerCycleState")
        for item in parse(_StateUpdates, body).machines
    }
    machines.set_powercycle_states(states)
    return Response()


# -- machines


@router.get(
    "/json/v1/machine/description/{machine_id:path}",
    response_class=Json,
    responses=_json({"type": "object"}, "The Description"),
)
def description_of(machine_id: str, machines: AllMachines, who: Who) -> Response:
    """The Description of one machine."""
    ensure_follower(who, _id(machine_id))
    view = machines.get(_id(machine_id))
    return Json(wire.description(view))


@router.post("/json/v1/machine/event/")
def event(body: Body, machines: AllMachines, who: Publisher) -> Response:
    """What a machine monitor saw. Answered when it is stored."""
    parsed = parse(MonitorEvent, body)
    if parsed.type != "raw_state":
        raise InvalidInput(f"type: {parsed.type[:80]!r} is not raw_state", field="type")
    if not parsed.host.name.strip():
        raise InvalidInput("host.name: is blank", field="host.name")
    ensure(who, May.PUBLISH, parsed.host.name)
    machines.observe(parsed.host.name, lambda previous, now: process(previous, parsed, now))
    return Response()


@router.get("/json/v1/machine/sse/description/updated", response_class=EventStream)
def description_updated(request: Request, who: Who, stream: str = "") -> Response:
    """Server-sent events: `data: update` whenever the Description of machine `stream` changes."""
    machine_id = _id(stream)
    ensure_follower(who, machine_id)
    bus = state.of(request).stream(Descriptions)

    async def updates() -> AsyncGenerator[str, None]:
        with bus.subscribe(machine_id) as subscription:
            await subscription.ready()
            yield ": connected\n\n"
            while not bus.closed:
                changed = await subscription.wait(KEEP_ALIVE)
                yield "data: update\n\n" if changed else ": still here\n\n"  # so that proxies keep the connection

    return EventStream(updates(), still(request, who))


@router.get(
    "/_/machines",
    response_class=Json,
    responses=_json({"type": "array", "items": {"type": "object"}}, "All Descriptions"),
)
def all_descriptions(machines: AllMachines, _who: Reader) -> Response:
    """All Descriptions."""
    return Json([wire.description(view) for view in machines.find()])


@router.post("/_/machine/toggle_mode/{machine_id:path}")
def toggle_mode(machine_id: str, machines: AllMachines, who: Operator) -> Response:
    """Maintenance on or off."""
    machines.describe(_id(machine_id), toggle_maintenance(who.actor))
    return Response()


@router.post("/_/machine/toggle_powercycle/{machine_id:path}")
def toggle_powercycle(machine_id: str, cycles: Cycles, who: Operator) -> Response:
    """Request a power cycle, or cancel the open request."""
    cycles.toggle(_id(machine_id), who.actor)
    return Response()


@router.post("/_/machine/remove_device/{machine_id:path}")
def remove_device(machine_id: str, machines: AllMachines, who: Operator) -> Response:
    """Forget the attached device."""
    machines.describe(_id(machine_id), forget_device(who.actor))
    return Response()


@router.post("/_/machine/delete_machine/{machine_id:path}")
def delete_machine(machine_id: str, machines: AllMachines, _who: Operator) -> Response:
    """Delete the machine."""
    machines.delete(_id(machine_id))
    return Response()


@router.post("/_/machine/clear_quarantined/{machine_id:path}")
def clear_quarantined(machine_id: str, machines: AllMachines, _who: Operator) -> Response:
    """Lift the quarantine."""
    machines.describe(_id(machine_id), lambda previous, _now: replace(previous, is_quarantined=False))
    return Response()


@router.post("/_/machine/set_attached_device/{machine_id:path}")
def set_attached_device(machine_id: str, body: Body, machines: AllMachines, _who: Operator) -> Response:
    """What the monitor should look for."""
    device = _one_of(AttachedDevice, parse(_AttachedDevice, body).device, "AttachedDevice")
    machines.describe(_id(machine_id), lambda previous, _now: replace(previous, attached_device=device))
    return Response()


@router.post("/_/machine/set_note/{machine_id:path}")
def set_note(machine_id: str, body: Body, machines: AllMachines, who: Operator) -> Response:
    """A note for people."""
    machines.describe(_id(machine_id), write_note(parse(_Note, body).message, who.actor))
    return Response()


@router.post("/_/machine/supply_chromeos/{machine_id:path}")
def supply_chromeos(machine_id: str, body: Body, machines: AllMachines, _who: Operator) -> Response:
    """How a device is reached over SSH."""
    parsed = parse(_ChromeOs, body)
    if not _SSH_USER_IP.match(parsed.ssh_user_ip):
        raise InvalidInput(f"SSHUserIP: {parsed.ssh_user_ip[:80]!r} is not user@host", field="SSHUserIP")
    dimensions = {name: tuple(values or ()) for name, values in parsed.dimensions.items()}
    values: dict[str, Any] = {"ssh_user_ip": parsed.ssh_user_ip, "supplied_dimensions": dimensions}
    machines.describe(
        _id(machine_id), lambda previous, _now: replace(previous, attached_device=AttachedDevice.SSH, **values)
    )
    return Response()
