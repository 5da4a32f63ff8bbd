# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``machine_info``. Private to this collection."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ._machine import label_value
from ._server import if_there
from .fleetcore.errors import InvalidInput
from .fleetcore.net.client.base import check_id
from .fleetcore.net.client.devices import Devices
from .fleetcore.net.client.machines import Machines
from .fleetcore.net.client.powercycles import Powercycles
from .fleetcore.net.client.work import Work
from .fleetcore.ports import Plan

FILTERS = ("site", "rack", "labels", "q")


class Client(Machines, Devices, Powercycles, Work):
    """The resources of the machine server that the module needs."""


def plan(client: Client, params: Mapping[str, Any]) -> Plan:
    """Read machines: those named, or those that match every filter.

    :raises InvalidInput: an option that is there but empty, which must not select the whole fleet.
    :raises NotFound: one that is named does not exist.
    """
    if params["limit"] < 1:
        raise InvalidInput.of("limit", f"{params['limit']} is less than 1")
    for option in ("name", *FILTERS):
        if params[option] is not None and not params[option]:
            raise InvalidInput.of(option, "is there but empty; give it a value, or leave it out to select without it")
    machines = [_with_more(client, machine, params) for machine in _selected(client, params)]
    return Plan({}, {}, lambda: {"machines": machines}, dict)


def _selected(client: Client, params: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if params["name"] is not None:
        return [client.machine(name) for name in dict.fromkeys(check_id(name, "name") for name in params["name"])]
    labels = {key: label_value(key, value) for key, value in (params["labels"] or {}).items()}
    return client.machines(params["site"], params["rack"], labels, params["q"])


def _with_more(client: Client, machine: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    name, limit = machine["id"], params["limit"]
    source = None if params["source"] == "merged" else params["source"]
    more: dict[str, Callable[[], Any]] = {
        "document": lambda: if_there(lambda: client.device(name, source)),
        "findings": lambda: client.findings(name),
        "history": lambda: list(itertools.islice(client.device_history(name, min(limit, 500)), limit)),
        "powercycles": lambda: list(itertools.islice(client.powercycles(name, page=min(limit, 500)), limit)),
        "work": lambda: client.work(name),
        "work_history": lambda: list(itertools.islice(client.work_history(name, min(limit, 500)), limit)),
    }
    return {**machine, **{item: more[item]() for item in params["include"]}}
