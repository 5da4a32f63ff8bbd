# SPDX-License-Identifier: BSD-2-Clause

"""Shared by the parsers of drive tools: device names, virtual disks, protocols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Optional

from ...document.parts import Drive
from ...document.values import text, word

# Makers' names, which may stand anywhere in a model or a family.
_MAKERS: Mapping[str, str] = {
    **{
        name.lower(): name for name in ("Intel", "Micron", "Crucial", "Samsung", "Toshiba", "KIOXIA", "HGST", "Hitachi")
    },
    **{name.lower(): name for name in ("Western Digital", "Seagate", "SanDisk", "Kingston", "SK hynix", "Solidigm")},
    **{
        name.lower(): name
        for name in ("ADATA", "QEMU", "Fujitsu", "Maxtor", "Transcend", "Innodisk", "Apacer", "LITEON")
    },
    "wdc": "Western Digital",
    "hynix": "SK hynix",
}
# Beginnings of model numbers.
_MODELS: Mapping[str, str] = {
    "Intel": "ssdsc|ssdpe",
    "Micron": "mtfd",
    "Crucial": r"ct\d",
    "Samsung": "mz",
    "Toshiba": r"kxg|al1[3-5]s|mg0\d|mq0\d|dt01|px0\d|mk\d{4}[a-z]{4}$",
    "KIOXIA": "kcd|kcm|kpm",
    "HGST": "hus|huh|huc",
    "Hitachi": "hua|hds|hdt|hdp|hts|hte|hcc",
    "Western Digital": "wd|wus|wuh",
    "Seagate": r"st\d",
    "SK hynix": "hfs",
    # HPE gives drives of all makers numbers of its own.
    "HPE": r"[a-z]{2}\d{4}(\d\d)?[a-z]{5}$",
}
# What RAID controllers and BMCs show to the operating system in place of drives: words in a vendor or a model, and
# vendors of controllers and BMCs, which make no drives.
_VIRTUAL = re.compile(
    r"perc[ _]|m(ega)?raid|praid|\bmr\d{3,4}|serve?raid|logical[ _]?(volume|drv)|del+boss|\bboss-|boot controller"
    r"|\bvd\b|virtual[ _]?(disk|hdisk|floppy|cdrom|media)|^(avago|lsi|broadcom)$|raid ?\d|idsdm|\bluns?\b|marvell_?raid"
    r"|hpe? smart array|^r(s|ms)[23bp]\w{4,}$|^smc[23]\d{3}$|^adaptec$|^asr[78]\d{3}|^smartraid|^areca$|^arc-1\d{3}"
    r"|^3ware$|^amcc$|^(idrac|ami|lcdrive|imm|xcc)$",
    re.IGNORECASE,
)
# Vendors and products of storage arrays, which lend volumes to many machines.
_REMOTE = re.compile(
    r"^(3pardata|lio-org|pure|dgc|compelnt|nimble|eqlogic|xtremio|infinidat|datacore|hsv\d+|symmetrix"
    r"|iet|comstar|synology|qnap|truenas|freenas|scst_\w+|opnfiler|nexenta|violin|tintri|dothill|reduxio|kaminario)$"
    r"|^(2145|2107\d*|2810xiv|flashsystem.*|open-v.*|df600\w*|msa[ ]?\d.*|p2000.*|md3\d\d\w*|xsg1|s5500t|eternus.*"
    r"|iscsi (disk|storage)|universal xport|virtual-disk|flasharray|vraid|powerstore|unity|storeserv.*)\b"
    r"|dellemc-powerstore|netapp ontap controller|pure storage|^linux$|spdk bdev",
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


def is_remote(*names: Optional[str]) -> bool:
    """Do vendor or model say that this is a volume of a storage array, which is not the machine's?"""
    return any(_REMOTE.search(name) for name in names if name)


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


def drive_vendor(*words: Any) -> Optional[str]:
    """The maker of a drive, by the first of these words that tells: its model number, what it says of its maker, the
    family that a tool has found for it. A name counts for more than the beginning of a number."""
    clean = [(text(item) or "").lower() for item in words]
    for item in clean:
        named = [(item.find(sign), name) for sign, name in _MAKERS.items() if _stands(sign, item)]
        # "Hitachi/HGST ...", "Crucial/Micron ...": a family of two makers does not say which.
        if named and not ("/" in item and len({name for _place, name in named}) > 1):
            return min(named)[1]
    return next((name for item in clean for name, sign in _MODELS.items() if _begins(sign, item)), None)


def _begins(signs: str, words: str) -> bool:
    return re.search(rf"(?<![a-z0-9])(?:{signs})", words) is not None


def _stands(sign: str, words: str) -> bool:
    return sign in words and re.search(rf"(?<![a-z]){sign}", words) is not None


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
    vendor = drive_vendor(model, maker, fields.get("product_name"))
    return Drive(vendor=vendor or maker, model=model, protocol=protocol, drive_type=kind, **fields)


def whole(found: Iterable[Optional[Drive]]) -> tuple[Drive, ...]:
    """Drives, where each namespace of an NVMe drive is listed: their sizes together are that of the drive."""
    drives: dict[tuple[Optional[str], Optional[str]], Drive] = {}
    for item in found:
        if item is not None:
            key = (item.logical_name, item.serial)
            other = drives.get(key)
            if other is not None and item.protocol == "nvme" and item.capacity_bytes and other.capacity_bytes:
                drives[key] = replace(other, capacity_bytes=other.capacity_bytes + item.capacity_bytes, wwn=None)
            drives.setdefault(key, item)
    return tuple(drives.values())
