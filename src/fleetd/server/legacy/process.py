# SPDX-License-Identifier: BSD-2-Clause
"""What a machine monitor saw, and what it makes of a machine: ``process(previous, event, now) -> next``, pure.

An event carries raw observations; all judgement is here. Three holds keep work from a machine, each by itself:
maintenance (a person sets and clears it, so it is not in here at all), the latched quarantine (an event may set it,
only a person clears it) and recovery (set and cleared here).

The formats are those of Android's ``getprop``, ``dumpsys battery`` and ``dumpsys thermalservice``.
"""

from __future__ import annotations

import contextlib
import json
import math
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
        dimensions=_of_the_monitor(state.dimensions, event),
    )
    return _recover(general, reason, now)


def _of_the_monitor(dimensions: Dimensions, event: MonitorEvent) -> Dimensions:
    kept = {name: values for name, values in dimensions.items() if name != "tmm_dropped"}
    dropped = {"tmm_dropped": (str(event.monitor.dropped),)} if event.monitor.dropped else {}
    return {**kept, "tmm_version": (event.host.version,), **dropped}


def _recover(state: Description, reason: str, now: datetime) -> Description:
    """Enter recovery, leave it, or go on with another reason. Afterwards its start says when the last one began."""
    if reason and not state.recovering:
        return replace(state, recovering=reason, recovery_start=now, annotation=Annotation(reason, _AUTHOR, now))
    if state.recovering and not reason:
        return replace(state, recovering="", annotation=Annotation("Leaving recovery mode.", _AUTHOR, now))
    return replace(state, recovering=reason)


def _seen(previous: Description, dimensions: Dimensions) -> Description:
    """A state with these dimensions over the previous ones, and without what only some devices have.

    The uptime stays: it is that of the last device that said one.
    """
    return replace(previous, battery=0, temperature=None, dimensions={**previous.dimensions, **dimensions})


def _seconds(nanoseconds: int) -> int:
    """A Go duration; not more seconds than the description can say."""
    return min(nanoseconds // _NANOSECONDS, _INT32)


# -- devices


def _android(previous: Description, device: Android) -> tuple[Description, str]:
    battery = _battery(device.dumpsys_battery)
    temperature = _temperatures(device)
    reasons = []
    if battery != BAD_BATTERY and battery < MIN_BATTERY:
        reasons.append("Battery low.")
    if any(value > MAX_TEMPERATURE for name, value in temperature.items() if name not in _NOT_A_TEMPERATURE):
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
    """The battery is looked at, but not shown: it and the temperatures stay those of the last device that has them."""
    system = ("iOS", f"iOS-{device.version}") if device.version else ("iOS",)
    dimensions = {**previous.dimensions, "os": system, "device_type": (device.device_type,)}
    low = device.battery != BAD_BATTERY and device.battery < MIN_BATTERY
    state = replace(previous, temperature=previous.temperature or {}, dimensions=dimensions)
    return state, "Battery low. " if low else ""


def _pyocd(previous: Description, device: Pyocd) -> tuple[Description, str]:
    return _seen(previous, {"device_type": (device.device_type,)}), ""


def _standalone(previous: Description, machine: Standalone) -> tuple[Description, str]:
    dimensions = {
        "cores": (str(machine.cores),),
        "os": machine.os_versions,
        "cpu": machine.cpus,
        "gpu": machine.gpus,
    }
    if machine.gce:
        dimensions |= {"gce": ("1",), "machine_type": (machine.machine_type,)}
    if machine.docker_installed:
        dimensions["docker_installed"] = ("true",)
    return _seen(previous, dimensions), ""


def _missing(previous: Description) -> tuple[Description, str]:
    """Nothing is attached. What the device was is kept, so that it is still expected next time.

    Where nothing is expected, nothing is known of a recovery that goes on either.
    """
    reason = previous.recovering
    types = previous.dimensions.get("device_type", ())
    if types:
        reason = f"Device [{' '.join(map(quoted, types))}] has gone missing"
    if previous.ssh_user_ip:
        reason = f"Device {quoted(previous.ssh_user_ip)} has gone missing"
    return _seen(previous, {}), reason


def quoted(text: str) -> str:
    """As Go's ``%q``."""
    return json.dumps(text, ensure_ascii=False)


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

_PROPERTY = re.compile(r"^\[(.+)\]:\s*\[(.*)\].*$", re.MULTILINE)
# Only these lines: others end in the same words, such as "Maximum charging level: 80".
_BATTERY_LINE = re.compile(r"^\s*(level|scale|temperature):\s+(\d{1,9})\b", re.MULTILINE | re.ASCII)
_THERMAL_HEADING = re.compile(r"^Current temperatures from HAL.*\n?", re.MULTILINE)
# A negative value or type does not fit: the sensor measures nothing.
_THERMAL = re.compile(r"\tTemperature\{mValue=([0-9.]+),\s+mType=[0-9]+,\s+mName=([^,]+),\s+mStatus=[0-9]")
_NOT_A_TEMPERATURE = frozenset({"battery_cycle"})  # shown, but nothing is judged by it


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
    """By sensor. Large values are in thousandths of a degree."""
    found = {}
    heading = _THERMAL_HEADING.search(device.dumpsys_thermal_service)
    for line in device.dumpsys_thermal_service[heading.end() :].split("\n") if heading else ():
        if not line.startswith("\t"):
            break
        match = _THERMAL.search(line)
        with contextlib.suppress(ValueError):
            value = float(match[1]) if match else math.inf
            if match and value < math.inf:
                found[match[2]] = value / 1000 if value > 1000 else value
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
        "android_hwasan_build": ["1"] if properties.get("ro.product.name", "").endswith("_hwasan") else [],
    }
    return {name: tuple(items) for name, items in found.items() if items}
