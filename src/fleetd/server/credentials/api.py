# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/credentials and /api/v1/audit. Operators write credentials and can't read them; runners read them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import AfterValidator, StringConstraints

from fleetd.server.credentials.model import AuditEntry, Credential
from fleetd.server.credentials.service import Credentials, Login
from fleetd.server.kernel.auth.http import Admin, Operator, Reader, SecretReader
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.answers import Shape, errors, list_of, page_of
from fleetd.server.kernel.http.errors import Json
from fleetd.server.kernel.http.fields import Body, CredentialName, Short, Words, no_control
from fleetd.server.kernel.http.request import Page

router = http.router("credentials")
Known = Annotated[Credentials, http.service(Credentials)]
Name = Annotated[CredentialName, Path()]

CREDENTIAL = Shape(Credential, without=("secret",))
LOGIN = Shape(Login)
ENTRY = Shape(AuditEntry)


class NewCredential(Body):
    """A login. The password is never given back to who may not read it, and never repeated in an error."""

    username: Short
    password: Annotated[str, StringConstraints(max_length=4096), AfterValidator(no_control)]


@router.get("/credentials", responses={200: {"model": list_of(CREDENTIAL)}})
def list_credentials(known: Known, _who: Reader) -> Response:
    """Names and users; no secrets."""
    return Json(CREDENTIAL.items(known.find()))


@router.put("/credentials/{name}", responses={200: {"model": CREDENTIAL.model}, **errors(400)})
def put_credential(name: Name, body: NewCredential, known: Known, who: Operator) -> Response:
    """Store a login, in place of the one of that name. The answer has no secret."""
    return Json(CREDENTIAL.json(known.put(name, body.username, body.password, who.actor)))


@router.get("/credentials/{name}", responses={200: {"model": LOGIN.model}, **errors(404)})
def read_credential(name: Name, known: Known, who: SecretReader) -> Response:
    """The login with its secret. Each read is audited."""
    return Json(LOGIN.json(known.read(name, who.actor)), headers={"Cache-Control": "no-store"})


@router.delete("/credentials/{name}", status_code=204, responses=errors(404, 409))
def delete_credential(
    name: Name,
    known: Known,
    who: Operator,
    force: Annotated[bool, Query(description="also if BMCs of machines are reached with it")] = False,
) -> Response:
    """Forget it. One that a machine's `bmc.credential` names is kept (409, with the machines) unless it is forced."""
    known.delete(name, who.actor, force)
    return Response(status_code=204)


@router.get("/audit", responses={200: {"model": page_of(ENTRY)}})
def list_audit(known: Known, _who: Admin, page: Page, subject: Annotated[Words | None, Query()] = None) -> Response:
    """Who wrote, read and deleted which credential, newest first."""
    return page.answer(ENTRY, known.audit(subject, page.wanted, page.after))
