# SPDX-License-Identifier: BSD-2-Clause

"""Dell's ``dsu --inventory`` and ``dsu --preview``: firmware that is installed, and updates in the catalog."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Optional

from ...document.model import Device
from ...document.outputs import decoded, expect, parser
from ...document.parts import Backplane, Bios, Bmc, Cpld, Firmware, FirmwareEntry
from ...document.values import firmware, text

_INSTALLED = re.compile(
    r"^\s*(?P<row>\d{1,4})\.\s+(?P<kind>[^,]{1,40}),\s*(?P<name>.{1,300}?)"
    r"\s*\(\s*Version\s*:\s*(?P<installed>[^()]{0,100}?)\s*\)\s*$"
)
_UPDATE = re.compile(
    r"^\s*(?P<row>\d{1,4})\s+:\s+(?P<kind>[^:]{1,40}?)\s+:\s+(?P<name>.{1,300}?)"
    r"\s+:\s+(?P<available>[^:]{1,100}?)\s+:\s+(?P<software>\S{1,200})\s*$"
)
_BACKPLANE = re.compile(r"^(?:SEP Firmware|.{0,40}Backplane.{0,40}), BayID: (\d{1,4})")


@parser("dsu")
def parse_dsu_inventory(raw: str) -> Device:
    """Rows of the firmware inventory, and what of them is BIOS, BMC, CPLD and backplane. Ends at the tool's last line.

    :raises ParseError: no row in the output.
    """
    rows, _ended = _rows(raw, _INSTALLED, "dsu")
    expect("dsu", rows, "no inventory in the output")
    return _named_parts(rows)


@parser("dsu")
def parse_dsu_preview(raw: str) -> Device:
    """Updates that could be applied, as rows with ``firmware.available``; no update is a fine answer.

    :raises ParseError: not a preview.
    """
    rows, ended = _rows(raw, _UPDATE, "dsu-update")
    expect("dsu", rows or ended, "no preview in the output")
    return _named_parts(rows)


def _rows(raw: str, form: re.Pattern[str], prefix: str) -> tuple[list[FirmwareEntry], bool]:
    """The rows, and whether the tool's last line follows them."""
    rows: list[FirmwareEntry] = []
    for line in decoded(raw).splitlines()[:5000]:
        if line.startswith("Exiting DSU"):
            return rows, True
        found = form.match(line[:900])
        if found:
            said = found.groupdict()
            rows.append(
                FirmwareEntry(
                    id=f"{prefix}{said['row']}",
                    name=text(said["name"]),
                    vendor="Dell",
                    firmware=firmware(said.get("installed"), said.get("available"), said.get("software")),
                    description=text(said["kind"]),
                )
            )
    return rows, False


def with_updates(installed: Device, preview: Device) -> Device:
    """Rows of the inventory with the version that the preview has for the same component; other updates are rows of
    their own."""
    newer = {(row.name or "").lower(): row for row in preview.firmware_inventory}
    rows = []
    for row in installed.firmware_inventory:
        update = newer.pop((row.name or "").lower(), None) if row.firmware else None
        if row.firmware and update and update.firmware:
            found = update.firmware
            version = replace(row.firmware, available=found.available, software_id=found.software_id)
            rows.append(replace(row, firmware=version))
        else:
            rows.append(row)
    return _named_parts([*rows, *newer.values()])


def _named_parts(rows: list[FirmwareEntry]) -> Device:
    def version(name: str) -> Optional[Firmware]:
        return next((row.firmware for row in rows if (row.name or "").lower() == name and row.firmware), None)

    bios, bmc, cpld = version("bios"), version("idrac"), version("system cpld")
    bays = [(row, _BACKPLANE.match(row.name or "")) for row in rows]
    return Device(
        firmware_inventory=tuple(rows),
        bios=Bios(firmware=bios) if bios else None,
        bmc=Bmc(vendor="Dell", model="iDRAC", firmware=bmc) if bmc else None,
        cplds=(Cpld(id="System CPLD", vendor="Dell", firmware=cpld),) if cpld else (),
        backplanes=tuple(
            Backplane(id=f"BayID {bay[1]}", vendor="Dell", firmware=row.firmware) for row, bay in bays if bay
        ),
    )
