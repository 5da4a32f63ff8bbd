# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attached devices: what their tools answered, as recorded, and what goes into an event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import MissingDependency
from fleetcore.ports import CommandResult

from fleetd.monitor.adapters.attached import Devices
from fleetd.monitor.adapters.machine import FileMemory, ThisMachine
from fleetd.monitor.config import MonitorSettings
from fleetd.monitor.core import Attached
from fleetd.server.legacy.event import MonitorEvent, parse
from fleetd.server.legacy.process import process
from fleetd.server.machines.model import Description

Answer = tuple[int | None, str, str]
GETPROP = "[ro.build.id]: [TQ3A.230901.001]\n[ro.product.device]: [bluejay]\n"
BATTERY = "Current Battery Service state:\n  AC powered: true\n  level: 81\n  scale: 100\n  temperature: 265\n"
THERMAL = (
    "Thermal Status: 0\nCurrent temperatures from HAL:\n"
    "\tTemperature{mValue=27.4, mType=3, mName=VIRTUAL-SKIN, mStatus=0}\n"
)
ADB = {
    "adb get-state": (0, "device\n", ""),
    "adb shell cat /proc/uptime": (0, "93412.57 180233.11\n", ""),
    "adb shell getprop": (0, GETPROP, ""),
    "adb shell dumpsys battery": (0, BATTERY, ""),
    "adb shell dumpsys thermalservice": (0, THERMAL, ""),
}
ANDROID = {
    "getprop": GETPROP, "dumpsys_battery": BATTERY, "dumpsys_thermal_service": THERMAL, "uptime": 93412 * 10**9
}  # fmt: skip
IOS = {
    "ideviceinfo -k ProductType": (0, "iPhone12,8\n", ""),
    "ideviceinfo -k ProductVersion": (0, "17.5.1\n", ""),
    "ideviceinfo --domain com.apple.mobile.battery -k BatteryCurrentCapacity": (0, "64\n", ""),
}
TYPE, VERSION, LEVEL = IOS
SSH = "ssh -oConnectTimeout=15 -oBatchMode=yes -t -t -- root@dut7 cat"
LSB = (
    "CHROMEOS_RELEASE_APPID={9C2D1B8F}\r\nCHROMEOS_RELEASE_CHROME_MILESTONE=121\r\n"
    "CHROMEOS_RELEASE_TRACK=stable-channel\r\nCHROMEOS_RELEASE_VERSION=15699.62.0\r\n"
)
CHROMEOS = {f"{SSH} /proc/uptime": (0, "5021.75 9800.10\r\n", ""), f"{SSH} /etc/lsb-release": (0, LSB, "")}
BOARDS = {"status": 0, "boards": [{"unique_id": "0227", "board_name": "FRDM-K64F", "target": "k64f"}]}
PYOCD = {"pyocd json --probes": (0, json.dumps(BOARDS), "")}
NO_DEVICE = (1, "", "error: no devices/emulators found\n")
OFFLINE = (1, "", "error: device offline\n")


class Recorded:
    """Answers of tools by command line; one that is a list gives them in turn. All else is not installed."""

    def __init__(self, answers: Mapping[str, Answer | list[Answer]]) -> None:
        self.answers = {line: answer if isinstance(answer, list) else [answer] * 9 for line, answer in answers.items()}
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], timeout: float) -> CommandResult:
        line = " ".join(argv)
        self.asked.append(line)
        if line not in self.answers:
            raise MissingDependency(f"{argv[0]} is not installed", tool=argv[0])
        return CommandResult(argv, *self.answers[line].pop(0))


class Bench:
    """A machine with a device, whose tools answer as recorded."""

    def __init__(self, folder: Path, answers: Mapping[str, Answer | list[Answer]]) -> None:
        self.tools = Recorded(answers)
        self.pyocd_file = folder / "pyocd.json"
        self.machine = ThisMachine(MonitorSettings(pyocd_file=self.pyocd_file))
        self.machine._devices = Devices(self.tools, self.pyocd_file)

    def ask(self, device: str, address: str = "") -> dict[str, Any]:
        return self.machine.device(Attached(device, address))


@pytest.mark.parametrize(
    ("device", "answers", "expected"),
    [
        ("adb", ADB, {"android": ANDROID}),
        ("adb", {**ADB, "adb shell dumpsys battery": (20, "", "Can't find service: battery")}, {
            "android": {**ANDROID, "dumpsys_battery": ""}
        }),
        ("adb", {**ADB, "adb get-state": [OFFLINE, (0, "device\n", "")], "adb reconnect offline": (0, "", "")}, {
            "android": ANDROID
        }),
        ("adb", {**ADB, "adb get-state": [OFFLINE, OFFLINE], "adb reconnect offline": (0, "", "")}, {}),
        ("adb", {**ADB, "adb get-state": NO_DEVICE}, {}),
        ("adb", {**ADB, "adb get-state": (1, "", "error: device unauthorized.")}, {}),
        ("adb", {**ADB, "adb shell cat /proc/uptime": (0, "cat: permission denied", "")}, {}),
        ("adb", {**ADB, "adb shell getprop": (None, "", "")}, {}),
        ("adb", {}, {}),
        ("ios", IOS, {"ios": {"device_type": "iPhone12,8", "version": "17.5.1", "battery": 64}}),
        ("ios", {**IOS, LEVEL: (0, "none\n", "")}, {
            "ios": {"device_type": "iPhone12,8", "version": "17.5.1", "battery": -99}
        }),
        ("ios", {**IOS, LEVEL: (255, "64\n", "")}, {
            "ios": {"device_type": "iPhone12,8", "version": "17.5.1", "battery": -99}
        }),
        ("ios", {**IOS, VERSION: (255, "", "ERROR: Could not connect to lockdownd")}, {}),
        ("ios", {TYPE: (255, "", "ERROR: No device found!")}, {}),
        ("pyocd", PYOCD, {"pyocd": {"device_type": "FRDM-K64F"}}),
        ("pyocd", {"pyocd json --probes": (0, '{"status": 0, "boards": []}', "")}, {}),
        ("pyocd", {"pyocd json --probes": (0, "no JSON", "")}, {}),
        ("ssh", CHROMEOS, {
            "chromeos": {
                "channel": "stable-channel", "milestone": "121", "release_version": "15699.62.0",
                "uptime": 5_021_750_000_000,
            }
        }),
        ("ssh", {**CHROMEOS, f"{SSH} /etc/lsb-release": (0, "DISTRIB_ID=Ubuntu\r\n", "")}, {}),
        ("ssh", {**CHROMEOS, f"{SSH} /proc/uptime": (255, "", "ssh: connect to host dut7 port 22: timed out")}, {}),
        ("toaster", {}, {}),
    ],
)  # fmt: skip
def test_what_a_device_says(
    tmp_path: Path, device: str, answers: dict[str, Answer | list[Answer]], expected: dict[str, Any]
) -> None:
    assert Bench(tmp_path, answers).ask(device, "root@dut7") == expected


@pytest.mark.parametrize("address", ["", "-oProxyCommand=x", "a b", "\ud800", "root@h\0"])
def test_an_address_that_is_none_is_not_tried(tmp_path: Path, address: str) -> None:
    bench = Bench(tmp_path, CHROMEOS)
    assert bench.ask("ssh", address) == {}
    assert bench.tools.asked == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"device_type": "MIMXRT1170-EVK"}', {"pyocd": {"device_type": "MIMXRT1170-EVK"}}),
        ("// of rack 4\n{device_type: 'MIMXRT1170-EVK',}\n", {"pyocd": {"device_type": "MIMXRT1170-EVK"}}),
        ('{"device_type": ""}', {}),
        ("[", {}),
    ],
)
def test_a_board_that_is_switched_off_is_what_its_file_says(
    tmp_path: Path, text: str, expected: dict[str, Any]
) -> None:
    bench = Bench(tmp_path, PYOCD)
    bench.pyocd_file.write_text(text)
    assert bench.ask("pyocd") == expected
    assert bench.tools.asked == []


@pytest.mark.parametrize(
    ("device", "answers", "dimension"),
    [
        ("adb", ADB, ("device_type", ("bluejay",))),
        ("ios", IOS, ("os", ("iOS", "iOS-17.5.1"))),
        ("pyocd", PYOCD, ("device_type", ("FRDM-K64F",))),
        ("ssh", CHROMEOS, ("release_version", ("15699.62.0",))),
    ],
)
def test_the_server_understands_it(
    tmp_path: Path, device: str, answers: dict[str, Answer | list[Answer]], dimension: tuple[str, tuple[str, ...]]
) -> None:
    body = {"type": "raw_state", "host": {"name": "m1"}, **Bench(tmp_path, answers).ask(device, "root@dut7")}
    found = process(Description(), parse(MonitorEvent, json.dumps(body).encode()), datetime.now(UTC))
    assert found.dimensions[dimension[0]] == dimension[1]


def test_what_is_attached_is_remembered(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path / "published.json")
    assert memory.attached() is None
    memory.save_attached(Attached("ssh", "root@dut7"))
    assert FileMemory(tmp_path / "published.json").attached() == Attached("ssh", "root@dut7")
    (tmp_path / "attached.json").write_text("[]")
    assert memory.attached() is None
