# SPDX-License-Identifier: BSD-2-Clause
"""The event of a machine monitor, as it comes: raw observations, no judgement.

A body is read as Go's decoder reads it: unknown fields are ignored, null is an empty value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from fleetd.server.kernel.errors import BadRequest
from fleetd.server.kernel.http.errors import as_invalid_input

BAD_BATTERY = -99
GO = ConfigDict(extra="ignore", strict=True, validate_by_name=True, validate_by_alias=True, allow_inf_nan=False)

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_Texts = Annotated[tuple[_Text, ...], Field(strict=False)]
_Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
_INT32 = 2**31 - 1


class Go:
    """Base of bodies: Go leaves a field alone that is null."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if data is None:
            return {}
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


def parse(model: type[Any], body: bytes) -> Any:
    """Read a body.

    :raises BadRequest: not JSON. :raises InvalidInput: a value of the wrong type.
    """
    try:
        return TypeAdapter(model).validate_json(body)
    except ValidationError as exc:
        if exc.errors()[0]["type"] == "json_invalid":
            raise BadRequest("the body is not JSON") from None
        raise as_invalid_input(exc) from None


@dataclass(frozen=True, config=GO)
class Host(Go):
    """The machine that the monitor runs on, and the monitor's version."""

    name: str = ""
    version: str = ""


@dataclass(frozen=True, config=GO)
class Android(Go):
    """``uptime`` in nanoseconds; a device is there if it is more than 0."""

    getprop: str = ""
    dumpsys_battery: str = ""
    dumpsys_thermal_service: str = ""
    uptime: _Int64 = 0


@dataclass(frozen=True, config=GO)
class ChromeOs(Go):
    """``uptime`` in nanoseconds; a device is there if it is more than 0."""

    channel: str = ""
    milestone: str = ""
    release_version: str = ""
    uptime: _Int64 = 0


@dataclass(frozen=True, config=GO)
class Ios(Go):
    """A device is there if it has a type. ``battery`` in percent."""

    version: str = ""
    device_type: str = ""
    battery: Annotated[int, Field(ge=-(2**31), le=_INT32)] = BAD_BATTERY


@dataclass(frozen=True, config=GO)
class Pyocd(Go):
    """A device is there if it has a type."""

    device_type: str = ""


@dataclass(frozen=True, config=GO)
class Standalone(Go):
    """A machine without an attached device, if it has cores."""

    cores: _Int64 = 0
    cpus: _Texts = ()
    gpus: _Texts = ()
    os_versions: _Texts = ()
    gce: bool = False
    machine_type: str = ""
    docker_installed: bool = False


@dataclass(frozen=True, config=GO)
class Server(Go):
    """A server's sensors: °C by sensor, limits by sensor, and the health (``OK`` or what is wrong) of parts by name.

    ``boot_id`` is another one after each boot; ``uptime`` in seconds. Ours; older monitors do not send it.
    """

    temperatures: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    fans: Mapping[str, _Text] = field(default_factory=dict)
    power_supplies: Mapping[str, _Text] = field(default_factory=dict)
    drives: Mapping[str, _Text] = field(default_factory=dict)
    boot_id: str = ""
    uptime: Annotated[float, Field(ge=0, le=_INT32)] = 0.0

    @property
    def present(self) -> bool:
        return bool(self.temperatures or self.fans or self.power_supplies or self.drives or self.boot_id)


@dataclass(frozen=True, config=GO)
class Monitor(Go):
    """The monitor itself: how many reports it could neither send nor keep. Ours."""

    dropped: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


@dataclass(frozen=True, config=GO)
class MonitorEvent(Go):
    """What a monitor sent."""

    type: str = ""
    host: Host = Host()
    android: Android = Android()
    chromeos: ChromeOs = ChromeOs()
    ios: Ios = Ios()
    pyocd: Pyocd = Pyocd()
    standalone: Standalone = Standalone()
    server: Server = Server()
    monitor: Monitor = Monitor()
    running_swarming_task: bool = False
    launched_swarming: bool = False
    forced_quarantine: bool = False
