# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Vendors' peculiarities, as data. Add a line (and a test), not an ``if`` in a topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The number on the chassis label, that DMI reports as the system's serial, is the SKU here; SerialNumber is the board's.
SERIAL_IS_SKU = ("dell",)

# Where the board's serial hides, by dotted path, in a ComputerSystem or Chassis.
BOARD_SERIAL_PATHS = (
    "Oem.Supermicro.BoardSerialNumber",
    "Oem.Supermicro.BoardID",
    "Oem.GBTChassisOemProperty.Board Serial Number",
)

# Rows of the firmware inventory that are not what runs now.
NOT_CURRENT_PREFIXES = ("Previous-", "Available-")
# Dell lists what runs twice: as Current-... and as Installed-...
DUPLICATE_PREFIXES = ("Current-",)

# Words of a refused login that mean "no session left", in the message or its id.
SESSION_LIMIT_WORDS = ("sessionlimitexceeded", "rac0218", "maximum number of", "too many sessions", "session limit")
# Message ids by which a login is refused whatever the status.
BAD_LOGIN_WORDS = (
    "unauthorizedloginattempt",
    "invalidcredentials",
    "resourceatUriunauthorized".lower(),
    "accountlocked",
)

# Names of the log that holds hardware events, where the service does not say LogEntryType.
EVENT_LOG_NAMES = (
    "sel",
    "iml",
    "eventlog",
    "systemevent",
    "event log",
    "system event log",
    "integrated management log",
    "activelog",
)


# Logs that call themselves SEL and are not: a list of what is wrong at the moment.
NOT_EVENT_LOGS = ("faultlist",)


def is_event_log(service: Mapping[str, Any]) -> bool:
    """Is this LogService the one with hardware events (SEL, IML)? Life cycle and audit logs are not."""
    if str(service.get("Id", "")).strip().lower() in NOT_EVENT_LOGS:
        return False
    if service.get("LogEntryType") == "SEL":
        return True
    names = [str(service.get(name, "")).strip().lower() for name in ("Id", "Name")]
    return service.get("LogEntryType") in (None, "Event", "Multiple", "OEM", "Oem") and any(
        name in EVENT_LOG_NAMES for name in names
    )


# Names of attributes, in any BIOS, that say one normalised thing (device-document: bios_configuration), in lower case.
BIOS_KEYS: dict[str, tuple[str, ...]] = {
    "amd_sev": ("sev", "sevcontrol", "amdsecuremem", "amdmemoryencryption", "cpumine", "amdsev"),
    "boot_mode": ("bootmode", "bootmodeselect", "systembootmode"),
    "intel_sgx": ("intelsgx", "sgxenable", "intelsoftwareguardextensionssgx", "processorsgx"),
    "intel_txt": ("inteltxt", "txtsupport", "enableintelrtxt", "processorinteltxt"),
    "secure_boot": ("secureboot", "securebootstatus"),
    "smt": ("logicalproc", "prochyperthreading", "procamdsmt", "smtcontrol", "hyperthreading", "smtmode"),
    "sr_iov": ("sriovglobalenable", "sriov", "sr-iovsupport"),
    "tpm": ("tpmsecurity", "tpmstate", "tpmvisibility", "securitydevicesupport"),
}

# Words in the model or name of a network adapter or PCIe device that is a computer of its own.
DPU_WORDS = ("bluefield", "pensando", "dpu", "ipu")
