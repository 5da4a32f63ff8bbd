# SPDX-License-Identifier: BSD-2-Clause
"""Everything that an Ansible inventory needs, in one answer; groups are computed here, not by every client."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fleetd.server.machines.model import DeviceSummary
from fleetd.server.machines.service import MachineView

_NOT_A_NAME = re.compile("[^a-z0-9_]+")


def group_name(*parts: str) -> str:
    """A group name that Ansible accepts: lower case, everything else than a-z, 0-9 and _ as _."""
    return _NOT_A_NAME.sub("_", "_".join(parts).lower())


def inventory(views: Iterable[MachineView]) -> dict[str, Any]:
    """``{"hosts": {id: vars}, "groups": {name: {"hosts": [id, ...]}}}``, hosts and groups in order, without secrets."""
    hosts: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    for view in views:
        name = view.machine.id
        hosts[name] = host_vars(view)
        for group in groups_of(view):
            groups.setdefault(group, []).append(name)
    return {"hosts": hosts, "groups": {name: {"hosts": groups[name]} for name in sorted(groups)}}


def host_vars(view: MachineView) -> dict[str, Any]:
    """Flat variables of one host; what is not known is left out."""
    machine = view.machine
    device = machine.device or DeviceSummary()
    values: dict[str, Any] = {
        **{f"fleet_{name}": getattr(machine, name) for name in ("site", "rack", "position", "labels", "lifecycle")},
        **{f"fleet_{name}": getattr(device, name) for name in ("vendor", "model", "serial", "uuid")},
        "fleet_powercycle_state": machine.description.powercycle_state.value,
        "fleet_maintenance": bool(machine.description.maintenance_mode),
        "fleet_quarantined": machine.description.is_quarantined,
    }
    if machine.bmc:
        values |= {f"bmc_{name}": value for name, value in vars(machine.bmc).items() if name != "mac"}
    return {name: value for name, value in values.items() if value is not None}


def groups_of(view: MachineView) -> list[str]:
    """The groups of one host, each once."""
    machine = view.machine
    device = machine.device or DeviceSummary()
    pairs = [
        ("site", machine.site),
        ("rack", machine.rack),
        ("lifecycle", machine.lifecycle),
        ("vendor", device.vendor),
        ("model", device.model),
    ]
    names = [group_name(kind, value) for kind, value in pairs if value]
    names += [group_name("label", key, value) for key, value in machine.labels.items() if value]
    return list(dict.fromkeys(names))
