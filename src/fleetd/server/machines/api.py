# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1. An id with slashes is sent with them as %2F."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Annotated, Any, Literal

import fastapi
from fastapi import APIRouter, Header, Request, Response
from fleetcore.errors import InvalidInput
from pydantic import ValidationError

from fleetd.server import schemas, wire
from fleetd.server.inventory.service import inventory
from fleetd.server.kernel.auth.http import Operator, Reader, Reporter
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.http.errors import Json, as_invalid_input
from fleetd.server.kernel.http.middleware import path_id
from fleetd.server.kernel.idempotency import http as once
from fleetd.server.kernel.ids import is_machine_id
from fleetd.server.machines.facets import Facet, MachineFilter
from fleetd.server.machines.model import ControllerState, Machine
from fleetd.server.machines.service import MachineView
from fleetd.server.powercycles.model import CycleState

_WORDS = {
    400: "Not JSON",
    401: "No valid token",
    403: "A token of a scope that may not do this",
    404: "No such machine, request or document",
    409: "It exists already, or was closed otherwise",
    412: "If-Match names another version",
    413: "The body is too large",
    415: "The body is not sent as application/json",
    422: "A field can't be used; details.field names it",
    429: "Too many failed logins from this address; Retry-After says how long to wait",
    431: "The headers are too large",
    503: "The database does not answer",
}


def answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    more = (413, 415) if 400 in codes else ()  # what has a body
    every = (401, 403, 422, 429, 431, 503)
    return {code: {"model": schemas.Error, "description": _WORDS[code]} for code in (*every, *codes, *more)}


router = APIRouter(prefix="/api/v1", responses=answers())

IfMatch = Annotated[str | None, Header(alias="If-Match", description="ETag of the version that is to be changed")]
Limit = Annotated[int, fastapi.Query(ge=1, le=1000, description="items per page")]
Cursor = Annotated[schemas.Query | None, fastapi.Query(description="`next` of the page before")]


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def _with_etag(view: MachineView, status: int = 200) -> Response:
    return Json(wire.machine(view), status, _etag(view))


def _etag(view: MachineView) -> dict[str, str]:
    return {"ETag": f'"{view.machine.version}"'}


def _version(if_match: str | None) -> int | None:
    """The version of an If-Match; one that is none of ours matches nothing (-1)."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def encode(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode(cursor: str | None) -> str | None:
    """:raises InvalidInput: not a cursor of ours."""
    if cursor is None:
        return None
    try:
        position = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        position = ""
    if not is_machine_id(position):
        raise InvalidInput("cursor: not one that this server gave; start without", field="cursor")
    return position


def _labels(values: list[str]) -> dict[str, str]:
    """:raises InvalidInput: not key=value."""
    labels = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise InvalidInput(f"label: write it as name=value (got {value[:80]!r})", field="label")
        labels[name] = text
    return labels


def _where(
    request: Request,
    site: Annotated[schemas.Query | None, fastapi.Query()] = None,
    rack: Annotated[schemas.Query | None, fastapi.Query()] = None,
    label: Annotated[
        list[schemas.Query], fastapi.Query(description="name=value; may be repeated: all have to match")
    ] = [],  # noqa: B006
    q: Annotated[
        schemas.Query | None, fastapi.Query(description="part of id, serial, model, MAC, BMC address, label, ...")
    ] = None,
    lifecycle: Annotated[schemas.Query | None, fastapi.Query()] = None,
    hold: Annotated[
        Literal["maintenance", "quarantine", "recovery", "any", "none"] | None,
        fastapi.Query(description="why it is held"),
    ] = None,
    power_state: Annotated[
        schemas.Query | None, fastapi.Query(description="of the device document: on, off, ...")
    ] = None,
    controller: Annotated[
        ControllerState | None, fastapi.Query(description="whether a runner can power cycle it")
    ] = None,
    credential: Annotated[schemas.Query | None, fastapi.Query(description="name that its BMC refers to")] = None,
    powercycle: Annotated[bool | None, fastapi.Query(description="whether a power cycle request is open")] = None,
    facet: Annotated[
        Facet | None, fastapi.Query(description="a list of the page: `trouble` is all that is wrong")
    ] = None,
) -> MachineFilter:
    return MachineFilter(
        site,
        rack,
        _labels(label),
        q,
        lifecycle,
        hold,
        power_state,
        controller,
        credential,
        powercycle,
        facet,
        services(request).machines.stale_before(),
    )


Where = Annotated[MachineFilter, fastapi.Depends(_where)]

# -- machines


@router.post(
    "/machines",
    status_code=201,
    tags=["machines"],
    responses={201: {"model": schemas.MachineOut}, **answers(400, 409)},
)
def create_machine(request: Request, body: schemas.NewMachine, who: Operator, key: once.Key = None) -> Response:
    """Register a machine."""

    def work() -> once.Answer:
        view = services(request).machines.create(body.id, body.to_domain())
        return once.Answer(wire.machine(view), 201, _etag(view))

    return once.once(request, who, key, body, work)


@router.get("/machines", tags=["machines"], responses={200: {"model": schemas.MachineList}})
def list_machines(request: Request, where: Where, _who: Reader, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Machines by id, page by page."""
    found = services(request).machines.find(where, limit + 1, decode(cursor))
    page = found[:limit]
    following = encode(page[-1].machine.id) if len(found) > limit else None
    return Json({"items": [wire.machine(item) for item in page], "next": following})


@router.get("/machines/{machine_id}", tags=["machines"], responses={200: {"model": schemas.MachineOut}, **answers(404)})
def get_machine(request: Request, machine_id: str, _who: Reader) -> Response:
    """One machine, with its ETag."""
    return _with_etag(services(request).machines.get(path_id(machine_id)))


@router.patch(
    "/machines/{machine_id}",
    tags=["machines"],
    responses={200: {"model": schemas.MachineOut}, **answers(400, 404, 412)},
)
def patch_machine(
    request: Request, machine_id: str, body: dict[str, Any], _who: Operator, if_match: IfMatch = None
) -> Response:
    """JSON merge patch (RFC 7386) of labels, site, rack, position, lifecycle and bmc: null removes."""

    def change(previous: Machine) -> dict[str, Any]:
        try:
            return schemas.Writable.model_validate(_merge_patch(_writable(previous), body)).to_domain()
        except ValidationError as exc:
            raise as_invalid_input(exc) from None

    return _with_etag(services(request).machines.change(path_id(machine_id), change, _version(if_match)))


@router.delete("/machines/{machine_id}", status_code=204, tags=["machines"], responses=answers(404, 412))
def delete_machine(request: Request, machine_id: str, _who: Operator, if_match: IfMatch = None) -> Response:
    """Delete a machine with its requests, documents and history."""
    services(request).machines.delete(path_id(machine_id), _version(if_match))
    return Response(status_code=204)


@router.get("/machines/{machine_id}/bmc", tags=["machines"], responses={200: {"model": schemas.Bmc}, **answers(404)})
def get_bmc(request: Request, machine_id: str, _who: Reader) -> Response:
    """How its BMC is reached."""
    view = services(request).machines.get(path_id(machine_id))
    if view.machine.bmc is None:
        raise fastapi.HTTPException(404, f"machine {view.machine.id} has no bmc")
    return Json(wire.bmc(view.machine), headers={"ETag": f'"{view.machine.version}"'})


@router.put(
    "/machines/{machine_id}/bmc", tags=["machines"], responses={200: {"model": schemas.Bmc}, **answers(400, 404, 412)}
)
def put_bmc(request: Request, machine_id: str, body: schemas.Bmc, _who: Operator, if_match: IfMatch = None) -> Response:
    """Set how its BMC is reached."""
    view = services(request).machines.set_bmc(path_id(machine_id), body.to_domain(), _version(if_match))
    return Json(wire.bmc(view.machine), headers={"ETag": f'"{view.machine.version}"'})


@router.delete("/machines/{machine_id}/bmc", status_code=204, tags=["machines"], responses=answers(404, 412))
def delete_bmc(request: Request, machine_id: str, _who: Operator, if_match: IfMatch = None) -> Response:
    """Forget how its BMC is reached."""
    services(request).machines.set_bmc(path_id(machine_id), None, _version(if_match))
    return Response(status_code=204)


def _writable(machine: Machine) -> dict[str, Any]:
    return {
        "labels": dict(machine.labels),
        "site": machine.site,
        "rack": machine.rack,
        "position": machine.position,
        "lifecycle": machine.lifecycle,
        "bmc": wire.bmc(machine),
    }


def _merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge_patch(result.get(name), value)
    return result


# -- power cycles


@router.post(
    "/powercycles",
    status_code=201,
    tags=["powercycles"],
    responses={
        201: {"model": schemas.PowercycleOut},
        200: {"model": schemas.PowercycleOut, "description": "The machine has an open request: this one"},
        **answers(400, 404),
    },
)
def request_powercycle(request: Request, body: schemas.NewPowercycle, who: Operator, key: once.Key = None) -> Response:
    """Ask for a power cycle. A machine has at most one open request."""
    requester = body.requester or who.name or "anonymous"

    def work() -> once.Answer:
        found, created = services(request).powercycles.request(body.machine, requester, body.reason)
        headers = {"Location": f"/api/v1/powercycles/{found.id}"}
        return once.Answer(wire.powercycle(found), 201 if created else 200, headers)

    return once.once(request, who, key, body, work)


@router.get("/powercycles", tags=["powercycles"], responses={200: {"model": schemas.PowercycleList}})
def list_powercycles(
    request: Request,
    _who: Reader,
    machine: schemas.Query | None = None,
    state: CycleState | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Requests, newest first."""
    found = services(request).powercycles.find(machine, state, limit + 1, decode(cursor))
    page = found[:limit]
    following = encode(page[-1].id) if len(found) > limit else None
    return Json({"items": [wire.powercycle(item) for item in page], "next": following})


@router.get(
    "/powercycles/{request_id}",
    tags=["powercycles"],
    responses={200: {"model": schemas.PowercycleOut}, **answers(404)},
)
def get_powercycle(request: Request, request_id: schemas.Query, _who: Reader) -> Response:
    """One request."""
    return Json(wire.powercycle(services(request).powercycles.get(request_id)))


@router.post(
    "/powercycles/{request_id}/report",
    tags=["powercycles"],
    responses={200: {"model": schemas.PowercycleOut}, **answers(400, 404, 409)},
)
def report_powercycle(request: Request, request_id: schemas.Query, body: schemas.Report, who: Reporter) -> Response:
    """What a runner did, with the fencing token of its claim if it has one. `failed` opens the request again after a backoff, until there were too many attempts."""
    runner = body.runner or who.name
    found = services(request).powercycles.report(
        request_id, CycleState(body.state), body.message, body.error, runner, body.fencing_token
    )
    return Json(wire.powercycle(found))


@router.post(
    "/powercycles/{request_id}/cancel",
    tags=["powercycles"],
    responses={200: {"model": schemas.PowercycleOut}, **answers(404, 409)},
)
def cancel_powercycle(request: Request, request_id: schemas.Query, who: Operator) -> Response:
    """Close an open request without doing it."""
    return Json(wire.powercycle(services(request).powercycles.cancel(request_id, who.name or "anonymous")))


# -- inventory


@router.get(
    "/inventory", tags=["inventory"], responses={200: {"model": schemas.Inventory}, 304: {"description": "As before"}}
)
def get_inventory(
    request: Request,
    where: Where,
    _who: Reader,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Response:
    """Hosts with variables, and groups, for the Ansible inventory plugin."""
    body = json.dumps(inventory(services(request).machines.find(where)), separators=(",", ":")).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if if_none_match and etag in [item.strip().removeprefix("W/") for item in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
