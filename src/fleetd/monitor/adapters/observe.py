# SPDX-License-Identifier: BSD-2-Clause
"""Raw observations of this machine for an Event, from ``/sys`` and ``/proc`` only: cheap enough for twice a minute.

What a device document knows of CPUs, GPUs and drives comes from the same readers
(:mod:`fleetcore.inband.collect.sysfs`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from fleetcore.document.model import Device
from fleetcore.document.parts import Drive
from fleetcore.errors import MissingDependency
from fleetcore.inband.collect import storage, sysfs
from fleetcore.inband.collect.probe import Options, Probe
from fleetcore.ports import CommandResult, FileReader

_HWMON = "/sys/class/hwmon"
_ARCHITECTURES = {"x86_64": "x86-64", "aarch64": "arm64"}
# Super-I/O chips and ACPI zones: their inputs are often not connected, and then say anything. The BMC knows better.
_NOT_BELIEVED = re.compile(r"^(nct\d|it87|it8\d|w83|f71|acpitz)")
_HEALTHY = ("running", "live")


class _NoTools:
    def run(self, argv: Sequence[str], timeout: float) -> CommandResult:  # noqa: ARG002
        raise MissingDependency(f"{argv[0]} is not asked by the monitor's events", tool=argv[0])


def standalone(files: FileReader, has_program: Callable[[str], bool]) -> dict[str, Any]:
    """``{"cores", "cpus", "gpus", "os_versions", "gce", "machine_type", "docker_installed"}``.

    :param has_program: whether a program is installed.
    """
    probe = Probe(_NoTools(), files, Options())
    cpus = _pieces(probe, sysfs.kernel).cpus
    gpus = _pieces(Probe(_NoTools(), files, Options()), sysfs.pci).gpus
    architecture = probe.text("/proc/sys/kernel/arch") or next(
        (cpu.architecture for cpu in cpus if cpu.architecture), ""
    )
    architecture = _ARCHITECTURES.get(architecture or "", architecture or "")
    models = sorted({cpu.model for cpu in cpus if cpu.model})
    vendors = {gpu.pci_vendor_id for gpu in gpus if gpu.pci_vendor_id}
    product = probe.text("/sys/class/dmi/id/product_name") or ""
    return {
        "cores": sum(cpu.threads or cpu.cores or 1 for cpu in cpus),
        "cpus": [item for item in (architecture, *(f"{architecture}-{model}" for model in models)) if item],
        "gpus": sorted(vendors | {f"{gpu.pci_vendor_id}:{gpu.pci_product_id}" for gpu in gpus if gpu.pci_product_id}),
        "os_versions": _os_versions(probe.text("/etc/os-release") or ""),
        "gce": product == "Google Compute Engine",
        "machine_type": product,
        "docker_installed": has_program("docker"),
    }


def server(files: FileReader) -> dict[str, Any]:
    """Sensors and parts in the shape of :class:`fleetd.server.legacy.event.Server`."""
    probe = Probe(_NoTools(), files, Options())
    temperatures, limits, fans = _sensors(probe)
    return {
        "temperatures": temperatures,
        "limits": limits,
        "fans": fans,
        "power_supplies": _power_supplies(probe),
        "drives": _drives(probe, _pieces(probe, storage.block).drives),
        "boot_id": probe.text("/proc/sys/kernel/random/boot_id") or "",
        "uptime": _number((probe.text("/proc/uptime") or "").split(" ")[0]) or 0.0,
    }


def _pieces(probe: Probe, source: Callable[[Probe], None]) -> Device:
    source(probe)
    return probe.pieces[-1] if probe.pieces else Device()


def _os_versions(text: str) -> list[str]:
    """``["Linux", "Debian", "Debian-12"]`` of an os-release file."""
    values = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    name, version = values.get("ID", "").title(), values.get("VERSION_ID", "")
    return ["Linux", *([name] if name else []), *([f"{name}-{version}"] if name and version else [])]


def _sensors(probe: Probe) -> tuple[dict[str, float], dict[str, float], dict[str, str]]:
    """°C and limits by sensor, health by fan. A sensor's name is that of its chip, of its device, and its own."""
    temperatures: dict[str, float] = {}
    limits: dict[str, float] = {}
    fans: dict[str, str] = {}
    for folder in probe.names(_HWMON, optional=True):
        base = f"{_HWMON}/{folder}"
        chip = probe.text(f"{base}/name") or folder
        if _NOT_BELIEVED.match(chip):
            continue
        device = (probe.link(f"{base}/device") or "").rsplit("/", 1)[-1]
        for name in probe.names(base, optional=True):
            match = re.match(r"^(temp|fan)(\d+)_input$", name)
            if match is None:
                continue
            sensor = f"{base}/{match[1]}{match[2]}"
            label = probe.text(f"{sensor}_label") or match[1] + match[2]
            if label.startswith("Core "):
                continue  # the package's temperature is the highest of its cores
            title = " ".join(item for item in (chip, device, label) if item)
            if match[1] == "fan":
                faulty = "1" in (probe.text(f"{sensor}_fault"), probe.text(f"{sensor}_alarm"))
                fans[title] = "Critical" if faulty else "OK"
                continue
            value = _degrees(probe.text(f"{sensor}_input"))
            if value is not None:
                temperatures[title] = value
                limit = _degrees(probe.text(f"{sensor}_crit")) or _degrees(probe.text(f"{sensor}_max"))
                if limit:
                    limits[title] = limit
    return temperatures, limits, fans


def _power_supplies(probe: Probe) -> dict[str, str]:
    """Those that the kernel has a driver for (PMBus, ACPI)."""
    found = {}
    base = "/sys/class/power_supply"
    for name in probe.names(base, optional=True):
        if probe.text(f"{base}/{name}/type") == "Mains":
            found[name] = "OK" if probe.text(f"{base}/{name}/online") != "0" else "No input"
    return found


def _drives(probe: Probe, drives: Sequence[Drive]) -> dict[str, str]:
    """Health by serial number, else by name: a drive that moves to another name is still the same."""
    found = {}
    for drive in drives:
        name = (drive.logical_name or "").rsplit("/", 1)[-1]
        state = probe.text(f"/sys/block/{name}/device/state")
        found[drive.serial or drive.wwn or name] = "OK" if state is None or state in _HEALTHY else state
    return found


def _degrees(text: str | None) -> float | None:
    """Of thousandths; None for what no part of a server can be."""
    value = _number(text)
    return value / 1000 if value is not None and -50_000 < value < 150_000 else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
