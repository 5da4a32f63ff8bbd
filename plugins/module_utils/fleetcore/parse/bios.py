# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""BIOS settings in one vocabulary, whatever vendor's tool printed them.

Normalised keys: amd_sev, boot_mode, intel_sgx, intel_txt, secure_boot, smt, sr_iov, tpm. Values: ``Enabled`` and ``Disabled`` where
a setting is one of the two (``On``, ``Off``, ``Enable`` ... mean that), ``UEFI``, ``BIOS`` or ``DUAL`` for the boot mode, else the
vendor's word. Passwords never get here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ..model import BiosConfiguration
from .values import MAX_ITEMS, text

# Names as vendors write them, reduced to letters and digits; the first that has a value wins.
KEYS: dict[str, tuple[str, ...]] = {
    "amd_sev": (
        *("cpuminsevasid", "sevcontrol", "sev", "amdsev", "sevsnpsupport", "sevsnpmemorycoverage", "memoryencryption"),
        *("amdsecurememoryencryption", "smee", "memencryption"),
    ),
    "boot_mode": ("bootmode", "bootmodeselect", "systembootmode", "bootoptionfilter", "csmbootmode", "bootmodetype"),
    "intel_sgx": (
        "intelsgx",
        "softwareguardextensionssgx",
        "swguardextensionssgx",
        "sgx",
        "swguardextensions",
        "processorsgx",
    ),
    "intel_txt": (
        *(
            "inteltxt",
            "inteltxtsupport",
            "txtsupport",
            "enableinteltxtsupport",
            "enableinteltxt",
            "inteltrustedexecutiontechnology",
        ),
        *("trustedexecutiontechnology", "processorinteltxt"),
    ),
    "secure_boot": ("secureboot", "securebootenable", "securebootstatus", "attemptsecureboot", "securebootcontrol"),
    "smt": (
        *(
            "logicalproc",
            "hyperthreading",
            "intelhyperthreadingtechonogy",
            "intelhyperthreadingtechnology",
            "intelhyperthreadingtech",
            "smtcontrol",
        ),
        *("hyperthreadingall", "smtmode", "smt", "prochyperthreading", "hyperthreadingtechnology"),
    ),
    "sr_iov": ("sriovglobalenable", "sriovsupport", "sriov"),
    "tpm": ("tpmsecurity", "securitydevicesupport", "tpmstate", "tpmdevice", "tpmvisibility", "tpmsupport"),
}
_ON = frozenset(["enabled", "enable", "on", "yes", "true", "checked", "onwithpbm", "onpbm", "onnopbm", "auto enabled"])
_OFF = frozenset(["disabled", "disable", "off", "no", "false", "unchecked"])
_SECRET = re.compile(r"passw|passphrase|secret|pin code|credential|sha256|\bhash\b.*passw|salt", re.IGNORECASE)
# Not secrets although their names sound like it: how passwords are used, not what they are.
_POLICY = re.compile(r"status|check|policy|lock|length|mode|enable|state|frozen", re.IGNORECASE)


def reduced(name: str) -> str:
    """A setting's name without case, blanks, punctuation and trade marks."""
    return re.sub(r"\((?:r|tm)\)|[^a-z0-9]", "", name.lower())


def is_secret(name: str, kind: Optional[str] = None) -> bool:
    """Is this the name of a password, its hash or its salt? ``kind`` is the tool's type of the setting, if it has one."""
    if (kind or "").lower() == "password":
        return True
    return bool(_SECRET.search(name)) and not _POLICY.search(name)


def configuration(settings: Mapping[str, Any]) -> Optional[BiosConfiguration]:
    """Settings by name as a configuration; None if there is none but secrets."""
    raw: dict[str, Any] = {}
    for name, value in list(settings.items())[:MAX_ITEMS]:
        clean = value if isinstance(value, (bool, int)) else text(value)
        if is_secret(name) or (isinstance(clean, int) and abs(clean) >= 2**63):
            continue
        raw[name[:200]] = "" if clean is None else clean
    by_name: dict[str, Any] = {}
    for name, value in raw.items():
        by_name.setdefault(reduced(name), value)
    normal = {}
    for key, names in KEYS.items():
        value = next((by_name[name] for name in names if by_name.get(name) not in (None, "")), None)
        if value is not None:
            normal[key] = _boot_mode(str(value)) if key == "boot_mode" else _switch(str(value))
    return BiosConfiguration(settings=normal, raw=raw) if raw else None


def _switch(value: str) -> str:
    lower = value.strip().lower()
    return "Enabled" if lower in _ON else "Disabled" if lower in _OFF else value


def _boot_mode(value: str) -> str:
    lower = value.lower()
    legacy = "legacy" in lower or reduced(lower) in ("bios", "csm")
    efi = "uefi" in lower or "efi" in lower
    if (legacy and efi) or "dual" in lower:
        return "DUAL"
    return "UEFI" if efi else "BIOS" if legacy else value
