# SPDX-License-Identifier: BSD-2-Clause
"""``/json/v1`` and ``/_/``: the interface that existing power cycle servers, machine monitors and their page speak.

Wire-exact: Go's field names, zero times, text errors. Like Go's decoder it ignores unknown fields and takes null for
an empty value. An id may contain slashes, encoded or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fleetd.server import wire
from fleetd.server.kernel.auth.http import Operator, Publisher, Reader, Reporter, Who, ensure, ensure_follower, still
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http.errors import BadRequest, Json, as_invalid_input
from fleetd.server.kernel.http.streams import KEEP_ALIVE, EventStream
from fleetd.server.kernel.http.updates import Updates
from fleetd.server.legacy import process
from fleetd.server.legacy.observed import observed
from fleetd.server.machines import service as changes
from fleetd.server.machines.api import services
from fleetd.server.machines.model import AttachedDevice, ControllerState

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
T = TypeVar("T", bound=BaseModel)


def _json(schema: dict[str, Any], words: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": words, "content": {"application/json": {"schema": schema}}}}


class _Go(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, populate_by_name=True, allow_inf_nan=False)


def _or(default: Any) -> BeforeValidator:
    """Go leaves a field alone that is null."""
    return BeforeValidator(lambda value: default if value is None else value)


class _StateUpdate(_Go):
    machine_id: Annotated[str, _or("")] = Field(default="", alias="MachineID")
    state: Annotated[str, _or("")] = Field(default="", alias="PowerCycleState")


class _StateUpdates(_Go):
    machines: Annotated[list[_StateUpdate], _or([])] = Field(default=[], alias="Machines")


class _AttachedDevice(_Go):
    device: Annotated[str, _or("")] = Field(default="", alias="AttachedDevice")


class _Note(_Go):
    message: Annotated[str, _or("")] = Field(default="", alias="Message")


class _ChromeOs(_Go):
    ssh_user_ip: Annotated[str, _or("")] = Field(default="", alias="SSHUserIP")
    dimensions: dict[str, list[str] | None] | None = Field(default=None, alias="SuppliedDimensions")


_Text = Annotated[str, _or("")]
_Texts = Annotated[list[Annotated[str, _or("")]], _or([])]
_Flag = Annotated[bool, _or(False)]
_Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), _or(0)]
_Health = Annotated[dict[str, _Text], _or({})]
_NANOSECONDS = 1_000_000_000
_INT32 = 2**31 - 1


def _seconds(nanoseconds: int) -> float:
    """A Go duration; not more seconds than the description can say."""
    return min(nanoseconds / _NANOSECONDS, _INT32)


class _Host(_Go):
    name: _Text = ""
    version: _Text = ""


class _Android(_Go):
    getprop: _Text = ""
    dumpsys_battery: _Text = ""
    dumpsys_thermal_service: _Text = ""
    uptime: _Int64 = 0


class _ChromeOsState(_Go):
    channel: _Text = ""
    milestone: _Text = ""
    release_version: _Text = ""
    uptime: _Int64 = 0


class _Ios(_Go):
    version: _Text = ""
    device_type: _Text = ""
    battery: Annotated[int, Field(ge=-(2**31), le=_INT32), _or(process.BAD_BATTERY)] = process.BAD_BATTERY


class _Pyocd(_Go):
    device_type: _Text = ""


class _Standalone(_Go):
    cores: _Int64 = 0
    cpus: _Texts = []
    gpus: _Texts = []
    os_versions: _Texts = []
    gce: _Flag = False
    machine_type: _Text = ""
    docker_installed: _Flag = False


class _Server(_Go):
    """Ours, for servers; older monitors do not send it."""

    temperatures: Annotated[dict[str, float], _or({})] = {}
    limits: Annotated[dict[str, float], _or({})] = {}
    fans: _Health = {}
    power_supplies: _Health = {}
    drives: _Health = {}
    boot_id: _Text = ""
    uptime: Annotated[float, Field(ge=0, le=_INT32), _or(0.0)] = 0.0


class _Monitor(_Go):
    """Ours: how the monitor itself is."""

    dropped: Annotated[int, Field(ge=0, le=2**63 - 1), _or(0)] = 0


class _Event(_Go):
    type: _Text = ""
    host: Annotated[_Host, _or({})] = _Host()
    android: Annotated[_Android, _or({})] = _Android()
    chromeos: Annotated[_ChromeOsState, _or({})] = _ChromeOsState()
    ios: Annotated[_Ios, _or({})] = _Ios()
    pyocd: Annotated[_Pyocd, _or({})] = _Pyocd()
    standalone: Annotated[_Standalone, _or({})] = _Standalone()
    server: Annotated[_Server, _or({})] = _Server()
    monitor: Annotated[_Monitor, _or({})] = _Monitor()
    running_swarming_task: _Flag = False
    launched_swarming: _Flag = False
    forced_quarantine: _Flag = False

    def to_domain(self) -> process.Event:
        """What the processor takes."""
        android, chromeos, alone = self.android.model_dump(), self.chromeos.model_dump(), self.standalone.model_dump()
        lists = {name: tuple(alone[name]) for name in ("cpus", "gpus", "os_versions")}
        return process.Event(
            version=self.host.version,
            dropped=self.monitor.dropped,
            android=process.Android(**{**android, "uptime": _seconds(self.android.uptime)}),
            chromeos=process.ChromeOs(**{**chromeos, "uptime": _seconds(self.chromeos.uptime)}),
            ios=process.Ios(**self.ios.model_dump()),
            pyocd=process.Pyocd(**self.pyocd.model_dump()),
            standalone=process.Standalone(**{**alone, **lists}),
            server=process.Server(**self.server.model_dump()),
            running_swarming_task=self.running_swarming_task,
            launched_swarming=self.launched_swarming,
            forced_quarantine=self.forced_quarantine,
        )


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]


def _parse(model: type[T], body: bytes) -> T:
    """:raises BadRequest: not JSON. :raises InvalidInput: a value of the wrong type."""
    try:
        data = json.loads(body)
        json.dumps(data, ensure_ascii=False).encode()  # no lone surrogates, no endless nesting
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as exc:
        raise as_invalid_input(exc) from None


def _id(machine_id: str) -> str:
    """:raises InvalidInput: blank."""
    if not machine_id.strip():
        raise InvalidInput("the machine id is blank: add it to the path", field="id")
    return changes.checked_id(machine_id)


# -- power cycles


@router.get(
    "/json/v1/powercycle/list",
    response_class=Json,
    responses=_json({"type": "array", "items": {"type": "string"}}, "Ids of machines to power cycle"),
)
def powercycle_list(request: Request, _who: Reader) -> Response:
    """Machines that should be power cycled now: open requests whose backoff is over."""
    return Json(list(services(request).powercycles.due()))


@router.post("/json/v1/powercycle/complete/{machine_id:path}")
def powercycle_complete(request: Request, machine_id: str, who: Reporter) -> Response:
    """The machine was power cycled: its open request is verified."""
    services(request).powercycles.complete(_id(machine_id), who.name)
    return Response()


@router.post("/json/v1/powercycle/state/update")
def powercycle_state_update(request: Request, body: Body, _who: Reporter) -> Response:
    """Which controllers answer. All or nothing; machines that are not known yet get their state when they appear."""
    states = {}
    for item in _parse(_StateUpdates, body).machines:
        try:
            states[_id(item.machine_id)] = ControllerState(item.state)
        except ValueError:
            known = ", ".join(state.value for state in ControllerState)
            raise InvalidInput(
                f"PowerCycleState: {item.state[:80]!r} is not one of {known}", field="PowerCycleState"
            ) from None
    services(request).machines.set_powercycle_states(states)
    return Response()


# -- machines


@router.get(
    "/json/v1/machine/description/{machine_id:path}",
    response_class=Json,
    responses=_json({"type": "object"}, "The Description"),
)
def description(request: Request, machine_id: str, who: Who) -> Response:
    """The Description of one machine."""
    ensure_follower(who, _id(machine_id))
    view = services(request).machines.get(_id(machine_id))
    return Json(wire.description(view.machine, view.power_cycle))


@router.post("/json/v1/machine/event/")
def event(request: Request, body: Body, who: Publisher) -> Response:
    """What a machine monitor saw. Answered when it is stored."""
    parsed = _parse(_Event, body)
    if parsed.type != "raw_state":
        raise InvalidInput(f"type: {parsed.type[:80]!r} is not raw_state", field="type")
    if not parsed.host.name.strip():
        raise InvalidInput("host.name: is blank", field="host.name")
    ensure(who, May.PUBLISH, parsed.host.name)
    services(request).machines.observe(parsed.host.name, observed(parsed.to_domain()))
    return Response()


@router.get("/json/v1/machine/sse/description/updated", response_class=EventStream)
def description_updated(request: Request, who: Who, stream: str = "") -> Response:
    """Server-sent events: `data: update` whenever the Description of machine `stream` changes."""
    machine_id = _id(stream)
    ensure_follower(who, machine_id)
    bus: Updates = request.app.state.updates

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
def machines(request: Request, _who: Reader) -> Response:
    """All Descriptions."""
    return Json([wire.description(view.machine, view.power_cycle) for view in services(request).machines.find()])


@router.post("/_/machine/toggle_mode/{machine_id:path}")
def toggle_mode(request: Request, machine_id: str, who: Operator) -> Response:
    """Maintenance on or off."""
    services(request).machines.describe(_id(machine_id), changes.toggle_mode(who.name or "anonymous"))
    return Response()


@router.post("/_/machine/toggle_powercycle/{machine_id:path}")
def toggle_powercycle(request: Request, machine_id: str, who: Operator) -> Response:
    """Request a power cycle, or cancel the open request."""
    services(request).powercycles.toggle(_id(machine_id), who.name or "anonymous")
    return Response()


@router.post("/_/machine/remove_device/{machine_id:path}")
def remove_device(request: Request, machine_id: str, who: Operator) -> Response:
    """Forget the attached device."""
    services(request).machines.describe(_id(machine_id), changes.remove_device(who.name or "anonymous"))
    return Response()


@router.post("/_/machine/delete_machine/{machine_id:path}")
def delete_machine(request: Request, machine_id: str, _who: Operator) -> Response:
    """Delete the machine."""
    services(request).machines.delete(_id(machine_id))
    return Response()


@router.post("/_/machine/clear_quarantined/{machine_id:path}")
def clear_quarantined(request: Request, machine_id: str, _who: Operator) -> Response:
    """Lift the quarantine."""
    services(request).machines.describe(_id(machine_id), changes.clear_quarantined)
    return Response()


@router.post("/_/machine/set_attached_device/{machine_id:path}")
def set_attached_device(request: Request, machine_id: str, body: Body, _who: Operator) -> Response:
    """What the monitor should look for."""
    value = _parse(_AttachedDevice, body).device
    try:
        device = AttachedDevice(value)
    except ValueError:
        known = ", ".join(item.value for item in AttachedDevice)
        raise InvalidInput(f"AttachedDevice: {value[:80]!r} is not one of {known}", field="AttachedDevice") from None
    services(request).machines.describe(_id(machine_id), changes.set_attached_device(device))
    return Response()


@router.post("/_/machine/set_note/{machine_id:path}")
def set_note(request: Request, machine_id: str, body: Body, who: Operator) -> Response:
    """A note for people."""
    services(request).machines.describe(
        _id(machine_id), changes.set_note(_parse(_Note, body).message, who.name or "anonymous")
    )
    return Response()


@router.post("/_/machine/supply_chromeos/{machine_id:path}")
def supply_chromeos(request: Request, machine_id: str, body: Body, _who: Operator) -> Response:
    """How a device is reached over SSH."""
    parsed = _parse(_ChromeOs, body)
    if not _SSH_USER_IP.match(parsed.ssh_user_ip):
        raise InvalidInput(f"SSHUserIP: {parsed.ssh_user_ip[:80]!r} is not user@host", field="SSHUserIP")
    dimensions = {name: tuple(values or ()) for name, values in (parsed.dimensions or {}).items()}
    services(request).machines.describe(_id(machine_id), changes.supply_chromeos(parsed.ssh_user_ip, dimensions))
    return Response()
