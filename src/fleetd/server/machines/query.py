# SPDX-License-Identifier: BSD-2-Clause
"""Which machines a request is about: the parameters of every list of machines."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query
from fleetcore.errors import InvalidInput

from fleetd.server.kernel.http import request as http
from fleetd.server.kernel.http.fields import Words
from fleetd.server.machines.facets import Facet, MachineFilter
from fleetd.server.machines.model import ControllerState
from fleetd.server.machines.service import Machines

Known = Annotated[Machines, http.service(Machines)]


def _labels(values: list[str]) -> dict[str, str]:
    """:raises InvalidInput: not name=value."""
    labels = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise InvalidInput(f"label: write it as name=value (got {value[:80]!r})", field="label")
        labels[name] = text
    return labels


def _where(
    known: Known,
    site: Annotated[Words | None, Query()] = None,
    rack: Annotated[Words | None, Query()] = None,
    label: Annotated[list[Words], Query(description="name=value; may be repeated: all have to match")] = [],  # noqa: B006
    q: Annotated[Words | None, Query(description="part of id, serial, model, MAC, BMC address, label, ...")] = None,
    lifecycle: Annotated[Words | None, Query()] = None,
    hold: Annotated[
        Literal["maintenance", "quarantine", "recovery", "any", "none"] | None, Query(description="why it is held")
    ] = None,
    power_state: Annotated[Words | None, Query(description="of the device document: on, off, ...")] = None,
    controller: Annotated[ControllerState | None, Query(description="whether a runner can power cycle it")] = None,
    credential: Annotated[Words | None, Query(description="name that its BMC refers to")] = None,
    powercycle: Annotated[bool | None, Query(description="whether a power cycle request is open")] = None,
    facet: Annotated[Facet | None, Query(description="a list of the page: `trouble` is all that is wrong")] = None,
) -> MachineFilter:
    return MachineFilter(
        site,
        rack,
        _labels(label),
        q,
        lifecycle,
        hold,
        power_state,
        controller,
        credential,
        powercycle,
        facet,
        known.stale_before(),
    )


Where = Annotated[MachineFilter, Depends(_where)]
