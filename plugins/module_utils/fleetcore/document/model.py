# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The device document: one description of a machine's hardware, whatever collected it.

The vocabulary is that of bmc-toolbox/common's ``Device``, extended; units are in the names. All classes are frozen and
all fields optional: what a source did not say is absent (``None`` or an empty tuple), never guessed. On the wire absent
fields are left out.

``to_dict`` and ``from_dict`` are exact inverses; ``json_schema`` is derived from the same declarations.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar, Union

from ..errors import ParseError

SCHEMA_ID = "urn:baremetal.fleet:device:1"

T = TypeVar("T")


class Source(str, enum.Enum):
    """Who looked: the BMC from outside, the machine's own OS, or the merge of both."""

    OOB = "oob"
    INBAND = "inband"
    MERGED = "merged"


class Verdict(str, enum.Enum):
    """What became of one section of a collection."""

    COLLECTED = "collected"
    ABSENT = "absent"
    DENIED = "denied"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"


class Record:
    """What the classes below share. ``dataclass`` writes and compiles each method anew for each class, which was half of the time of importing this module."""

    def __init_subclass__(cls) -> None:
        cls.__doc__ = cls.__doc__ or f"{cls.__name__}()"  # else ``dataclass`` works out the signature

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


@dataclass(frozen=True, repr=False, eq=False)
class Coverage(Record):
    """Verdict of one section. ``reason`` says why when it is not plainly ``collected``; some components may still be there.

    ``last_seen`` is in the last known state only: values of this section are kept from the observation of that time.
    """

    verdict: Verdict = Verdict.COLLECTED
    reason: Optional[str] = None
    last_seen: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Collector(Record):
    name: Optional[str] = None
    version: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Attempt(Record):
    """One driver that was tried, in order; ``error`` is absent on success."""

    driver: Optional[str] = None
    error: Optional[str] = None
    reason: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Stats(Record):
    """What the collection cost."""

    requests: Optional[int] = None
    logins: Optional[int] = None
    bytes: Optional[int] = None
    seconds: Optional[float] = None


@dataclass(frozen=True, repr=False, eq=False)
class Firmware(Record):
    installed: Optional[str] = None
    available: Optional[str] = None
    software_id: Optional[str] = None
    previous: tuple[Firmware, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class Status(Record):
    """Health as the source words it (``OK``, ``Warning``, ``Critical``); the capitals are the inherited vocabulary's."""

    Health: Optional[str] = None
    State: Optional[str] = None
    post_code: Optional[int] = None
    post_code_status: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Capability(Record):
    name: Optional[str] = None
    description: Optional[str] = None
    enabled: Optional[bool] = None


@dataclass(frozen=True, repr=False, eq=False)
class Component(Record):
    """Fields that every component has. ``serial`` is never a placeholder: see :func:`clean_serial`."""

    oem: Optional[bool] = None
    description: Optional[str] = None
    vendor: Optional[str] = None
    model: Optional[str] = None
    serial: Optional[str] = None
    product_name: Optional[str] = None
    logical_name: Optional[str] = None
    pci_vendor_id: Optional[str] = None
    pci_product_id: Optional[str] = None
    capabilities: tuple[Capability, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    firmware: Optional[Firmware] = None
    status: Optional[Status] = None


@dataclass(frozen=True, repr=False, eq=False)
class Bios(Component):
    size_bytes: Optional[int] = None
    capacity_bytes: Optional[int] = None
    release_date: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class NicPort(Component):
    id: Optional[str] = None
    speed_bits: Optional[int] = None
    physid: Optional[str] = None
    bus_info: Optional[str] = None
    active_link_technology: Optional[str] = None
    macaddress: Optional[str] = None
    link_status: Optional[str] = None
    auto_neg: Optional[bool] = None
    mtu_size: Optional[int] = None
    wwn: Optional[str] = None
    ip_addresses: tuple[str, ...] = ()
    neighbor: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class Nic(Component):
    id: Optional[str] = None
    slot: Optional[str] = None
    bus_info: Optional[str] = None
    part_number: Optional[str] = None
    nic_ports: tuple[NicPort, ...] = ()


@dataclass(frozen=True, repr=False, eq=False)
class Bmc(Component):
    id: Optional[str] = None
    uuid: Optional[str] = None
    hostname: Optional[str] = None
    nic: Optional[Nic] = None


@dataclass(frozen=True, repr=False, eq=False)
class Mainboard(Component):
    physid: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Cpld(Component):
    id: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Tpm(Component):
    interface_type: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Gpu(Component):
    id: Optional[str] = None
    slot: Optional[str] = None
    bus_info: Optional[str] = None
    uuid: Optional[str] = None
    part_number: Optional[str] = None
    memory_bytes: Optional[int] = None
    memory_type: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Accelerator(Gpu):
    """A processor that is neither CPU nor GPU (FPGA, DSP, AI accelerator); ``kind`` keeps the source's word."""

    kind: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Dpu(Component):
    id: Optional[str] = None
    bus_info: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Cpu(Component):
    id: Optional[str] = None
    slot: Optional[str] = None
    architecture: Optional[str] = None
    clock_speed_hz: Optional[int] = None
    cores: Optional[int] = None
    threads: Optional[int] = None
    microcode: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Memory(Component):
    id: Optional[str] = None
    slot: Optional[str] = None
    type: Optional[str] = None
    size_bytes: Optional[int] = None
    form_factor: Optional[str] = None
    part_number: Optional[str] = None
    clock_speed_hz: Optional[int] = None
    rank_count: Optional[int] = None
    nonvolatile_bytes: Optional[int] = None


@dataclass(frozen=True, repr=False, eq=False)
class StorageController(Component):
    id: Optional[str] = None
    supported_controller_protocol: Optional[str] = None
    supported_device_protocol: Optional[str] = None
    supported_raid_types: Optional[str] = None
    physid: Optional[str] = None
    bus_info: Optional[str] = None
    speed_gbps: Optional[float] = None
    max_physical_disks: Optional[int] = None
    max_virtual_disks: Optional[int] = None
    cache_bytes: Optional[int] = None
    wwn: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Drive(Component):
    id: Optional[str] = None
    oem_id: Optional[str] = None
    drive_type: Optional[str] = None
    storage_controller: Optional[str] = None
    bus_info: Optional[str] = None
    wwn: Optional[str] = None
    protocol: Optional[str] = None
    smart_status: Optional[str] = None
    smart_errors: tuple[str, ...] = ()
    smart_attributes: tuple[Mapping[str, Any], ...] = ()
    capacity_bytes: Optional[int] = None
    block_size_bytes: Optional[int] = None
    capable_speed_gbps: Optional[float] = None
    negotiated_speed_gbps: Optional[float] = None
    storage_controller_drive_id: Optional[int] = None
    slot: Optional[str] = None
    form_factor: Optional[str] = None
    part_number: Optional[str] = None
    power_on_hours: Optional[int] = None
    life_left_percent: Optional[float] = None


@dataclass(frozen=True, repr=False, eq=False)
class Volume(Component):
    """A virtual disk; ``physical_drives`` are serials of drives where known, else their ids."""

    id: Optional[str] = None
    name: Optional[str] = None
    raid_type: Optional[str] = None
    size_bytes: Optional[int] = None
    storage_controller: Optional[str] = None
    wwn: Optional[str] = None
    physical_drives: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False, eq=False)
class PowerSupply(Component):
    id: Optional[str] = None
    power_capacity_watts: Optional[int] = None
    part_number: Optional[str] = None
    slot: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Enclosure(Component):
    id: Optional[str] = None
    chassis_type: Optional[str] = None
    part_number: Optional[str] = None
    asset_tag: Optional[str] = None
    location: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class PcieDevice(Component):
    id: Optional[str] = None
    slot: Optional[str] = None
    bus_info: Optional[str] = None
    device_class: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Fan(Component):
    id: Optional[str] = None
    name: Optional[str] = None
    reading: Optional[float] = None
    reading_units: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Sensor(Record):
    """A reading, not an identity: sensors never take part in a diff."""

    id: Optional[str] = None
    name: Optional[str] = None
    kind: Optional[str] = None
    reading: Optional[float] = None
    units: Optional[str] = None
    status: Optional[Status] = None


@dataclass(frozen=True, repr=False, eq=False)
class Battery(Component):
    id: Optional[str] = None
    charge_percent: Optional[float] = None


@dataclass(frozen=True, repr=False, eq=False)
class Backplane(Component):
    id: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Transceiver(Component):
    id: Optional[str] = None
    port: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class FabricPort(Component):
    """A Fibre Channel or InfiniBand port; ``wwn`` is the WWPN or port GUID."""

    id: Optional[str] = None
    kind: Optional[str] = None
    wwn: Optional[str] = None
    speed_bits: Optional[int] = None
    link_status: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Licence(Component):
    id: Optional[str] = None
    expires_at: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class FirmwareEntry(Component):
    """One row of the BMC's firmware inventory; the version is ``firmware.installed``."""

    id: Optional[str] = None
    name: Optional[str] = None
    updateable: Optional[bool] = None


@dataclass(frozen=True, repr=False, eq=False)
class LogEntry(Record):
    id: Optional[str] = None
    created_at: Optional[str] = None
    severity: Optional[str] = None
    message: Optional[str] = None
    sensor: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class SecureBoot(Record):
    enabled: Optional[bool] = None
    mode: Optional[str] = None
    current_boot: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class EfiVariable(Record):
    """An EFI variable: its size and what it hashes to, never its content."""

    name: Optional[str] = None
    guid: Optional[str] = None
    size_bytes: Optional[int] = None
    sha256: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Boot(Record):
    """Boot order and the pending override, in the source's words."""

    order: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    mode: Optional[str] = None
    override_enabled: Optional[str] = None
    override_target: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class BiosConfiguration(Record):
    """``settings`` are normalised keys (``boot_mode``, ``smt``, ``tpm``, ...); ``raw`` every attribute as the source has it.

    Passwords and their hashes are dropped before a value gets here.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    pending: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class Link(Record):
    """A cable, as LLDP tells it: from a port of the machine or of its BMC to a port of a switch. In the merged view only.

    ``part`` is ``bmc``, or the network card as in the ``component`` of a change (``nics:serial=X``); ``source`` who saw the switch.
    """

    part: Optional[str] = None
    port: Optional[str] = None
    macaddress: Optional[str] = None
    switch: Optional[str] = None
    switch_name: Optional[str] = None
    switch_port: Optional[str] = None
    vlan: Optional[str] = None
    source: Optional[Source] = None


@dataclass(frozen=True, repr=False, eq=False)
class Device(Component):
    """The whole machine. ``uuid`` is the SMBIOS UUID in lower case.

    ``provenance`` says where values came from, as briefly as it can. In-band: the tools, by ``section`` and ``section.field``. In the
    merged view: ``oob`` or ``inband``, and the most particular entry holds: ``drives[serial=X].slot``, ``drives[serial=X]``,
    ``drives.slot``, ``drives``. What stands in brackets is as in the ``component`` of a change.
    """

    source: Optional[Source] = None
    collected_at: Optional[str] = None
    collector: Optional[Collector] = None
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    stats: Optional[Stats] = None
    attempts: tuple[Attempt, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    uuid: Optional[str] = None
    sku: Optional[str] = None
    asset_tag: Optional[str] = None
    hostname: Optional[str] = None
    system_id: Optional[str] = None
    power_state: Optional[str] = None
    hardware_type: Optional[str] = None
    chassis: Optional[str] = None
    location: Optional[str] = None

    bios: Optional[Bios] = None
    bmc: Optional[Bmc] = None
    mainboard: Optional[Mainboard] = None
    secure_boot: Optional[SecureBoot] = None
    boot: Optional[Boot] = None
    bios_configuration: Optional[BiosConfiguration] = None

    cplds: tuple[Cpld, ...] = ()
    tpms: tuple[Tpm, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    dpus: tuple[Dpu, ...] = ()
    cpus: tuple[Cpu, ...] = ()
    memory: tuple[Memory, ...] = ()
    nics: tuple[Nic, ...] = ()
    drives: tuple[Drive, ...] = ()
    volumes: tuple[Volume, ...] = ()
    storage_controller: tuple[StorageController, ...] = ()
    power_supplies: tuple[PowerSupply, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    pcie_devices: tuple[PcieDevice, ...] = ()
    fans: tuple[Fan, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    batteries: tuple[Battery, ...] = ()
    backplanes: tuple[Backplane, ...] = ()
    transceivers: tuple[Transceiver, ...] = ()
    fabric_ports: tuple[FabricPort, ...] = ()
    licences: tuple[Licence, ...] = ()
    firmware_inventory: tuple[FirmwareEntry, ...] = ()
    log: tuple[LogEntry, ...] = ()
    efi_variables: tuple[EfiVariable, ...] = ()
    links: tuple[Link, ...] = ()


# -- values ------------------------------------------------------------------------------------------------------------

_PLACEHOLDERS = frozenset(
    [
        "-",
        "--",
        ".",
        "0",
        "00",
        "na",
        "n/a",
        "none",
        "null",
        "nil",
        "unknown",
        "undefined",
        "unspecified",
        "default",
        "defaultstring",
        "asset",
        "assettag",
        "serial",
        "serialnumber",
        "systemserialnumber",
        "chassisserialnumber",
        "baseboardserialnumber",
        "tobefilledbyo.e.m.",
        "tobefilledbyo.e.m",
        "tobefilledbyoem",
        "notspecified",
        "notavailable",
        "notapplicable",
        "notprovided",
        "notpresent",
        "nodimm",
        "empty",
        "oem",
        "o.e.m.",
        "0123456789",
        "01234567",
        "01234567890123456789ab",
        "123456789",
        "1234567890",
        "invalid",
        "chassisserial",
        "systemserial",
        "boardserial",
        "nostring",
        "noassettag",
        "noassetinformation",
        "9876543210",
    ]
)
# One character but letters, and what BIOSes number from slot to slot.
_PLACEHOLDER = re.compile(r"^(?:([^a-z])\1*|x{4,}|(?:sernum|assettagnum|oemdefine)\d*)$")
_SEPARATORS = re.compile(r"[\s_]+")


def clean_serial(value: Any) -> Optional[str]:
    """A serial number without padding, or None for placeholders such as "To Be Filled By O.E.M.", "0", "N/A", "........"."""
    if not isinstance(value, str):
        return None
    text = value.strip().strip("\x00").strip()
    squeezed = _SEPARATORS.sub("", text).lower()
    if not squeezed or squeezed in _PLACEHOLDERS or _PLACEHOLDER.match(squeezed):
        return None
    return text


_MAC = re.compile(r"^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^[0-9a-f]{12}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$", re.IGNORECASE)


def clean_mac(value: Any) -> Optional[str]:
    """A 48-bit MAC address as ``aa:bb:cc:dd:ee:ff``, or None if it is malformed, all zero or broadcast."""
    if not isinstance(value, str) or not _MAC.match(value.strip()):
        return None
    digits = re.sub("[^0-9a-f]", "", value.lower())
    if digits in ("0" * 12, "f" * 12):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


# -- dict and JSON schema -----------------------------------------------------------------------------------------------


def to_dict(value: Any) -> Any:
    """A dataclass as plain JSON data: absent fields (None, empty tuples and maps) are left out."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [to_dict(item) for item in value]
    names = getattr(
        kind, "__dataclass_fields__", None
    )  # not their types: resolving those takes longer than all else here
    if names is not None:
        out: dict[str, Any] = {}
        for name in names:
            item = getattr(value, name)
            if item is None:
                continue
            if type(item) not in _PLAIN:
                item = to_dict(item)
                if not item and isinstance(item, (list, dict)):
                    continue
            out[name] = item
        return out
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_dict(item) for key, item in value.items()}
    return value


_PLAIN = frozenset([str, int, float, bool, type(None)])


def device_from_dict(data: Any) -> Device:
    """The inverse of :func:`to_dict` for a whole document.

    :raises ParseError: a wrong type or a field that this version does not know; ``details["field"]`` is its path.
    """
    return from_dict(Device, data, "device")


def from_dict(cls: type[T], data: Any, path: str) -> T:
    """Build ``cls`` from plain JSON data, checked.

    :raises ParseError: see :func:`device_from_dict`.
    """
    if not isinstance(data, Mapping):
        raise _wrong(path, "an object", data)
    hints = _hints(cls)
    for key in data:
        if key not in hints:
            raise ParseError(
                f"{path}: unknown field {str(key)[:80]!r}; a newer collector needs a server of at least its version",
                field=f"{path}.{str(key)[:80]}",
            )
    return cls(**{key: _convert(hints[key], item, f"{path}.{key}") for key, item in data.items()})


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the device document; published as ``docs/schema/device.schema.json``."""
    definitions: dict[str, Any] = {}
    _define(Device, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Device document of baremetal.fleet",
        "$ref": "#/$defs/Device",
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        resolved = typing.get_type_hints(cls)
        _HINTS[cls] = {item.name: resolved[item.name] for item in dataclasses.fields(cls)}
    return _HINTS[cls]


def _wrong(path: str, expected: str, value: Any) -> ParseError:
    return ParseError(f"{path}: expected {expected}, got {type(value).__name__} {str(value)[:60]!r}", field=path)


def _optional(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) is Union:
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return inner[0], True
    return hint, False


def _convert(hint: Any, value: Any, path: str) -> Any:
    hint, optional = _optional(hint)
    if value is None and optional:
        return None
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, "a list", value)
        item_hint = typing.get_args(hint)[0]
        return tuple(_convert(item_hint, item, f"{path}[{index}]") for index, item in enumerate(value))
    if origin is not None:  # a mapping
        if not isinstance(value, Mapping):
            raise _wrong(path, "an object", value)
        item_hint = typing.get_args(hint)[1]
        return {str(key): _convert(item_hint, item, f"{path}.{key}") for key, item in value.items()}
    return _convert_scalar(hint, value, path)


_SCALARS: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a string"),
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
}


def _convert_scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type, hint), value, path)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError:
            raise _wrong(path, "one of " + ", ".join(item.value for item in hint), value) from None
    accepted, words = _SCALARS[hint]
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise _wrong(path, words, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(path, "a finite number", value)
    return value


def _define(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        entry: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}
        definitions[cls.__name__] = entry
        if cls.__doc__ and not cls.__doc__.startswith(cls.__name__ + "("):
            entry["description"] = re.sub(r"\s+", " ", cls.__doc__).strip()
        for name, hint in _hints(cls).items():
            entry["properties"][name] = _schema(hint, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hint, _unused = _optional(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": _schema(typing.get_args(hint)[0], definitions)}
    if origin is not None:
        return {"type": "object", "additionalProperties": _schema(typing.get_args(hint)[1], definitions)}
    if hint is Any:
        return {}
    if dataclasses.is_dataclass(hint):
        return _define(typing.cast(type, hint), definitions)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [item.value for item in hint]}
    return {"type": {str: "string", bool: "boolean", int: "integer", float: "number"}[hint]}
