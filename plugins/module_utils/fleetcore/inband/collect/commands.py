# SPDX-License-Identifier: BSD-2-Clause

"""Command lines of the tools. Data only; nothing runs here."""

from __future__ import annotations

from typing import Optional

from .host import BMC_DEVICE, OUTPUT_FILE

Argv = tuple[str, ...]

DMIDECODE: Argv = ("dmidecode",)
LSHW: Argv = ("lshw", "-json", "-notime", "-numeric")
LSPCI: Argv = ("lspci", "-Dvmmnnk")
LSBLK: Argv = ("lsblk", "-J", "-b", "-d", "-o", "NAME,KNAME,TYPE,TRAN,VENDOR,MODEL,SERIAL,REV,WWN,SIZE,ROTA,LOG-SEC")
SMARTCTL_SCAN: Argv = ("smartctl", "--scan", "-j")
NVME_LIST: Argv = ("nvme", "list", "-o", "json")
DEVLINK: Argv = ("devlink", "dev", "info", "-j")
MLXUP: Argv = ("mlxup", "--query")
LLDPCTL: Argv = ("lldpctl", "-f", "json")
IPMI_MC: Argv = ("ipmitool", "mc", "info")
IPMI_LAN: Argv = ("ipmitool", "lan", "print")
IPMI_FRU: Argv = ("ipmitool", "fru", "print")
OPENIPMI: Argv = (BMC_DEVICE,)
IPMICFG: Argv = ("ipmicfg", "-summary")
SSACLI: Argv = ("ssacli", "ctrl", "all", "show", "config", "detail")
ZPOOL: Argv = ("zpool", "list", "-H", "-p", "-v", "-P")
NVIDIA_SMI: Argv = ("nvidia-smi", "-q", "-x")
ROCM_SMI: Argv = (
    *("rocm-smi", "--showproductname", "--showserial", "--showuniqueid", "--showvbios", "--showbus"),
    *("--showmeminfo", "vram", "--showid", "--json"),
)
MSECLI: Argv = ("msecli", "-L")
DSU_INVENTORY: Argv = ("dsu", "--inventory")
DSU_PREVIEW: Argv = ("dsu", "--preview")
RACADM: Argv = ("racadm", "get", "-t", "json", "-f", OUTPUT_FILE, "-c", "BIOS.Setup.1-1")
# By its path: every Linux has another `sum`.
SUM: Argv = ("/opt/supermicro/sum/sum", "-c", "GetCurrentBiosCfg", "--overwrite", "--file", OUTPUT_FILE)
ASRR: Argv = ("asrr-bioscontrol", "-w", OUTPUT_FILE)

STORCLI_TOOLS = ("storcli64", "storcli", "perccli64", "perccli", "storcli2", "perccli2")
# Without `nolog` they leave a log in the working directory, larger with every question.
STORCLI_QUESTIONS = tuple((what, "show", "all", "nolog", "J") for what in ("/call", "/call/eall/sall", "/call/vall"))
STORCLI, STORCLI_DRIVES, STORCLI_VOLUMES = ((STORCLI_TOOLS[0], *question) for question in STORCLI_QUESTIONS)


def smartctl(name: str, kind: Optional[str] = None) -> Argv:
    """``kind`` only where the device is one of several behind a controller (``megaraid,3``): else smartctl knows
    better."""
    several = ("-d", kind) if kind and "," in kind else ()
    return ("smartctl", "-a", "-j", *several, name)


def nvme(question: str, name: str) -> Argv:
    return ("nvme", question, name, "-o", "json")


def hdparm(name: str) -> Argv:
    return ("hdparm", "-I", name)


def ethtool(question: str, name: str) -> Argv:
    return ("ethtool", question, name)


def mvcli(kind: str) -> Argv:
    return ("mvcli", "info", "-o", kind)


def mstflint(address: str) -> Argv:
    return ("mstflint", "-d", address, "query")


def mdadm(name: str) -> Argv:
    return ("mdadm", "--detail", name)
