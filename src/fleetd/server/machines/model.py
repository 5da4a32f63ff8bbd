# SPDX-License-Identifier: BSD-2-Clause
"""A machine, and what people and its monitor said of it. Times are aware and UTC; None is "never"."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fleetcore.power.names import BMC_DRIVERS

from fleetd.server.kernel.events.model import NewEvent
from fleetd.server.kernel.ids import JsonMap

# Fields whose change is told: what people write, and what they and the monitor say.
_WRITTEN = ("labels", "site", "rack", "position", "lifecycle", "bmc")
_SAID = ("note", "attached_device", "ssh_user_ip", "supplied_dimensions")


class AttachedDevice(enum.StrEnum):
    """What a machine monitor should look for beside the machine itself."""

    NODEVICE = "nodevice"
    ADB = "adb"
    IOS = "ios"
    PYOCD = "pyocd"
    SSH = "ssh"


class ControllerState(enum.StrEnum):
    """Whether a runner can power cycle the machine: what it last said about the controller."""

    NOT_AVAILABLE = "not_available"
    AVAILABLE = "available"
    IN_ERROR = "in_error"


@dataclass(frozen=True)
class Annotation:
    """Who said what, when."""

    message: str = ""
    user: str = ""
    timestamp: datetime | None = None


@dataclass(frozen=True)
class Description:
    """Says what a machine monitor and people said about a machine. The open power cycle is not in here."""

    maintenance_mode: str = ""
    is_quarantined: bool = False
    recovering: str = ""
    attached_device: AttachedDevice = AttachedDevice.NODEVICE
    annotation: Annotation = Annotation()
    note: Annotation = Annotation()
    version: str = ""
    powercycle_state: ControllerState = ControllerState.NOT_AVAILABLE
    controller_heard: bool = False  # a runner has said so
    last_updated: datetime | None = None
    battery: int = 0
    temperature: Mapping[str, float] | None = None
    running_swarming_task: bool = False
    launched_swarming: bool = False
    recovery_start: datetime | None = None
    device_uptime: int = 0  # seconds
    ssh_user_ip: str = ""
    supplied_dimensions: Mapping[str, tuple[str, ...]] | None = None
    dimensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    task_request: JsonMap | None = None
    task_started: datetime | None = None

    def held(self) -> str:
        """Why the machine takes no work, in the words of ``Dimensions["quarantined"]``; empty: it takes work."""
        holds = []
        if self.maintenance_mode:
            holds.append(f"Maintenance: {self.maintenance_mode}")
        if self.is_quarantined:
            holds.append("Forced Quarantine")
        if self.recovering:
            holds.append(f"Recovering: {self.recovering}")
        return ", ".join(holds)


@dataclass(frozen=True)
class BmcAccess:
    """How to reach a machine's BMC. No secrets: credentials are elsewhere."""

    address: str
    mac: str | None = None
    drivers: tuple[str, ...] = BMC_DRIVERS
    redfish_scheme: str = "https"
    redfish_port: int | None = None
    ipmi_port: int | None = None
    system: str | None = None
    validate_certs: bool = True
    fingerprint: str | None = None
    credential: str | None = None  # its name


@dataclass(frozen=True)
class DeviceSummary:
    """The few facts of the device document that lists, groups and searches need."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    uuid: str | None = None
    power_state: str | None = None
    collected_at: str | None = None
    sources: tuple[str, ...] = ()
    cpus: int = 0
    memory_bytes: int = 0
    drives: int = 0
    nics: int = 0
    macs: tuple[str, ...] = ()
    findings: int = 0
    worst_finding: str | None = None  # its severity: critical, warning, info


@dataclass(frozen=True)
class Machine:
    """One machine. ``version`` counts the changes of what people write (labels, place, lifecycle, BMC): the ETag."""

    id: str
    created_at: datetime
    updated_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    site: str | None = None
    rack: str | None = None
    position: str | None = None
    lifecycle: str = "active"
    bmc: BmcAccess | None = None
    description: Description = Description()
    device: DeviceSummary | None = None
    version: int = 1

    def search_text(self) -> str:
        """Lower-case text in which ``q`` of a list is looked for."""
        device = self.device or DeviceSummary()
        parts = [
            self.id,
            self.site,
            self.rack,
            device.vendor,
            device.model,
            device.serial,
            device.uuid,
            self.bmc.address if self.bmc else None,
            *device.macs,
            *(f"{key}={value}" for key, value in sorted(self.labels.items())),
        ]
        return " ".join(part for part in parts if part).lower().replace("\x00", "")  # which PostgreSQL can't keep


def of_machine(before: Machine | None, after: Machine | None) -> Iterator[NewEvent]:
    """The events of a machine: made, changed, deleted; its holds; the state of its power controller."""
    if after is None:
        if before is not None:
            yield NewEvent("machine.deleted", before.id)
        return
    old, new = before.description if before else Description(), after.description
    actor = new.annotation.user if new.annotation != old.annotation else ""
    if before is None:
        yield NewEvent("machine.created", after.id, data={"lifecycle": after.lifecycle})
    else:
        fields = [name for name in _WRITTEN if getattr(before, name) != getattr(after, name)]
        fields += [name for name in _SAID if getattr(old, name) != getattr(new, name)]
        if fields:
            author = new.note.user if "note" in fields else actor
            data = {"fields": fields, "version": after.version}
            if before.lifecycle != after.lifecycle:
                data["lifecycle"] = after.lifecycle
            yield NewEvent("machine.updated", after.id, author, data=data)
    for hold, was, now in (
        ("maintenance", old.maintenance_mode, new.maintenance_mode),
        ("quarantine", "quarantined" if old.is_quarantined else "", "quarantined" if new.is_quarantined else ""),
        ("recovery", old.recovering, new.recovering),
    ):
        if bool(was) != bool(now):  # another reason of the same hold is no news: some have figures in them
            reason = new.annotation.message if hold == "quarantine" and actor else now
            yield NewEvent("hold.set" if now else "hold.cleared", after.id, actor, reason, {"hold": hold})
    if old.powercycle_state != new.powercycle_state:
        data = {"from": old.powercycle_state.value, "to": new.powercycle_state.value}
        yield NewEvent("controller.changed", after.id, data=data)
