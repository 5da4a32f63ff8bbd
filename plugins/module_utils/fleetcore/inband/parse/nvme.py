# SPDX-License-Identifier: BSD-2-Clause

"""``nvme list -o json``, ``nvme id-ctrl -o json`` and ``nvme smart-log -o json`` (nvme-cli 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import at, document, parser
from ...document.parts import Capability, Drive
from ...document.values import clean_serial, firmware, integer, items, number, pci_address, pci_id, positive, text, word
from ...errors import ParseError
from .drives import device_name, drive_vendor
from .smartctl import NVME_WARNINGS


@parser("nvme")
def parse_nvme_list(raw: str) -> Device:
    """Drives of ``nvme list``: flat rows, or with ``-v`` subsystems (version 1), or hosts with subsystems (version 2).

    Controllers that are reached over a network are left out: their drives are in another machine.
    """
    body = document(raw, "nvme")
    if not isinstance(body, Mapping) or "Devices" not in body:
        raise ParseError("nvme: not a list of devices", field="nvme")
    drives: dict[str, Drive] = {}
    for row in items(body.get("Devices")):
        nested = [found for system in items(row.get("Subsystems")) or [row] for found in _controllers(system)]
        for item in nested or [row]:
            drive = _listed(item) if item.get("Transport") in (None, "pcie") else None
            if drive is not None and drive.logical_name:
                drives.setdefault(drive.logical_name, drive)
    return Device(drives=tuple(drives.values()))


def _controllers(system: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Controllers with their namespaces.

    Whose those are that stand beside them (native multipath) is certain for one only.
    """
    found = items(system.get("Controllers"))
    shared = items(system.get("Namespaces")) if len(found) == 1 else []
    return [{**control, "Namespaces": items(control.get("Namespaces")) or shared} for control in found]


def _listed(row: Mapping[str, Any]) -> Optional[Drive]:
    name = text(row.get("DevicePath")) or text(row.get("Controller"))
    model = word(row.get("ModelNumber"))
    serial = clean_serial(row.get("SerialNumber"))
    if name is None or (model is None and serial is None):
        return None
    spaces = items(row.get("Namespaces")) or [row]
    return Drive(
        vendor=drive_vendor(model),
        model=model,
        serial=serial,
        logical_name=device_name(name),
        bus_info=pci_address(text(row.get("Address"))),
        firmware=firmware(row.get("Firmware")),
        protocol="nvme",
        drive_type="nvme",
        capacity_bytes=positive(sum(positive(item.get("PhysicalSize")) or 0 for item in spaces)),
        block_size_bytes=positive(spaces[0].get("SectorSize")),
    )


# NVM Express base specification, Identify Controller.
_FORMAT, _FIRMWARE, _NAMESPACES = 1 << 1, 1 << 2, 1 << 3  # OACS
_CRYPTO_ERASE = 1 << 2  # FNA
_SANITIZE = {"sanitize_crypto_erase": 1 << 0, "sanitize_block_erase": 1 << 1, "sanitize_overwrite": 1 << 2}  # SANICAP


@parser("nvme")
def parse_nvme_id_ctrl(raw: str, name: Optional[str] = None) -> Device:
    """The drive that Identify Controller describes.

    :param name: the device that was asked (``/dev/nvme0``): the output does not say it.
    """
    body = document(raw, "nvme")
    if not isinstance(body, Mapping) or not ("sn" in body or "mn" in body):
        raise ParseError("nvme: not Identify Controller", field="nvme")
    model = word(body.get("mn"))
    commands, sanitize = integer(body.get("oacs")) or 0, integer(body.get("sanicap")) or 0
    flags = integer(body.get("fna")) or 0
    return Device(
        drives=(
            Drive(
                vendor=drive_vendor(model),
                model=model,
                serial=clean_serial(body.get("sn")),
                logical_name=device_name(name),
                firmware=firmware(body.get("fr")),
                pci_vendor_id=pci_id(integer(body.get("vid"))),
                protocol="nvme",
                drive_type="nvme",
                capacity_bytes=positive(body.get("tnvmcap")),
                capabilities=(
                    Capability(name="format", enabled=bool(commands & _FORMAT)),
                    Capability(name="format_crypto_erase", enabled=bool(commands & _FORMAT and flags & _CRYPTO_ERASE)),
                    Capability(name="namespace_management", enabled=bool(commands & _NAMESPACES)),
                    Capability(name="firmware_download", enabled=bool(commands & _FIRMWARE)),
                    *(Capability(name=key, enabled=bool(sanitize & bit)) for key, bit in _SANITIZE.items()),
                ),
            ),
        )
    )


@parser("nvme")
def parse_nvme_smart_log(raw: str, name: Optional[str] = None) -> Device:
    """Health of the drive ``name``; the log does not name the drive."""
    body = document(raw, "nvme")
    warning = integer(at(body, "critical_warning", "value"))
    if warning is None:
        warning = integer(at(body, "critical_warning"))
    if not isinstance(body, Mapping) or warning is None or warning < 0:
        raise ParseError("nvme: not a SMART log", field="nvme")
    errors = [words for bit, words in NVME_WARNINGS.items() if warning & 1 << bit]
    media = positive(body.get("media_errors"))
    used = number(body.get("percent_used") if "percent_used" in body else body.get("percentage_used"))
    hours = integer(body.get("power_on_hours"))
    return Device(
        drives=(
            Drive(
                logical_name=device_name(name),
                protocol="nvme",
                smart_status="failed" if warning else "ok",
                smart_errors=(*errors, *([f"{media} media errors"] if media else [])),
                power_on_hours=hours if hours is not None and hours >= 0 else None,
                life_left_percent=max(0.0, 100.0 - used) if used is not None and 0 <= used <= 255 else None,
            ),
        )
    )
