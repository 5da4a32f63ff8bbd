# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/machines/{id}/device and what follows from it, /api/v1/devices, /api/v1/components."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fleetcore.errors import FleetError, InvalidInput

from fleetd.server import schemas, wire
from fleetd.server.devices.model import ComponentFilter
from fleetd.server.devices.service import Devices
from fleetd.server.kernel.auth.http import Publisher, Reader, ensure
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.middleware import path_id
from fleetd.server.machines.api import Cursor, Limit, answers, decode, encode, services

router = APIRouter(prefix="/api/v1", responses=answers(), tags=["devices"])

Source = Literal["oob", "inband"]
_A_DEVICE: dict[str, Any] = {"description": "A device document: see docs/schema/device.schema.json"}
_TIME = "a time with its zone, as 2026-03-01T12:00:00Z"


def _devices(request: Request) -> Devices:
    return services(request).of(Devices)


def _time(text: str | None, field: str) -> datetime | None:
    """:raises InvalidInput: not a time with a zone."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign of the zone that was not encoded
        if found.tzinfo is None or not 1970 <= found.year < 9999:
            raise ValueError
        return found.astimezone(UTC)
    except ValueError:
        raise InvalidInput(f"{field}: write it as {_TIME} (got {text[:80]!r})", field=field) from None


@router.get("/machines/{machine_id}/device", responses={200: _A_DEVICE, **answers(404)})
def get_device(
    request: Request,
    machine_id: str,
    _who: Reader,
    source: Source | None = None,
    at: Annotated[schemas.Query | None, Query(description=f"as it was then: {_TIME}")] = None,
) -> Response:
    """The last known state: of one source, or merged with provenance."""
    return Json(_devices(request).get(path_id(machine_id), source, _time(at, "at")))


@router.get("/machines/{machine_id}/device/history", responses={200: {"model": schemas.DeviceHistory}, **answers(404)})
def device_history(
    request: Request, machine_id: str, _who: Reader, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """What changed, newest first."""
    found = _devices(request).history(path_id(machine_id), limit + 1, decode(cursor))
    page = found[:limit]
    following = encode(page[-1].id) if len(found) > limit else None
    return Json({"items": [wire.device_change(item) for item in page], "next": following})


@router.get("/machines/{machine_id}/device/diff", responses={200: {"model": schemas.DeviceDiff}, **answers(404)})
def device_diff(
    request: Request,
    machine_id: str,
    _who: Reader,
    since: Annotated[schemas.Query, Query(alias="from", description=_TIME)],
    until: Annotated[schemas.Query | None, Query(alias="to", description=f"{_TIME}; default: now")] = None,
    source: Source | None = None,
) -> Response:
    """What is different between two times: in the merged view, or in that of one source."""
    first, last = _time(since, "from"), _time(until, "to")
    assert first is not None  # noqa: S101 - it is required
    found = _devices(request).changes(path_id(machine_id), first, last, source)
    return Json({"from": wire.time(first), "to": wire.time(last), "changes": found})


@router.get("/machines/{machine_id}/device/findings", responses={200: {"model": schemas.Findings}, **answers(404)})
def device_findings(request: Request, machine_id: str, _who: Reader) -> Response:
    """Where the sources contradict each other, the registration or other machines; worst first."""
    return Json({"items": _devices(request).findings(path_id(machine_id))})


@router.get("/machines/{machine_id}/device/{source}", responses={200: _A_DEVICE, **answers(404)})
def get_device_of_source(request: Request, machine_id: str, source: Source, _who: Reader) -> Response:
    """The last known state by one source."""
    return Json(_devices(request).get(path_id(machine_id), source))


@router.put(
    "/machines/{machine_id}/device/{source}", responses={200: {"model": schemas.Published}, **answers(400, 404)}
)
def put_device(
    request: Request,
    machine_id: str,
    source: Source,
    body: dict[str, Any],
    who: Publisher,
) -> Response:
    """Publish one observation. The same again answers changed: false. What it could not collect stays as it was last seen."""
    ensure(who, May.PUBLISH, path_id(machine_id))
    published = _devices(request).publish(path_id(machine_id), source, body)
    return Json({"changed": bool(published.changes), "changes": len(published.changes)})


@router.get("/machines/{machine_id}/bios", responses={200: {"model": schemas.BiosOut}, **answers(404)})
def get_bios(request: Request, machine_id: str, _who: Reader) -> Response:
    """Version and settings of the BIOS, boot order and Secure Boot, merged."""
    return Json(_devices(request).bios(path_id(machine_id)))


@router.post("/devices", responses={200: {"model": schemas.PublishedMany}, **answers(400)})
def post_devices(request: Request, body: schemas.PublishMany, who: Publisher) -> Response:
    """Publish several observations; the answer has one result per item, in order."""
    items = []
    for item in body.items:
        result: dict[str, Any] = {"machine": item.machine, "changed": False, "changes": 0, "error": None}
        try:
            ensure(who, May.PUBLISH, item.machine)
            source = item.device.get("source")
            if not isinstance(source, str):
                raise InvalidInput("device.source: say oob or inband", field="device.source")
            published = _devices(request).publish(item.machine, source, item.device)
            result |= {"changed": bool(published.changes), "changes": len(published.changes)}
        except FleetError as exc:
            result["error"] = exc.to_dict()
        items.append(result)
    return Json({"items": items})


@router.get("/components", responses={200: {"model": schemas.ComponentList}})
def list_components(
    request: Request,
    _who: Reader,
    *,
    serial: Annotated[schemas.Query | None, Query(description="but for case and punctuation")] = None,
    machine: schemas.Query | None = None,
    kind: Annotated[schemas.Query | None, Query(description="drives, memory, ...; device is a machine itself")] = None,
    model: Annotated[schemas.Query | None, Query(description="exactly")] = None,
    current: Annotated[bool | None, Query(description="true: where they are, false: where they were")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Where components are and were, by when they came there. With `serial`: the way of a part between slots and machines."""
    where = ComponentFilter(serial, machine, kind, model, current)
    found = _devices(request).components(where, limit + 1, decode(cursor))
    page = found[:limit]
    following = encode(page[-1].id) if len(found) > limit else None
    return Json({"items": [wire.component_stay(item) for item in page], "next": following})
