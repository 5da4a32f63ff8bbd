# SPDX-License-Identifier: BSD-2-Clause

"""``nvme list -o json``, ``nvme id-ctrl -o json`` and ``nvme smart-log -o json`` (nvme-cli 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import expect, json_object, mapping, parser
from ...document.parts import Capability, Drive
from ...document.values import clean_serial, firmware, integer, items, pci_address, pci_id, positive, text, word
from .drives import device_name, drive
from .smart import nvme_errors, nvme_hours, nvme_life, nvme_warning


@parser("nvme")
def parse_nvme_list(raw: str) -> Device:
    """Drives of ``nvme list``: flat rows, or with ``-v`` subsystems (version 1), or hosts with subsystems (version 2).

    Controllers that are reached over a network are left out: their drives are in another machine.
    """
    body = json_object(raw, "nvme", "not a list of devices", "Devices")
    drives: dict[str, Drive] = {}
    for row in items(body.get("Devices")):
        nested = [found for system in items(row.get("Subsystems")) or [row] for found in _controllers(system)]
        for item in nested or [row]:
            found = _listed(item) if item.get("Transport") in (None, "pcie") else None
            if found is not None and found.logical_name:
                drives.setdefault(found.logical_name, found)
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
    return drive(
        model,
        "nvme",
        serial=serial,
        logical_name=device_name(name),
        bus_info=pci_address(text(row.get("Address"))),
        firmware=firmware(row.get("Firmware")),
        capacity_bytes=positive(sum(positive(item.get("PhysicalSize")) or 0 for item in spaces)),
        block_size_bytes=positive(spaces[0].get("SectorSize")),
    )


# NVM Express base specification, Identify Controller: a field, and the bits of it that must all be set.
_FORMAT = ("oacs", 1 << 1)
_CAPABILITIES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "format": (_FORMAT,),
    "format_crypto_erase": (_FORMAT, ("fna", 1 << 2)),
    "namespace_management": (("oacs", 1 << 3),),
    "firmware_download": (("oacs", 1 << 2),),
    "sanitize_crypto_erase": (("sanicap", 1 << 0),),
    "sanitize_block_erase": (("sanicap", 1 << 1),),
    "sanitize_overwrite": (("sanicap", 1 << 2),),
}


@parser("nvme")
def parse_nvme_id_ctrl(raw: str, name: Optional[str] = None) -> Device:
    """The drive that Identify Controller describes.

    :param name: the device that was asked (``/dev/nvme0``): the output does not say it.
    """
    body = json_object(raw, "nvme", "not Identify Controller", "sn", "mn")

    def able(bits: tuple[tuple[str, int], ...]) -> bool:
        return all((integer(body.get(field)) or 0) & bit for field, bit in bits)

    found = drive(
        word(body.get("mn")),
        "nvme",
        serial=clean_serial(body.get("sn")),
        logical_name=device_name(name),
        firmware=firmware(body.get("fr")),
        pci_vendor_id=pci_id(integer(body.get("vid"))),
        capacity_bytes=positive(body.get("tnvmcap")),
        capabilities=tuple(Capability(name=key, enabled=able(bits)) for key, bits in _CAPABILITIES.items()),
    )
    return Device(drives=(found,))


@parser("nvme")
def parse_nvme_smart_log(raw: str, name: Optional[str] = None) -> Device:
    """Health of the drive ``name``; the log does not name the drive."""
    body = json_object(raw, "nvme", "not a SMART log")
    log = {**body, "percentage_used": body.get("percent_used", body.get("percentage_used"))}
    log["critical_warning"] = mapping(body.get("critical_warning")).get("value", body.get("critical_warning"))
    warning = nvme_warning(log)
    expect("nvme", warning is not None, "not a SMART log")
    found = Drive(
        logical_name=device_name(name),
        protocol="nvme",
        smart_status="failed" if warning else "ok",
        smart_errors=nvme_errors(log),
        power_on_hours=nvme_hours(log),
        life_left_percent=nvme_life(log),
    )
    return Device(drives=(found,))
