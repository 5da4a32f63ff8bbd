# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a resource says of its actions, and of the values that it takes (DSP0266). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .values import link


def action_of(resource: Mapping[str, Any], action: str) -> Mapping[str, Any]:
    """What a resource says of one of its actions; empty if it does not have it."""
    actions = resource.get("Actions")
    found = actions.get(f"#{action}") if isinstance(actions, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def action_target(resource: Mapping[str, Any], action: str) -> Optional[str]:
    """Where an action of a resource is posted to; None if it has no such action."""
    return link(action_of(resource, action).get("target"))


def allowable(resource: Mapping[str, Any], name: str) -> list[str]:
    """``<name>@Redfish.AllowableValues``, or an empty list when the service does not say."""
    values = resource.get(f"{name}@Redfish.AllowableValues")
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def spelt(wanted: Sequence[str], offered: Sequence[str]) -> Optional[str]:
    """The first of the wanted values that is offered, as the service spells it; None when none is offered.

    Some services don't keep to the standard's capitals. Where one does not say what it offers, it is the first value.
    """
    if not offered:
        return wanted[0]
    known = {value.lower(): value for value in offered}
    return next((known[value.lower()] for value in wanted if value.lower() in known), None)
