# SPDX-License-Identifier: BSD-2-Clause

"""Tools' outputs in a folder, known by their files' names, else by their content.

Data, and how it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from .commands import (
    ASRR,
    DEVLINK,
    DMIDECODE,
    DSU_INVENTORY,
    DSU_PREVIEW,
    IPMI_FRU,
    IPMI_LAN,
    IPMI_MC,
    IPMICFG,
    LLDPCTL,
    LSBLK,
    LSHW,
    LSPCI,
    MLXUP,
    MSECLI,
    NVIDIA_SMI,
    NVME_LIST,
    OPENIPMI,
    RACADM,
    ROCM_SMI,
    SMARTCTL_SCAN,
    SSACLI,
    STORCLI_QUESTIONS,
    SUM,
    ZPOOL,
    Argv,
    hdparm,
    mdadm,
    mstflint,
    mvcli,
    nvme,
    smartctl,
)

_END = r"(?:[._-]?(?:output|out))?(?:\.(?:json|txt|xml|out|log))?$"
_DEVICE = r"(?:dev[/_-])?((?:sd|vd|hd)[a-z]{1,3}|nvme\d{1,3})(?:n\d{1,3})?"
# (file name, command). The last parts of the path count; \1 in a command is the device in the name.
_NAMES: tuple[tuple[str, Argv], ...] = (
    (r"(?:^|/)dmidecode(?:/[a-z0-9_-]{1,40})?" + _END, DMIDECODE),
    (r"(?:^|/)lshw(?:/json)?" + _END, LSHW),
    (r"(?:^|/)lspci" + _END, LSPCI),
    (r"(?:^|/)lsblk(?:/json)?" + _END, LSBLK),
    (r"(?:^|/)smartctl[/_-](?:--)?scan(?:-open)?" + _END, SMARTCTL_SCAN),
    (r"(?:^|/)smartctl(?:[/_-](?:a[/_-])?)" + _DEVICE + _END, ("smartctl", "-a", "-j", r"/dev/\1")),
    (r"(?:^|/)(?:nvme|nvme-cli|nvmecli)[/_-](?:nvmecli-)?list" + _END, NVME_LIST),
    (
        r"(?:^|/)(?:nvme|nvme-cli|nvmecli)[/_-](?:nvmecli-)?(?:"
        + _DEVICE
        + "[/_-])?id-?ctrl(?:[/_-]"
        + _DEVICE
        + ")?"
        + _END,
        nvme("id-ctrl", r"/dev/\1"),
    ),
    (
        r"(?:^|/)(?:nvme|nvme-cli|nvmecli)[/_-](?:nvmecli-)?(?:"
        + _DEVICE
        + "[/_-])?smart-?log(?:[/_-]"
        + _DEVICE
        + ")?"
        + _END,
        nvme("smart-log", r"/dev/\1"),
    ),
    (r"(?:^|/)hdparm(?:/hdparm)?(?:[/_-][iI])?(?:[/_-]" + _DEVICE + ")?" + _END, hdparm(r"/dev/\1")),
    (
        r"(?:^|/)ethtool(?:[/_-]ethtool)?[/_-](-?[iPm])[/_-]([A-Za-z0-9._-]{1,20}?)(?:\.txt)?$",
        ("ethtool", r"\1", r"\2"),
    ),
    (r"(?:^|/)devlink(?:[/_-](?:dev-)?info)?" + _END, DEVLINK),
    (r"(?:^|/)mlxup(?:[/_-](?:--)?query)?" + _END, MLXUP),
    (
        r"(?:^|/)(?:storcli|storecli|perccli)(?:64)?[/_-](?:.{0,20}drives?.{0,20}|.{0,20}sall.{0,20})$",
        ("storcli64", *STORCLI_QUESTIONS[1]),
    ),
    (
        r"(?:^|/)(?:storcli|storecli|perccli)(?:64)?[/_-](?:.{0,20}v(?:all|d|olumes?).{0,20})$",
        ("storcli64", *STORCLI_QUESTIONS[2]),
    ),
    (
        r"(?:^|/)(?:storcli|storecli|perccli)(?:64)?(?:[/_-](?:c(?:all|\d))?[/_-]?show(?:[_-]all)?)?" + _END,
        ("storcli64", *STORCLI_QUESTIONS[0]),
    ),
    (r"(?:^|/)mstflint[/_-]((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])" + _END, mstflint(r"\1")),
    (r"(?:^|/)mdadm[/_-](?:(?:--)?detail[/_-])?(?:dev[/_-])?(md\d{1,3})" + _END, mdadm(r"/dev/\1")),
    (r"(?:^|/)ssacli(?:[/_-].{0,40})?$", SSACLI),
    (r"(?:^|/)mvcli[/_-](?:info[_-])?(hba|pd|vd)" + _END, mvcli(r"\1")),
    (r"(?:^|/)msecli(?:[/_-](?:list|L))?" + _END, MSECLI),
    (r"(?:^|/)ipmitool[/_-]mc(?:[/_-]info)?" + _END, IPMI_MC),
    (r"(?:^|/)ipmitool[/_-]lan(?:[/_-]print)?" + _END, IPMI_LAN),
    (r"(?:^|/)ipmitool[/_-]fru(?:[/_-]print)?" + _END, IPMI_FRU),
    (r"(?:^|/)openipmi" + _END, OPENIPMI),
    (r"(?:^|/)ipmicfg(?:[/_-](?:-)?summary)?" + _END, IPMICFG),
    (r"(?:^|/)lldpctl(?:/json)?" + _END, LLDPCTL),
    (r"(?:^|/)zpool(?:[/_-]list)?" + _END, ZPOOL),
    (r"(?:^|/)nvidia[_-]smi(?:/.{1,20})?" + _END, NVIDIA_SMI),
    (r"(?:^|/)rocm[_-]smi(?:/.{1,20})?" + _END, ROCM_SMI),
    (r"(?:^|/)dsu[/_-](?:--)?inventory" + _END, DSU_INVENTORY),
    (r"(?:^|/)dsu[/_-](?:--)?preview" + _END, DSU_PREVIEW),
)


# (first part of the content, command), for files whose names say nothing, as those with BIOS settings. Only what no
# other tool writes.
_START = 4000
_CONTENTS: tuple[tuple[str, Argv], ...] = (
    (r'<SystemConfiguration\b|"SystemConfiguration"\s*:', RACADM),
    (r"<BiosCfg\b", SUM),
    (r'"Question Id"', ASRR),
    (r"^(?:# dmidecode \d|Handle 0x[0-9A-Fa-f]{4}, DMI type \d)", DMIDECODE),
    (r'"id"\s*:\s*"[^"]*",\s*"class"\s*:\s*"system"', LSHW),
    (r"^Slot:\t[0-9a-f:.]+\r?\nClass:\t", LSPCI),
    (r'"blockdevices"\s*:\s*\[', LSBLK),
    (r'"smartctl"\s*:\s*\{(?s:.*)"devices"\s*:\s*\[', SMARTCTL_SCAN),
    (
        r'"smartctl"\s*:\s*\{(?s:.*)"device"\s*:\s*\{\s*"name"\s*:\s*"/dev/([\w/]+)"',
        ("smartctl", "-a", "-j", r"/dev/\1"),
    ),
    (r'"Devices"\s*:\s*\[(?s:.*)"(?:DevicePath|SubsystemNQN|NameSpace)"', NVME_LIST),
    (r'"Command Status"\s*:(?s:.*)"Drive /c\d', ("storcli64", *STORCLI_QUESTIONS[1])),
    (r'"Command Status"\s*:(?s:.*)"/c\d+/v\d', ("storcli64", *STORCLI_QUESTIONS[2])),
    (
        r'"Command Status"\s*:(?s:.*)"(?:PCI Address|Number of Controllers|Basics)"',
        ("storcli64", *STORCLI_QUESTIONS[0]),
    ),
    (r"^\s*\d+\.\s+[^,\n]{1,40}, .*\( ?Version : ", DSU_INVENTORY),
    (r"^Querying Mellanox devices firmware", MLXUP),
    (r"^BMC MAC Address\s*:", IPMICFG),
    (r"^Set in Progress\s*:", IPMI_LAN),
    (r"^FRU Device Description\s*:", IPMI_FRU),
    (r"^Device ID\s+:.*\n(?s:.*)^Manufacturer ID\s+:", IPMI_MC),
    (r"<nvidia_smi_log", NVIDIA_SMI),
    (r'"lldp"\s*:\s*[\[{]', LLDPCTL),
)


def argv_of_file(name: str, content: str) -> Optional[Argv]:
    """The command whose output a file of this name holds, or None."""
    return _first(_NAMES, name, content[:_START])


def argv_of_content(content: str) -> Optional[Argv]:
    """The command that prints such content, or None."""
    return _first(_CONTENTS, content[:_START], content[:_START])


def _first(patterns: Iterable[tuple[str, Argv]], where: str, start: str) -> Optional[Argv]:
    for pattern, argv in patterns:
        found = re.search(pattern, where, re.MULTILINE)
        if found:
            device = next((item for item in found.groups() if item), None) or _named_inside(start)
            return _several_behind(tuple(_filled(item, found, device) for item in argv), start)
    return None


def _several_behind(argv: Argv, start: str) -> Argv:
    """One of several drives behind a controller: smartctl repeats the option by which it was told which."""
    kind = re.search(r'"-d",\s*"([^"]{1,40},[^"]{1,40})"', start) if argv[:1] == ("smartctl",) else None
    return smartctl(argv[-1], kind[1]) if kind else argv


def _filled(item: str, found: re.Match[str], device: str) -> str:
    if r"\2" in item:
        return item.replace(r"\2", found[2])
    if item == r"\1" and len(found.groups()) > 1:
        value = found[1]
        return value if len(value) > 1 else f"-{value}"  # ethtool's options, also without their dash
    return item.replace(r"\1", device)


def _named_inside(start: str) -> str:
    """``/dev/sda:`` as hdparm writes it; NVMe tools don't say whom they asked."""
    found = re.search(r"^/dev/(\w{1,20}):\s*$", start, re.MULTILINE)
    return found[1] if found else "nvme0"
