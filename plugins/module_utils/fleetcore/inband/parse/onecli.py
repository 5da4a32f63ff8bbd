# SPDX-License-Identifier: BSD-2-Clause

"""Lenovo's ``onecli config show`` and the elder ``asu show``: BIOS settings, one ``Group.Name=Value`` a line."""

from __future__ import annotations

import re

from ...document.bios import is_secret
from ...document.model import Device
from ...document.outputs import decoded, expect, parser
from .bios_settings import of_settings

_SETTING = re.compile(r"^(?:u?efi\.)?([A-Za-z][\w-]{0,80})(?:\.([\w.() -]{1,150}))?=(.{0,500})$", re.IGNORECASE)
# Groups of settings that are the BMC's.
_BMC = ("imm", "bmc", "xcc")


@parser("onecli")
def parse_onecli(raw: str) -> Device:
    """Settings by the names that Lenovo's Redfish gives them: ``Processors_HyperThreading``.

    :raises ParseError: no setting in the output.
    """
    settings: dict[str, str] = {}
    for line in decoded(raw).splitlines()[:20_000]:
        found = _SETTING.match(line.strip()[:800])
        if found and found[1].lower() not in _BMC:
            name = "_".join(part for part in found.groups()[:2] if part)
            if not is_secret(name):
                settings.setdefault(name, found[3].strip())
    expect("onecli", settings, "no settings in the output")
    return of_settings("onecli", settings, vendor="Lenovo")
