# SPDX-License-Identifier: BSD-2-Clause

"""Readers of what the kernel tells of the firmware: EFI and its variables, TPMs."""

from __future__ import annotations

import hashlib
import re
from typing import Optional

from ...document.model import Device, Verdict
from ...document.parts import Boot, EfiVariable, SecureBoot, Tpm
from ...document.values import firmware, word
from .probe import Probe

_EFI = "/sys/firmware/efi"
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"


def efi(probe: Probe) -> None:
    """The way the machine was booted, Secure Boot, and with ``full`` the size and SHA-256 of every EFI variable."""
    if not probe.has("/sys/firmware", "efi"):
        if probe.has("/sys/firmware", "dmi") or probe.has("/sys/firmware", "acpi"):
            probe.add(Device(boot=Boot(mode="BIOS")))
        else:
            probe.problem(Verdict.ABSENT, "/sys/firmware shows no firmware (a container?)")
        return
    folder = f"{_EFI}/efivars"
    enabled, setup = (_flag(probe, f"{folder}/{name}-{_GLOBAL}") for name in ("SecureBoot", "SetupMode"))
    state = None
    if enabled is not None:
        mode = "SetupMode" if setup else "UserMode"
        state = SecureBoot(enabled=enabled, mode=mode, current_boot="Enabled" if enabled else "Disabled")
    probe.add(
        Device(
            boot=Boot(mode="UEFI"),
            secure_boot=state,
            efi_variables=_variables(probe, folder) if probe.options.full else (),
        )
    )


def _flag(probe: Probe, path: str) -> Optional[bool]:
    """An EFI variable of one byte, which follows four bytes of attributes."""
    content = probe.attribute(path)
    return content[4] == 1 if content is not None and len(content) == 5 else None


def _variables(probe: Probe, folder: str) -> tuple[EfiVariable, ...]:
    out = []
    for entry in probe.names(folder)[:4000]:
        found = re.match(r"^(.{1,200})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", entry)
        content = probe.attribute(f"{folder}/{entry}") if found else None
        if found and content is not None and len(content) >= 4:
            value = content[4:]
            out.append(
                EfiVariable(
                    name=found[1], guid=found[2], size_bytes=len(value), sha256=hashlib.sha256(value).hexdigest()
                )
            )
    return tuple(out)


def tpm(probe: Probe) -> None:
    """TPMs that the kernel drives."""
    found = []
    for name in probe.names("/sys/class/tpm"):
        base = f"/sys/class/tpm/{name}"
        major = probe.text(f"{base}/tpm_version_major")
        caps = probe.text(f"{base}/device/caps") or ""
        version = re.search(r"Firmware version: (\S{1,20})", caps)
        found.append(
            Tpm(
                interface_type={"2": "TPM 2.0", "1": "TPM 1.2"}.get(major or ""),
                logical_name=f"/dev/{name}",
                description=word(probe.text(f"{base}/device/description")),
                firmware=firmware(version[1]) if version else None,
            )
        )
    if found:
        probe.add(Device(tpms=tuple(found)))
