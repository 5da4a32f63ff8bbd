# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/machines/{id}/device and what follows from it, /api/v1/devices, /api/v1/components."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from fleetcore.errors import FleetError, InvalidInput
from pydantic import BaseModel, Field

from fleetd.server.devices.model import (
    Acceptance,
    ComponentFilter,
    ComponentStay,
    DeviceChange,
    Filed,
    Finding,
    FoundComponent,
    Publication,
)
from fleetd.server.devices.service import Devices
from fleetd.server.kernel.auth.http import Operator, Publisher, Reader, ensure
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.answers import ErrorBody, Shape, errors, list_of, page_of
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.fields import Body, MachineId, PathId, Short, Words
from fleetd.server.kernel.http.request import Page

router = http.router("devices")
Known = Annotated[Devices, http.service(Devices)]
Source = Literal["oob", "inband"]

_A_DEVICE: dict[str, Any] = {"description": "A device document: see docs/schema/device.schema.json"}
_TIME = "a time with its zone, as 2026-03-01T12:00:00Z"


CHANGE = Shape(DeviceChange, without=("machine",))
_PART = Shape(FoundComponent, without=("name", "seen"), also={"slot": str | None})
STAY = Shape(
    ComponentStay,
    without=("id", "component"),
    also={
        "source": Source,
        "component": str,
        **{name: item.annotation for name, item in _PART.model.model_fields.items()},
    },
)


def _stay(value: ComponentStay) -> dict[str, Any]:
    part = value.component
    return STAY.json(value, component=part.name, **_PART.json(part, slot=part.slot or None))


class PublishItem(Body):
    """One observation of a bulk publication; its source is in the document."""

    machine: MachineId
    device: dict[str, Any]


class PublishMany(Body):
    """Several observations; each succeeds or fails by itself."""

    items: list[PublishItem] = Field(max_length=1000)


class Published(BaseModel):
    """What an observation changed."""

    changed: bool
    changes: int


class PublishedItem(Published):
    """What one of several observations changed."""

    machine: str
    error: ErrorBody | None


class PublishedMany(BaseModel):
    """What several observations changed, in order."""

    items: list[PublishedItem]


class DeviceDiff(BaseModel):
    """Differences between two times; ``to`` null is now."""

    since: datetime = Field(alias="from")
    to: datetime | None
    changes: list[dict[str, Any]]


FindingKind = Literal[
    "other_machine",
    "wrong_bmc",
    "bmc_elsewhere",
    "serial_elsewhere",
    "part_elsewhere",
    "other_part",
    "missing",
    "mixed_firmware",
    "disagreement",
]
ACCEPTANCE = Shape(Acceptance)
FINDING = Shape(
    Finding,
    also={
        "kind": FindingKind,
        "severity": Literal["critical", "warning", "info"],
        "accepted": ACCEPTANCE.model | None,
    },
)


def _finding(value: Finding) -> dict[str, Any]:
    return FINDING.json(value, accepted=ACCEPTANCE.of(value.accepted))


class Accept(Body):
    """Why a finding is let be."""

    reason: Short = Field(description="for those who come after you")


class Bios(BaseModel):
    """Parts of the merged device document: see docs/schema/device.schema.json."""

    bios: dict[str, Any] | None = None
    bios_configuration: dict[str, Any] | None = None
    boot: dict[str, Any] | None = None
    secure_boot: dict[str, Any] | None = None
    provenance: dict[str, str]


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


def _changed(published: Publication | Filed) -> dict[str, Any]:
    """What an observation changed of the present state; one that is older than that is only filed."""
    changes = 0 if isinstance(published, Filed) else len(published.changes)
    return {"changed": bool(changes), "changes": changes}


@router.get("/machines/{machine_id}/device", responses={200: _A_DEVICE, **errors(404)})
def get_device(
    machine_id: PathId,
    known: Known,
    _who: Reader,
    source: Source | None = None,
    at: Annotated[Words | None, Query(description=f"as it was then: {_TIME}")] = None,
) -> Response:
    """The last known state: of one source, or merged with provenance."""
    return Json(known.get(machine_id, source, _time(at, "at")))


@router.get("/machines/{machine_id}/device/history", responses={200: {"model": page_of(CHANGE)}, **errors(404)})
def device_history(machine_id: PathId, known: Known, _who: Reader, page: Page) -> Response:
    """What changed, newest first."""
    return page.answer(CHANGE, known.history(machine_id, page.wanted, page.after))


@router.get("/machines/{machine_id}/device/diff", responses={200: {"model": DeviceDiff}, **errors(404)})
def device_diff(
    machine_id: PathId,
    known: Known,
    _who: Reader,
    since: Annotated[Words, Query(alias="from", description=_TIME)],
    until: Annotated[Words | None, Query(alias="to", description=f"{_TIME}; default: now")] = None,
    source: Source | None = None,
) -> Response:
    """What is different between two times: in the merged view, or in that of one source."""
    first, last = _time(since, "from"), _time(until, "to")
    assert first is not None  # noqa: S101 - it is required
    found = known.changes(machine_id, first, last, source)
    shown = DeviceDiff.model_construct(since=first, to=last, changes=found)
    return Json(shown.model_dump(mode="json", by_alias=True))


@router.get("/machines/{machine_id}/device/findings", responses={200: {"model": list_of(FINDING)}, **errors(404)})
def device_findings(machine_id: PathId, known: Known, _who: Reader) -> Response:
    """Where the sources contradict each other, the registration or other machines.

    Worst first, then those that somebody has accepted.
    """
    return Json({"items": [_finding(item) for item in known.findings(machine_id)]})


@router.put(
    "/machines/{machine_id}/device/findings/{finding}/acceptance",
    responses={200: {"model": FINDING.model}, **errors(400, 404)},
)
def accept_finding(machine_id: PathId, finding: str, body: Accept, known: Known, who: Operator) -> Response:
    """Let a finding be: it stays in the list and is quiet, as long as it says the same."""
    return Json(_finding(known.accept_finding(machine_id, finding, body.reason, who.actor)))


@router.delete(
    "/machines/{machine_id}/device/findings/{finding}/acceptance",
    responses={200: {"model": FINDING.model}, **errors(404)},
)
def reopen_finding(machine_id: PathId, finding: str, known: Known, who: Operator) -> Response:
    """Take back that a finding was accepted."""
    return Json(_finding(known.reopen_finding(machine_id, finding, who.actor)))


@router.get("/machines/{machine_id}/device/{source}", responses={200: _A_DEVICE, **errors(404)})
def get_device_of_source(machine_id: PathId, known: Known, source: Source, _who: Reader) -> Response:
    """The last known state by one source."""
    return Json(known.get(machine_id, source))


@router.put("/machines/{machine_id}/device/{source}", responses={200: {"model": Published}, **errors(400, 404)})
def put_device(
    machine_id: PathId,
    known: Known,
    source: Source,
    body: dict[str, Any],
    who: Publisher,
) -> Response:
    """Publish one observation. The same again answers changed: false.

    What it could not collect stays as it was last seen. One that is older than the present one of its source is filed
    in the history at its own time, and changes nothing else.
    """
    ensure(who, May.PUBLISH, machine_id)
    published = known.publish(machine_id, source, body)
    return Json(_changed(published))


@router.get("/machines/{machine_id}/bios", responses={200: {"model": Bios}, **errors(404)})
def get_bios(machine_id: PathId, known: Known, _who: Reader) -> Response:
    """Version and settings of the BIOS, boot order and Secure Boot, merged."""
    return Json(known.bios(machine_id))


@router.post("/devices", responses={200: {"model": PublishedMany}, **errors(400)})
def post_devices(body: PublishMany, known: Known, who: Publisher) -> Response:
    """Publish several observations; the answer has one result per item, in order."""
    items = []
    for item in body.items:
        result: dict[str, Any] = {"machine": item.machine, "changed": False, "changes": 0, "error": None}
        try:
            ensure(who, May.PUBLISH, item.machine)
            source = item.device.get("source")
            if not isinstance(source, str):
                raise InvalidInput("device.source: say oob or inband", field="device.source")
            published = known.publish(item.machine, source, item.device)
            result |= _changed(published)
        except FleetError as exc:
            result["error"] = exc.to_dict()
        items.append(result)
    return Json({"items": items})


@router.get("/components", responses={200: {"model": page_of(STAY)}})
def list_components(
    known: Known,
    _who: Reader,
    page: Page,
    *,
    serial: Annotated[Words | None, Query(description="but for case and punctuation")] = None,
    machine: Annotated[Words | None, Query()] = None,
    kind: Annotated[Words | None, Query(description="drives, memory, ...; device is a machine itself")] = None,
    model: Annotated[Words | None, Query(description="exactly")] = None,
    current: Annotated[bool | None, Query(description="true: where they are, false: where they were")] = None,
) -> Response:
    """Where components are and were, by when they came there.

    With `serial`: the way of a part between slots and machines.
    """
    where = ComponentFilter(serial, machine, kind, model, current)
    return page.answer(_stay, known.components(where, page.wanted, page.after))
