# SPDX-License-Identifier: BSD-2-Clause
"""/api/v1/inventory."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import Header, Response
from pydantic import BaseModel

from fleetd.server.inventory.service import inventory
from fleetd.server.kernel.auth.http import Reader
from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.request import etag, matches
from fleetd.server.machines.query import Known, Where

router = http.router("inventory")


class Inventory(BaseModel):
    """Hosts with variables, and groups."""

    hosts: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]]


@router.get("/inventory", responses={200: {"model": Inventory}, 304: {"description": "As before"}})
def get_inventory(
    where: Where,
    known: Known,
    _who: Reader,
    if_none_match: Annotated[str | None, Header(alias="If-None-Match")] = None,
) -> Response:
    """Hosts with variables, and groups, for the Ansible inventory plugin."""
    body = json.dumps(inventory(known.find(where)), separators=(",", ":")).encode()
    version = hashlib.sha256(body).hexdigest()[:32]
    headers = {**etag(version), "Cache-Control": "private, no-cache"}
    if matches(if_none_match, version):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
