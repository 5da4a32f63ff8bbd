# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""By which file names tools' outputs are known in a folder: whose they are. Data, and how it is read."""

from __future__ import annotations

import re
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
    mvcli,
    nvme,
)

_END = r"(?:[._-]?(?:output|out))?(?:\.(?:json|txt|xml|out|log))?$"
_DEVICE = r"(?:dev_)?((?:sd|vd|hd)[a-z]{1,3}|nvme\d{1,3})(?:n\d{1,3})?"
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
        r"(?:^|/)(?:nvme|nvme-cli|nvmecli)[/_-](?:nvmecli-)?id-?ctrl(?:[/_-]" + _DEVICE + ")?" + _END,
        nvme("id-ctrl", r"/dev/\1"),
    ),
    (
        r"(?:^|/)(?:nvme|nvme-cli|nvmecli)[/_-](?:nvmecli-)?smart-?log(?:[/_-]" + _DEVICE + ")?" + _END,
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


def argv_of_file(name: str, content: str) -> Optional[Argv]:
    """The command whose output a file of this name holds, or None."""
    start = content[:4000]
    if re.search(
        r"(?:^|/)bios[^/]{0,30}\.(?:json|xml)$|(?:^|/)(?:racadm|sum|asrr[^/]{0,20})(?:/[^/]{1,40})?$",
        name,
        re.IGNORECASE,
    ):
        if "SystemConfiguration" in start:
            return RACADM
        if "<BiosCfg" in start:
            return SUM
        return ASRR if '"Question Id"' in start else None
    for pattern, argv in _NAMES:
        found = re.search(pattern, name)
        if found:
            device = next((item for item in found.groups() if item), None) or _named_inside(start)
            return tuple(_filled(item, found, device) for item in argv)
    return None


def _filled(item: str, found: re.Match[str], device: str) -> str:
    if r"\2" in item:
        return item.replace(r"\2", found[2])
    if item == r"\1":
        value = found[1]
        return value if len(value) > 1 else f"-{value}"  # ethtool's options, also without their dash
    return item.replace(r"\1", device)


def _named_inside(start: str) -> str:
    """``/dev/sda:`` as hdparm writes it; NVMe tools don't say whom they asked."""
    found = re.search(r"^/dev/(\w{1,20}):\s*$", start, re.MULTILINE)
    return found[1] if found else "nvme0"
