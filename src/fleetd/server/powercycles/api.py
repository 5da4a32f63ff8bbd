# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/powercycles."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from fleetd.server.kernel.auth.http import Operator, Reader, Reporter
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.answers import Responses, errors, page_of
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.fields import Body, Data, FencingToken, MachineId, Text, Words
from fleetd.server.kernel.http.request import Page
from fleetd.server.kernel.idempotency import Answer, Once
from fleetd.server.powercycles.model import POWERCYCLE, CycleState
from fleetd.server.powercycles.service import Powercycles

router = http.router("powercycles")
Known = Annotated[Powercycles, http.service(Powercycles)]

_ONE: Responses = {200: {"model": POWERCYCLE.model}}


class NewPowercycle(Body):
    """A request for a power cycle."""

    machine: MachineId
    reason: Text = ""
    requester: Text = Field(default="", description="who wants it; default: the name of the token")


class Report(Body):
    """What a runner did."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["claimed", "off", "on", "verified", "failed"]
    message: Text = ""
    error: Data | None = Field(default=None, description="code, message and details of a failure")
    runner: Text = Field(default="", description="which runner; default: the name of the token")
    fencing_token: FencingToken | None = Field(
        default=None, description="of the claim under which it was done; a stale one is refused with 409"
    )


@router.post(
    "/powercycles",
    status_code=201,
    responses={
        201: {"model": POWERCYCLE.model},
        200: {"model": POWERCYCLE.model, "description": "The machine has an open request: this one"},
        **errors(400, 404),
    },
)
def request_powercycle(body: NewPowercycle, known: Known, who: Operator, repeatable: Once) -> Response:
    """Ask for a power cycle. A machine has at most one open request."""

    def work() -> Answer:
        found, created = known.request(body.machine, body.requester or who.actor, body.reason)
        headers = {"Location": f"/api/v1/powercycles/{found.id}"}
        return Answer(POWERCYCLE.json(found), 201 if created else 200, headers)

    return repeatable.once(body, work)


@router.get("/powercycles", responses={200: {"model": page_of(POWERCYCLE)}})
def list_powercycles(
    known: Known,
    _who: Reader,
    page: Page,
    machine: Annotated[Words | None, Query()] = None,
    state: CycleState | None = None,
) -> Response:
    """Requests, newest first."""
    return page.answer(POWERCYCLE, known.find(machine, state, page.wanted, page.after))


@router.get("/powercycles/{request_id}", responses={**_ONE, **errors(404)})
def get_powercycle(request_id: Words, known: Known, _who: Reader) -> Response:
    """One request."""
    return Json(POWERCYCLE.json(known.get(request_id)))


@router.post("/powercycles/{request_id}/report", responses={**_ONE, **errors(400, 404, 409)})
def report_powercycle(request_id: Words, body: Report, known: Known, who: Reporter) -> Response:
    """What a runner did, with the fencing token of its claim if it has one.

    `failed` opens the request again after a backoff, until there were too many attempts.
    """
    state, runner = CycleState(body.state), body.runner or who.name
    return Json(POWERCYCLE.json(known.report(request_id, state, body.message, body.error, runner, body.fencing_token)))


@router.post("/powercycles/{request_id}/cancel", responses={**_ONE, **errors(404, 409)})
def cancel_powercycle(request_id: Words, known: Known, who: Operator) -> Response:
    """Close an open request without doing it."""
    return Json(POWERCYCLE.json(known.cancel(request_id, who.actor)))
