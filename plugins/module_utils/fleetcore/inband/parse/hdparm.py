# SPDX-License-Identifier: BSD-2-Clause

"""``hdparm -I``: identity of an ATA drive, and how it can be erased."""

from __future__ import annotations

import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, pairs, parser, said
from ...document.parts import Capability
from ...document.values import clean_serial, firmware, integer, positive, word, wwn
from .drives import device_name, drive

_FEATURES = {
    "trim": "Data Set Management TRIM supported",
    "security": "Security Mode feature set",
    "sanitize": "SANITIZE feature set",
    "sanitize_crypto_erase": "CRYPTO_SCRAMBLE_EXT",
    "sanitize_block_erase": "BLOCK_ERASE_EXT",
    "sanitize_overwrite": "OVERWRITE_EXT",
    "self_encrypting": "Device encrypts all user data",
    "smart": "SMART feature set",
}
_LBA28 = "LBA    user addressable sectors"
_SECURITY = ("enabled", "locked", "frozen")


@parser("hdparm")
def parse_hdparm(raw: str, name: Optional[str] = None) -> Device:
    """The drive, with capabilities for erasing.

    :param name: the device that was asked, if the output does not say it.
    :raises ParseError: no ATA identity in the output (a SAS drive, a RAID volume).
    """
    lines = decoded(raw).splitlines()[:5000]
    values = pairs(lines)
    model = word(values.get("Model Number"))
    serial = clean_serial(values.get("Serial Number"))
    expect("hdparm", model or serial, "no identity of an ATA drive in the output")
    named = next((line.strip()[:-1] for line in lines[:10] if re.match(r"^/dev/\S{1,60}:\s*$", line)), name)
    minutes = re.search(r"(\d{1,6})min for SECURITY ERASE UNIT(?:\. (\d{1,6})min for ENHANCED)?", "\n".join(lines))
    rotation = values.get("Nominal Media Rotation Rate", "")
    # LBA has 28 bits, which drives of up to 128 GiB can do with.
    sectors = re.search(r"(\d{1,18})", values.get("LBA48  user addressable sectors") or values.get(_LBA28, ""))
    block = positive(values.get("Logical  Sector size")) or positive(values.get("Logical/Physical Sector size")) or 512
    usual, enhanced = minutes.groups() if minutes else (None, None)
    found = drive(
        model,
        "sata",
        False if "Solid State" in rotation else True if integer(rotation) else None,
        serial=serial,
        logical_name=device_name(named),
        firmware=firmware(values.get("Firmware Revision")),
        wwn=wwn(values.get("Logical Unit WWN Device Identifier")),
        form_factor=word(values.get("Form Factor")),
        block_size_bytes=block,
        capacity_bytes=positive(int(sectors[1]), block) if sectors else None,
        capable_speed_gbps=_speed(lines),
        capabilities=(*_features(lines), *_security(lines)),
        metadata=said(secure_erase_minutes=usual, enhanced_secure_erase_minutes=enhanced),
    )
    return Device(drives=(found,))


def _features(lines: list[str]) -> list[Capability]:
    """Features of the list "Commands/features"; a star says that it is enabled."""
    found: dict[str, Capability] = {}
    for line in lines:
        bare = line.strip(" *\t")
        for name, words in _FEATURES.items():
            if words in line and (name != "smart" or bare == words):
                found.setdefault(name, Capability(name, bare[:200], line.strip().startswith("*")))
    return [found[name] for name in _FEATURES if name in found]


def _security(lines: list[str]) -> list[Capability]:
    """The block "Security:": one state a line, with a "not" before it or without."""
    start = next((place for place, line in enumerate(lines) if line.startswith("Security:")), None)
    if start is None:
        return []
    out = []
    for line in lines[start + 1 : start + 12]:
        if line and not line[0].isspace():
            break
        words = line.split()
        if words and words[-1] in _SECURITY and len(words) <= 2:
            out.append(Capability(name=f"security_{words[-1]}", enabled=words[0] != "not"))
        elif "enhanced erase" in line:
            out.append(Capability(name="security_enhanced_erase", enabled=words[0] != "not"))
    return out


def _speed(lines: list[str]) -> Optional[float]:
    found = re.findall(r"signaling speed \(([\d.]{1,6})Gb/s\)", "\n".join(lines))
    return max(map(float, found), default=None)
