# SPDX-License-Identifier: BSD-2-Clause
"""The Description of /json/v1, in Go's words and zero times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fleetd.server.machines.model import Annotation, ControllerState, Description
from fleetd.server.machines.service import MachineView

_ZERO_TIME = "0001-01-01T00:00:00Z"


def _time(value: datetime | None) -> str:
    """RFC 3339 in UTC with a Z, and of the fraction as many digits as it has, as Go writes it."""
    if value is None:
        return _ZERO_TIME
    text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


def _controller(value: Description) -> str:
    """The state of the power controller; empty in the description of a monitor's machine of which no runner spoke."""
    untold = value.powercycle_state is ControllerState.NOT_AVAILABLE and not value.controller_heard
    return "" if untold and value.last_updated else value.powercycle_state.value


def _annotation(value: Annotation) -> dict[str, Any]:
    return {"Message": value.message, "User": value.user, "Timestamp": _time(value.timestamp)}


def description(view: MachineView) -> dict[str, Any]:
    """The Description of a machine, name for name: no field is left out but TaskRequest."""
    machine, value = view.machine, view.machine.description
    dimensions = {**{name: list(items) for name, items in value.dimensions.items()}, "id": [machine.id]}
    dimensions.pop("quarantined", None)
    held = value.held()
    if held:
        dimensions["quarantined"] = [held]
    supplied = value.supplied_dimensions
    if supplied is None and value.last_updated:  # a copy of none is an empty table there
        supplied = {}
    out: dict[str, Any] = {
        "MaintenanceMode": value.maintenance_mode,
        "IsQuarantined": value.is_quarantined,
        "Recovering": value.recovering,
        "AttachedDevice": value.attached_device.value,
        "Annotation": _annotation(value.annotation),
        "Note": _annotation(value.note),
        "Version": value.version,
        "PowerCycle": view.power_cycle,
        "PowerCycleState": _controller(value),
        "LastUpdated": _time(value.last_updated),
        "Battery": value.battery,
        "Temperature": None if value.temperature is None else dict(value.temperature),
        "RunningSwarmingTask": value.running_swarming_task,
        "LaunchedSwarming": value.launched_swarming,
        "RecoveryStart": _time(value.recovery_start),
        "DeviceUptime": value.device_uptime,
        "SSHUserIP": value.ssh_user_ip,
        "SuppliedDimensions": None if supplied is None else {name: list(items) for name, items in supplied.items()},
        "Dimensions": dimensions,
        "TaskStarted": _time(value.task_started),
    }
    if value.task_request is not None:
        out["TaskRequest"] = dict(value.task_request)
    return out
