# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/machines. An id with slashes is sent with them as %2F."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from fastapi import Request, Response
from fleetcore.document.values import clean_mac
from fleetcore.errors import NotFound
from fleetcore.power.names import BMC_DRIVERS, POWER_DRIVERS, DriverName
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, field_validator

from fleetd.server.kernel.auth.http import Operator, Reader
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http import state
from fleetd.server.kernel.http.answers import Shape, errors, page_of
from fleetd.server.kernel.http.errors import Json, as_invalid_input
from fleetd.server.kernel.http.fields import CONTROL, Body, CredentialName, MachineId, PathId, Short
from fleetd.server.kernel.http.request import IfMatch, Page, etag
from fleetd.server.kernel.idempotency import Answer, Once
from fleetd.server.kernel.ids import ID_RULE
from fleetd.server.machines.model import BmcAccess, DeviceSummary, Machine
from fleetd.server.machines.query import Known, Where
from fleetd.server.machines.service import WRITABLE, MachineView
from fleetd.server.powercycles.model import POWERCYCLE

router = http.router("machines")

BMC = Shape(BmcAccess)
DEVICE = Shape(DeviceSummary, also={"worst_finding": Literal["critical", "warning", "info"] | None})
MACHINE = Shape(
    Machine,
    also={
        "bmc": BMC.model | None,
        "device": DEVICE.model | None,
        "description": dict[str, Any],
        "powercycle": POWERCYCLE.model | None,
    },
)

# -- bodies

_LABEL = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?$")
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
_FINGERPRINT = re.compile(r"^[0-9a-f]{64}$")


def _address(value: str) -> str:
    host = value.strip("[]")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST.match(value) or len(value) > 253:
            raise ValueError(
                "must be an IP address or a host name; port and scheme have fields of their own (redfish_port, "
                "redfish_scheme)"
            ) from None
    return host


Port = Annotated[int, Field(ge=1, le=65535)]


class Bmc(Body):
    """How a machine's BMC is reached. No secrets."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="IP address or host name", examples=["10.0.0.7"]
    )
    mac: str | None = Field(default=None, description="MAC address of the BMC", examples=["aa:bb:cc:dd:ee:ff"])
    drivers: list[DriverName] = Field(
        default=list(BMC_DRIVERS),
        min_length=1,
        max_length=len(POWER_DRIVERS),
        description="tried in this order; the options of those that are no BMC are inventory variables, not kept here",
    )
    redfish_scheme: Literal["https", "http"] = "https"
    redfish_port: Port | None = None
    ipmi_port: Port | None = None
    system: Short | None = Field(default=None, description="id of the ComputerSystem when there are several")
    validate_certs: bool = True
    fingerprint: str | None = Field(default=None, description="SHA-256 of the certificate in hex; colons allowed")
    credential: CredentialName | None = Field(default=None, description="name of the credential that logs in there")

    @field_validator("mac")
    @classmethod
    def _mac(cls, value: str | None) -> str | None:
        if value is None:
            return None
        clean = clean_mac(value)
        if clean is None:
            raise ValueError("not a MAC address: write it as aa:bb:cc:dd:ee:ff")
        return clean

    @field_validator("drivers")
    @classmethod
    def _drivers(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("names a driver twice")
        return value

    @field_validator("fingerprint")
    @classmethod
    def _fingerprint(cls, value: str | None) -> str | None:
        if value is None:
            return None
        clean = value.replace(":", "").strip().lower()
        if not _FINGERPRINT.match(clean):
            raise ValueError("not a SHA-256 fingerprint: 64 hex digits, colons allowed")
        return clean

    def to_model(self) -> BmcAccess:
        return BmcAccess(**{**self.model_dump(), "drivers": tuple(self.drivers)})


class Writable(Body):
    """The fields of a machine that people write."""

    labels: dict[str, str] = Field(default={}, max_length=64, description="names and values for filters and groups")
    site: Short | None = None
    rack: Short | None = None
    position: Short | None = Field(default=None, description="place in the rack, for example U12")
    lifecycle: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")] = Field(
        default="active", description="for example active, new, broken, retired"
    )
    bmc: Bmc | None = None

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _LABEL.match(name):
                raise ValueError(
                    f"name {name[:80]!r}: 1 to 63 letters, digits, _ . / -, first and last a letter or digit"
                )
            if len(text) > 255 or CONTROL.search(text):
                raise ValueError(f"value of {name}: at most 255 characters, no control characters")
        return value

    def values(self) -> dict[str, Any]:
        """The fields by name, for the model."""
        return {**{name: getattr(self, name) for name in WRITABLE}, "bmc": self.bmc.to_model() if self.bmc else None}


class NewMachine(Writable):
    """A machine to register."""

    id: MachineId = Field(description=f"its name: {ID_RULE}", examples=["rack1-node3"])


# -- routes


def _json(request: Request, view: MachineView) -> dict[str, Any]:
    machine = view.machine
    return MACHINE.json(
        machine,
        bmc=BMC.of(machine.bmc),
        device=DEVICE.of(machine.device),
        description=state.of(request).description(view),
        powercycle=POWERCYCLE.of(view.powercycle),
    )


def _answer(request: Request, view: MachineView) -> Response:
    return Json(_json(request, view), headers=etag(view.machine.version))


@router.post("/machines", status_code=201, responses={201: {"model": MACHINE.model}, **errors(400, 409)})
def create_machine(request: Request, body: NewMachine, known: Known, _who: Operator, repeatable: Once) -> Response:
    """Register a machine."""

    def work() -> Answer:
        view = known.create(body.id, body.values())
        return Answer(_json(request, view), 201, etag(view.machine.version))

    return repeatable.once(body, work)


@router.get("/machines", responses={200: {"model": page_of(MACHINE)}})
def list_machines(request: Request, where: Where, known: Known, _who: Reader, page: Page) -> Response:
    """Machines by id, page by page."""
    found = known.find(where, page.wanted, page.after)
    return page.answer(lambda view: _json(request, view), found, lambda view: view.machine.id)


@router.get("/machines/{machine_id}", responses={200: {"model": MACHINE.model}, **errors(404)})
def get_machine(request: Request, machine_id: PathId, known: Known, _who: Reader) -> Response:
    """One machine, with its ETag."""
    return _answer(request, known.get(machine_id))


@router.patch("/machines/{machine_id}", responses={200: {"model": MACHINE.model}, **errors(400, 404, 412)})
def patch_machine(
    request: Request, machine_id: PathId, body: dict[str, Any], known: Known, _who: Operator, if_match: IfMatch
) -> Response:
    """JSON merge patch (RFC 7386) of labels, site, rack, position, lifecycle and bmc: null removes."""

    def change(previous: Machine) -> dict[str, Any]:
        present = {name: getattr(previous, name) for name in WRITABLE}
        present |= {"labels": dict(previous.labels), "bmc": BMC.json(previous.bmc) if previous.bmc else None}
        try:
            return Writable.model_validate(_merge_patch(present, body)).values()
        except ValidationError as exc:
            raise as_invalid_input(exc) from None

    return _answer(request, known.change(machine_id, change, if_match))


@router.delete("/machines/{machine_id}", status_code=204, responses=errors(404, 412))
def delete_machine(machine_id: PathId, known: Known, _who: Operator, if_match: IfMatch) -> Response:
    """Delete a machine with its requests, documents and history."""
    known.delete(machine_id, if_match)
    return Response(status_code=204)


@router.get("/machines/{machine_id}/bmc", responses={200: {"model": BMC.model}, **errors(404)})
def get_bmc(machine_id: PathId, known: Known, _who: Reader) -> Response:
    """How its BMC is reached."""
    machine = known.get(machine_id).machine
    if machine.bmc is None:
        raise NotFound(f"machine {machine.id} has no bmc")
    return Json(BMC.json(machine.bmc), headers=etag(machine.version))


@router.put("/machines/{machine_id}/bmc", responses={200: {"model": BMC.model}, **errors(400, 404, 412)})
def put_bmc(machine_id: PathId, body: Bmc, known: Known, _who: Operator, if_match: IfMatch) -> Response:
    """Set how its BMC is reached."""
    access = body.to_model()
    machine = known.set_bmc(machine_id, access, if_match).machine
    return Json(BMC.json(access), headers=etag(machine.version))


@router.delete("/machines/{machine_id}/bmc", status_code=204, responses=errors(404, 412))
def delete_bmc(machine_id: PathId, known: Known, _who: Operator, if_match: IfMatch) -> Response:
    """Forget how its BMC is reached."""
    known.set_bmc(machine_id, None, if_match)
    return Response(status_code=204)


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
