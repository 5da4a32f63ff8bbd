# SPDX-License-Identifier: BSD-2-Clause

"""The firmware inventory: every version that the BMC lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Firmware, FirmwareEntry
from ...document.values import firmware, word
from ..quirks import AVAILABLE_PREFIXES, DUPLICATE_PREFIXES, PREVIOUS_PREFIXES
from ..rules import Follow, Topic
from ..tree import Tree, once
from ..values import boolean, id_of, items, text
from .common import is_absent, status


@once
def read(tree: Tree) -> tuple[FirmwareEntry, ...]:
    """Versions that run now; older ones that the service keeps are ``firmware.previous`` of the row with the same
    software id."""
    rows: dict[str, FirmwareEntry] = {}
    previous: dict[str, list[Firmware]] = {}
    available: dict[str, str] = {}
    duplicates = []
    for path, body in tree.of("firmware"):
        name = id_of(path, body)
        version = word(body.get("Version"))
        software_id = word(body.get("SoftwareId"))
        if is_absent(body) or (version is None and software_id is None):
            continue
        key = f"{software_id}/{text(body.get('Name'))}"
        if name.startswith(AVAILABLE_PREFIXES):
            available[key] = version or ""
            continue
        if name.startswith(PREVIOUS_PREFIXES):
            previous.setdefault(key, []).append(Firmware(installed=version, software_id=software_id))
            continue
        if name.startswith(DUPLICATE_PREFIXES):
            duplicates.append((path, body))
            continue
        rows[path] = _row(path, body)
    have = {(row.name, row.firmware.installed if row.firmware else None) for row in rows.values()}
    for path, body in duplicates:
        row = _row(path, body)
        if (row.name, row.firmware.installed if row.firmware else None) not in have:
            rows[path] = row
    out = []
    for row in rows.values():
        key = f"{row.firmware.software_id}/{row.name}" if row.firmware else ""
        out.append(_with_others(row, previous.get(key, []), available.get(key)))
    return (*out, *_hp_rows(tree))


def _hp_rows(tree: Tree) -> list[FirmwareEntry]:
    """iLO 4's one resource with all versions: lists by a key (SystemRomActive, SystemBMC, ...) under Current."""
    out = []
    for _path, body in tree.of("hp_firmware"):
        current = body.get("Current")
        for key, value in current.items() if isinstance(current, Mapping) else ():
            for number, item in enumerate(items(value)):
                version = firmware(item.get("VersionString"))
                if version is not None:
                    place = word(item.get("Location"))
                    name = f"{key}-{number + 1}" if number else str(key)
                    out.append(FirmwareEntry(id=name, name=word(item.get("Name")), firmware=version, description=place))
    return out


def _row(path: str, body: Mapping[str, Any]) -> FirmwareEntry:
    return FirmwareEntry(
        id=id_of(path, body),
        name=word(body.get("Name")),
        vendor=word(body.get("Manufacturer")),
        updateable=boolean(body.get("Updateable")),
        firmware=Firmware(installed=word(body.get("Version")), software_id=word(body.get("SoftwareId"))),
        status=status(body),
    )


def _with_others(row: FirmwareEntry, older: list[Firmware], newer: Optional[str]) -> FirmwareEntry:
    if row.firmware is None or not (older or newer):
        return row
    found = dataclasses.replace(row.firmware, previous=tuple(older), available=newer or None)
    return dataclasses.replace(row, firmware=found)


def named(tree: Tree, names: tuple[str, ...]) -> Optional[Firmware]:
    """The firmware of the first row that is called so."""
    for row in read(tree):
        if {(row.name or "").lower(), (row.id or "").lower()} & set(names):
            return row.firmware
    return None


TOPIC = Topic(
    "firmware_inventory",
    read,
    rules={
        "root": (Follow(("UpdateService",), "update_service", many=False),),
        "update_service": (Follow(("FirmwareInventory", "SoftwareInventory"), "firmware"),),
        "system": (
            Follow(
                ("Oem.Hp.links.FirmwareInventory", "Oem.Hp.Links.FirmwareInventory"),
                "hp_firmware",
                many=False,
                unless="firmware",
            ),
        ),
    },
)
