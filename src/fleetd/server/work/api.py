# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/sessions, /api/v1/work, /api/v1/explain. A 409 has ``details.reason``: session_expired, lease_lost, work_conflict, not_eligible."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from fleetd.server import schemas, wire
from fleetd.server.kernel.auth.http import Reader, Worker
from fleetd.server.kernel.auth.service import Principal
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.middleware import path_id
from fleetd.server.machines.api import Cursor, Limit, answers, decode, encode, services
from fleetd.server.work.model import Lease, Retry
from fleetd.server.work.service import WorkService

router = APIRouter(prefix="/api/v1", responses=answers(), tags=["work"])


def _work(request: Request) -> WorkService:
    return services(request).of(WorkService)


def _lease(body: schemas.Exit) -> Lease:
    return Lease(body.machine, body.process, body.session, body.fencing_token)


def _actor(who: Principal) -> str:
    return who.name or "anonymous"


# -- sessions


@router.post("/sessions", status_code=201, responses={201: {"model": schemas.SessionOut}, **answers(400)})
def start_session(request: Request, body: schemas.NewSession, who: Worker) -> Response:
    """A session: needed to hold work. It lives as long as its heartbeats come in time, by the database's clock."""
    made = _work(request).start(body.component, _actor(who), body.info, body.interval)
    return Json(wire.lease_session(made), 201)


@router.get("/sessions", responses={200: {"model": schemas.SessionList}})
def list_sessions(request: Request, _who: Reader) -> Response:
    """Sessions that live."""
    return Json({"items": [wire.lease_session(item) for item in _work(request).sessions()]})


@router.post("/sessions/{session}/heartbeat", responses={200: {"model": schemas.HeartbeatOut}, **answers(409)})
def heartbeat(request: Request, session: schemas.Id, who: Worker) -> Response:
    """Renew it, and with it all it holds; the answer lists that. Send it every half interval."""
    found, held = _work(request).heartbeat(session, _actor(who))
    return Json({**wire.lease_session(found), "work": [wire.work(item) for item in held]})


@router.delete("/sessions/{session}", status_code=204)
def end_session(request: Request, session: schemas.Id, who: Worker) -> Response:
    """Give all its work back. One that has ended already is no error."""
    _work(request).end(session, _actor(who))
    return Response(status_code=204)


# -- work


@router.post("/work/claim", responses={200: {"model": schemas.WorkList}, **answers(400, 409)})
def claim_work(request: Request, body: schemas.Claim, who: Worker) -> Response:
    """Lock eligible machines, oldest need first; an empty list if there are none."""
    found = _work(request).claim(body.session, _actor(who), body.process, body.count, body.machines)
    return Json({"items": [wire.work(item) for item in found]})


@router.post("/work/take", responses={200: {"model": schemas.WorkOut}, **answers(400, 404, 409)})
def take_work(request: Request, body: schemas.Take, who: Worker) -> Response:
    """Lock one machine by name."""
    found = _work(request).take(body.session, _actor(who), body.process, body.machine, body.needed)
    return Json(wire.work(found))


@router.post("/work/finish", status_code=204, responses=answers(400, 404, 409))
def finish_work(request: Request, body: schemas.Exit, who: Worker) -> Response:
    """Done. Clears the backoff; a power cycle is verified. Not twice."""
    _work(request).finish(_lease(body), _actor(who))
    return Response(status_code=204)


@router.post("/work/fail", status_code=204, responses=answers(400, 404, 409))
def fail_work(request: Request, body: schemas.Failed, who: Worker) -> Response:
    """Not done: again after a backoff, until too many failures quarantine the machine. Not twice."""
    retry = Retry(**body.backoff.model_dump()) if body.backoff else None
    _work(request).fail(_lease(body), _actor(who), body.cause, retry)
    return Response(status_code=204)


@router.post("/work/cancel", status_code=204, responses=answers(400, 404, 409))
def cancel_work(request: Request, body: schemas.Cancelled, who: Worker) -> Response:
    """Give it back. Twice is no error."""
    _work(request).cancel(_lease(body), _actor(who), body.cause)
    return Response(status_code=204)


@router.get("/work", responses={200: {"model": schemas.WorkList}})
def list_work(
    request: Request,
    _who: Reader,
    machine: schemas.Query | None = None,
    process: schemas.Query | None = None,
    session: schemas.Query | None = None,
) -> Response:
    """Who holds what now."""
    return Json({"items": [wire.work(item) for item in _work(request).find(machine, process, session)]})


@router.get("/work/history", responses={200: {"model": schemas.WorkHistory}})
def work_history(
    request: Request,
    _who: Reader,
    machine: schemas.Query | None = None,
    process: schemas.Query | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What was started, finished, failed and cancelled, newest first."""
    found = _work(request).history(machine, process, limit + 1, decode(cursor))
    page = found[:limit]
    following = encode(page[-1].id) if len(found) > limit else None
    return Json({"items": [wire.work_event(item) for item in page], "next": following})


@router.get("/explain/{machine}/{process}", responses={200: {"model": schemas.ExplanationOut}, **answers(404)})
def explain(request: Request, machine: str, process: schemas.Query, _who: Reader) -> Response:
    """Why the machine is eligible for the process, or not: by the conditions that claims use."""
    return Json(wire.explanation(_work(request).explain(path_id(machine), process)))
