# SPDX-License-Identifier: BSD-2-Clause

"""``storcli64 ... J`` and ``perccli64 ... J``: controllers, volumes and drives of MegaRAID and of IT-mode HBAs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import at, document, expect, first_word, health, mapping, parser, said
from ...document.parts import Battery, Drive, StorageController, Volume
from ...document.values import (
    clean_serial,
    firmware,
    integer,
    items,
    pci_address,
    pci_id,
    positive,
    size_bytes,
    speed_gbps,
    text,
    word,
    wwn,
)
from .drives import drive, protocol_of
from .smart import celsius

_DRIVE_KEY = re.compile(r"^Drive /c(\d{1,4})(?:/e(\d{1,4}))?/s(\d{1,4})$")
_PACKAGES = ("Firmware Package Build", "FW Package Build", "Firmware Package Version", "Package Version")
_VOLUME_KEY = re.compile(r"^/c(\d{1,4})/v(\d{1,4})$")


@parser("storcli")
def parse_storcli(raw: str) -> Device:
    """Answers to ``/call show all``, ``/call/eall/sall show all`` and ``/call/vall show all``, one or several
    controllers.

    Drives are ``PD LIST`` and ``Drive /c0/e252/s0`` (with details beside it), some versions with ``Physical Device
    Information`` around them; ``Drives List`` of storcli2 and perccli2 (PERC 12, 96xx) has rows with details inside.

    A controller that answers with a failure adds nothing. Sizes are binary, as storcli counts them.

    :raises ParseError: not storcli's JSON, or no controller answered.
    """
    body = document(raw, "storcli")
    answers = items(at(body, "Controllers"))
    expect("storcli", answers, "no controllers in the output")
    controllers: list[StorageController] = []
    drives: dict[str, Drive] = {}
    volumes: list[Volume] = []
    batteries: list[Battery] = []
    refused = []
    for answer in answers:
        status = mapping(answer.get("Command Status"))
        data = answer.get("Response Data")
        number = integer(status.get("Controller")) or 0
        if not isinstance(data, Mapping):
            refused.append(_refusal(status))
            continue
        controllers += _controllers(data, number)
        drives.update({str(item.id): item for item in _drives(data, number)})
        volumes += _volumes(data, number)
        batteries += _batteries(data, number)
    expect("storcli", controllers or drives or volumes or not refused, "".join(refused[:1]), absent=True)
    return Device(
        storage_controller=tuple(controllers),
        drives=tuple(drives.values()),
        volumes=tuple(volumes),
        batteries=tuple(batteries),
    )


def _refusal(status: Mapping[str, Any]) -> str:
    words = [*(item.get("ErrMsg") for item in items(status.get("Detailed Status"))), status.get("Description")]
    return next(filter(None, map(text, words)), "the controller did not answer")


def _controllers(data: Mapping[str, Any], number: int) -> list[StorageController]:
    """Of the flat answer of IT-mode HBAs, or of the sections Basics, Version, Bus of MegaRAID."""
    basics = mapping(data.get("Basics")) or data
    version, bus = mapping(data.get("Version")) or data, mapping(data.get("Bus")) or data
    model = word(basics.get("Model")) or word(basics.get("Product Name"))
    if model is None:
        return []
    adapter, supported = mapping(data.get("HwCfg")), mapping(data.get("Capabilities"))
    address = pci_address((text(basics.get("PCI Address")) or "").replace("0x", ""))
    metadata = said(
        driver=word(version.get("Driver Name")),
        bios=word(version.get("BIOS Version") or version.get("Bios Version")),
        firmware_package=first_word(version, *_PACKAGES),
        controller=f"c{number}",
    )
    found = StorageController(
        id=address or f"c{number}",
        bus_info=address,
        vendor="Broadcom",
        model=model,
        product_name=model,
        serial=clean_serial(basics.get("Serial Number")),
        pci_vendor_id=pci_id(bus.get("Vendor Id") or bus.get("PCI Vendor ID")),
        pci_product_id=pci_id(bus.get("Device Id") or bus.get("PCI Device ID")),
        firmware=firmware(version.get("Firmware Version") or version.get("FW Version")),
        wwn=wwn(text(basics.get("SAS Address"))),
        supported_device_protocol=word(bus.get("Device Interface")),
        supported_raid_types=word(supported.get("RAID Level Supported")),
        max_physical_disks=positive(supported.get("Max Number of PDs") or supported.get("Physical Drives")),
        max_virtual_disks=positive(supported.get("Max Number of VDs")),
        cache_bytes=size_bytes(adapter.get("On Board Memory Size"), binary=True),
        status=health(at(data, "Status", "Controller Status")),
        metadata={key: value for key, value in metadata.items() if value.strip("0.")},
    )
    return [found]


def _place(number: Any, slot: Any) -> Optional[str]:
    """``252:3`` on controller 0 as ``c0/e252/s3``."""
    found = re.match(r"^\s*(\d{1,4})?\s*:\s*(\d{1,4})\s*$", text(slot) or "")
    return found and f"c{number}/{f'e{found[1]}/' if found[1] else ''}s{found[2]}"


Rows = dict[Optional[str], tuple[Mapping[str, Any], Mapping[str, Any]]]


def _drives(data: Mapping[str, Any], number: int) -> list[Drive]:
    """Rows with details: those of lists have none, unless the list has both."""
    found: Rows = {}
    for row in items(data.get("PD LIST")) + items(data.get("Drive Information")):
        found[_place(number, row.get("EID:Slt"))] = (row, {})
    keyed = {**data, **mapping(data.get("Physical Device Information"))}
    for key, value in keyed.items():
        named = _DRIVE_KEY.match(str(key))
        if named:
            place = _place(named[1], f"{named[2] or ''}:{named[3]}")
            row = found[place][0] if place in found else (items(value) or [{}])[0]
            found[place] = (row, _flattened(keyed.get(f"{key} - Detailed Information")))
    for entry in items(data.get("Drives List")):
        row = mapping(entry.get("Drive Information"))
        found[_place(number, row.get("EID:Slt"))] = (row, mapping(entry.get("Drive Detailed Information")))
    return [_drive(place, row, more, number) for place, (row, more) in found.items() if place]


def _flattened(detailed: Any) -> Mapping[str, Any]:
    """The sections of a drive's details as one dict (``...

    State``, ``... Device attributes``, ``... Policies/Settings``).
    """
    out: dict[str, Any] = {}
    for section in list(mapping(detailed).values())[:50]:
        out.update(mapping(section))
    return out


def _drive(place: str, row: Mapping[str, Any], more: Mapping[str, Any], number: int) -> Drive:
    model = word(more.get("Model Number")) or word(row.get("Model"))
    alert = text(more.get("S.M.A.R.T alert flagged by drive"))
    counts = {name.lower(): positive(more.get(name)) for name in ("Media Error Count", "Predictive Failure Count")}
    block = size_bytes(text(row.get("SeSz")), binary=True)
    maker = word(more.get("Manufacturer Id")) or word(more.get("Vendor"))
    return drive(
        model,
        protocol_of(text(row.get("Intf"))),
        {"HDD": True, "SSD": False}.get(text(row.get("Med")) or ""),
        maker if protocol_of(maker) is None else None,
        id=place,
        slot=place.split("/", 1)[1],
        serial=clean_serial(more.get("SN") or more.get("Serial Number")),
        wwn=wwn(text(more.get("WWN"))),
        firmware=firmware(more.get("Firmware Revision") or more.get("Firmware Revision Level")),
        storage_controller=f"c{number}",
        storage_controller_drive_id=integer(row.get("DID") if "DID" in row else row.get("PID")),
        capacity_bytes=_capacity(text(more.get("Raw size")), block) or size_bytes(text(row.get("Size")), binary=True),
        block_size_bytes=block,
        capable_speed_gbps=_speed(more.get("Device Speed")),
        negotiated_speed_gbps=_speed(more.get("Link Speed")),
        # Where there are both, State says what the drive is used for (Conf, UConf).
        status=health(row.get("Status") or row.get("State")),
        smart_status={"Yes": "failed", "No": "ok"}.get(alert or ""),
        temperature_celsius=celsius(more.get("Drive Temperature")),
        smart_errors=tuple(f"{count} {name}" for name, count in counts.items() if count),
    )


def _capacity(raw: Optional[str], block: Optional[int]) -> Optional[int]:
    """``894.252 GB [0x6fc81ab0 Sectors]``: the sectors are exact."""
    sectors = re.search(r"\[0x([0-9a-fA-F]{1,15}) Sectors\]", raw or "")
    return positive(int(sectors[1], 16), block) if sectors and block else size_bytes(raw, binary=True)


def _speed(value: Any) -> Optional[float]:
    """None for ``8.0GT/s``: what one lane of PCIe transfers is not the drive's speed."""
    return None if "GT/s" in (text(value) or "") else speed_gbps(value)


def _volumes(data: Mapping[str, Any], number: int) -> list[Volume]:
    """Rows of ``VD LIST``; ``/c0/v1`` with ``VD1 Properties`` and ``PDs for VD 1`` beside it; of storcli2 all three
    in one."""
    found: dict[str, tuple[Mapping[str, Any], Any, Any]] = {}
    for row in items(data.get("VD LIST")):
        group = (text(row.get("DG/VD")) or "").split("/")[0]
        # All drives of a group are in each of its volumes.
        members = [_member(item) for item in items(data.get("TOPOLOGY")) if text(item.get("DG")) == group]
        found[_volume_number(row)] = (row, None, [item for item in members if item])
    for key, value in data.items():
        name = _VOLUME_KEY.match(str(key))
        if name and items(value):
            found[name[2]] = (items(value)[0], data.get(f"VD{name[2]} Properties"), data.get(f"PDs for VD {name[2]}"))
    for entry in items(data.get("Virtual Drives")):
        row = mapping(entry.get("VD Info"))
        found[_volume_number(row)] = (row, entry.get("VD Properties"), entry.get("PDs"))
    return [
        _volume(key, number, row, mapping(properties), items(members))
        for key, (row, properties, members) in found.items()
        if key
    ]


def _member(item: Mapping[str, Any]) -> Optional[Mapping[str, Any]]:
    """A drive of the topology, which has groups and arrays, too, as a row of drives."""
    return {"EID:Slt": item.get("EID:Slot")} if item.get("Type") == "DRIVE" else None


def _volume_number(row: Mapping[str, Any]) -> str:
    found = re.match(r"^\d{1,4}/(\d{1,4})$", text(row.get("DG/VD")) or "")
    return found[1] if found else ""


def _volume(
    key: str, number: int, row: Mapping[str, Any], properties: Mapping[str, Any], members: list[Mapping[str, Any]]
) -> Volume:
    places = [_place(number, item.get("EID:Slt")) for item in members]
    return Volume(
        id=f"c{number}/v{key}",
        name=word(row.get("Name")),
        raid_type=word(row.get("TYPE")),
        size_bytes=_volume_bytes(text(row.get("Size")), positive(properties.get("Number of Blocks"))),
        status=health(row.get("State")),
        storage_controller=f"c{number}",
        wwn=wwn(text(properties.get("SCSI NAA Id"))),
        logical_name=word(properties.get("OS Drive Name")),
        physical_drives=tuple(item for item in places if item),
    )


def _volume_bytes(size: Optional[str], blocks: Optional[int]) -> Optional[int]:
    """The number of blocks is exact; the rounded size says how large they are."""
    rounded = size_bytes(size, binary=True)
    block = next((item for item in (512, 4096) if rounded and blocks and 0.9 < blocks * item / rounded < 1.1), None)
    return positive(blocks, block) if block else rounded


def _batteries(data: Mapping[str, Any], number: int) -> list[Battery]:
    return [
        Battery(
            id=f"c{number}/battery",
            model=word(row.get("Model") or row.get("SubType")),
            status=health(row.get("State") or row.get("Status")),
        )
        for name in ("BBU_Info", "Cachevault_Info", "Energy Pack Info")
        for row in items(data.get(name))
    ]
