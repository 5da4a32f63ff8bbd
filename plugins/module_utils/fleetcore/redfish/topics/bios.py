# SPDX-License-Identifier: BSD-2-Clause

"""The BIOS: its version, from the system or from the firmware inventory."""

from __future__ import annotations

from typing import Optional

from ...document.parts import Bios, Firmware
from ...document.values import firmware, word
from ..quirks import BIOS_DATE_PATHS, BIOS_FIRMWARE_NAMES, BIOS_PREVIOUS_PATHS
from ..rules import Topic
from ..tree import Tree
from ..values import first, first_word, id_of, link, links
from .common import runs
from .firmware_inventory import named


def read(tree: Tree) -> Optional[Bios]:
    """Of the system; a version that it does not say is in the firmware inventory."""
    system = tree.host
    version = firmware(first(system, "BiosVersion", "Bios.Current.VersionString", "Oem.Hp.Bios.Current.VersionString"))
    version = version or _related(tree) or named(tree, BIOS_FIRMWARE_NAMES)
    if version is None:
        return None
    older = first_word(system, *BIOS_PREVIOUS_PATHS)
    if older and older != version.installed:
        version = Firmware(installed=version.installed, previous=(Firmware(installed=older),))
    date = first_word(system, *BIOS_DATE_PATHS)
    return Bios(vendor=word(system.get("Manufacturer")), firmware=version, release_date=date)


def _related(tree: Tree) -> Optional[Firmware]:
    """The version in the row of the firmware inventory that is related to the system's Bios."""
    place = link(first(tree.host, "Bios", "BIOS"), tree.system or "")
    rows = [
        (path, body) for path, body in tree.of("firmware") if place and place in links(body.get("RelatedItem"), path)
    ]
    rows.sort(key=lambda row: not any(item in id_of(*row).lower() for item in ("bios", "uefi")))
    return next(
        (firmware(body.get("Version"), software_id=body.get("SoftwareId")) for path, body in rows if runs(path, body)),
        None,
    )


TOPIC = Topic("bios", read)
