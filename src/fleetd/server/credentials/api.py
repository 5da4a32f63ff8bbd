# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/credentials and /api/v1/audit. Operators write credentials and can't read them; runners read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from fleetd.server import schemas, wire
from fleetd.server.credentials.service import Credentials
from fleetd.server.kernel.auth.http import Admin, Operator, Reader, SecretReader
from fleetd.server.kernel.http.errors import Json
from fleetd.server.machines.api import Cursor, Limit, answers, decode, encode, services

router = APIRouter(prefix="/api/v1", responses=answers(), tags=["credentials"])

Name = Annotated[schemas.CredentialName, Path()]


def _credentials(request: Request) -> Credentials:
    return services(request).of(Credentials)


@router.get("/credentials", responses={200: {"model": schemas.CredentialList}})
def list_credentials(request: Request, _who: Reader) -> Response:
    """Names and users; no secrets."""
    return Json({"items": [wire.credential(item) for item in _credentials(request).find()]})


@router.put("/credentials/{name}", responses={200: {"model": schemas.CredentialOut}, **answers(400)})
def put_credential(request: Request, name: Name, body: schemas.NewCredential, who: Operator) -> Response:
    """Store a login, in place of the one of that name. The answer has no secret."""
    made = _credentials(request).put(name, body.username, body.password, who.name or "anonymous")
    return Json(wire.credential(made))


@router.get("/credentials/{name}", responses={200: {"model": schemas.LoginOut}, **answers(404)})
def read_credential(request: Request, name: Name, who: SecretReader) -> Response:
    """The login with its secret. Each read is audited."""
    found = _credentials(request).read(name, who.name or "anonymous")
    body = {"name": found.name, "username": found.username, "password": found.password}
    return Json(body, headers={"Cache-Control": "no-store"})


@router.delete("/credentials/{name}", status_code=204, responses=answers(404, 409))
def delete_credential(
    request: Request,
    name: Name,
    who: Operator,
    force: Annotated[bool, Query(description="also if BMCs of machines are reached with it")] = False,
) -> Response:
    """Forget it. One that a machine's `bmc.credential` names is kept (409, with the machines) unless it is forced."""
    _credentials(request).delete(name, who.name or "anonymous", force)
    return Response(status_code=204)


@router.get("/audit", responses={200: {"model": schemas.Audit}})
def list_audit(
    request: Request, _who: Admin, subject: schemas.Query | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """Who wrote, read and deleted which credential, newest first."""
    found = _credentials(request).audit(subject, limit + 1, decode(cursor))
    page = found[:limit]
    following = encode(page[-1].id) if len(found) > limit else None
    return Json({"items": [wire.audit_entry(item) for item in page], "next": following})
