# SPDX-License-Identifier: BSD-2-Clause

"""Vendors' peculiarities, as data. Add a line (and a test), not an ``if`` in a topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..document.values import in_order

# The number on the chassis label, that DMI reports as the system's serial, is the SKU here; SerialNumber is the
# board's.
SERIAL_IS_SKU = ("dell",)

# Where the board's serial hides, by dotted path, in a ComputerSystem or Chassis.
BOARD_SERIAL_PATHS = (
    "Oem.Supermicro.BoardSerialNumber",
    "Oem.GBTChassisOemProperty.Board Serial Number",
    "Oem.Hpe.PCASerialNumber",
    "Oem.Hp.PCASerialNumber",
    "Oem.Lenovo.SystemBoardSerialNumber",
)
ASSEMBLY_SERIAL_PATHS = ("Oem.Dell.DellAssembly.SerialNumber",)
# What the mainboard is called among the assemblies and chassis. Letters only, lower case.
BOARD_NAMES = ("systemboard", "systemplanar", "motherboard", "mainboard", "baseboard", "cpubaseboard")
BOARD_PART_PATHS = ("Oem.Hpe.PCAPartNumber", "Oem.Hp.PCAPartNumber")

# The BIOS version that was there before, and the date of the present one, in a ComputerSystem.
BIOS_PREVIOUS_PATHS = ("Oem.Hpe.Bios.Backup.VersionString", "Oem.Hp.Bios.Backup.VersionString")
BIOS_DATE_PATHS = (
    "Oem.Hpe.Bios.Current.Date",
    "Oem.Hp.Bios.Current.Date",
    "Oem.Dell.DellSystem.BIOSReleaseDate",
    "Oem.Supermicro.BIOSReleaseDate",
)

# Names of the value where a BIOS attribute is an object with its choices and defaults.
ATTRIBUTE_VALUE_NAMES = ("current_value", "CurrentValue", "Value")

# What a drive's own schema leaves out.
DRIVE_SLOT_PATHS = (
    "Oem.Dell.DellPhysicalDisk.Slot",
    "Oem.Dell.DellPCIeSSD.Slot",
    "Oem.Hpe.Location",
    "Oem.Supermicro.SlotNumber",
    "Oem.Lenovo.SlotNumber",
)
DRIVE_FORM_PATHS = ("Oem.Dell.DellPhysicalDisk.DriveFormFactor", "Oem.Dell.DellPCIeSSD.DriveFormFactor")
POWER_SUPPLY_SLOT_PATHS = ("Oem.Hpe.BayNumber", "Oem.Hp.BayNumber")
PCIE_SLOT_PATHS = ("Oem.Hpe.LocationString", "Oem.Huawei.Position", "Oem.Lenovo.SlotNumber")

# The product's name of a network adapter, in one of its functions; a MAC address may follow.
NIC_PRODUCT_PATHS = (
    "Oem.Dell.DellNIC.ProductName",
    "Oem.Dell.DellInfiniBand.ProductName",
    "Oem.Dell.DellFC.ProductName",
)

# Batteries of storage controllers and boards, by the kind of the resource that they are in.
BATTERY_PATHS = {
    "chassis": ("Oem.Hpe.SmartStorageBattery",),
    "power": ("Oem.Hp.SmartStorageBattery",),
    "storage": ("Oem.Dell.DellControllerBattery",),
}

# How the Description of a row of the firmware inventory begins where it says what the schema is, not what the row is.
SCHEMA_WORDS = ("Represents ", "This is ", "The ", "Software Inventory", "Firmware Inventory")

# Words in the name of firmware that is programmable logic.
CPLD_WORDS = ("cpld", "programmable logic device")

# Names of the firmware row that is the BMC's own.
BMC_FIRMWARE_NAMES = in_order(
    """
    bmc, ilo, ilo 4, ilo 5, ilo 6, idrac, xcc, irmc, ibmc, cimc, bmc firmware, bmc_active, bmc-primary, systembmc,
    bmc image
    """
)
# ... and those of the BIOS's.
BIOS_FIRMWARE_NAMES = in_order(
    """
    bios, uefi, bios firmware, bios_active, bios image, host bios, host_bios, system bios, system rom, systemromactive,
    host image
    """
)

# PCI vendors whose display controllers are part of a BMC, not a GPU: Matrox, ASPEED, Silicon Motion, Nuvoton, XGI,
# Huawei.
BMC_GRAPHICS_VENDORS = ("102b", "1a03", "126f", "1050", "18ca", "19e5")
GPU_CLASSES = ("DisplayController", "ProcessingAccelerators", "3DController", "VGAController")
GPU_WORDS = ("nvidia", "tesla", "radeon", "instinct", "amd/ati", "gpu", "geforce", "quadro", "data center gpu")
# What HPE lists as devices of type GPU and is none, and the names of its empty slots.
NOT_A_GPU_WORDS = ("switch", "baseboard", "hgx", "riser")
EMPTY_SLOT_WORDS = ("empty slot", "empty", "not present")
BMC_GRAPHICS_WORDS = ("matrox", "aspeed", "embedded video", "integrated video", "g200")


def module_mebibytes(size: int) -> int:
    """The size of a memory module. Some count 15625 MiB for 16 GiB: they divided a decimal number by 2**20."""
    fixed = size * 2**20 / 10**6
    return int(fixed) if size % 1024 and size > 1024 and fixed % 1024 == 0 else size


# Rows of the firmware inventory that are not what runs now.
PREVIOUS_PREFIXES = ("Previous-",)
AVAILABLE_PREFIXES = ("Available-",)
# Dell lists what runs twice: as Current-... and as Installed-...
DUPLICATE_PREFIXES = ("Current-",)

# Names of the settings resource below a Bios that does not link to it (AMI, GIGABYTE).
UNLINKED_SETTINGS = ("SD",)

# Words of a refused login that mean "no session left", in the message or its id.
SESSION_LIMIT_WORDS = in_order(
    """
    sessionlimit, session limit, createlimitreached, rac0218, maximum number of, too many sessions,
    too many active sessions, number of sessions, maximum session
    """
)
# Message ids by which a login is refused whatever the status.
BAD_LOGIN_WORDS = ("unauthorizedloginattempt", "invalidcredentials", "resourceaturiunauthorized", "accountlocked")

# Names of the log that holds hardware events, where the service does not say LogEntryType.
EVENT_LOG_NAMES = in_order(
    "sel, iml, eventlog, systemevent, activelog, platformlog, standardlog, integratedmanagementlog"
)
# ... and what such a name may contain. Letters only, lower case, for both.
EVENT_LOG_WORDS = ("systemlog", "systemeventlog", "healtheventlog", "platformeventlog", "hardwareeventlog")


# Logs that call themselves SEL and are not: a list of what is wrong at the moment.
NOT_EVENT_LOGS = ("faultlist",)


def is_event_log(service: Mapping[str, Any]) -> bool:
    """Tell the LogService with hardware events (SEL, IML) from life cycle and audit logs."""
    if str(service.get("Id", "")).strip().lower() in NOT_EVENT_LOGS:
        return False
    if service.get("LogEntryType") == "SEL":
        return True
    names = ["".join(filter(str.isalpha, str(service.get(name, "")).lower())) for name in ("Id", "Name")]
    return service.get("LogEntryType") in (None, "Event", "Multiple", "OEM", "Oem") and any(
        name in EVENT_LOG_NAMES or any(item in name for item in EVENT_LOG_WORDS) for name in names
    )


# Parts of names that hint at a normalised BIOS setting (fleetcore.document.bios) where none of its names is there.
BIOS_HINTS: dict[str, tuple[str, ...]] = {
    "amd_sev": ("sev", "securemem", "memoryencryption"),
    "boot_mode": ("bootmode",),
    "intel_sgx": ("sgx",),
    "intel_txt": ("txt", "trustedexecution"),
    "secure_boot": ("secureboot",),
    "smt": ("smt", "hyperthread", "logicalproc"),
    "sr_iov": ("sriov",),
    "tpm": ("tpm", "securitydevice", "trustedcomputing"),
}

# Words in the model or name of a network adapter or PCIe device that is a computer of its own.
DPU_WORDS = ("bluefield", "pensando", "dpu", "ipu")

# Makers (in small letters) of machines that see an inserted image as a USB CD, and don't boot from it as a CD, though
# they offer both.
VIRTUAL_CD_IS_USB = ("supermicro", "super micro computer, inc.")
