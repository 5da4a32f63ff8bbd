# SPDX-License-Identifier: BSD-2-Clause

"""Readers of ``/sys`` and ``/proc``: what the kernel knows without any tool, most of it without root."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Optional

from ...document.model import Device, Verdict
from ...document.outputs import pairs, said
from ...document.parts import (
    Accelerator,
    Dpu,
    FabricPort,
    Gpu,
    Nic,
    NicPort,
    PcieDevice,
    StorageController,
)
from ...document.system import NumaNode, OperatingSystem
from ...document.values import clean_mac, clean_uuid, firmware, hexadecimal, integer, pci_id, positive, text, word, wwn
from ...errors import ParseError
from ..parse.cpuinfo import parse_cpuinfo
from .parsers import lazy
from .probe import Probe

ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
PCI = "/sys/bus/pci/devices"
NET = "/sys/class/net"
_MAKERS = {
    "8086": "Intel Corporation",
    "1022": "AMD",
    "1002": "AMD/ATI",
    "10de": "NVIDIA Corporation",
    "15b3": "Mellanox Technologies",
    "14e4": "Broadcom",
    "1000": "Broadcom / LSI",
    "1b4b": "Marvell",
    "1af4": "Red Hat, Inc.",
    "1b36": "Red Hat, Inc.",
    "1234": "QEMU",
    "1a03": "ASPEED Technology, Inc.",
    "102b": "Matrox Electronics Systems Ltd.",
    "1077": "QLogic",
    "1425": "Chelsio",
    "1dd8": "Pensando",
    "144d": "Samsung",
    "1344": "Micron",
    "103c": "Hewlett-Packard",
    "9005": "Adaptec",
}
# PCI base class: what is worth listing. Bridges, root ports and the like are the mainboard.
_LISTED = ("01", "02", "03", "0b", "12")
_LISTED_SUB = ("0c04", "0c06", "0207")
_BLUEFIELD = ("a2d2", "a2d6", "a2d9", "a2dc", "a2df")


def is_listed(kind: str) -> bool:
    """Tell whether a device of this PCI class is in a lean document."""
    return kind[:2] in _LISTED or kind in _LISTED_SUB


def _number(value: Optional[str]) -> Optional[int]:
    return integer(value) if value and re.match(r"^-?\d{1,18}$", value) else None


# -- identity of the machine, readable without root --------------------------------------------------------------------


# Beginnings of the names in ``/sys/class/dmi/id`` with the types of SMBIOS records, and what those call some fields.
_DMI_TABLES = {"bios": 0, "product": 1, "sys": 1, "board": 2, "chassis": 3}
_DMI_FIELDS = {"name": "product_name", "serial": "serial_number", "sku": "sku_number", "date": "release_date"}


def dmi_id(probe: Probe) -> None:
    """``/sys/class/dmi/id``: the kernel's reading of SMBIOS, for users who may not read the tables."""
    base = "/sys/class/dmi/id"
    tables: dict[int, dict[str, str]] = {}
    for name in probe.names(base):
        table, _underscore, field = name.partition("_")
        if table in _DMI_TABLES and field != "type":  # the number of the chassis' type
            field = "manufacturer" if field == "vendor" and table != "bios" else _DMI_FIELDS.get(field, field)
            value = probe.text(f"{base}/{name}")
            if value:
                tables.setdefault(_DMI_TABLES[table], {})[field] = value
    if tables:
        record = lazy("dmi.Record")
        found: Device = lazy("dmi.device")([record(table, 0, fields) for table, fields in tables.items()])
        probe.add(replace(found, uuid=clean_uuid(found.uuid), enclosures=()))


def kernel(probe: Probe) -> None:
    """CPUs, NUMA nodes and all of the memory; the system, its kernel and the host's name."""
    content = probe.text("/proc/cpuinfo")
    if content is None:
        probe.problem(Verdict.ABSENT, "/proc/cpuinfo cannot be read")
        return
    try:
        device = parse_cpuinfo(content)
    except ParseError as error:
        probe.problem(Verdict.FAILED, error.message)
        return
    machine = text(probe.text("/proc/sys/kernel/arch"))
    if machine:
        device = replace(device, cpus=tuple(replace(item, architecture=machine) for item in device.cpus))
    nodes = _numa_nodes(probe)
    total = _memory(probe, "/sys/devices/system/memory", "/proc/meminfo")
    probe.add(
        replace(
            device,
            hostname=text(probe.text("/proc/sys/kernel/hostname")),
            metadata=said(numa_nodes=len(nodes) or None, memory_bytes=total),
            numa_nodes=nodes,
            os=_system(probe, machine),
        )
    )


def _numa_nodes(probe: Probe) -> tuple[NumaNode, ...]:
    base = "/sys/devices/system/node"
    numbers = sorted(int(name[4:]) for name in probe.names(base) if re.match(r"^node\d{1,6}$", name))
    return tuple(
        NumaNode(
            id=str(number),
            cpus=text(probe.text(f"{base}/node{number}/cpulist")),
            memory_bytes=_memory(probe, f"{base}/node{number}", f"{base}/node{number}/meminfo"),
        )
        for number in numbers
    )


def _memory(probe: Probe, folder: str, meminfo: str) -> Optional[int]:
    """All memory, of the machine or of a node: the blocks in which the kernel manages it; where it has none, what it
    has left after taking some for itself."""
    blocks = [name for name in probe.names(folder, optional=True) if re.match(r"^memory\d+$", name)]
    size = hexadecimal(probe.text("/sys/devices/system/memory/block_size_bytes"))
    left = re.search(r"MemTotal:\s+(\d{1,15}) kB", probe.text(meminfo) or "")
    return positive(len(blocks), size or 0) or (positive(left[1], 1024) if left else None)


def _system(probe: Probe, machine: Optional[str]) -> Optional[OperatingSystem]:
    release = probe.text("/etc/os-release") or probe.text("/usr/lib/os-release") or ""
    values = {key: word(value.strip("\"'")) for key, value in pairs(release.splitlines(), "=").items()}
    found = OperatingSystem(
        name=values.get("PRETTY_NAME") or values.get("NAME"),
        id=values.get("ID"),
        version=values.get("VERSION_ID"),
        kernel=word(probe.text("/proc/sys/kernel/osrelease")),
        architecture=machine,
        command_line=text(probe.text("/proc/cmdline")),
    )
    return found if found != OperatingSystem(architecture=machine) else None


# -- PCI ---------------------------------------------------------------------------------------------------------------


def pci(probe: Probe) -> None:
    """Storage, network and graphics controllers, accelerators, DPUs; with ``full`` every PCI device."""
    lists: dict[str, list[Any]] = {}
    for address in probe.names(PCI):
        if not ADDRESS.match(address) or probe.link(f"{PCI}/{address}/physfn"):
            continue  # a virtual function is no device of its own
        kind = (probe.text(f"{PCI}/{address}/class") or "")[2:6].lower()
        if not (probe.options.full or is_listed(kind)):
            continue
        fields = _pci_fields(probe, address)
        lists.setdefault("pcie_devices", []).append(
            PcieDevice(**fields, id=address, bus_info=address, device_class=kind or None)
        )
        found = _by_class(kind, fields, address)
        if found is not None:
            lists.setdefault(found[0], []).append(found[1])
    parts: dict[str, Any] = {name: tuple(items) for name, items in lists.items()}
    if parts:
        probe.add(Device(**parts))


def _pci_fields(probe: Probe, address: str) -> dict[str, Any]:
    base = f"{PCI}/{address}"
    vendor = pci_id(probe.text(f"{base}/vendor"))
    driver = (probe.link(f"{base}/driver") or "").rsplit("/", 1)[-1]
    node = _number(probe.text(f"{base}/numa_node"))
    return {
        "vendor": _MAKERS.get(vendor or ""),
        "pci_vendor_id": vendor,
        "pci_product_id": pci_id(probe.text(f"{base}/device")),
        "metadata": said(driver=driver, numa_node=node if node is not None and node >= 0 else None),
    }


def _by_class(kind: str, fields: dict[str, Any], address: str) -> Optional[tuple[str, Any]]:
    maker, product = fields["pci_vendor_id"], fields["pci_product_id"]
    common = {**fields, "id": address, "bus_info": address}
    if kind[:2] == "01" and kind != "0108":
        protocol = {"0106": "SATA", "0107": "SAS", "0104": "RAID", "0100": "SCSI", "0101": "IDE"}.get(kind)
        return "storage_controller", StorageController(**common, supported_device_protocol=protocol)
    if maker == "15b3" and product in _BLUEFIELD:
        return "dpus", Dpu(**common)
    # GPUs for computing have no display class: 3D controllers, processing accelerators, co-processors.
    if kind[:2] == "03" or (maker in ("10de", "1002") and kind[:2] in ("0b", "12")):
        return "gpus", Gpu(**common)
    if kind[:2] == "12" or kind == "0b40":
        return "accelerators", Accelerator(**common, kind="Accelerator")
    if kind[:2] == "02":  # also without a driver, or with one that takes it from the kernel's network
        return "nics", _card(fields, NicPort(id=address, bus_info=address))
    return None


def _card(fields: dict[str, Any], port: NicPort) -> Nic:
    """The network card of a port: its PCI device without the function."""
    address = str(port.bus_info).rsplit(".", 1)[0]
    return Nic(**fields, id=address, bus_info=address, nic_ports=(port,))


# -- network -----------------------------------------------------------------------------------------------------------


def interfaces(probe: Probe) -> dict[str, str]:
    """Names of physical network interfaces with their PCI addresses."""
    out = {}
    for name in probe.names(NET):
        target = probe.link(f"{NET}/{name}") or ""
        addresses = ADDRESS.findall(target)
        if addresses and "/usb" not in target and not probe.link(f"{NET}/{name}/device/physfn"):
            out[name] = addresses[-1]
    return out


def network(probe: Probe) -> None:
    """Ports of network cards; a bonded port's own MAC is the permanent one."""
    nics = []
    for name, address in interfaces(probe).items():
        base = f"{NET}/{name}"
        speed = _number(probe.text(f"{base}/speed"))
        permanent = clean_mac(probe.text(f"{base}/bonding_slave/perm_hwaddr"))
        carrier = probe.text(f"{base}/carrier")
        state = probe.text(f"{base}/operstate")
        port = NicPort(
            id=address,
            bus_info=address,
            logical_name=name,
            macaddress=permanent or clean_mac(probe.text(f"{base}/address")),
            speed_bits=speed * 1_000_000 if speed is not None and speed > 0 else None,
            mtu_size=positive(_number(probe.text(f"{base}/mtu"))),
            link_status={"1": "up", "0": "down"}.get(carrier or "", "down" if state == "down" else None),
        )
        nics.append(_card(_pci_fields(probe, address), port))
    if nics:
        probe.add(Device(nics=tuple(nics)))


def fabrics(probe: Probe) -> None:
    """Fibre Channel and InfiniBand ports."""
    ports = []
    for host in probe.names("/sys/class/fc_host", optional=True):
        base = f"/sys/class/fc_host/{host}"
        speed = re.match(r"^(\d{1,4}) Gbit", probe.text(f"{base}/speed") or "")
        ports.append(
            FabricPort(
                id=host,
                kind="FibreChannel",
                wwn=wwn(probe.text(f"{base}/port_name")),
                speed_bits=int(speed[1]) * 10**9 if speed else None,
                link_status={"Online": "up", "Linkdown": "down"}.get(probe.text(f"{base}/port_state") or ""),
            )
        )
    for card in probe.names("/sys/class/infiniband", optional=True):
        base = f"/sys/class/infiniband/{card}"
        version = firmware(probe.text(f"{base}/fw_ver"))
        for number in probe.names(f"{base}/ports"):
            port = f"{base}/ports/{number}"
            if "InfiniBand" not in (probe.text(f"{port}/link_layer") or ""):
                continue
            rate = re.match(r"^([\d.]{1,6}) Gb/sec", probe.text(f"{port}/rate") or "")
            ports.append(
                FabricPort(
                    id=f"{card}/{number}",
                    kind="InfiniBand",
                    wwn=wwn(probe.text(f"{base}/node_guid")),
                    speed_bits=positive(float(rate[1]), 10**9) if rate else None,
                    link_status="up" if "ACTIVE" in (probe.text(f"{port}/state") or "") else "down",
                    firmware=version,
                )
            )
    if ports:
        probe.add(Device(fabric_ports=tuple(ports)))
