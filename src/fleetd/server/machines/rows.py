# SPDX-License-Identifier: BSD-2-Clause
"""Rows of machines to values and back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from fleetd.server.kernel import codec
from fleetd.server.machines.facets import seen_at, sortable
from fleetd.server.machines.model import BmcAccess, Description, DeviceSummary, Machine

_AS_IS = ("id", "created_at", "updated_at", "site", "rack", "position", "lifecycle", "version")


def machine(row: Row[Any]) -> Machine:
    """The machine of a row."""
    return Machine(
        **{name: getattr(row, name) for name in _AS_IS},
        labels=codec.loads(dict[str, str], row.labels),
        bmc=codec.loads(BmcAccess, row.bmc) if row.bmc else None,
        description=codec.loads(Description, row.description),
        device=codec.loads(DeviceSummary, row.device) if row.device else None,
    )


def machine_row(machine: Machine) -> dict[str, Any]:
    """Values of the table's columns; those that are searched are of the description, the BMC and the device."""
    device = machine.device or DeviceSummary()
    return {
        **{name: getattr(machine, name) for name in _AS_IS},
        "labels": codec.dumps(machine.labels),
        "bmc": codec.dumps(machine.bmc) if machine.bmc else None,
        "description": codec.dumps(machine.description),
        "held": bool(machine.description.held()),
        "quarantined": machine.description.is_quarantined,
        "maintenance": bool(machine.description.maintenance_mode),
        "recovering": bool(machine.description.recovering),
        "controller": machine.description.powercycle_state.value,
        **{name: sortable(getattr(device, name)) for name in ("power_state", "vendor", "model", "serial")},
        "heard_at": machine.description.last_updated,
        "seen_at": seen_at(machine),
        "credential": machine.bmc.credential if machine.bmc else None,
        "bmc_address": sortable(machine.bmc.address) if machine.bmc else "",
        "bmc_mac": sortable(machine.bmc.mac) if machine.bmc else "",
        "worst_finding": device.worst_finding,
        "device": codec.dumps(machine.device) if machine.device else None,
        "search": machine.search_text(),
    }


def label_rows(machine: Machine) -> list[dict[str, str]]:
    """Values of the columns of the table of labels."""
    return [{"machine": machine.id, "name": name, "value": value} for name, value in machine.labels.items()]
