# SPDX-License-Identifier: BSD-2-Clause
"""What a machine monitor saw, and what it makes of a machine: ``process(previous, event, now) -> next``, pure.

An event carries raw observations; all judgement is here. Three holds keep work from a machine, each by itself:
maintenance (a person sets and clears it, so it is not in here at all), the latched quarantine (an event may set it,
only a person clears it) and recovery (set and cleared here).

The formats are those of Android's ``getprop``, ``dumpsys battery`` and ``dumpsys thermalservice``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fleetd.server.legacy.event import BAD_BATTERY, Android, ChromeOs, Ios, MonitorEvent, Pyocd, Server, Standalone
from fleetd.server.machines.model import Annotation, Description

MIN_BATTERY = 30  # percent
MAX_TEMPERATURE = 35.0  # of a device with a battery, °C
MAX_SERVER_TEMPERATURE = 90.0  # °C, where the server names no limit of its own
_NANOSECONDS = 1_000_000_000
_INT32 = 2**31 - 1
_AUTHOR = "fleetd"

Dimensions = Mapping[str, tuple[str, ...]]


def process(previous: Description, event: MonitorEvent, now: datetime) -> Description:
    """The description after ``event``. Pure: the same arguments give the same result.

    What people set is not touched, the annotation apart.
    """
    if event.android.uptime > 0:
        state, reason = _android(previous, event.android)
    elif event.chromeos.uptime > 0:
        state, reason = _chromeos(previous, event.chromeos)
    elif event.ios.device_type:
        state, reason = _ios(previous, event.ios)
    elif event.pyocd.device_type:
        state, reason = _pyocd(previous, event.pyocd)
    elif event.server.present:
        state, reason = _server(previous, event.server, event.standalone)
    elif event.standalone.cores > 0:
        state, reason = _standalone(previous, event.standalone)
    else:
        state, reason = _missing(previous)
    general = replace(
        state,
        last_updated=now,
        version=event.host.version,
        running_swarming_task=event.running_swarming_task,
        launched_swarming=event.launched_swarming,
        is_quarantined=previous.is_quarantined or event.forced_quarantine,
        dimensions={**_without(state.dimensions, ("tmm_dropped",)), **_of_the_monitor(event)},
    )
    return _recover(general, reason, now)


def _of_the_monitor(event: MonitorEvent) -> dict[str, tuple[str, ...]]:
    dropped = {"tmm_dropped": (str(event.monitor.dropped),)} if event.monitor.dropped else {}
    return {"tmm_version": (event.host.version,), **dropped}


def _recover(state: Description, reason: str, now: datetime) -> Description:
    """Enter recovery, leave it, or go on with another reason."""
    if reason and not state.recovering:
        return replace(state, recovering=reason, recovery_start=now, annotation=Annotation(reason, _AUTHOR, now))
    if state.recovering and not reason:
        left = Annotation("Leaving recovery mode.", _AUTHOR, now)
        return replace(state, recovering="", recovery_start=None, annotation=left)
    return replace(state, recovering=reason)


def _seen(previous: Description, dimensions: Mapping[str, tuple[str, ...]], gone: tuple[str, ...] = ()) -> Description:
    """A state with these dimensions over the previous ones, less ``gone`` and what only some devices have."""
    kept = _without(previous.dimensions, gone)
    return replace(previous, battery=0, temperature=None, device_uptime=0, dimensions={**kept, **dimensions})


def _seconds(nanoseconds: int) -> int:
    """A Go duration; not more seconds than the description can say."""
    return min(nanoseconds // _NANOSECONDS, _INT32)


def _without(dimensions: Dimensions, gone: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: values for name, values in dimensions.items() if name not in gone}


# -- devices


def _android(previous: Description, device: Android) -> tuple[Description, str]:
    battery = _battery(device.dumpsys_battery)
    temperature = _temperatures(device)
    reasons = []
    if battery != BAD_BATTERY and battery < MIN_BATTERY:
        reasons.append("Battery low.")
    if temperature and max(temperature.values()) > MAX_TEMPERATURE:
        reasons.append("Too hot.")
    state = replace(
        _seen(previous, _android_dimensions(_properties(device.getprop))),
        battery=battery,
        temperature=temperature or None,
        device_uptime=_seconds(device.uptime),
    )
    return state, " ".join(reasons)


def _chromeos(previous: Description, device: ChromeOs) -> tuple[Description, str]:
    dimensions = {
        **(previous.supplied_dimensions or {}),
        "os": ("ChromeOS",),
        "chromeos_channel": (device.channel,),
        "chromeos_milestone": (device.milestone,),
        "release_version": (device.release_version,),
    }
    return replace(_seen(previous, dimensions), device_uptime=_seconds(device.uptime)), ""


def _ios(previous: Description, device: Ios) -> tuple[Description, str]:
    system = ("iOS", f"iOS-{device.version}") if device.version else ("iOS",)
    state = _seen(previous, {"os": system, "device_type": (device.device_type,)})
    low = device.battery != BAD_BATTERY and device.battery < MIN_BATTERY
    return replace(state, battery=device.battery), "Battery low." if low else ""


def _pyocd(previous: Description, device: Pyocd) -> tuple[Description, str]:
    return _seen(previous, {"device_type": (device.device_type,)}), ""


def _standalone(previous: Description, machine: Standalone) -> tuple[Description, str]:
    dimensions = {
        "cores": (str(machine.cores),),
        "os": machine.os_versions,
        "cpu": machine.cpus,
        "gpu": machine.gpus,
        "gce": ("1" if machine.gce else "0",),
        "machine_type": (machine.machine_type,) if machine.machine_type else (),
        "docker_installed": ("true",) if machine.docker_installed else (),
    }
    empty = tuple(name for name, values in dimensions.items() if not values)
    return _seen(previous, {name: values for name, values in dimensions.items() if values}, empty), ""


def _missing(previous: Description) -> tuple[Description, str]:
    """Nothing is attached. What the device was is kept, so that it is still expected next time."""
    expected = [*previous.dimensions.get("device_type", ())[:1]]
    if previous.ssh_user_ip:
        expected = [previous.ssh_user_ip]
    reason = f"Device {expected[0]} has gone missing" if expected else ""
    return _seen(previous, {}), reason


# -- servers


def _server(previous: Description, server: Server, machine: Standalone) -> tuple[Description, str]:
    """Parts that were there once are expected from then on, until a person removes the device."""
    if machine.cores > 0:
        previous, _reason = _standalone(previous, machine)
    reasons = []
    for sensor, value in sorted(server.temperatures.items()):
        if value > server.limits.get(sensor, MAX_SERVER_TEMPERATURE):
            reasons.append(f"Too hot: {sensor} {value:g} °C.")
    dimensions: dict[str, tuple[str, ...]] = {"boot_id": (server.boot_id,)} if server.boot_id else {}
    parts = (("fans", "Fan", server.fans), ("power_supplies", "Power supply", server.power_supplies))
    for name, word, present in (*parts, ("drives", "Drive", server.drives)):
        expected = set(previous.dimensions.get(name, ())) | set(present)
        if expected:
            dimensions[name] = tuple(sorted(expected))
        for part in sorted(expected):
            health = present.get(part)
            if health is None:
                reasons.append(f"{word} {part} has gone missing.")
            elif health.lower() != "ok":
                reasons.append(f"{word} {part}: {health}.")
    state = replace(
        _seen(previous, dimensions), temperature=dict(server.temperatures) or None, device_uptime=int(server.uptime)
    )
    return state, " ".join(reasons)


# -- Android's texts

_PROPERTY = re.compile(r"^\[(.+?)\]:\s*\[(.*)\]\s*$", re.MULTILINE)
_BATTERY_LINE = re.compile(r"^\s*(level|scale|temperature):\s+(\d{1,9})\s*$", re.MULTILINE)
_THERMAL = re.compile(r"Temperature\{mValue=(\d{1,9}(?:\.\d*)?),\s*mType=-?\d+,\s*mName=([^,]+),")
_THERMAL_HEADING = "Current temperatures from HAL"
_NOT_A_TEMPERATURE = frozenset({"battery_cycle"})


def _properties(text: str) -> dict[str, str]:
    return dict(_PROPERTY.findall(text))


def _battery_lines(text: str) -> dict[str, int]:
    """The first of each name."""
    found: dict[str, int] = {}
    for name, value in _BATTERY_LINE.findall(text):
        found.setdefault(name, int(value))
    return found


def _battery(text: str) -> int:
    """Percent, or ``BAD_BATTERY``."""
    lines = _battery_lines(text)
    if "level" not in lines or not lines.get("scale"):
        return BAD_BATTERY
    return 100 * lines["level"] // lines["scale"]


def _temperatures(device: Android) -> dict[str, float]:
    """By sensor. Negative values are sensors that measure nothing; large ones are in thousandths of a degree."""
    found = {}
    _before, heading, current = device.dumpsys_thermal_service.partition(_THERMAL_HEADING)
    for line in current.split("\n")[1:] if heading else ():
        if not line.startswith(("\t", " ")):
            break
        match = _THERMAL.search(line)
        if match and match.group(2) not in _NOT_A_TEMPERATURE:
            value = float(match.group(1))
            found[match.group(2)] = value / 1000 if value > 1000 else value
    tenths = _battery_lines(device.dumpsys_battery).get("temperature")
    if tenths is not None:
        found["dumpsys_battery"] = tenths / 10
    return found


def _android_dimensions(properties: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Dimensions by which tasks choose devices."""

    def values(*names: str) -> list[str]:
        return list(dict.fromkeys(properties[name] for name in names if properties.get(name)))

    builds = values("ro.build.id")
    incremental = properties.get("ro.build.version.incremental")
    if builds and incremental:  # some vendors ship new builds under the same id
        builds.append(f"{builds[0]}_{incremental}")
    initials = [build[0] for build in builds if build[0].upper() == build[0]]
    flavors = [name.lower() for name in values("ro.product.brand", "ro.product.system.brand")]
    found = {
        "device_os": sorted({*builds, *initials}),
        "device_os_flavor": ["android" if name == "aosp" else name for name in flavors],
        "device_os_type": values("ro.build.type"),
        "device_type": values("ro.product.device", "ro.build.product", "ro.product.board"),
        "android_devices": ["1"] if builds else [],
        "os": ["Android"] if builds else [],
    }
    return {name: tuple(items) for name, items in found.items() if items}
