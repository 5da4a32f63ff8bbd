# SPDX-License-Identifier: BSD-2-Clause
"""The device that is attached to this machine, asked with the tool for its kind.

``AttachedDevice`` of the machine's description says the kind. A device that does not answer is missing: nothing of it
goes into the event, and the server draws the conclusion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from fleetcore.errors import FleetError, InvalidInput, NotFound, ParseError, TimedOut, Unsupported
from fleetcore.ports import CommandRunner

from fleetd.monitor.core import Attached

_ADB_SECONDS = 5.0
_SECONDS = 20.0
_BAD_BATTERY = -99
_NANOSECONDS = 1_000_000_000
_SSH = ("ssh", "-oConnectTimeout=15", "-oBatchMode=yes", "-t", "-t", "--")
_USER_IP = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.\-@_]*")
_LSB_RELEASE = {
    "channel": re.compile(r"CHROMEOS_RELEASE_TRACK=(\S+)"),
    "milestone": re.compile(r"CHROMEOS_RELEASE_CHROME_MILESTONE=(\S+)"),
    "release_version": re.compile(r"CHROMEOS_RELEASE_VERSION=(\S+)"),
}


@dataclass(frozen=True)
class Devices:
    """Asks attached devices.

    :param pyocd_file: a JSON file whose ``device_type`` is the board's; without it ``pyocd`` is asked.
    """

    runner: CommandRunner
    pyocd_file: Path

    def ask(self, attached: Attached) -> dict[str, Any]:
        """The part of an event that is about the device, such as ``{"ios": {"version", "device_type", "battery"}}``.

        :raises FleetError: the device or its tool is not there, or says nothing that makes sense.
        """
        kinds: dict[str, Callable[[Attached], dict[str, Any]]] = {
            "adb": self._android,
            "ios": self._ios,
            "pyocd": self._pyocd,
            "ssh": self._chromeos,
        }
        if attached.device not in kinds:
            raise Unsupported(f"AttachedDevice: this monitor does not know {attached.device!r}")
        return kinds[attached.device](attached)

    def _android(self, _attached: Attached) -> dict[str, Any]:
        try:
            self._adb("get-state")
        except NotFound as error:
            if "offline" not in error.message:
                raise
            self._adb("reconnect", "offline")
            self._adb("get-state")
        found: dict[str, Any] = {"uptime": int(_uptime(self._adb("shell", "cat", "/proc/uptime"))) * _NANOSECONDS}
        found["getprop"] = self._adb("shell", "getprop")
        for name, service in (("dumpsys_battery", "battery"), ("dumpsys_thermal_service", "thermalservice")):
            try:
                found[name] = self._adb("shell", "dumpsys", service)
            except FleetError:  # not every device has both
                found[name] = ""
        return {"android": found}

    def _ios(self, _attached: Attached) -> dict[str, Any]:
        device_type = self._output("ideviceinfo", "-k", "ProductType").strip()
        version = self._output("ideviceinfo", "-k", "ProductVersion").strip()
        battery = ("ideviceinfo", "--domain", "com.apple.mobile.battery", "-k", "BatteryCurrentCapacity")
        try:
            level = int(self._output(*battery))
        except (FleetError, ValueError):
            level = _BAD_BATTERY
        return {"ios": {"device_type": device_type, "version": version, "battery": level}}

    def _pyocd(self, _attached: Attached) -> dict[str, Any]:
        """Boards are often switched off between two tasks: a file can say which one is attached."""
        try:
            text = self.pyocd_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            boards = _json(self._output("pyocd", "json", "--probes")).get("boards") or [{}]
            device_type = boards[0].get("board_name")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"monitor.pyocd_file: {self.pyocd_file} can't be read ({error})") from error
        else:
            device_type = _json(text).get("device_type")
        if not device_type:
            raise NotFound("no board that pyocd knows")
        return {"pyocd": {"device_type": str(device_type)}}

    def _chromeos(self, attached: Attached) -> dict[str, Any]:
        if not _USER_IP.fullmatch(attached.ssh_user_ip):
            raise InvalidInput(f"SSHUserIP of the description: {attached.ssh_user_ip[:80]!r} is not user@host")
        uptime = _uptime(self._output(*_SSH, attached.ssh_user_ip, "cat", "/proc/uptime"))
        release = self._output(*_SSH, attached.ssh_user_ip, "cat", "/etc/lsb-release")
        said = {name: match[1] for name, pattern in _LSB_RELEASE.items() if (match := pattern.search(release))}
        if not said:
            raise ParseError(f"{attached.ssh_user_ip}: /etc/lsb-release is not that of ChromeOS")
        return {"chromeos": {**said, "uptime": int(uptime * _NANOSECONDS)}}

    def _adb(self, *arguments: str) -> str:
        return self._output("adb", *arguments, seconds=_ADB_SECONDS)

    def _output(self, *argv: str, seconds: float = _SECONDS) -> str:
        """:raises NotFound: it failed. :raises TimedOut: it was too slow. :raises MissingDependency: no such tool."""
        result = self.runner.run(argv, seconds)
        if result.rc is None:
            raise TimedOut(f"{' '.join(argv)}: no answer within {seconds:g} s", seconds=seconds)
        if result.rc:
            said = " ".join((result.stderr or result.stdout).split())[:300]
            raise NotFound(f"{' '.join(argv)}: {said or f'exit code {result.rc}'}")
        return result.stdout


def _uptime(text: str) -> float:
    """Seconds, of ``/proc/uptime``."""
    match = re.match(r"(\d+(?:\.\d+)?) \d", text)
    if match is None:
        raise ParseError(f"/proc/uptime of the device: {text[:80]!r} is no uptime")
    return float(match[1])


def _json(text: str) -> dict[str, Any]:
    """JSON, or what people make of it: comments, single quotes, a comma too many."""
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = yaml.safe_load(re.sub(r"(?m)^\s*//.*$", "", text))
        except yaml.YAMLError:
            found = None
    if not isinstance(found, dict):
        raise ParseError(f"not a JSON object: {text[:80]!r}")
    return found
