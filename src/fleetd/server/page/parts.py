# SPDX-License-Identifier: BSD-2-Clause
"""A part: where it is and was."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from fleetd.server.devices.model import ComponentFilter
from fleetd.server.devices.service import Devices
from fleetd.server.kernel.auth.http import Who
from fleetd.server.kernel.auth.service import May
from fleetd.server.kernel.http import request as http
from fleetd.server.page import hardware
from fleetd.server.page.rendering import login_page, plain, render

router = APIRouter(include_in_schema=False)
Known = Annotated[Devices, http.service(Devices)]
_STAYS = 500  # that are shown


@router.get("/parts")
def part(request: Request, who: Who, known: Known, serial: Annotated[str, Query(max_length=255)] = "") -> Response:
    """Where a part is and was."""
    if not who.can(May.READ):
        return login_page(request, who)
    serial = plain(serial)
    found = known.components(ComponentFilter(serial), _STAYS + 1) if serial else []
    return render(
        request,
        who,
        "part.html",
        serial=serial,
        stays=found[:_STAYS],
        more=len(found) > _STAYS,
        sources=hardware.SOURCES,
    )
