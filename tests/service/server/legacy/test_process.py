# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event makes of a machine: a test per rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleetd.server.legacy.event import (
    BAD_BATTERY,
    Android,
    ChromeOs,
    Host,
    Ios,
    Monitor,
    MonitorEvent,
    Pyocd,
    Server,
    Standalone,
)
from fleetd.server.legacy.process import process
from fleetd.server.machines.model import Annotation, Description

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)

GETPROP = """\
[ro.build.id]: [QQ2A.200305.002]
[ro.build.type]: [userdebug]
[ro.build.product]: [older]
[ro.build.version.incremental]: [6254899]
[ro.product.board]: [newer]
[ro.product.brand]: [Google]
[ro.product.device]: [newer]
[ro.product.system.brand]: [AOSP]
[ro.empty]: []
not a property
"""


def battery(level: int = 94, scale: int = 100, tenths: int = 280) -> str:
    head = "Current Battery Service state:\n  present: true\n"
    return f"{head}  level: {level}\n  scale: {scale}\n  temperature: {tenths}\n"


def thermal(**sensors: float) -> str:
    lines = [f"\tTemperature{{mValue={value}, mType=3, mName={name}, mStatus=0}}" for name, value in sensors.items()]
    return "\n".join(
        [
            "Thermal Status: 0",
            "Cached temperatures:",
            "\tTemperature{mValue=99.0, mType=3, mName=OLD, mStatus=0}",
            "HAL Ready: true",
            "Current temperatures from HAL:",
            *lines,
            "Current cooling devices from HAL:",
            "\tCoolingDevice{mValue=0, mType=2, mName=CPU}",
        ]
    )


def android(**values: object) -> MonitorEvent:
    made = Android(GETPROP, battery(), "", 5_900_000_000)
    return MonitorEvent(host=Host("m1", "v1"), android=replace(made, **values))  # type: ignore[arg-type]


def after(event: MonitorEvent, previous: Description = Description()) -> Description:  # noqa: B008 - frozen
    return process(previous, event, NOW)


# -- always


@pytest.mark.parametrize(
    "event",
    [
        android(),
        MonitorEvent(chromeos=ChromeOs(uptime=1)),
        MonitorEvent(ios=Ios(device_type="iPhone")),
        MonitorEvent(pyocd=Pyocd("nrf52840")),
        MonitorEvent(standalone=Standalone(4)),
        MonitorEvent(server=Server(fans={"Fan1": "OK"})),
        MonitorEvent(),
    ],
)
def test_every_event_sets_the_general_fields(event: MonitorEvent) -> None:
    previous = Description(version="old", last_updated=EARLIER, dimensions={"pool": ("a",), "tmm_version": ("old",)})
    found = after(replace(event, host=Host("m1", "v7"), running_swarming_task=True, launched_swarming=True), previous)
    assert (found.last_updated, found.version) == (NOW, "v7")
    assert (found.running_swarming_task, found.launched_swarming) == (True, True)
    assert found.dimensions["tmm_version"] == ("v7",)
    assert found.dimensions["pool"] == ("a",)
    assert after(event, found).running_swarming_task is False


def test_it_is_pure() -> None:
    previous = Description(dimensions={"device_type": ("x",)}, supplied_dimensions={"gpu": ("g",)})
    kept = replace(previous, dimensions=dict(previous.dimensions))
    assert after(android(), previous) == after(android(), previous)
    assert previous == kept


def test_forced_quarantine_latches() -> None:
    forced = after(MonitorEvent(forced_quarantine=True))
    assert forced.is_quarantined is True
    assert after(MonitorEvent(), forced).is_quarantined is True
    assert after(MonitorEvent()).is_quarantined is False


@pytest.mark.parametrize(
    ("event", "system"),
    [
        (MonitorEvent(android=Android(GETPROP, uptime=1), chromeos=ChromeOs(uptime=1)), ("Android",)),
        (MonitorEvent(android=Android(GETPROP), chromeos=ChromeOs(uptime=1), ios=Ios(device_type="x")), ("ChromeOS",)),
        (MonitorEvent(chromeos=ChromeOs("beta"), ios=Ios(device_type="x"), pyocd=Pyocd("y")), ("iOS",)),
        (MonitorEvent(pyocd=Pyocd("y"), standalone=Standalone(4, os_versions=("Linux",))), None),
        (MonitorEvent(ios=Ios("13"), standalone=Standalone(4, os_versions=("Linux",))), ("Linux",)),
        (MonitorEvent(standalone=Standalone(0, os_versions=("Linux",))), None),
    ],
)
def test_dispatch_on_what_the_event_carries(event: MonitorEvent, system: object) -> None:
    assert after(event).dimensions.get("os") == system


# -- recovery


def test_entering_going_on_and_leaving_recovery() -> None:
    entered = after(android(dumpsys_battery=battery(29)))
    assert (entered.recovering, entered.recovery_start, entered.annotation.message) == (
        "Battery low.",
        NOW,
        "Battery low.",
    )
    later = NOW + timedelta(minutes=5)
    hot = process(entered, android(dumpsys_battery=battery(29, tenths=351)), later)
    assert (hot.recovering, hot.recovery_start, hot.annotation) == ("Battery low. Too hot.", NOW, entered.annotation)
    left = process(hot, android(), later)
    assert (left.recovering, left.recovery_start, left.annotation.message) == ("", None, "Leaving recovery mode.")
    assert process(left, android(), later).annotation == Annotation("Leaving recovery mode.", "fleetd", later)


# -- Android


def test_android_dimensions() -> None:
    found = after(android())
    assert dict(found.dimensions) == {
        "android_devices": ("1",),
        "device_os": ("Q", "QQ2A.200305.002", "QQ2A.200305.002_6254899"),
        "device_os_flavor": ("google", "android"),
        "device_os_type": ("userdebug",),
        "device_type": ("newer", "older"),
        "os": ("Android",),
        "tmm_version": ("v1",),
    }
    assert (found.battery, found.temperature, found.device_uptime) == (94, {"dumpsys_battery": 28.0}, 5)


def test_android_without_a_build_is_no_android() -> None:
    found = after(android(getprop="[ro.build.version.incremental]: [1]\n[ro.product.device]: []"))
    assert dict(found.dimensions) == {"tmm_version": ("v1",)}


@pytest.mark.parametrize(
    ("text", "percent", "reason"),
    [
        (battery(30), 30, ""),
        (battery(29), 29, "Battery low."),
        (battery(50, 200), 25, "Battery low."),
        (battery(1, 3), 33, ""),
        (battery(50, 0), BAD_BATTERY, ""),
        ("", BAD_BATTERY, ""),
        ("level: 5\n", BAD_BATTERY, ""),
        ("level: x\nscale: 100\n", BAD_BATTERY, ""),
    ],
)
def test_battery(text: str, percent: int, reason: str) -> None:
    found = after(android(dumpsys_battery=text))
    assert (found.battery, found.recovering) == (percent, reason)


@pytest.mark.parametrize(
    ("sensors", "expected", "reason"),
    [
        ({"SKIN": 35.0}, {"SKIN": 35.0}, ""),
        ({"SKIN": 24.5, "CPU": 35.1}, {"SKIN": 24.5, "CPU": 35.1}, "Too hot."),
        ({"CPU": 36000.0}, {"CPU": 36.0}, "Too hot."),
        ({"CPU": 34000}, {"CPU": 34.0}, ""),
        ({"battery_cycle": 412.0, "CPU": 20.0}, {"CPU": 20.0}, ""),
        ({"PA": -99.9}, None, ""),
        ({}, None, ""),
    ],
)
def test_temperature(sensors: dict[str, float], expected: object, reason: str) -> None:
    found = after(android(dumpsys_battery="", dumpsys_thermal_service=thermal(**sensors)))
    assert (found.temperature, found.recovering) == (expected, reason)


# -- others


def test_chromeos_overlays_supplied_dimensions() -> None:
    previous = Description(
        supplied_dimensions={"gpu": ("mali",), "os": ("wrong",)},
        dimensions={"gpu": ("old",), "pool": ("a",)},
        battery=9,
    )
    found = after(MonitorEvent(chromeos=ChromeOs("beta", "89", "13729.56.0", 7_000_000_000)), previous)
    assert dict(found.dimensions) == {
        "gpu": ("mali",),
        "pool": ("a",),
        "os": ("ChromeOS",),
        "chromeos_channel": ("beta",),
        "chromeos_milestone": ("89",),
        "release_version": ("13729.56.0",),
        "tmm_version": ("",),
    }
    assert (found.battery, found.temperature, found.device_uptime) == (0, None, 7)


@pytest.mark.parametrize(("level", "reason"), [(29, "Battery low."), (30, ""), (0, "Battery low."), (BAD_BATTERY, "")])
def test_ios(level: int, reason: str) -> None:
    found = after(MonitorEvent(ios=Ios("13.3.1", "iPhone10,1", level)))
    assert (found.battery, found.recovering) == (level, reason)
    assert found.dimensions["os"] == ("iOS", "iOS-13.3.1")
    assert found.dimensions["device_type"] == ("iPhone10,1",)
    assert after(MonitorEvent(ios=Ios("", "iPhone10,1"))).dimensions["os"] == ("iOS",)


def test_pyocd() -> None:
    assert after(MonitorEvent(pyocd=Pyocd("nrf52840"))).dimensions["device_type"] == ("nrf52840",)


def test_standalone_clears_recovery() -> None:
    machine = Standalone(8, ("x86", "x86-64"), ("none",), ("Linux", "Debian-12"), True, "n1-standard-8", True)
    found = after(
        MonitorEvent(standalone=machine), Description(recovering="Too hot.", recovery_start=EARLIER, battery=5)
    )
    assert dict(found.dimensions) == {
        "cores": ("8",),
        "cpu": ("x86", "x86-64"),
        "gpu": ("none",),
        "os": ("Linux", "Debian-12"),
        "gce": ("1",),
        "machine_type": ("n1-standard-8",),
        "docker_installed": ("true",),
        "tmm_version": ("",),
    }
    assert (found.recovering, found.annotation.message, found.battery) == ("", "Leaving recovery mode.", 0)
    less = after(MonitorEvent(standalone=Standalone(4, os_versions=("Linux",))), found)
    assert dict(less.dimensions) == {"cores": ("4",), "os": ("Linux",), "gce": ("0",), "tmm_version": ("",)}


# -- missing


@pytest.mark.parametrize(
    ("previous", "reason"),
    [
        (Description(dimensions={"device_type": ("sargo", "other")}), "Device sargo has gone missing"),
        (Description(ssh_user_ip="root@h"), "Device root@h has gone missing"),
        (Description(dimensions={"os": ("Linux",)}), ""),
    ],
)
def test_a_device_that_was_expected_is_missing(previous: Description, reason: str) -> None:
    found = after(MonitorEvent(), replace(previous, battery=50, temperature={"CPU": 20.0}))
    assert (found.recovering, found.battery, found.temperature) == (reason, 0, None)
    assert dict(found.dimensions) == {**previous.dimensions, "tmm_version": ("",)}
    assert after(MonitorEvent(), found).recovering == reason


def test_a_device_that_comes_back_leaves_recovery() -> None:
    gone = after(MonitorEvent(), after(android()))
    assert gone.recovering == "Device newer has gone missing"
    assert after(android(), gone).recovering == ""


# -- servers


def test_a_healthy_server() -> None:
    found = after(MonitorEvent(server=Server({"CPU1": 60.0}, fans={"F2": "OK", "F1": "ok"}, drives={"D1": "OK"})))
    assert (found.recovering, found.temperature) == ("", {"CPU1": 60.0})
    assert found.dimensions["fans"] == ("F1", "F2")


def test_what_is_wrong_with_a_server() -> None:
    healthy = after(
        MonitorEvent(server=Server(power_supplies={"P1": "OK", "P2": "OK"}, drives={"D1": "OK", "D2": "OK"}))
    )
    broken = Server(
        {"CPU1": 91.0, "Inlet": 46.5, "CPU2": 89.0},
        {"Inlet": 45.0},
        {"F1": "Critical"},
        {"P1": "Warning", "P2": "OK"},
        {"D1": "OK"},
    )
    found = after(MonitorEvent(server=broken), healthy)
    assert found.recovering == (
        "Too hot: CPU1 91 °C. Too hot: Inlet 46.5 °C. Fan F1: Critical. Power supply P1: Warning. "
        "Drive D2 has gone missing."
    )
    assert after(MonitorEvent(server=broken), found).dimensions["drives"] == ("D1", "D2")


def test_a_server_has_the_dimensions_of_a_machine_and_says_that_it_booted() -> None:
    machine = Standalone(cores=8, os_versions=("Linux",))
    found = after(MonitorEvent(server=Server(boot_id="b1", uptime=61.5), standalone=machine))
    assert (found.dimensions["boot_id"], found.dimensions["cores"], found.device_uptime) == (("b1",), ("8",), 61)
    assert after(MonitorEvent(server=Server(boot_id="b2")), found).dimensions["boot_id"] == ("b2",)


def test_dropped_reports_are_shown_while_there_are_any() -> None:
    found = after(MonitorEvent(monitor=Monitor(3)))
    assert found.dimensions["tmm_dropped"] == ("3",)
    assert "tmm_dropped" not in after(MonitorEvent(), found).dimensions
