# SPDX-License-Identifier: BSD-2-Clause

"""Shared by the parsers of vendors' tools that print BIOS settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.bios import configuration
from ...document.model import Device
from ...document.outputs import expect
from ...document.parts import Bios, Cpld
from ...document.values import firmware, word


def of_settings(tool: str, settings: Mapping[str, Any], **parts: Any) -> Device:
    """A document of settings by name.

    :raises ParseError: there is none but secrets.
    """
    bios = configuration(settings)
    expect(tool, bios, "no BIOS settings in the output")
    return Device(bios_configuration=bios, **parts)


def supermicro(bios: Optional[str], date: Optional[str], cpld: Optional[str]) -> dict[str, Any]:
    """BIOS and CPLD, as far as Supermicro's tools say their versions."""
    version, other = firmware(bios), firmware(cpld)
    return {
        "bios": Bios(firmware=version, release_date=word(date)) if version else None,
        "cplds": (Cpld(id="cpld", vendor="Supermicro", firmware=other),) if other else (),
    }
