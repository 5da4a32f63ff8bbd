# SPDX-License-Identifier: BSD-2-Clause

"""The sources of an in-band collection: which tools and files to ask, and whom about what. Each ends on its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Callable, Optional

from ...document.model import Device, Verdict
from ...document.system import Interface
from ...errors import ParseError
from ..parse.drives import device_name
from . import commands, firmware, storage, sysfs
from .parsers import lazy
from .probe import Probe

TABLES = "/sys/firmware/dmi/tables"


def smbios(probe: Probe) -> None:
    """The tables, by our own decoder; ``dmidecode`` where they cannot be read (it has other ways to them)."""
    table = probe.bytes_of(f"{TABLES}/DMI")
    if table is not None:
        try:
            probe.add(lazy("smbios.parse_smbios")(table, probe.attribute(f"{TABLES}/smbios_entry_point")))
            return
        except ParseError as error:
            probe.problem(Verdict.FAILED, error.message)
    probe.tool(commands.DMIDECODE, lazy("dmidecode.parse_dmidecode"))


def _simple(argv: Sequence[str], parse: Callable[..., Device]) -> Callable[[Probe], None]:
    def ask(probe: Probe) -> None:
        piece = probe.ask(argv, parse)
        if piece is not None:
            probe.add(piece if probe.options.full else _lean(piece))

    return ask


def _lean(piece: Device) -> Device:
    """Without what only ``full`` asks for: BIOS settings that are not normalised, PCI devices that belong to the
    mainboard, capabilities of all but drives."""
    if piece.bios_configuration is not None:
        piece = replace(piece, bios_configuration=replace(piece.bios_configuration, raw={}))
    listed = tuple(item for item in piece.pcie_devices if sysfs.is_listed(item.device_class or ""))
    return replace(
        piece,
        pcie_devices=listed,
        bios=piece.bios and replace(piece.bios, capabilities=()),
        cpus=tuple(replace(item, capabilities=()) for item in piece.cpus),
        nics=tuple(replace(item, capabilities=()) for item in piece.nics),
    )


def lsblk(probe: Probe) -> None:
    """Drives, and what is upon them. What a folder has may be either of the two, or both in one."""
    probe.tool(commands.LSBLK, lazy("lsblk.parse_lsblk"))
    if not probe.tool(commands.LSBLK_TREE, lazy("lsblk_tree.parse_lsblk_tree")) and probe.outputs("lsblk"):
        probe.tool(commands.LSBLK, lazy("lsblk_tree.parse_lsblk_tree"))


def ip(probe: Probe) -> None:
    """Interfaces with their addresses, and where the default routes lead."""
    found: Optional[Device] = probe.ask(commands.IP_ADDRESS, lazy("iproute.parse_ip_address"))
    parse = lazy("iproute.parse_ip_route")
    routes = [probe.ask(argv, parse) or {} for argv in (commands.IP_ROUTE, commands.IP_ROUTE_6)]
    if found is not None:

        def routed(item: Interface) -> Interface:
            return replace(item, gateways=tuple(hop for each in routes for hop in each.get(item.name, ())))

        probe.add(replace(found, interfaces=tuple(map(routed, found.interfaces))))


def _drives(probe: Probe) -> list[str]:
    """Names of drives to ask one by one: the kernel's, or those that ``lsblk`` or ``smartctl`` list in a replay
    without ``/sys``."""
    names = storage.drives(probe)
    if not names:
        tools = {commands.LSBLK: lazy("lsblk.parse_lsblk"), commands.NVME_LIST: lazy("nvme.parse_nvme_list")}
        for argv, parse in tools.items():
            found = probe.ask(argv, parse)
            names += [item.logical_name for item in (found.drives if found else ()) if item.logical_name]
    if not names:
        names = [item.name for item in probe.ask(commands.SMARTCTL_SCAN, lazy("smartctl.parse_smartctl_scan")) or []]
    return sorted({re.sub(r"^(/dev/nvme\d+)n\d+$", r"\1", name) for name in names})


def _asked(probe: Probe, listed: Iterable[str], *begin: str, place: int = -1) -> list[str]:
    """Those that are listed, and those of which a folder has an output of such a command, at a place in it."""
    return list(dict.fromkeys([*listed, *(argv[place] for argv in probe.outputs(*begin))]))


def smartctl(probe: Probe) -> None:
    """Each drive that a scan lists; where there is none, each that the kernel lists."""
    scanned = probe.ask(commands.SMARTCTL_SCAN, lazy("smartctl.parse_smartctl_scan"))
    outputs = probe.outputs("smartctl", "-a")
    if scanned is None and not outputs:
        return
    if scanned is not None:
        probe.answered()
    others = {f"/dev/{space}" for disk in storage.disks(probe) if disk.kind for space in (disk.name, *disk.spaces)}
    # Command lines, with the names under which a drive is in the document.
    listed = {commands.smartctl(item.name, item.type): item.label or item.name for item in scanned or ()}
    if not listed and not outputs:
        names = [name for name in _drives(probe) if not name.startswith(("/dev/vd", "/dev/xvd", "/dev/mmc"))]
        listed = {commands.smartctl(name): name for name in names}
    for argv, name in {**{argv: argv[-1] for argv in outputs}, **listed}.items():
        if name not in others:
            part = device_name(name)
            probe.tool(argv, lazy("smartctl.parse_smartctl"), full=probe.options.full, part=part)


def nvme(probe: Probe) -> None:
    probe.tool(commands.NVME_LIST, lazy("nvme.parse_nvme_list"))
    for name in _asked(probe, _drives(probe), "nvme", place=2):
        if name.startswith("/dev/nvme"):
            probe.tool(commands.nvme("id-ctrl", name), lazy("nvme.parse_nvme_id_ctrl"), name, part=name)
            probe.tool(commands.nvme("smart-log", name), lazy("nvme.parse_nvme_smart_log"), name, part=name)


def hdparm(probe: Probe) -> None:
    """Drives that speak ATA; others answer with an error."""
    known = storage.disks(probe)
    listed = [f"/dev/{disk.name}" for disk in known if storage.protocol(probe, disk) == "sata" and not disk.kind]
    for name in _asked(probe, listed if known else _drives(probe), "hdparm"):
        if name.startswith(("/dev/sd", "/dev/hd")):
            probe.tool(commands.hdparm(name), lazy("hdparm.parse_hdparm"), name, part=name)


def ethtool(probe: Probe) -> None:
    """Driver and firmware, the permanent address, and the transceiver of each physical port."""
    for name in _asked(probe, sysfs.interfaces(probe), "ethtool"):
        probe.tool(commands.ethtool("-i", name), lazy("ethtool.parse_ethtool_driver"), name, part=name)
        probe.tool(commands.ethtool("-P", name), lazy("ethtool.parse_ethtool_permanent"), name, part=name)
        # Ports without a cage, and empty ones, are no problem.
        probe.tool(commands.ethtool("-m", name), lazy("ethtool.parse_ethtool_module"), name, optional=True)


def mellanox(probe: Probe) -> None:
    """``mlxup`` knows the newest firmware; ``mstflint`` is in distributions."""
    if probe.tool(commands.MLXUP, lazy("mellanox.parse_mlxup")):
        return
    ports = sysfs.interfaces(probe).values()
    cards = [address for address in ports if probe.text(f"{sysfs.PCI}/{address}/vendor") == "0x15b3"]
    for address in _asked(probe, cards, "mstflint", place=2):
        probe.tool(commands.mstflint(address), lazy("mellanox.parse_mstflint"), address, part=address)


def storcli(probe: Probe) -> None:
    """The first of the tools that is installed and has a controller to answer for."""
    for tool in commands.STORCLI_TOOLS:
        # Of one source the first to say something is taken; the general answer has rounded sizes.
        exact_first = reversed(commands.STORCLI_QUESTIONS)
        found = [probe.tool((tool, *question), lazy("storcli.parse_storcli")) for question in exact_first]
        if any(found):
            return


def ssacli(probe: Probe) -> None:
    """The first of the tools that is installed and has a controller to answer for."""
    for tool in commands.SSACLI_TOOLS:
        if probe.tool((tool, *commands.SSACLI_QUESTION), lazy("ssacli.parse_ssacli")):
            return


def megacli(probe: Probe) -> None:
    for tool in commands.MEGACLI_TOOLS:
        found = [probe.tool((tool, *what), lazy("megacli.parse_megacli")) for what in commands.MEGACLI_QUESTIONS]
        if any(found):
            return


def arcconf(probe: Probe) -> None:
    """One controller after the other, until there is none of the number."""
    for number in range(1, 17):
        argv = commands.arcconf(str(number))
        if not probe.tool(argv, lazy("arcconf.parse_arcconf"), number, optional=number > 1):
            return


def mvcli(probe: Probe) -> None:
    for kind in ("hba", "pd", "vd"):
        probe.tool(commands.mvcli(kind), lazy(f"mvcli.parse_mvcli_{kind}"))


def mnv_cli(probe: Probe) -> None:
    for kind in ("hba", "pd", "vd"):
        probe.tool(commands.mnv_cli(kind), lazy("mnv_cli.parse_mnv_cli"))


def hpe_bios(probe: Probe) -> None:
    """``ilorest`` knows today's machines, ``conrep`` those before Gen10."""
    for argv in (commands.HPE_ILOREST, commands.HPE_CONREP):
        piece = probe.ask(argv, lazy("hpe_bios.parse_hpe_bios"))
        if piece is not None:
            probe.add(piece if probe.options.full else _lean(piece))
            return


def mdadm(probe: Probe) -> None:
    names = [name for name in probe.names(storage.BLOCK) if re.match(r"^md\d+$", name)]
    arrays = [f"/dev/{name}" for name in names if probe.has(f"{storage.BLOCK}/{name}", "md")]
    for name in _asked(probe, arrays, "mdadm"):
        probe.tool(commands.mdadm(name), lazy("mdadm.parse_mdadm"), part=name)


def ipmi(probe: Probe) -> None:
    """The BMC's firmware and addresses, and what the FRU says of the machine: ``ipmitool``, and where it is not
    installed or does not say who and where the BMC is, our own questions, of all channels: the first may be one that is
    not in use. A BMC that does not answer is not asked again."""
    identified = probe.tool(commands.IPMI_MC, lazy("ipmitool.parse_ipmitool_mc"))
    lan = None if probe.timed_out else probe.ask(commands.IPMI_LAN, lazy("ipmitool.parse_ipmitool_lan"))
    addressed = lan is not None and any(port.ip_addresses for port in lan.bmc.nic.nic_ports)
    if not probe.timed_out:
        probe.tool(commands.IPMI_FRU, lazy("ipmitool.parse_ipmitool_fru"))
    if not probe.timed_out and not (identified and addressed):
        probe.tool(commands.OPENIPMI, lazy("...ipmi.answers.parse_openipmi"))
    if lan is not None and not any(piece.bmc and piece.bmc.nic for piece in probe.pieces):
        probe.add(lan)


def dsu(probe: Probe) -> None:
    """It fetches a catalogue and installs it: only when asked for."""
    if not probe.options.updates:
        probe.problem(Verdict.SKIPPED, "dsu fetches a catalogue and writes to the disk: only with `updates`")
        return
    inventory: Optional[Device] = probe.ask(commands.DSU_INVENTORY, lazy("dsu.parse_dsu_inventory"))
    preview: Optional[Device] = probe.ask(commands.DSU_PREVIEW, lazy("dsu.parse_dsu_preview"))
    if inventory is not None or preview is not None:
        probe.add(lazy("dsu.with_updates")(inventory or Device(), preview or Device()))


SOURCES: Mapping[str, Callable[[Probe], None]] = {
    "lshw": _simple(commands.LSHW, lazy("lshw.parse_lshw")),
    "smbios": smbios,
    "dmi_id": sysfs.dmi_id,
    "kernel": sysfs.kernel,
    "pci": sysfs.pci,
    "network": sysfs.network,
    "fabrics": sysfs.fabrics,
    "block": storage.block,
    "efi": firmware.efi,
    "tpm": firmware.tpm,
    "lspci": _simple(commands.LSPCI, lazy("lspci.parse_lspci")),
    "lsblk": lsblk,
    "ip": ip,
    "smartctl": smartctl,
    "nvme": nvme,
    "hdparm": hdparm,
    "ethtool": ethtool,
    "devlink": _simple(commands.DEVLINK, lazy("devlink.parse_devlink")),
    "mellanox": mellanox,
    "storcli": storcli,
    "ssacli": ssacli,
    "megacli": megacli,
    "arcconf": arcconf,
    "mvcli": mvcli,
    "mnv_cli": mnv_cli,
    "mdadm": mdadm,
    "zpool": _simple(commands.ZPOOL, lazy("zpool.parse_zpool")),
    "msecli": _simple(commands.MSECLI, lazy("msecli.parse_msecli")),
    "ipmi": ipmi,
    "ipmicfg": _simple(commands.IPMICFG, lazy("ipmicfg.parse_ipmicfg")),
    "lldpctl": _simple(commands.LLDPCTL, lazy("lldpctl.parse_lldpctl")),
    "nvidia-smi": _simple(commands.NVIDIA_SMI, lazy("nvidia_smi.parse_nvidia_smi")),
    "amd-smi": _simple(commands.AMD_SMI, lazy("amd_smi.parse_amd_smi")),
    "rocm-smi": _simple(commands.ROCM_SMI, lazy("rocm_smi.parse_rocm_smi")),
    "dsu": dsu,
    "racadm": _simple(commands.RACADM, lazy("racadm.parse_racadm")),
    "sum": _simple(commands.SUM, lazy("supermicro_sum.parse_sum")),
    "onecli": _simple(commands.ONECLI, lazy("onecli.parse_onecli")),
    "hpe-bios": hpe_bios,
    "asrr-bioscontrol": _simple(commands.ASRR, lazy("asrr_bioscontrol.parse_asrr_bios")),
}
"""In the order of starting, the slowest tool first; the order of merging is in :mod:`precedence`."""
