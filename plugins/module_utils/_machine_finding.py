# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``machine_finding``. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .fleetcore.errors import InvalidInput, NotFound
from .fleetcore.net.client.devices import Devices
from .fleetcore.ports import Plan

SELECT = ("id", "kind", "component", "field")
ACCEPTED = "accepted"

Finding = Mapping[str, Any]


def plan(client: Devices, params: Mapping[str, Any]) -> Plan:
    """Accept the findings about a machine that are named, or open them again.

    :raises InvalidInput: nothing is named, or the reason is missing.
    :raises NotFound: the machine has no such finding that could be accepted.
    """
    machine, wanted = params["machine"], {name: params[name] for name in SELECT if params[name]}
    reason = (params["reason"] or "").strip() if params["state"] == ACCEPTED else None
    if not wanted:
        raise InvalidInput.of("id", f"name the findings: by {', '.join(SELECT)}")
    if reason == "":
        raise InvalidInput.of("reason", "say why the findings may stay")
    found = [item for item in client.findings(machine) if all(item[name] == wanted[name] for name in wanted)]
    if not found and reason:
        said = ", ".join(f"{name} {value}" for name, value in wanted.items())
        raise NotFound(f"machine {machine} has no finding with {said}", machine=machine)

    def judged(item: Finding) -> Finding:
        if _reason(item) == reason:
            return item
        if reason:
            return client.accept_finding(machine, item["id"], reason)
        return client.reopen_finding(machine, item["id"])

    after = {item["id"]: reason for item in found}
    return Plan(
        {item["id"]: _reason(item) for item in found},
        after,
        lambda: _result(found),
        lambda: _result([judged(item) for item in found]),
    )


def _reason(item: Finding) -> Optional[str]:
    accepted = item["accepted"]
    return accepted["reason"] if accepted else None


def _result(found: Sequence[Finding]) -> Mapping[str, Any]:
    return {"findings": list(found)}
