# SPDX-License-Identifier: BSD-2-Clause

"""The parts of a machine in the device document, one record for each kind. Units are in the names of fields.

All are frozen and all fields optional: what a source did not say is absent (``None`` or an empty tuple), never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional


class Record:
    """The base of all records, which are frozen dataclasses.

    ``dataclass`` would write and compile each method anew for each class, which took half of the time of importing
    this module.
    """

    def __init_subclass__(cls) -> None:
        cls.__doc__ = cls.__doc__ or f"{cls.__name__}()"  # else ``dataclass`` works out the signature

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


@dataclass(frozen=True, repr=False, eq=False)
class Firmware(Record):
    installed: Optional[str] = None
    available: Optional[str] = None
    software_id: Optional[str] = None
    previous: tuple[Firmware, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class Status(Record):
    """Health as the source words it (``OK``, ``Warning``, ``Critical``); the capitals are the inherited
    vocabulary's.
    """

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
    """Fields that every component has. ``serial`` is never a placeholder: see ``values.clean_serial``."""

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
class Identified(Component):
    """A component that its source has an id for."""

    id: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Slotted(Identified):
    """A part in a slot, with an address on its bus."""

    slot: Optional[str] = None
    bus_info: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Bios(Component):
    size_bytes: Optional[int] = None
    capacity_bytes: Optional[int] = None
    release_date: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class NicPort(Identified):
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
class Nic(Slotted):
    nic_ports: tuple[NicPort, ...] = ()


@dataclass(frozen=True, repr=False, eq=False)
class Bmc(Identified):
    uuid: Optional[str] = None
    hostname: Optional[str] = None
    nic: Optional[Nic] = None


@dataclass(frozen=True, repr=False, eq=False)
class Mainboard(Component):
    physid: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Cpld(Identified):
    """A programmable logic device."""


@dataclass(frozen=True, repr=False, eq=False)
class Tpm(Component):
    interface_type: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Gpu(Slotted):
    uuid: Optional[str] = None
    memory_bytes: Optional[int] = None
    memory_type: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Accelerator(Gpu):
    """A processor that is neither CPU nor GPU (FPGA, DSP, AI accelerator); ``kind`` keeps the source's word."""

    kind: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Dpu(Identified):
    bus_info: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Cpu(Identified):
    slot: Optional[str] = None
    architecture: Optional[str] = None
    clock_speed_hz: Optional[int] = None
    cores: Optional[int] = None
    threads: Optional[int] = None
    microcode: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Memory(Identified):
    slot: Optional[str] = None
    type: Optional[str] = None
    size_bytes: Optional[int] = None
    form_factor: Optional[str] = None
    part_number: Optional[str] = None
    clock_speed_hz: Optional[int] = None
    rank_count: Optional[int] = None
    nonvolatile_bytes: Optional[int] = None


@dataclass(frozen=True, repr=False, eq=False)
class StorageController(Identified):
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
class Drive(Slotted):
    """``counters`` are the figures of SMART that people alert on, such as ``pending_sectors``."""

    oem_id: Optional[str] = None
    drive_type: Optional[str] = None
    storage_controller: Optional[str] = None
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
    form_factor: Optional[str] = None
    power_on_hours: Optional[int] = None
    life_left_percent: Optional[float] = None
    temperature_celsius: Optional[float] = None
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, repr=False, eq=False)
class Volume(Identified):
    """A virtual disk; ``physical_drives`` are serials of drives where known, else their ids."""

    name: Optional[str] = None
    raid_type: Optional[str] = None
    size_bytes: Optional[int] = None
    storage_controller: Optional[str] = None
    wwn: Optional[str] = None
    physical_drives: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False, eq=False)
class PowerSupply(Identified):
    power_capacity_watts: Optional[int] = None
    part_number: Optional[str] = None
    slot: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Enclosure(Identified):
    chassis_type: Optional[str] = None
    part_number: Optional[str] = None
    asset_tag: Optional[str] = None
    location: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Board(Slotted):
    """A board or assembly that is swapped as one part and is no part of another kind: a riser, a board of GPUs."""


@dataclass(frozen=True, repr=False, eq=False)
class PcieDevice(Slotted):
    device_class: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Fan(Identified):
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
class Battery(Identified):
    charge_percent: Optional[float] = None


@dataclass(frozen=True, repr=False, eq=False)
class Backplane(Identified):
    """A backplane or an expander."""


@dataclass(frozen=True, repr=False, eq=False)
class Transceiver(Identified):
    port: Optional[str] = None
    part_number: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class FabricPort(Identified):
    """A Fibre Channel or InfiniBand port; ``wwn`` is the WWPN or port GUID."""

    kind: Optional[str] = None
    wwn: Optional[str] = None
    speed_bits: Optional[int] = None
    link_status: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Licence(Identified):
    expires_at: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class FirmwareEntry(Identified):
    """One row of the BMC's firmware inventory; the version is ``firmware.installed``."""

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
    """``settings`` are normalised keys (``boot_mode``, ``smt``, ``tpm``, ...); ``raw`` every attribute as the source
    has it.

    Passwords and their hashes are dropped before a value gets here.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    pending: Mapping[str, Any] = field(default_factory=dict)
