# SPDX-License-Identifier: BSD-2-Clause

"""The device document: one description of a machine's hardware, whatever collected it.

The vocabulary is that of bmc-toolbox/common's ``Device``, extended; units are in the names. All classes are frozen and
all fields optional: what a source did not say is absent (``None`` or an empty tuple), never guessed. On the wire absent
fields are left out.

What each field is to coverage, history, merge and tables is said beside it (``kinds.py``). ``to_dict`` and
``from_dict`` are exact inverses.

It is longer than other files: one field for each kind of part.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar, Union

from ..errors import ParseError
from . import parts as part
from . import system
from .kinds import about, parts, rows
from .parts import Component, Record

T = TypeVar("T")
MAX_DEPTH = 20
"""Of values whose shape no field declares: attributes of drives, settings of a BIOS."""


class Source(str, enum.Enum):
    """The observer: the BMC from outside, the machine's own OS, or the merge of both."""

    OOB = "oob"
    INBAND = "inband"
    MERGED = "merged"


class Verdict(str, enum.Enum):
    """The end of one section of a collection."""

    COLLECTED = "collected"
    ABSENT = "absent"
    DENIED = "denied"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"


@dataclass(frozen=True, repr=False, eq=False)
class Coverage(Record):
    """Verdict of one section.

    ``reason`` says why when it is not plainly ``collected``; some components may still be there.

    ``parts`` are verdicts of parts that were asked one by one and did not answer, by their names (``/dev/sdb``).

    ``last_seen`` is in the last known state only: values of this section are kept from the observation of that time.
    """

    verdict: Verdict = Verdict.COLLECTED
    reason: Optional[str] = None
    parts: Mapping[str, Coverage] = field(default_factory=dict)
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
    """The cost of the collection."""

    requests: Optional[int] = None
    logins: Optional[int] = None
    bytes: Optional[int] = None
    seconds: Optional[float] = None


@dataclass(frozen=True, repr=False, eq=False)
class Link(Record):
    """A cable, as LLDP tells it: from a port of the machine or of its BMC to a port of a switch.

    In the merged view only.

    ``part`` is ``bmc``, or the network card as in the ``component`` of a change (``nics:serial=X``); ``source`` who
    saw the switch.
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

    ``provenance`` says where values came from, as briefly as it can. In-band: the tools, by ``section`` and
    ``section.field``. In the merged view: ``oob`` or ``inband``, and the most particular entry holds:
    ``drives[serial=X].slot``, ``drives[serial=X]``, ``drives.slot``, ``drives``. What stands in brackets is as in the
    ``component`` of a change.
    """

    source: Optional[Source] = None
    collected_at: Optional[str] = None
    collector: Optional[Collector] = None
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    stats: Optional[Stats] = None
    attempts: tuple[Attempt, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    uuid: Optional[str] = None
    sku: Optional[str] = field(default=None, metadata=about("system", bmc_first=True))
    part_number: Optional[str] = field(default=None, metadata=about("system", bmc_first=True))
    asset_tag: Optional[str] = field(default=None, metadata=about("chassis", bmc_first=True))
    hostname: Optional[str] = None
    system_id: Optional[str] = field(default=None, metadata=about("system", bmc_first=True))
    power_state: Optional[str] = field(default=None, metadata=about("power", bmc_first=True, reading=True))
    hardware_type: Optional[str] = None
    chassis: Optional[str] = field(default=None, metadata=about("chassis"))
    location: Optional[str] = field(default=None, metadata=about("chassis", bmc_first=True))

    bmc: Optional[part.Bmc] = field(default=None, metadata=about("manager", title="BMC", slug="BMC", bmc_first=True))
    bios: Optional[part.Bios] = field(default=None, metadata=about("bios", "system", title="BIOS", slug="BIOS"))
    mainboard: Optional[part.Mainboard] = field(
        default=None, metadata=about("system", title="Mainboard", slug="Mainboard")
    )
    secure_boot: Optional[part.SecureBoot] = field(default=None, metadata=about("secure_boot"))
    boot: Optional[part.Boot] = field(default=None, metadata=about("boot", whole=True))
    bios_configuration: Optional[part.BiosConfiguration] = field(default=None, metadata=about("bios"))

    cpus: tuple[part.Cpu, ...] = field(
        default=(),
        metadata=parts("CPUs", "processors", details=("cores", "threads", "clock_speed_hz"), slug="CPU", usual=True),
    )
    memory: tuple[part.Memory, ...] = field(
        default=(),
        metadata=parts(
            "Memory", "memory", details=("size_bytes", "type", "clock_speed_hz"), slug="PhysicalMemory", usual=True
        ),
    )
    drives: tuple[part.Drive, ...] = field(
        default=(),
        metadata=parts(
            "Drives", "storage", details=("capacity_bytes", "protocol", "drive_type"), slug="Drive", usual=True
        ),
    )
    volumes: tuple[part.Volume, ...] = field(
        default=(), metadata=parts("Volumes", "storage", details=("size_bytes", "raid_type"))
    )
    storage_controller: tuple[part.StorageController, ...] = field(
        default=(), metadata=parts("Storage controllers", "storage", details=("speed_gbps",), slug="StorageController")
    )
    nics: tuple[part.Nic, ...] = field(default=(), metadata=parts("Network cards", "network", slug="NIC", usual=True))
    gpus: tuple[part.Gpu, ...] = field(
        default=(), metadata=parts("GPUs", "processors", "pcie", details=("memory_bytes",), slug="GPU")
    )
    accelerators: tuple[part.Accelerator, ...] = field(default=(), metadata=parts("Accelerators", "processors"))
    dpus: tuple[part.Dpu, ...] = field(default=(), metadata=parts("DPUs", "network"))
    power_supplies: tuple[part.PowerSupply, ...] = field(
        default=(),
        metadata=parts(
            "Power supplies",
            "power_supplies",
            details=("power_capacity_watts",),
            slug="Power-Supply",
            usual=True,
            bmc_first=True,
        ),
    )
    fans: tuple[part.Fan, ...] = field(
        default=(), metadata=parts("Fans", "thermal", details=("reading",), usual=True, bmc_first=True)
    )
    tpms: tuple[part.Tpm, ...] = field(
        default=(), metadata=parts("TPMs", "tpm", "system", details=("interface_type",), slug="TPM")
    )
    enclosures: tuple[part.Enclosure, ...] = field(
        default=(), metadata=parts("Enclosures", "chassis", details=("chassis_type",), slug="Enclosure", bmc_first=True)
    )
    boards: tuple[part.Board, ...] = field(
        default=(), metadata=parts("Boards", "chassis", details=("part_number",), bmc_first=True)
    )
    batteries: tuple[part.Battery, ...] = field(
        default=(), metadata=parts("Batteries", "power_supplies", details=("charge_percent",), bmc_first=True)
    )
    backplanes: tuple[part.Backplane, ...] = field(
        default=(), metadata=parts("Backplanes", "chassis", slug="Backplane-Expander", bmc_first=True)
    )
    cplds: tuple[part.Cpld, ...] = field(default=(), metadata=parts("CPLDs", "firmware", slug="CPLD"))
    transceivers: tuple[part.Transceiver, ...] = field(default=(), metadata=parts("Transceivers", "network"))
    fabric_ports: tuple[part.FabricPort, ...] = field(
        default=(), metadata=parts("Fabric ports", "network", details=("kind", "wwn", "speed_bits"))
    )
    pcie_devices: tuple[part.PcieDevice, ...] = field(
        default=(), metadata=parts("PCIe devices", "pcie", details=("device_class",))
    )
    licences: tuple[part.Licence, ...] = field(
        default=(), metadata=parts("Licences", "licences", details=("expires_at",), bmc_first=True)
    )
    firmware_inventory: tuple[part.FirmwareEntry, ...] = field(
        default=(),
        metadata=parts("Firmware", "firmware", columns=("name", "firmware", "updateable"), bmc_first=True, whole=True),
    )
    sensors: tuple[part.Sensor, ...] = field(
        default=(),
        metadata=rows(
            "Sensors",
            "sensors",
            columns=("name", "kind", "reading", "health"),
            bmc_first=True,
            whole=True,
            reading=True,
        ),
    )
    log: tuple[part.LogEntry, ...] = field(
        default=(),
        metadata=rows(
            "Event log",
            "log",
            columns=("created_at", "severity", "message", "sensor"),
            bmc_first=True,
            whole=True,
            reading=True,
        ),
    )
    efi_variables: tuple[part.EfiVariable, ...] = field(
        default=(),
        metadata=rows("EFI variables", "system", columns=("name", "guid", "size_bytes", "sha256"), whole=True),
    )
    os: Optional[system.OperatingSystem] = field(
        default=None, metadata=about("system", title="Operating system", details=("kernel", "architecture"))
    )
    interfaces: tuple[system.Interface, ...] = field(
        default=(), metadata=rows("Interfaces", "network", columns=system.INTERFACE, whole=True)
    )
    remote_volumes: tuple[system.RemoteVolume, ...] = field(
        default=(), metadata=rows("Remote volumes", "storage", columns=system.REMOTE_VOLUME, whole=True)
    )
    partitions: tuple[system.Partition, ...] = field(
        default=(), metadata=rows("Partitions", "storage", columns=system.PARTITION, whole=True)
    )
    numa_nodes: tuple[system.NumaNode, ...] = field(
        default=(), metadata=rows("NUMA nodes", "processors", columns=system.NUMA_NODE, whole=True)
    )
    links: tuple[Link, ...] = ()


# -- plain data --------------------------------------------------------------------------------------------------------


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
    hints = hints_of(cls)
    for key in data:
        if key not in hints:
            raise ParseError(
                f"{path}: unknown field {str(key)[:80]!r}; a newer collector needs a server of at least its version",
                field=f"{path}.{str(key)[:80]}",
            )
    return cls(**{key: _convert(hints[key], item, f"{path}.{key}") for key, item in data.items()})


_HINTS: dict[type, dict[str, Any]] = {}


def hints_of(cls: type) -> dict[str, Any]:
    """The types of the fields of a record, by name."""
    if cls not in _HINTS:
        resolved = typing.get_type_hints(cls)
        _HINTS[cls] = {item.name: resolved[item.name] for item in dataclasses.fields(cls)}
    return _HINTS[cls]


def _wrong(path: str, expected: str, value: Any) -> ParseError:
    shown = "" if isinstance(value, (Mapping, list, tuple)) else f" {str(value)[:60]!r}"
    return ParseError(f"{path}: expected {expected}, got {type(value).__name__}{shown}", field=path)


def optional(hint: Any) -> tuple[Any, bool]:
    """The type inside of ``Optional``, and whether it was one."""
    if typing.get_origin(hint) is Union:
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return inner[0], True
    return hint, False


def _convert(hint: Any, value: Any, path: str) -> Any:
    hint, may_miss = optional(hint)
    if value is None and may_miss:
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
        return _anything(value, path, MAX_DEPTH)
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
    return _number(value, path) if isinstance(value, (int, float)) else value


def _number(value: Any, path: str) -> Any:
    if isinstance(value, int) and abs(value) >= 2**63:
        raise _wrong(path, "a number of less than 64 bits", value)
    if not math.isfinite(value):
        raise _wrong(path, "a finite number", value)
    return value


def _anything(value: Any, path: str, depth: int) -> Any:
    """Plain JSON data of any shape, but not deeper than programs can follow."""
    if depth == 0:
        raise ParseError(f"{path}: nested too deeply", field=path)
    if isinstance(value, Mapping):
        return {str(key): _anything(item, f"{path}.{str(key)[:80]}", depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_anything(item, f"{path}[{index}]", depth - 1) for index, item in enumerate(value)]
    return _number(value, path) if isinstance(value, (int, float)) else value
