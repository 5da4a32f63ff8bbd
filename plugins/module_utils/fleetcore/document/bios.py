# SPDX-License-Identifier: BSD-2-Clause

"""BIOS settings in one vocabulary, whatever vendor's tool printed them.

Normalised keys: amd_sev, boot_mode, intel_sgx, intel_txt, secure_boot, smt, sr_iov, tpm. Values: ``Enabled`` and
``Disabled`` where a setting is one of the two (``On``, ``Off``, ``Enable`` ... mean that), ``UEFI``, ``BIOS`` or
``DUAL`` for the boot mode, else the vendor's word. Passwords never get here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .parts import BiosConfiguration
from .values import MAX_ITEMS, in_order, text

# Names as vendors write them, in their tools and in Redfish, reduced to letters and digits; the first that has a
# value wins.
KEYS: Mapping[str, tuple[str, ...]] = {
    "amd_sev": in_order(
        """
        cpuminsevasid, minimumsevasid, sevcontrol, sev, amdsev, sevsnpsupport, sevsnpmemorycoverage,
        memoryencryption, amdmemoryencryption, amdsecurememoryencryption, amdsecuremem, smee, memencryption
        """
    ),
    "boot_mode": in_order(
        """
        bootmode, bootmodeselect, systembootmode, bootoptionfilter, csmbootmode, bootmodetype
        """
    ),
    "intel_sgx": in_order(
        """
        intelsgx, intelsoftwareguardextensionssgx, softwareguardextensionssgx, swguardextensionssgx, sgx, sgxenable,
        swguardextensions, processorsgx
        """
    ),
    "intel_txt": in_order(
        """
        inteltxt, inteltxtsupport, txtsupport, enableinteltxtsupport, enableinteltxt, enableintelrtxt,
        inteltrustedexecutiontechnology, trustedexecutiontechnology, processorinteltxt
        """
    ),
    "secure_boot": in_order(
        """
        secureboot, securebootenable, securebootstatus, attemptsecureboot, securebootcontrol, securebootsetting
        """
    ),
    "smt": in_order(
        """
        logicalproc, hyperthreading, intelhyperthreadingtechonogy, intelhyperthreadingtechnology,
        intelhyperthreadingtech, smtcontrol, hyperthreadingall, smtmode, smt, procsmt, procamdsmt,
        prochyperthreading, hyperthreadingtechnology, intelhyperthreadingoptions, hyperthreadingoptions
        """
    ),
    "sr_iov": in_order("sriovglobalenable, sriovsupport, sriov"),
    "tpm": in_order("tpmsecurity, securitydevicesupport, tpmstate, tpmdevice, tpmvisibility, tpmsupport"),
}
_ON = frozenset(
    [
        "enabled",
        "enable",
        "on",
        "yes",
        "true",
        "checked",
        "onwithpbm",
        "onpbm",
        "onnopbm",
        "auto enabled",
        "presentenabled",
    ]
)
_OFF = frozenset(["disabled", "disable", "off", "no", "false", "unchecked", "presentdisabled"])
_SECRET = re.compile(r"passw|passphrase|secret|pin code|credential|sha256|\bhash\b.*passw|salt", re.IGNORECASE)
# Not secrets although their names sound like it: how passwords are used, not what they are.
_POLICY = re.compile(r"status|check|policy|lock|length|mode|enable|state|frozen", re.IGNORECASE)


def reduced(name: str) -> str:
    """A setting's name without case, blanks, punctuation and trade marks."""
    return re.sub(r"\((?:r|tm)\)|[^a-z0-9]", "", name.lower())


def is_secret(name: str, kind: Optional[str] = None) -> bool:
    """Tell whether this is the name of a password, its hash or its salt.

    :param kind: the tool's type of the setting, if it has one.
    """
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
    return BiosConfiguration(settings=normalised(raw), raw=raw) if raw else None


def normalised(raw: Mapping[str, Any]) -> dict[str, str]:
    """The normalised settings (device-document: bios_configuration) among attributes by the vendor's names."""
    known = index(name for name, value in raw.items() if value not in (None, ""))
    found: dict[str, str] = {}
    for key in KEYS:
        name = find(key, known)
        if name is not None:
            found[key] = _boot_mode(str(raw[name])) if key == "boot_mode" else _switch(str(raw[name]))
    return found


Index = tuple[Mapping[str, str], ...]
"""Names by what they are reduced to: whole names, then names without the group in front (``Processors_SMTMode``)."""


def index(names: Iterable[str]) -> Index:
    whole: dict[str, str] = {}
    part: dict[str, str] = {}
    for name in names:
        whole.setdefault(reduced(name), name)
        part.setdefault(reduced(name.partition("_")[2]), name)
    return whole, part


def find(key: str, known: Index) -> Optional[str]:
    """The name of what is normalised as ``key``."""
    return next((names[word] for names in known for word in KEYS.get(key, ()) if word in names), None)


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
