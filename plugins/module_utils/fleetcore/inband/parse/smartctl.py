# SPDX-License-Identifier: BSD-2-Clause

"""``smartctl --scan -j`` and ``smartctl -a -j`` (smartmontools 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import at, expect, first_word, json_object, mapping, parser
from ...document.parts import Capability, Drive
from ...document.values import clean_serial, firmware, integer, items, number, positive, text, word, wwn
from .drives import device_name, drive_type, drive_vendor, is_virtual
from .smart import life_left, nvme_errors, nvme_hours

# smartctl(8), EXIT STATUS: a bit mask. Bits 0 to 2 are about the run, the others about the drive.
FAILING = 1 << 3
EXIT_BITS: Mapping[int, str] = {
    0: "the command line was not understood",
    1: "the device could not be opened or did not identify itself",
    2: "a SMART command failed, or a checksum was wrong",
    3: "the drive says that it is failing",
    4: "prefail attributes are at or below their threshold",
    5: "attributes were at or below their threshold in the past",
    6: "the error log contains errors",
    7: "the self-test log contains errors",
}
_ABOUT_THE_DRIVE = range(4, 8)


# Several drives behind one device node ([megaraid_disk_03], [areca_disk#03_enc#01]): the node is no name of theirs.
_BEHIND = re.compile(r"\[\w{1,20}_disk[_#][^\]]{1,40}\]")
_MODELS = ("scsi_product", "product", "model_name", "scsi_model_name")


@dataclass(frozen=True)
class Scanned:
    """A device to ask: ``name`` is what smartctl opens, ``type`` what to give to ``-d``, ``label`` the drive's own name
    where it is one of several behind a device."""

    name: str
    type: Optional[str] = None
    label: Optional[str] = None


@parser("smartctl")
def parse_smartctl_scan(raw: str) -> list[Scanned]:
    """Devices of ``--scan`` (or ``--scan-open``), in its order, without repeats."""
    body = json_object(raw, "smartctl", "not a scan")
    out = []
    for item in items(body.get("devices")):
        name = text(item.get("name"))
        if name and name.startswith("/"):
            behind = _BEHIND.search(text(item.get("info_name")) or "")
            out.append(Scanned(name, text(item.get("type")), f"{name} {behind[0]}" if behind else None))
    return list(dict.fromkeys(out))


@parser("smartctl")
def parse_smartctl(raw: str, exit_code: Optional[int] = None, full: bool = False) -> Device:
    """One drive, of ``smartctl -a -j DEVICE``. No drive if the device could not be opened, or is a RAID volume.

    :param exit_code: of smartctl, if the document does not say it.
    :param full: with the table of attributes.
    :raises ParseError: not smartctl's JSON; or it could not open the device (its message is in the error).
    """
    body = json_object(raw, "smartctl", "not its JSON")
    expect("smartctl", isinstance(body.get("smartctl"), Mapping), "not its JSON")
    stated = integer(at(body, "smartctl", "exit_status"))
    status = stated if stated is not None else exit_code or 0
    # SCSI: the model name is vendor and product together; the product alone is what other tools call the model.
    model = first_word(body, *_MODELS)
    serial = clean_serial(body.get("serial_number"))
    messages = "; ".join(_messages(body, ("error", "information", "warning")))
    expect("smartctl", model or serial, messages or EXIT_BITS[1], exit_status=status)
    if is_virtual(first_word(body, "vendor", "scsi_vendor"), model) or not _is_disk(body):
        return Device()
    return Device(drives=(_drive(body, status, model, serial, full),))


def _drive(body: Mapping[str, Any], status: int, model: Optional[str], serial: Optional[str], full: bool) -> Drive:
    protocol = _protocol(body)
    rotation = integer(body.get("rotation_rate"))
    rotating = rotation > 0 if rotation is not None else None
    named = text(at(body, "device", "name"))
    behind = _BEHIND.search(text(at(body, "device", "info_name")) or "")
    if named and behind:
        named = f"{named} {behind[0]}"
    lunit = body.get("logical_unit_id")
    used = life_left(next((found for found in (number(at(body, *path)) for path in _USED) if found is not None), None))
    return Drive(
        vendor=drive_vendor(body.get("model_family"))
        or drive_vendor(model)
        or first_word(body, "vendor", "scsi_vendor"),
        model=model,
        product_name=word(body.get("model_family")),
        serial=serial,
        oem_id=word(body.get("ata_additional_product_id")),
        logical_name=device_name(named),
        firmware=firmware(body.get("firmware_version") or body.get("scsi_revision") or body.get("revision")),
        protocol=protocol,
        drive_type=drive_type(protocol, rotating),
        wwn=_wwn(body) or wwn(lunit),
        form_factor=word(at(body, "form_factor", "name")),
        capacity_bytes=positive(at(body, "user_capacity", "bytes")) or positive(body.get("nvme_total_capacity")),
        block_size_bytes=positive(body.get("logical_block_size")),
        capable_speed_gbps=_gbps(at(body, "interface_speed", "max")),
        negotiated_speed_gbps=_gbps(at(body, "interface_speed", "current")),
        power_on_hours=_hours(body),
        life_left_percent=used if used is not None else _ata_life(body),
        smart_status=_smart_status(body, status),
        smart_errors=_smart_errors(body, status),
        smart_attributes=_attributes(body) if full else (),
        capabilities=_capabilities(body),
    )


def _is_disk(body: Mapping[str, Any]) -> bool:
    """SCSI has enclosures, tapes and optical drives, too (SPC, peripheral device type: 0 and, with zones, 14h are
    disks)."""
    return integer(at(body, "device_type", "scsi_value")) in (None, 0, 0x14)


def _protocol(body: Mapping[str, Any]) -> Optional[str]:
    if isinstance(body.get("sata_version"), Mapping):
        return "sata"
    if "scsi_transport_protocol" in body:
        return "sas" if "SAS" in (text(at(body, "scsi_transport_protocol", "name")) or "") else "scsi"
    return {"ATA": "sata", "NVMe": "nvme", "SCSI": "scsi"}.get(text(at(body, "device", "protocol")) or "")


def _wwn(body: Mapping[str, Any]) -> Optional[str]:
    wwn_ = mapping(body.get("wwn"))
    naa, oui, unique = (integer(wwn_.get(key)) for key in ("naa", "oui", "id"))
    if naa is None or oui is None or unique is None:
        spaces = items(body.get("nvme_namespaces"))
        eui = mapping(spaces[0].get("eui64")) if spaces else {}
        oui, unique = integer(eui.get("oui")), integer(eui.get("ext_id"))
        if not oui or unique is None or oui >= 1 << 24 or not 0 <= unique < 1 << 40:
            return None
        return f"{oui:06x}{unique:010x}"
    if not (0 <= naa < 16 and 0 <= oui < 1 << 24 and 0 <= unique < 1 << 36):
        return None
    return f"{naa:x}{oui:06x}{unique:09x}"


def _gbps(speed: Any) -> Optional[float]:
    units, bits = positive(at(speed, "units_per_second")), positive(at(speed, "bits_per_unit"))
    return units * bits / 1e9 if units and bits else None


def _hours(body: Mapping[str, Any]) -> Optional[int]:
    hours = at(body, "power_on_time", "hours")
    log = body.get("nvme_smart_health_information_log") if integer(hours) is None else {"power_on_hours": hours}
    return nvme_hours(mapping(log))


# Where smartctl says how much of a drive's life is used: since 7.5 in one place for all drives.
_USED = (
    ("endurance_used", "current_percent"),
    ("nvme_smart_health_information_log", "percentage_used"),
    ("scsi_percentage_used_endurance_indicator",),
)
# Attributes by whose normalised value makers of SATA SSDs say how much of their life is left.
_LIFE = (
    "Percent_Lifetime_Remain",
    "Percent_Life_Remaining",
    "Media_Wearout_Indicator",
    "SSD_Life_Left",
    "Remaining_Lifetime_Perc",
    "Wear_Leveling_Count",  # of some makers the erase cycles only: after those that say life
)


def _ata_life(body: Mapping[str, Any]) -> Optional[float]:
    table = items(at(body, "ata_smart_attributes", "table"))
    for name in _LIFE:
        for row in table:
            value = integer(row.get("value"))
            if text(row.get("name")) == name and value is not None and 0 <= value <= 100:
                return float(value)
    return None


def _smart_status(body: Mapping[str, Any], status: int) -> Optional[str]:
    passed = at(body, "smart_status", "passed")
    if passed is False or status & FAILING:
        return "failed"
    return "ok" if passed is True else "unknown"


def _smart_errors(body: Mapping[str, Any], status: int) -> tuple[str, ...]:
    """The signs against the drive: the exit code's bits, NVMe warnings, failing attributes, and smartctl's own
    words."""
    errors = [EXIT_BITS[3]] if status & FAILING or at(body, "smart_status", "passed") is False else []
    errors += [EXIT_BITS[bit] for bit in _ABOUT_THE_DRIVE if status & 1 << bit]
    errors += nvme_errors(mapping(body.get("nvme_smart_health_information_log")))
    if at(body, "smart_status", "passed") is False:
        errors += [said for said in [word(at(body, "smart_status", "scsi", "ie_string"))] if said]
    for kind in ("read", "write", "verify"):
        lost = positive(at(body, "scsi_error_counter_log", kind, "total_uncorrected_errors"))
        errors += [f"{lost} uncorrected {kind} errors"] if lost else []
    for row in items(at(body, "ata_smart_attributes", "table")):
        failed = text(row.get("when_failed"))
        if failed:
            name = text(row.get("name")) or text(row.get("id")) or "attribute"
            raw = text(at(row, "raw", "string"))
            errors.append(f"{name}: failed {failed}" + (f", raw value {raw}" if raw else ""))
    errors += _messages(body, ("error",))
    return tuple(dict.fromkeys(errors))[:64]


def _messages(body: Mapping[str, Any], levels: tuple[str, ...]) -> list[str]:
    found = [
        text(item.get("string")) for item in items(at(body, "smartctl", "messages")) if item.get("severity") in levels
    ]
    return [item for item in found if item]


_ATTRIBUTE: Mapping[str, tuple[Any, ...]] = {
    **{name: (integer, name) for name in ("id", "value", "worst")},
    **{name: (text, name) for name in ("name", "when_failed")},
    "threshold": (integer, "thresh"),
    "raw": (integer, "raw", "value"),
    "raw_text": (text, "raw", "string"),
}


def _attributes(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    out: list[Mapping[str, Any]] = []
    for row in items(at(body, "ata_smart_attributes", "table")):
        fields = {name: read(at(row, *path)) for name, (read, *path) in _ATTRIBUTE.items()}
        out.append({key: value for key, value in fields.items() if value is not None})
    for key, value in mapping(body.get("nvme_smart_health_information_log")).items():
        figure = integer(value) if not isinstance(value, list) else None
        if figure is not None:
            out.append({"name": str(key)[:80], "raw": figure})
    return tuple(out[:512])


def _capabilities(body: Mapping[str, Any]) -> tuple[Capability, ...]:
    """Abilities that matter to someone who operates or wipes the drive."""
    support, trim = mapping(body.get("smart_support")), at(body, "trim", "supported")
    enabled = support.get("enabled")
    smart = Capability(name="smart", enabled=enabled if isinstance(enabled, bool) else None)
    found = ((smart, support.get("available")), (Capability(name="trim", enabled=trim), trim))
    return tuple(able for able, said in found if isinstance(said, bool))
