# SPDX-License-Identifier: BSD-2-Clause

"""Dell's ``dsu --inventory`` and ``dsu --preview``: firmware that is installed, and updates in the catalog."""

from __future__ import annotations

import dataclasses
import re
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, parser
from ...document.parts import Backplane, Bios, Bmc, Cpld, Firmware, FirmwareEntry
from ...document.values import text, word
from ...errors import ParseError

_INSTALLED = re.compile(r"^\s*(\d{1,4})\.\s+([^,]{1,40}),\s*(.{1,300}?)\s*\(\s*Version\s*:\s*([^()]{0,100}?)\s*\)\s*$")
_BACKPLANE = re.compile(r"^(?:SEP Firmware|.{0,40}Backplane.{0,40}), BayID: (\d{1,4})")
_UPDATE = re.compile(r"^\s*(\d{1,4})\s+:\s+([^:]{1,40}?)\s+:\s+(.{1,300}?)\s+:\s+([^:]{1,100}?)\s+:\s+(\S{1,200})\s*$")


@parser("dsu")
def parse_dsu_inventory(raw: str) -> Device:
    """Rows of the firmware inventory, and what of them is BIOS, BMC, CPLD and backplane. Ends at the tool's last line.

    :raises ParseError: no row in the output.
    """
    rows: list[FirmwareEntry] = []
    for line in decoded(raw).splitlines()[:5000]:
        if line.startswith("Exiting DSU"):
            break
        found = _INSTALLED.match(line[:600])
        if found:
            version = word(found[4])
            rows.append(
                FirmwareEntry(
                    id=f"dsu{found[1]}",
                    name=text(found[3]),
                    vendor="Dell",
                    firmware=Firmware(installed=version) if version else None,
                    description=text(found[2]),
                )
            )
    if not rows:
        raise ParseError("dsu: no inventory in the output", field="dsu")
    return _named_parts(rows)


@parser("dsu")
def parse_dsu_preview(raw: str) -> Device:
    """Updates that could be applied, as rows with ``firmware.available``; no update is a fine answer.

    :raises ParseError: not a preview.
    """
    rows: list[FirmwareEntry] = []
    ended = False
    for line in decoded(raw).splitlines()[:5000]:
        found = _UPDATE.match(line[:900])
        if found:
            rows.append(
                FirmwareEntry(
                    id=f"dsu-update{found[1]}",
                    name=text(found[3]),
                    vendor="Dell",
                    firmware=Firmware(available=word(found[4]), software_id=text(found[5])),
                    description=text(found[2]),
                )
            )
        if line.startswith("Exiting DSU"):
            ended = True
            break
    if not rows and not ended:
        raise ParseError("dsu: no preview in the output", field="dsu")
    return _named_parts(rows)


def with_updates(installed: Device, preview: Device) -> Device:
    """Rows of the inventory with the version that the preview has for the same component; other updates are rows of
    their own."""
    newer = {(row.name or "").lower(): row for row in preview.firmware_inventory}
    rows = []
    for row in installed.firmware_inventory:
        update = newer.pop((row.name or "").lower(), None) if row.firmware else None
        if update is not None and update.firmware is not None and row.firmware is not None:
            version = dataclasses.replace(
                row.firmware, available=update.firmware.available, software_id=update.firmware.software_id
            )
            row = dataclasses.replace(row, firmware=version)  # noqa: PLW2901
        rows.append(row)
    return _named_parts([*rows, *newer.values()])


def _named_parts(rows: list[FirmwareEntry]) -> Device:
    def version(name: str) -> Optional[Firmware]:
        return next((row.firmware for row in rows if (row.name or "").lower() == name and row.firmware), None)

    bios, bmc, cpld = version("bios"), version("idrac"), version("system cpld")
    return Device(
        firmware_inventory=tuple(rows),
        bios=Bios(firmware=bios) if bios else None,
        bmc=Bmc(vendor="Dell", model="iDRAC", firmware=bmc) if bmc else None,
        cplds=(Cpld(id="System CPLD", vendor="Dell", firmware=cpld),) if cpld else (),
        backplanes=tuple(
            Backplane(id=f"BayID {bay[1]}", vendor="Dell", firmware=row.firmware)
            for row, bay in ((row, _BACKPLANE.match(row.name or "")) for row in rows)
            if bay
        ),
    )
