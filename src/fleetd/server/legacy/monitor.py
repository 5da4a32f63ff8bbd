# SPDX-License-Identifier: BSD-2-Clause
"""The event of a machine monitor: on the wire, and as a change of a machine's description.

Like Go's decoder it ignores unknown fields and takes null for an empty value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fleetd.server.legacy import process
from fleetd.server.machines.model import Annotation, Description


class Go(BaseModel):
    """A body as Go's decoder reads it."""

    model_config = ConfigDict(extra="ignore", strict=True, populate_by_name=True, allow_inf_nan=False)


def or_default(default: Any) -> BeforeValidator:
    """Go leaves a field alone that is null."""
    return BeforeValidator(lambda value: default if value is None else value)


_Text = Annotated[str, or_default("")]
_Texts = Annotated[list[Annotated[str, or_default("")]], or_default([])]
_Flag = Annotated[bool, or_default(False)]
_Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), or_default(0)]
_Health = Annotated[dict[str, _Text], or_default({})]
_NANOSECONDS = 1_000_000_000
_INT32 = 2**31 - 1


def _seconds(nanoseconds: int) -> float:
    """A Go duration; not more seconds than the description can say."""
    return min(nanoseconds / _NANOSECONDS, _INT32)


class _Host(Go):
    name: _Text = ""
    version: _Text = ""


class _Android(Go):
    getprop: _Text = ""
    dumpsys_battery: _Text = ""
    dumpsys_thermal_service: _Text = ""
    uptime: _Int64 = 0


class _ChromeOsState(Go):
    channel: _Text = ""
    milestone: _Text = ""
    release_version: _Text = ""
    uptime: _Int64 = 0


class _Ios(Go):
    version: _Text = ""
    device_type: _Text = ""
    battery: Annotated[int, Field(ge=-(2**31), le=_INT32), or_default(process.BAD_BATTERY)] = process.BAD_BATTERY


class _Pyocd(Go):
    device_type: _Text = ""


class _Standalone(Go):
    cores: _Int64 = 0
    cpus: _Texts = []
    gpus: _Texts = []
    os_versions: _Texts = []
    gce: _Flag = False
    machine_type: _Text = ""
    docker_installed: _Flag = False


class _Server(Go):
    """Ours, for servers; older monitors do not send it."""

    temperatures: Annotated[dict[str, float], or_default({})] = {}
    limits: Annotated[dict[str, float], or_default({})] = {}
    fans: _Health = {}
    power_supplies: _Health = {}
    drives: _Health = {}
    boot_id: _Text = ""
    uptime: Annotated[float, Field(ge=0, le=_INT32), or_default(0.0)] = 0.0


class _Monitor(Go):
    """Ours: how the monitor itself is."""

    dropped: Annotated[int, Field(ge=0, le=2**63 - 1), or_default(0)] = 0


class Event(Go):
    """What a monitor sends."""

    type: _Text = ""
    host: Annotated[_Host, or_default({})] = _Host()
    android: Annotated[_Android, or_default({})] = _Android()
    chromeos: Annotated[_ChromeOsState, or_default({})] = _ChromeOsState()
    ios: Annotated[_Ios, or_default({})] = _Ios()
    pyocd: Annotated[_Pyocd, or_default({})] = _Pyocd()
    standalone: Annotated[_Standalone, or_default({})] = _Standalone()
    server: Annotated[_Server, or_default({})] = _Server()
    monitor: Annotated[_Monitor, or_default({})] = _Monitor()
    running_swarming_task: _Flag = False
    launched_swarming: _Flag = False
    forced_quarantine: _Flag = False

    def to_model(self) -> process.MonitorEvent:
        """The event as the processor takes it."""
        android, chromeos, alone = self.android.model_dump(), self.chromeos.model_dump(), self.standalone.model_dump()
        lists = {name: tuple(alone[name]) for name in ("cpus", "gpus", "os_versions")}
        return process.MonitorEvent(
            version=self.host.version,
            dropped=self.monitor.dropped,
            android=process.Android(**{**android, "uptime": _seconds(self.android.uptime)}),
            chromeos=process.ChromeOs(**{**chromeos, "uptime": _seconds(self.chromeos.uptime)}),
            ios=process.Ios(**self.ios.model_dump()),
            pyocd=process.Pyocd(**self.pyocd.model_dump()),
            standalone=process.Standalone(**{**alone, **lists}),
            server=process.Server(**self.server.model_dump()),
            running_swarming_task=self.running_swarming_task,
            launched_swarming=self.launched_swarming,
            forced_quarantine=self.forced_quarantine,
        )


def observed(event: process.MonitorEvent) -> Callable[[Description, datetime], Description]:
    """Apply :func:`process.process`. The holds of people are not touched."""

    def change(previous: Description, now: datetime) -> Description:
        shared = [item.name for item in fields(process.ObservedState) if item.name != "announcement"]
        state = process.process(process.ObservedState(**{name: getattr(previous, name) for name in shared}), event, now)
        said = state.announcement
        annotation = previous.annotation if said is None else Annotation(said, "fleetd", now)
        return replace(previous, annotation=annotation, **{name: getattr(state, name) for name in shared})

    return change
