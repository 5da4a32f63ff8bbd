# SPDX-License-Identifier: BSD-2-Clause
"""Domain values as JSON data: the names and forms of the wire."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fleetd.server.credentials.model import AuditEntry, Credential
from fleetd.server.devices.model import ComponentStay, DeviceChange
from fleetd.server.kernel.auth.model import Token
from fleetd.server.kernel.events.model import Event
from fleetd.server.machines.model import Annotation, Description, Machine
from fleetd.server.machines.service import MachineView
from fleetd.server.powercycles.model import Powercycle
from fleetd.server.work.model import Explanation, LeaseSession, Work, WorkEvent

ZERO_TIME = "0001-01-01T00:00:00Z"


def time(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with a Z, microseconds if there are any."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _go_time(value: datetime | None) -> str:
    return time(value) or ZERO_TIME


def _annotation(value: Annotation) -> dict[str, Any]:
    return {"Message": value.message, "User": value.user, "Timestamp": _go_time(value.timestamp)}


def description(machine: Machine, power_cycle: bool) -> dict[str, Any]:
    """The Description of /json/v1, name for name: no field is left out but TaskRequest."""
    value: Description = machine.description
    dimensions = {**{name: list(items) for name, items in value.dimensions.items()}, "id": [machine.id]}
    dimensions.pop("quarantined", None)
    held = value.held()
    if held:
        dimensions["quarantined"] = [held]
    supplied = value.supplied_dimensions
    out: dict[str, Any] = {
        "MaintenanceMode": value.maintenance_mode,
        "IsQuarantined": value.is_quarantined,
        "Recovering": value.recovering,
        "AttachedDevice": value.attached_device.value,
        "Annotation": _annotation(value.annotation),
        "Note": _annotation(value.note),
        "Version": value.version,
        "PowerCycle": power_cycle,
        "PowerCycleState": value.powercycle_state.value,
        "LastUpdated": _go_time(value.last_updated),
        "Battery": value.battery,
        "Temperature": None if value.temperature is None else dict(value.temperature),
        "RunningSwarmingTask": value.running_swarming_task,
        "LaunchedSwarming": value.launched_swarming,
        "RecoveryStart": _go_time(value.recovery_start),
        "DeviceUptime": value.device_uptime,
        "SSHUserIP": value.ssh_user_ip,
        "SuppliedDimensions": None if supplied is None else {name: list(items) for name, items in supplied.items()},
        "Dimensions": dimensions,
        "TaskStarted": _go_time(value.task_started),
    }
    if value.task_request is not None:
        out["TaskRequest"] = dict(value.task_request)
    return out


def machine(view: MachineView) -> dict[str, Any]:
    """``MachineOut``."""
    value = view.machine
    return {
        "id": value.id,
        "labels": dict(value.labels),
        "site": value.site,
        "rack": value.rack,
        "position": value.position,
        "lifecycle": value.lifecycle,
        "created_at": time(value.created_at),
        "updated_at": time(value.updated_at),
        "version": value.version,
        "bmc": bmc(value),
        "description": description(value, view.power_cycle),
        "device": asdict(value.device) if value.device else None,
        "powercycle": powercycle(view.powercycle) if view.powercycle else None,
    }


def bmc(value: Machine) -> dict[str, Any] | None:
    """``Bmc``, or None."""
    return {**asdict(value.bmc), "drivers": list(value.bmc.drivers)} if value.bmc else None


def powercycle(value: Powercycle) -> dict[str, Any]:
    """``PowercycleOut``."""
    return {
        "id": value.id,
        "machine": value.machine,
        "state": value.state.value,
        "requester": value.requester,
        "reason": value.reason,
        "requested_at": time(value.requested_at),
        "updated_at": time(value.updated_at),
        "finished_at": time(value.finished_at),
        "not_before": time(value.not_before),
        "attempts": value.attempts,
        "error": None if value.error is None else dict(value.error),
        "steps": [
            {"state": step.state.value, "at": time(step.at), "message": step.message, "runner": step.runner}
            for step in value.steps
        ],
    }


def device_change(value: DeviceChange) -> dict[str, Any]:
    """``DeviceChangeOut``."""
    return {
        "id": value.id,
        "at": time(value.at),
        "source": value.source,
        "changes": [dict(item) for item in value.changes],
    }


def component_stay(value: ComponentStay) -> dict[str, Any]:
    """``ComponentStayOut``."""
    component = value.component
    return {
        "machine": value.machine,
        "source": value.source,
        "kind": component.kind,
        "component": component.name,
        "slot": component.slot or None,
        "serial": component.serial,
        "vendor": component.vendor,
        "model": component.model,
        "first_seen": time(value.first_seen),
        "last_seen": time(value.last_seen),
        "current": value.current,
    }


def token(value: Token) -> dict[str, Any]:
    """A token without its secret."""
    return {
        "id": value.id,
        "name": value.name,
        "scope": value.scope.value,
        "machine": value.machine,
        "created_at": time(value.created_at),
        "expires_at": time(value.expires_at),
        "revoked_at": time(value.revoked_at),
    }


def lease_session(value: LeaseSession) -> dict[str, Any]:
    """``SessionOut``."""
    return {
        "id": value.id,
        "component": value.component,
        "actor": value.actor,
        "info": dict(value.info),
        "interval": value.interval,
        "created_at": time(value.created_at),
        "deadline": time(value.deadline),
    }


def work(value: Work) -> dict[str, Any]:
    """``WorkOut``."""
    return {
        "machine": value.machine,
        "process": value.process,
        "session": value.session,
        "fencing_token": value.token,
        "started_at": time(value.started_at),
    }


def work_event(value: WorkEvent) -> dict[str, Any]:
    """``WorkEventOut``."""
    return {
        "id": value.id,
        "at": time(value.at),
        "machine": value.machine,
        "process": value.process,
        "outcome": value.outcome.value,
        "session": value.session,
        "component": value.component,
        "actor": value.actor,
        "cause": value.cause,
        "fencing_token": value.token,
    }


def explanation(value: Explanation) -> dict[str, Any]:
    """``ExplanationOut``."""
    waits = value.backoff
    return {
        "machine": value.machine,
        "process": value.process,
        "eligible": value.eligible,
        "conditions": [{"text": text, "holds": holds} for text, holds in value.conditions],
        "work": work(value.work) if value.work else None,
        "backoff": None
        if waits is None
        else {
            "until": time(waits.until),
            "cause": waits.cause,
            "interval": waits.interval,
            "failures": waits.failures,
        },
    }


def event(value: Event) -> dict[str, Any]:
    """``EventOut``."""
    return {
        "id": value.seq,
        "at": time(value.at),
        "kind": value.kind,
        "machine": value.machine,
        "actor": value.actor,
        "message": value.message,
        "data": dict(value.data),
    }


def credential(value: Credential) -> dict[str, Any]:
    """``CredentialOut``: without its secret."""
    return {
        "name": value.name,
        "username": value.username,
        "created_at": time(value.created_at),
        "updated_at": time(value.updated_at),
    }


def audit_entry(value: AuditEntry) -> dict[str, Any]:
    """``AuditEntryOut``."""
    return {**asdict(value), "at": time(value.at)}
