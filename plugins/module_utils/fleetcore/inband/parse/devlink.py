# SPDX-License-Identifier: BSD-2-Clause

"""``devlink dev info -j``: serial number and versions of network and other devices, by PCI address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import at, document, expect, mapping, parser, said
from ...document.parts import Firmware, Nic
from ...document.values import card_of, clean_serial, pci_address, text, word

# Names of devlink-info that stand for "the firmware", best first.
_VERSIONS = ("fw", "fw.bundle_id", "fw.mgmt", "fw.version", "fw.psid")


@parser("devlink")
def parse_devlink(raw: str) -> Device:
    """Cards, one for all functions of a PCI device."""
    info = at(document(raw, "devlink"), "info")
    expect("devlink", isinstance(info, Mapping), "no device information in the output")
    cards: dict[str, Nic] = {}
    for handle, fields in list(mapping(info).items())[:1000]:
        bus, _slash, place = str(handle).partition("/")
        address = pci_address(place) if bus == "pci" else None
        card = card_of(address)
        if card is None or not isinstance(fields, Mapping):
            continue
        cards.setdefault(
            card,
            Nic(
                id=card,
                bus_info=card,
                serial=clean_serial(fields.get("board.serial_number")) or clean_serial(fields.get("serial_number")),
                part_number=word(at(fields, "versions", "fixed", "board.id")),
                firmware=_firmware(fields),
                metadata=said(driver=word(fields.get("driver"))),
            ),
        )
    return Device(nics=tuple(cards.values()))


def _firmware(fields: Mapping[str, Any]) -> Optional[Firmware]:
    running, stored = mapping(at(fields, "versions", "running")), mapping(at(fields, "versions", "stored"))
    name = next((item for versions in (running, stored) for item in _VERSIONS if word(versions.get(item))), None)
    if name is None:
        return None
    # What is stored is newer only as the same kind of version.
    version, newer = word(running.get(name)), word(stored.get(name))
    others = {str(key)[:60]: str(value)[:100] for key, value in list(running.items())[:30] if text(value)}
    return Firmware(
        installed=version or newer, available=newer if version and newer != version else None, metadata=others
    )
