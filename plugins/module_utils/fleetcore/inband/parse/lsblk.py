# SPDX-License-Identifier: BSD-2-Clause

"""``lsblk -J -b -d -o ...`` and plainer forms of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import expect, json_object, parser
from ...document.parts import Drive
from ...document.values import clean_serial, firmware, items, positive, size_bytes, text, word, wwn
from .drives import device_name, drive, is_virtual, kernel_vendor, protocol_of

_WWN = re.compile(r"^3?(5[0-9a-f]{15})$")
_NO_DRIVE = re.compile(r"^/dev/(loop|ram|zram|dm-|md|sr|fd|nbd|rbd|drbd|mapper)")


@parser("lsblk")
def parse_lsblk(raw: str) -> Device:
    """Disks; neither partitions, RAID and device mapper volumes, nor loop devices and removable media."""
    body = json_object(raw, "lsblk", "no list of block devices")
    expect("lsblk", isinstance(body.get("blockdevices"), list), "no list of block devices")
    found = [_drive(row) for row in items(body.get("blockdevices"))]
    return Device(drives=tuple(item for item in found if item is not None))


def _drive(row: Mapping[str, Any]) -> Optional[Drive]:
    # KNAME tells namespaces apart where NAME repeats itself.
    name = device_name(text(row.get("kname")) or text(row.get("name")))
    vendor, model = kernel_vendor(row.get("vendor")), word(row.get("model"))
    if (
        name is None
        or _NO_DRIVE.match(name)
        or text(row.get("type")) not in (None, "disk")
        or is_virtual(vendor, model)
    ):
        return None
    tran = text(row.get("tran"))
    protocol = protocol_of(tran or ("virtio" if name.startswith("/dev/vd") else None))
    serial = clean_serial(row.get("serial"))
    # SAS drives: udev takes the WWN for the serial number, for some with the digit before it that says so.
    named = _WWN.match((serial or "").lower())
    serial = None if named else serial
    if protocol == "usb" or (model is None and serial is None and named is None and tran is None and protocol is None):
        return None
    rotating = {"1": True, "true": True, "0": False, "false": False}.get(str(row.get("rota")).lower())
    return drive(
        model,
        protocol,
        rotating,
        vendor,
        serial=serial,
        logical_name=name,
        firmware=firmware(row.get("rev")),
        wwn=wwn(row.get("wwn")) or (named[1] if named else None),
        capacity_bytes=_size(row.get("size")),
        block_size_bytes=positive(row.get("log-sec")),
    )


def _size(value: Any) -> Optional[int]:
    if isinstance(value, str) and re.search("[A-Za-z]", value):
        return size_bytes(value, binary=True)
    return positive(value)
