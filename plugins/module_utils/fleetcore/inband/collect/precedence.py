# SPDX-License-Identifier: BSD-2-Clause

"""The order in which sources are believed, by field: data. The winner is recorded as provenance.

A field's order is that of its own entry (``drives.firmware``), else of its component (``drives``), else ``DEFAULT``.
An entry may name only the sources that come first; the others follow in the order of ``DEFAULT``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ...document.values import in_order

DEFAULT: tuple[str, ...] = in_order(
    """
    smbios, storcli, ssacli, mvcli, smartctl, nvme, msecli, hdparm, ethtool, mellanox, devlink, nvidia-smi,
    rocm-smi, ipmi, ipmicfg, network, block, kernel, lsblk, mdadm, zpool, fabrics, efi, tpm, lspci, pci, lldpctl,
    dsu, dmi_id, racadm, sum, asrr-bioscontrol, lshw
    """
)

# A drive's own words are the tools' that talk to it; RAID tools know where it is.
_ON_THE_DRIVE = ("smartctl", "nvme", "msecli", "hdparm")
_OF_ITS_PLACE = ("id", "slot", "status", "storage_controller", "storage_controller_drive_id")
_AROUND_THE_DRIVE = ("storcli", "ssacli", "mvcli", "block", "lshw")

_IDENTITY = ("smbios", "dmi_id", "lshw", "ipmi")

FIELDS: Mapping[str, tuple[str, ...]] = {
    # A profile of settings may have been written before the board was exchanged.
    "vendor": _IDENTITY,
    "model": _IDENTITY,
    "serial": _IDENTITY,
    "drives": _ON_THE_DRIVE,
    **{f"drives.{field}": _AROUND_THE_DRIVE for field in _OF_ITS_PLACE},
    # msecli rounds to decimal GB, storcli to three digits.
    "drives.capacity_bytes": ("smartctl", "nvme", "block", "lsblk", "hdparm", "lshw"),
    # NVMe: the namespace's, not the controller's total.
    "drives.block_size_bytes": ("smartctl", "block", "lsblk"),
    "drives.wwn": ("smartctl", "hdparm", "block", "lsblk"),
    "drives.bus_info": ("block", "lshw", "nvme"),
    "storage_controller": ("storcli", "ssacli"),
    # mvcli knows its controller by numbers only, storcli by a marketing name.
    "storage_controller.model": ("storcli", "ssacli", "lspci", "lshw", "mvcli"),
    "storage_controller.vendor": ("lspci", "lshw", "pci"),
    "storage_controller.bus_info": ("pci", "lspci", "lshw", "storcli"),
    "storage_controller.id": ("pci", "lspci", "lshw", "storcli"),
    "nics": ("mellanox", "devlink", "lspci", "lshw", "network"),
    "nics.model": ("lspci", "lshw", "mellanox"),
    "nics.vendor": ("lspci", "lshw", "mellanox"),
    "nic_ports": ("ethtool", "network"),
    # Permanent addresses: what a bond has set is nobody's identity.
    "nic_ports.macaddress": ("ethtool", "network", "mellanox", "lshw"),
    "nic_ports.firmware": ("mellanox", "ethtool", "devlink", "lshw"),
    "nic_ports.model": ("lspci", "lshw"),
    "gpus": ("nvidia-smi", "rocm-smi", "lspci", "lshw", "pci"),
    "gpus.bus_info": ("pci", "lspci", "lshw", "nvidia-smi"),
    "gpus.id": ("pci", "lspci", "lshw", "nvidia-smi"),
    "cpus.architecture": ("kernel", "lshw"),
    "cpus.microcode": ("kernel", "lshw"),
    "cpus.cores": ("smbios", "lshw", "kernel"),
    "bmc": ("ipmi", "ipmicfg", "dsu", "smbios"),
    "bmc.firmware.available": ("dsu",),
    "bios": ("smbios", "dmi_id", "dsu", "lshw", "ipmicfg", "sum"),
    "tpms": ("smbios", "tpm"),
    "pcie_devices": ("smbios", "lspci", "pci"),
    "boot": ("efi",),
}

AUTHORITIES: Mapping[str, tuple[str, ...]] = {
    "memory": ("smbios", "lshw"),
    "cpus": ("smbios", "lshw", "kernel"),
    "power_supplies": ("smbios", "ipmi", "lshw"),
    "tpms": ("smbios", "tpm"),
    "enclosures": ("smbios", "ipmi"),
    "cplds": ("dsu", "ipmicfg", "sum"),
}
"""Components that only the first of these sources that has any may add; what others say of them only fills gaps."""


@functools.cache
def order(path: str) -> tuple[str, ...]:
    """Sources for a field such as ``drives.firmware``, best first."""
    first = FIELDS.get(path) or FIELDS.get(path.split(".", 1)[0], ())
    return (*first, *(source for source in DEFAULT if source not in first))
