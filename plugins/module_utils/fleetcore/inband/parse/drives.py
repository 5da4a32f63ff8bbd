# SPDX-License-Identifier: BSD-2-Clause

"""Shared by the parsers of drive tools: device names, virtual disks, protocols."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Drive
from ...document.values import text, word

# Beginnings of model numbers.
_DRIVE_VENDORS: Mapping[str, tuple[str, ...]] = {
    "Intel": ("intel", "ssdsc", "ssdpe"),
    "Micron": ("micron", "mtfd"),
    "Crucial": ("crucial", "ct"),
    "Samsung": ("samsung", "mz"),
    "Toshiba": ("toshiba", "kxg"),
    "KIOXIA": ("kioxia", "kcd", "kcm", "kpm"),
    "HGST": ("hgst", "hus", "huh", "huc"),
    "Hitachi": ("hitachi",),
    "Western Digital": ("wdc", "wd", "wus", "wuh"),
    "Seagate": ("seagate", "st"),
    "SanDisk": ("sandisk",),
    "Kingston": ("kingston",),
    "SK hynix": ("sk hynix", "hynix", "hfs"),
    "Solidigm": ("solidigm",),
    "ADATA": ("adata",),
    "QEMU": ("qemu",),
}
# What RAID controllers and BMCs show to the operating system in place of drives.
_VIRTUAL = re.compile(
    r"perc[ _]|m(ega)?raid|praid|\bmr\d{3,4}|serve?raid|logical[ _]?(volume|drv)|del+boss|\bboss-|boot controller"
    r"|\bvd\b|virtual[ _]?(disk|hdisk|floppy|cdrom|media)|^(avago|lsi)$|raid ?\d|idsdm|\bluns?\b|marvell_?raid"
    r"|hpe? smart array",
    re.IGNORECASE,
)
_NAMESPACE = re.compile(r"^(/dev/)?(nvme\d+)(?:c\d+)?(?:n\d+)?$")


def device_name(name: Any) -> Optional[str]:
    """``/dev/sda``; an NVMe namespace is named after its controller, as smartctl does: ``/dev/nvme0``."""
    clean = text(name)
    if clean is None:
        return None
    found = _NAMESPACE.match(clean)
    if found:
        return f"/dev/{found[2]}"
    return clean if clean.startswith("/") else f"/dev/{clean}"


def kernel_vendor(value: Any) -> Optional[str]:
    """The maker that the kernel names; None for what it says where a protocol knows no maker."""
    vendor = word(value)
    return None if vendor in ("ATA", "NVMe") or (vendor or "").startswith("0x") else vendor


def gbps(value: Any) -> Optional[float]:
    """The highest of the speeds in a tool's words: ``1.5, 3, 6 Gb/s``, ``Gen3 (6.0 Gbps)``."""
    speeds = re.findall(r"\b\d{1,3}(?:\.\d{1,3})?\b", str(value or "")[:200])
    return max(map(float, speeds), default=None) or None


def is_virtual(*names: Optional[str]) -> bool:
    """Do vendor or model say that this is a RAID volume or a BMC's virtual medium, not a drive?"""
    return any(_VIRTUAL.search(name) for name in names if name)


def protocol_of(words: Optional[str]) -> Optional[str]:
    """``sata``, ``sas``, ``nvme``, ``scsi``, ``virtio``, ``usb`` of a tool's words for a drive's connection."""
    lower = (words or "").lower()
    found = next(
        (sign for sign in ("nvme", "sata", "sas", "ata", "virtio", "usb", "fc", "scsi") if sign in lower), None
    )
    return "sata" if found == "ata" else found


def drive_type(protocol: Optional[str], rotating: Optional[bool]) -> Optional[str]:
    """``nvme``, ``ssd`` or ``hdd``; None for virtio, where "rotating" is what nobody has set."""
    if protocol == "nvme":
        return "nvme"
    if protocol == "virtio":
        return None
    return {True: "hdd", False: "ssd", None: None}[rotating]


def drive_vendor(model: Any) -> Optional[str]:
    """The maker that a drive's model number begins with (or whose name stands in it), or None."""
    clean = (text(model) or "").lower()
    prefixes = [(prefix, vendor) for vendor, found in _DRIVE_VENDORS.items() for prefix in found]
    for prefix, vendor in prefixes:
        # Two letters begin many a word; before a number they are a maker's.
        if clean.startswith(prefix) and (prefix not in ("st", "ct") or clean[2:3].isdigit()):
            return vendor
    return next((vendor for prefix, vendor in prefixes if len(prefix) > 4 and prefix in clean), None)


def drive(
    model: Optional[str],
    protocol: Optional[str],
    rotating: Optional[bool] = None,
    maker: Optional[str] = None,
    **fields: Any,
) -> Drive:
    """A drive, with the vendor and type that follow from its model number and its protocol.

    :param maker: what the tool calls the vendor, for models that say none.
    """
    kind = drive_type(protocol, rotating)
    return Drive(vendor=drive_vendor(model) or maker, model=model, protocol=protocol, drive_type=kind, **fields)
