# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/sessions, /api/v1/work, /api/v1/explain.

A 409 has ``details.reason``: session_expired, lease_lost, work_conflict, not_eligible.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import AfterValidator, BaseModel, Field

from fleetd.server.kernel.auth.http import Reader, Worker
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.answers import Shape, errors, extended, list_of, many, page_of
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.fields import Body, FencingToken, Id, MachineId, PathId, Short, Text, Words, small_json
from fleetd.server.kernel.http.request import Page
from fleetd.server.work.model import Backoff, Explanation, Lease, LeaseSession, Retry, Work, WorkEvent
from fleetd.server.work.service import WorkService

router = http.router("work")
Known = Annotated[WorkService, http.service(WorkService)]


class Condition(BaseModel):
    """One part of a predicate, and whether it holds."""

    text: str
    holds: bool


SESSION = Shape(LeaseSession)
_ABOUT = ("subject", "kind")
WORK = Shape(Work, without=_ABOUT, names={"token": "fencing_token"}, also={"machine": str})
LINE = Shape(WorkEvent, without=_ABOUT, names={"token": "fencing_token"}, also={"machine": str})
BACKOFF = Shape(Backoff, without=(*_ABOUT, "process"))
EXPLANATION = Shape(
    Explanation,
    without=_ABOUT,
    also={
        "machine": str,
        "eligible": bool,
        "conditions": list[Condition],
        "work": WORK.model | None,
        "backoff": BACKOFF.model | None,
    },
)

# -- bodies


class NewSession(Body):
    """A component that wants to work."""

    component: Short = Field(description="its name, shown at what it holds", examples=["runner-rack1"])
    info: Annotated[dict[str, str | int | float | bool | None], AfterValidator(small_json)] = Field(
        default={}, max_length=32, description="version, host, job, ...: shown to people"
    )
    interval: float = Field(
        default=5.0, ge=0.2, le=86_400, strict=False, description="seconds a heartbeat is good for; send twice as many"
    )


class Claim(Body):
    """Which work is wanted."""

    session: Id
    process: Short
    count: int = Field(default=1, ge=1, le=1000, description="at most so many machines")
    machines: list[MachineId] | None = Field(default=None, max_length=10_000, description="only among these")


class Take(Body):
    """One machine that is wanted by name."""

    session: Id
    process: Short = "manual"
    machine: MachineId
    needed: bool = Field(default=True, description="false: whatever the predicate and the backoff say")


class Exit(Body):
    """Which work is left."""

    session: Id
    process: Short
    machine: MachineId
    fencing_token: FencingToken | None = Field(
        default=None, description="of the claim; a stale one is refused with 409"
    )

    def lease(self) -> Lease:
        return Lease(self.machine, self.process, self.session, self.fencing_token)


class Cancelled(Exit):
    """Work that is given back."""

    cause: Text = ""


class RetryBody(Body):
    """When to try again, in place of the process's own rule."""

    initial: float = Field(default=60, ge=0, le=31_536_000, strict=False, description="seconds")
    exponent: float | None = Field(default=None, ge=0, le=100, strict=False, description="none: always `initial`")
    maximum: float = Field(default=3600, ge=0, le=31_536_000, strict=False, description="seconds")
    attempts: int | None = Field(default=None, ge=1, le=1000, description="so many in a row quarantine the machine")


class Failed(Exit):
    """Work that did not succeed."""

    cause: Text
    backoff: RetryBody | None = None


# -- sessions


@router.post("/sessions", status_code=201, responses={201: {"model": SESSION.model}, **errors(400)})
def start_session(body: NewSession, known: Known, who: Worker) -> Response:
    """Start a session, which is needed to hold work.

    It lives as long as its heartbeats come in time, by the database's clock.
    """
    return Json(SESSION.json(known.start(body.component, who.actor, body.info, body.interval)), 201)


@router.get("/sessions", responses={200: {"model": list_of(SESSION)}})
def list_sessions(known: Known, _who: Reader) -> Response:
    """Sessions that live."""
    return Json(SESSION.items(known.sessions()))


@router.post(
    "/sessions/{session}/heartbeat",
    responses={200: {"model": extended(SESSION, "Heartbeat", work=many(WORK.model))}, **errors(409)},
)
def heartbeat(session: Id, known: Known, who: Worker) -> Response:
    """Renew it, and with it all it holds; the answer lists that. Send it every half interval."""
    found, held = known.heartbeat(session, who.actor)
    return Json({**SESSION.json(found), "work": [WORK.json(item) for item in held]})


@router.delete("/sessions/{session}", status_code=204)
def end_session(session: Id, known: Known, who: Worker) -> Response:
    """Give all its work back. One that has ended already is no error."""
    known.end(session, who.actor)
    return Response(status_code=204)


# -- work


@router.post("/work/claim", responses={200: {"model": list_of(WORK)}, **errors(400, 409)})
def claim_work(body: Claim, known: Known, who: Worker) -> Response:
    """Lock eligible machines, oldest need first; an empty list if there are none."""
    return Json(WORK.items(known.claim(body.session, who.actor, body.process, body.count, body.machines)))


@router.post("/work/take", responses={200: {"model": WORK.model}, **errors(400, 404, 409)})
def take_work(body: Take, known: Known, who: Worker) -> Response:
    """Lock one machine by name."""
    return Json(WORK.json(known.take(body.session, who.actor, body.process, body.machine, body.needed)))


@router.post("/work/finish", status_code=204, responses=errors(400, 404, 409))
def finish_work(body: Exit, known: Known, who: Worker) -> Response:
    """Done. Clears the backoff; a power cycle is verified. Not twice."""
    known.finish(body.lease(), who.actor)
    return Response(status_code=204)


@router.post("/work/fail", status_code=204, responses=errors(400, 404, 409))
def fail_work(body: Failed, known: Known, who: Worker) -> Response:
    """Not done: again after a backoff, until too many failures quarantine the machine. Not twice."""
    retry = Retry(**body.backoff.model_dump()) if body.backoff else None
    known.fail(body.lease(), who.actor, body.cause, retry)
    return Response(status_code=204)


@router.post("/work/cancel", status_code=204, responses=errors(400, 404, 409))
def cancel_work(body: Cancelled, known: Known, who: Worker) -> Response:
    """Give it back. Twice is no error."""
    known.cancel(body.lease(), who.actor, body.cause)
    return Response(status_code=204)


@router.get("/work", responses={200: {"model": list_of(WORK)}})
def list_work(
    known: Known,
    _who: Reader,
    machine: Annotated[Words | None, Query()] = None,
    process: Annotated[Words | None, Query()] = None,
    session: Annotated[Words | None, Query()] = None,
) -> Response:
    """Who holds what now."""
    return Json(WORK.items(known.find(machine, process, session)))


@router.get("/work/history", responses={200: {"model": page_of(LINE)}})
def work_history(
    known: Known,
    _who: Reader,
    page: Page,
    machine: Annotated[Words | None, Query()] = None,
    process: Annotated[Words | None, Query()] = None,
) -> Response:
    """What was started, finished, failed and cancelled, newest first."""
    return page.answer(LINE, known.history(machine, process, page.wanted, page.after))


@router.get("/explain/{machine}/{process}", responses={200: {"model": EXPLANATION.model}, **errors(404)})
def explain(machine: PathId, process: Words, known: Known, _who: Reader) -> Response:
    """Why the machine is eligible for the process, or not: by the conditions that claims use."""
    found = known.explain(machine, process)
    shown: dict[str, Any] = {
        "conditions": [Condition(text=text, holds=holds) for text, holds in found.conditions],
        "work": WORK.of(found.work),
        "backoff": BACKOFF.of(found.backoff),
    }
    return Json(EXPLANATION.json(found, **shown))
