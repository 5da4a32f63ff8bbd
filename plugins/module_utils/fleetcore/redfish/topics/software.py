# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""BIOS, boot, secure boot, TPM, managers, firmware inventory, licences and the event log."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.bios import normalised
from ...document.parts import (
    Bios,
    BiosConfiguration,
    Bmc,
    Boot,
    Cpld,
    Firmware,
    FirmwareEntry,
    Licence,
    LogEntry,
    SecureBoot,
    Tpm,
)
from ..quirks import (
    ATTRIBUTE_VALUE_NAMES,
    AVAILABLE_PREFIXES,
    BIOS_DATE_PATHS,
    BIOS_FIRMWARE_NAMES,
    BIOS_PREVIOUS_PATHS,
    BMC_FIRMWARE_NAMES,
    CPLD_WORDS,
    DUPLICATE_PREFIXES,
    PREVIOUS_PREFIXES,
)
from ..redact import is_secret
from ..values import at, boolean, first, items, links, text, word
from ..walker import Tree
from .common import common, firmware, identity, is_absent, status, with_version
from .network import manager_nic

LOG_TAIL = 20


def bios(system: Mapping[str, Any], rows: tuple[FirmwareEntry, ...] = ()) -> Optional[Bios]:
    """Of the system; a version that it does not say is in the firmware inventory's ``rows``."""
    version = firmware(first(system, "BiosVersion", "Bios.Current.VersionString", "Oem.Hp.Bios.Current.VersionString"))
    version = version or _named(rows, BIOS_FIRMWARE_NAMES)
    if version is None:
        return None
    older = word(first(system, *BIOS_PREVIOUS_PATHS))
    if older and older != version.installed:
        version = Firmware(installed=version.installed, previous=(Firmware(installed=older),))
    date = word(first(system, *BIOS_DATE_PATHS))
    return Bios(vendor=word(system.get("Manufacturer")), firmware=version, release_date=date)


def bios_configuration(tree: Tree) -> Optional[BiosConfiguration]:
    """Attributes without passwords; ``pending`` are those of the settings resource that differ from the current ones."""
    found = tree.of("bios")
    if not found:
        return None
    raw = _attributes(found[0][1])
    pending: dict[str, Any] = {}
    for _path, body in tree.of("bios_settings"):
        pending.update({name: value for name, value in _attributes(body).items() if raw.get(name) != value})
    return BiosConfiguration(settings=normalised(raw), raw=raw, pending=pending) if raw or pending else None


_NO_ATTRIBUTE = ("AttributeRegistry", "Description", "Id", "Modified", "Name", "Type")


def _attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    attributes = body.get("Attributes")
    if attributes is None and "AttributeRegistry" in body:  # iLO 4: beside the resource's own properties
        attributes = {name: value for name, value in body.items() if "@" not in name and name not in _NO_ATTRIBUTE}
    out: dict[str, Any] = {}
    if isinstance(attributes, Mapping):
        for name, value in attributes.items():
            inner = value
            if isinstance(value, Mapping):
                inner = next((value[key] for key in ATTRIBUTE_VALUE_NAMES if key in value), None)
            clean = text(inner) if isinstance(inner, str) else inner
            if not is_secret(str(name)) and (
                isinstance(clean, (bool, str)) or (isinstance(clean, int) and abs(clean) < 2**63)
            ):
                out[str(name)[:200]] = clean
    return out


def secure_boot(tree: Tree) -> Optional[SecureBoot]:
    for _path, body in tree.of("secure_boot"):
        found = SecureBoot(
            enabled=boolean(body.get("SecureBootEnable")),
            mode=word(body.get("SecureBootMode")),
            current_boot=word(body.get("SecureBootCurrentBoot")),
        )
        return None if found == SecureBoot() else found
    return None


def boot(tree: Tree, system: Mapping[str, Any]) -> Optional[Boot]:
    order = first(system, "Boot.BootOrder", "BootOrder")
    names = tuple(name for name in (text(item) for item in (order if isinstance(order, list) else [])) if name)
    options = {}
    for path, body in tree.of("boot_option"):
        reference = word(body.get("BootOptionReference")) or identity(path, body)
        options[reference] = word(first(body, "DisplayName", "UefiDevicePath", "Name")) or ""
    found = Boot(
        order=names,
        options=options,
        mode=word(at(system, "Boot.BootSourceOverrideMode")),
        override_enabled=text(at(system, "Boot.BootSourceOverrideEnabled")),
        override_target=text(at(system, "Boot.BootSourceOverrideTarget")),
    )
    return None if found == Boot() else found


def tpms(tree: Tree, system: Mapping[str, Any]) -> tuple[Tpm, ...]:
    """TrustedComponents of type TPM, else the deprecated TrustedModules of the system."""
    out = []
    for _path, body in tree.of("trusted_component"):
        kind = " ".join(str(body.get(name, "")) for name in ("Id", "Name", "Model", "Description")).lower()
        if "tpm" in kind and not is_absent(body):
            out.append(Tpm(**common(body), interface_type=word(body.get("TrustedComponentType"))))
    if not out:
        out = [
            Tpm(**common(body), interface_type=word(body.get("InterfaceType")))
            for body in items(system.get("TrustedModules"))
            if not is_absent(body) and (body.get("InterfaceType") or body.get("FirmwareVersion"))
        ]
    return tuple(out)


def bmc(tree: Tree, rows: tuple[FirmwareEntry, ...] = ()) -> Optional[Bmc]:
    """The manager that is a BMC, else the first one; its firmware also from the firmware inventory's ``rows``."""
    managers = tree.of("manager")
    if not managers:
        return None
    types = ("BMC", "EnclosureManager", "ManagementController")
    managers.sort(
        key=lambda item: (
            types.index(item[1]["ManagerType"]) if item[1].get("ManagerType") in types else 9,
            tree.system not in links(at(item[1], "Links.ManagerForServers")),  # of a board of GPUs, perhaps
        )
    )
    protocols = [body for _path, body in tree.of("manager_protocol", parent=managers[0][0])]
    path, body = managers[0]
    nic = manager_nic(tree, path)
    names = [text(item.get("HostName")) for _path, item in tree.of("manager_ethernet", parent=path)]
    names += [text(first(item, "HostName", "FQDN")) for item in protocols]
    fields = common(body)
    if fields["firmware"] is None:
        fields["firmware"] = with_version(fields, tree, path)["firmware"] or _named(rows, BMC_FIRMWARE_NAMES)
    return Bmc(
        **fields,
        id=identity(path, body),
        uuid=(word(first(body, "UUID", "ServiceEntryPointUUID")) or "").lower() or None,
        hostname=next((name for name in names if name), None),
        nic=nic,
    )


def _named(rows: tuple[FirmwareEntry, ...], names: tuple[str, ...]) -> Optional[Firmware]:
    """The first row that is called so."""
    for row in rows:
        if {(row.name or "").lower(), (row.id or "").lower()} & set(names):
            return row.firmware
    return None


def firmware_inventory(tree: Tree) -> tuple[FirmwareEntry, ...]:
    """What runs now; older versions that the service keeps are ``firmware.previous`` of the row with the same software id."""
    rows: dict[str, FirmwareEntry] = {}
    previous: dict[str, list[Firmware]] = {}
    available: dict[str, str] = {}
    duplicates = []
    for path, body in tree.of("firmware"):
        name = identity(path, body)
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
        id=identity(path, body),
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


def cplds(rows: tuple[FirmwareEntry, ...]) -> tuple[Cpld, ...]:
    return tuple(
        Cpld(id=row.id, description=row.name, firmware=row.firmware, status=row.status)
        for row in rows
        if any(item in (row.name or "").lower() for item in CPLD_WORDS)
    )


def licences(tree: Tree) -> tuple[Licence, ...]:
    """What is licensed. Never the key."""
    out = []
    for path, body in tree.of("licence"):
        names = body.get("LicenseDescription")
        name = names[0] if isinstance(names, list) and names else first(body, "License", "Name", "Description")
        fields = {**common(body), "firmware": None, "serial": None, "description": word(name)}
        expiry = word(first(body, "ExpirationDate", "LicenseEndDate", "LicenseExpire"))
        out.append(Licence(**fields, id=identity(path, body), expires_at=expiry))
    return tuple(out)


_HEX = re.compile(r"^(0x)?[0-9a-fA-F]+[hH]?$")


def _message(body: Mapping[str, Any]) -> Optional[str]:
    """The text of a log entry; where it is only event data in hex, with what the entry says about the event."""
    message = word(body.get("Message"))
    if message is not None and not _HEX.match(message):
        return message
    number = text(body.get("SensorNumber"))
    facts = [
        word(first(body, "SensorType", "OemSensorType")),
        f"sensor {number}" if number else None,
        word(first(body, "EntryCode", "OemLogEntryCode")),
    ]
    words = ", ".join(fact for fact in facts if fact)
    return f"{words} ({message})" if words and message else words or message


def log(tree: Tree) -> tuple[LogEntry, ...]:
    """The last entries of the hardware event log, oldest first."""
    entries = [
        LogEntry(
            id=identity(path, body),
            created_at=word(first(body, "Created", "EventTimestamp")),
            severity=word(first(body, "Severity", "MessageSeverity")),
            message=_message(body),
            sensor=word(body.get("SensorType")),
        )
        for path, body in tree.of("log_entry")
    ]
    entries.sort(key=lambda entry: entry.created_at or "")
    return tuple(entries[-LOG_TAIL:])
