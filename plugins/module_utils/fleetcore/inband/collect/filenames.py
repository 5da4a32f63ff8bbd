# SPDX-License-Identifier: BSD-2-Clause

"""Tools' outputs in a folder, known by their files' names, else by their content.

Data, and how it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from . import commands
from .commands import Argv

_END = r"(?:[._-]?(?:output|out))?(?:\.(?:json|txt|xml|out|log))?$"
_DEVICE = r"(?:dev[/_-])?((?:sd|vd|hd)[a-z]{1,3}|nvme\d{1,3})(?:n\d{1,3})?"
_NVME = r"(?:nvme|nvme-cli|nvmecli)[/_-](?:nvmecli-)?"
_STORCLI = r"(?:storcli|storecli|perccli)(?:64)?"
# (end of the file name, command). The last parts of the path count; \1 in a command is the device in the name.
_NAMES: tuple[tuple[str, Argv], ...] = (
    (r"dmidecode(?:/[a-z0-9_-]{1,40})?" + _END, commands.DMIDECODE),
    (r"lshw(?:/json)?" + _END, commands.LSHW),
    (r"lspci" + _END, commands.LSPCI),
    (r"lsblk[/_-](?:tree|partitions)" + _END, commands.LSBLK_TREE),
    (r"lsblk(?:/json)?" + _END, commands.LSBLK),
    (r"ip[/_-](?:-?d[/_-])?a(?:ddr(?:ess)?)?" + _END, commands.IP_ADDRESS),
    (r"ip[/_-]-?6[/_-]r(?:oute)?" + _END, commands.IP_ROUTE_6),
    (r"ip[/_-]r(?:oute)?" + _END, commands.IP_ROUTE),
    (r"smartctl[/_-](?:--)?scan(?:-open)?" + _END, commands.SMARTCTL_SCAN),
    (r"smartctl(?:[/_-](?:a[/_-])?)" + _DEVICE + _END, commands.smartctl(r"/dev/\1")),
    (_NVME + "list" + _END, commands.NVME_LIST),
    (_NVME + f"(?:{_DEVICE}[/_-])?id-?ctrl(?:[/_-]{_DEVICE})?{_END}", commands.nvme("id-ctrl", r"/dev/\1")),
    (_NVME + f"(?:{_DEVICE}[/_-])?smart-?log(?:[/_-]{_DEVICE})?{_END}", commands.nvme("smart-log", r"/dev/\1")),
    (r"hdparm(?:/hdparm)?(?:[/_-][iI])?(?:[/_-]" + _DEVICE + ")?" + _END, commands.hdparm(r"/dev/\1")),
    (r"ethtool(?:[/_-]ethtool)?[/_-](-?[iPm])[/_-]([A-Za-z0-9._-]{1,20}?)(?:\.txt)?$", commands.ethtool(r"\1", r"\2")),
    (r"devlink(?:[/_-](?:dev-)?info)?" + _END, commands.DEVLINK),
    (r"mlxup(?:[/_-](?:--)?query)?" + _END, commands.MLXUP),
    (_STORCLI + r"[/_-](?:.{0,20}drives?.{0,20}|.{0,20}sall.{0,20})$", commands.STORCLI_DRIVES),
    (_STORCLI + r"[/_-](?:.{0,20}v(?:all|d|olumes?).{0,20})$", commands.STORCLI_VOLUMES),
    (_STORCLI + r"(?:[/_-](?:c(?:all|\d))?[/_-]?show(?:[_-]all)?)?" + _END, commands.STORCLI),
    (r"mstflint[/_-]((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])" + _END, commands.mstflint(r"\1")),
    (r"mdadm[/_-](?:(?:--)?detail[/_-])?(?:dev[/_-])?(md\d{1,3})" + _END, commands.mdadm(r"/dev/\1")),
    (r"(?:ssa|hpssa|hpacu)cli(?:[/_.-].{0,40})?$", commands.SSACLI),
    (r"(?i:megacli)(?:64)?[/_-]-?(?i:adpallinfo).{0,20}$", (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[0])),
    (
        r"(?i:megacli)(?:64)?[/_-]-?(?i:ldpdinfo|ldinfo).{0,20}$",
        (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[1]),
    ),
    (
        r"(?i:megacli)(?:64)?[/_-]-?(?i:adp(?:get)?pciinfo).{0,20}$",
        (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[3]),
    ),
    (r"(?i:megacli)(?:64)?[/_-]-?(?i:pdlist).{0,20}$", (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[2])),
    (r"arcconf(?:[/_-](?:getconfig)?[/_-]?(?:al)?)?" + _END, commands.arcconf("1")),
    (r"arcconf[/_-](?:getconfig[/_-]?)?(\d{1,2})(?:[/_-]al)?" + _END, commands.arcconf(r"\1")),
    (r"mnv_?cli[/_-](?:info[_-])?(hba|pd|vd)" + _END, commands.mnv_cli(r"\1")),
    (r"amd[_-]smi(?:/.{1,20})?" + _END, commands.AMD_SMI),
    (r"onecli(?:[/_-].{0,20})?" + _END, commands.ONECLI),
    (r"mvcli[/_-](?:info[_-])?(hba|pd|vd)" + _END, commands.mvcli(r"\1")),
    (r"msecli(?:[/_-](?:list|L))?" + _END, commands.MSECLI),
    (r"ipmitool[/_-]mc(?:[/_-]info)?" + _END, commands.IPMI_MC),
    (r"ipmitool[/_-]lan(?:[/_-]print)?" + _END, commands.IPMI_LAN),
    (r"ipmitool[/_-]fru(?:[/_-]print)?" + _END, commands.IPMI_FRU),
    (r"openipmi" + _END, commands.OPENIPMI),
    (r"ipmicfg(?:[/_-](?:-)?summary)?" + _END, commands.IPMICFG),
    (r"lldpctl(?:/json)?" + _END, commands.LLDPCTL),
    (r"zpool(?:[/_-]list)?" + _END, commands.ZPOOL),
    (r"nvidia[_-]smi(?:/.{1,20})?" + _END, commands.NVIDIA_SMI),
    (r"rocm[_-]smi(?:/.{1,20})?" + _END, commands.ROCM_SMI),
    (r"dsu[/_-](?:--)?inventory" + _END, commands.DSU_INVENTORY),
    (r"dsu[/_-](?:--)?preview" + _END, commands.DSU_PREVIEW),
)


# (first part of the content, command), for files whose names say nothing, as those with BIOS settings. Only what no
# other tool writes.
_START = 4000
_CONTENTS: tuple[tuple[str, Argv], ...] = (
    (r'<SystemConfiguration\b|"SystemConfiguration"\s*:', commands.RACADM),
    (r"<BiosCfg\b", commands.SUM),
    (r'"Question Id"', commands.ASRR),
    (r"^(?:# dmidecode \d|Handle 0x[0-9A-Fa-f]{4}, DMI type \d)", commands.DMIDECODE),
    (r'"id"\s*:\s*"[^"]*",\s*"class"\s*:\s*"system"', commands.LSHW),
    (r"^Slot:\t[0-9a-f:.]+\r?\nClass:\t", commands.LSPCI),
    (r'"blockdevices"\s*:\s*\[', commands.LSBLK),
    (r'"ifindex"\s*:(?s:.*)"ifname"\s*:(?s:.*)"addr_info"\s*:', commands.IP_ADDRESS),
    (r'"smartctl"\s*:\s*\{(?s:.*)"devices"\s*:\s*\[', commands.SMARTCTL_SCAN),
    (r'"smartctl"\s*:\s*\{(?s:.*)"device"\s*:\s*\{\s*"name"\s*:\s*"/dev/([\w/]+)"', commands.smartctl(r"/dev/\1")),
    (r'"Devices"\s*:\s*\[(?s:.*)"(?:DevicePath|SubsystemNQN|NameSpace)"', commands.NVME_LIST),
    (r'"Command Status"\s*:(?s:.*)"Drive /c\d', commands.STORCLI_DRIVES),
    (r'"Command Status"\s*:(?s:.*)"/c\d+/v\d', commands.STORCLI_VOLUMES),
    (r'"Command Status"\s*:(?s:.*)"(?:PCI Address|Number of Controllers|Basics)"', commands.STORCLI),
    (r"^\s*\d+\.\s+[^,\n]{1,40}, .*\( ?Version : ", commands.DSU_INVENTORY),
    (r"^Querying Mellanox devices firmware", commands.MLXUP),
    (r"^BMC MAC Address\s*:", commands.IPMICFG),
    (r"^Set in Progress\s*:", commands.IPMI_LAN),
    (r"^FRU Device Description\s*:", commands.IPMI_FRU),
    (r"^Device ID\s+:.*\n(?s:.*)^Manufacturer ID\s+:", commands.IPMI_MC),
    (r"<nvidia_smi_log", commands.NVIDIA_SMI),
    (r'"asic"\s*:\s*\{', commands.AMD_SMI),
    (r"<(?:Conrep|hprcu)\b", commands.HPE_CONREP),
    (r'#Bios\.v\d(?s:.*)"Attributes"\s*:|"Attributes"\s*:(?s:.*)#Bios\.v\d', commands.HPE_ILOREST),
    (r"^(?:BootModes|uEFI|UEFI|Processors)\.\w+=", commands.ONECLI),
    (r"^Controllers found: \d", commands.arcconf("1")),
    (r"^Adapter #\d(?s:.*)^Virtual (?:Drive|Disk):", (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[1])),
    (r"^Adapter #\d(?s:.*)^Enclosure Device ID:", (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[2])),
    (r"^Adapter #\d(?s:.*)^Product Name", (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[0])),
    (r"^PD ID:(?s:.*)^SSD backend", commands.mnv_cli("pd")),
    (r"^VD ID:\s+\d", commands.mnv_cli("vd")),
    (r"^\S.* in Slot \S+(?s:.*)^   Bus Interface:", commands.SSACLI),
    (r'"lldp"\s*:\s*[\[{]', commands.LLDPCTL),
)


def argv_of_file(name: str, content: str) -> Optional[Argv]:
    """The command whose output a file of this name holds, or None."""
    return _first(((f"(?:^|/){end}", argv) for end, argv in _NAMES), name, content[:_START])


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
    return commands.smartctl(argv[-1], kind[1]) if kind else argv


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
