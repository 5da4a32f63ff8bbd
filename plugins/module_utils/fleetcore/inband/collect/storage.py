# SPDX-License-Identifier: BSD-2-Clause

"""Readers of ``/sys/block``: the machine's drives, and what looks like one: volumes of arrays and RAID controllers."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import NamedTuple, Optional

from ...document.model import Device
from ...document.outputs import said
from ...document.parts import Drive
from ...document.system import RemoteVolume
from ...document.values import clean_serial, firmware, integer, pci_address, positive, word, wwn
from ..parse.drives import device_name, drive_type, drive_vendor, is_virtual, protocol_of
from .probe import Probe
from .sysfs import ADDRESS

BLOCK = "/sys/block"
NVME = "/sys/class/nvme"
VOLUME = "volume"
# Transports of NVMe that lead out of the machine.
_FABRICS = ("tcp", "rdma", "fc", "loop")
# SCSI channels on which a controller's driver shows the volumes that it makes of drives, by its name.
_VOLUME_CHANNELS = {"megaraid_sas": (2, 3), "mpt3sas": (1,), "mpt2sas": (1,), "aacraid": (0,)}
# Virtual disks are the drives of a virtual machine, although their names are those of volumes.
_HYPERVISORS = ("vmware", "msft", "qemu", "vbox", "nutanix", "google", "amazon", "xen", "ovirt", "parallels")


class Disk(NamedTuple):
    """A block device, or the controller of an NVMe drive.

    :ivar spaces: the block devices that have its data: itself, or the namespaces of the controller.
    :ivar kind: empty: a drive of the machine. ``fc``, ``iscsi``, ``nvme-tcp`` and the like: a volume that is reached
        so. ``volume``: what a RAID controller makes of its drives.
    """

    name: str
    target: str
    spaces: tuple[str, ...]
    kind: str = ""


def disks(probe: Probe) -> list[Disk]:
    """What ``/sys`` shows as drives. Which controller a namespace belongs to is what the kernel says: with native
    multipath the numbers in their names have nothing to do with each other."""
    out = []
    spaces: dict[str, list[str]] = {}
    for name in probe.names(BLOCK):
        target = probe.link(f"{BLOCK}/{name}") or ""
        if re.match(r"^nvme\d+n\d+$", name):
            for controller in _controllers(probe, name, target):
                spaces.setdefault(controller, []).append(name)
        elif re.match(r"^(?:(?:sd|vd|hd|xvd)|mmcblk\d+$)", name) and "/virtual/" not in target and "/usb" not in target:
            out.append(Disk(name, target, (name,), _kind(probe, name, target)))
    known = {name for name in probe.names(NVME, optional=True) if re.match(r"^nvme\d+$", name)}
    for name in sorted({*spaces, *known}):
        transport = probe.text(f"{NVME}/{name}/transport")
        kind = f"nvme-{transport}" if transport in _FABRICS else ""
        if is_virtual(probe.text(f"{NVME}/{name}/model")):
            kind = VOLUME
        target = probe.link(f"{NVME}/{name}") or probe.link(f"{BLOCK}/{(spaces.get(name) or [''])[0]}") or ""
        out.append(Disk(name, target, tuple(spaces.get(name, ())), kind))
    return out


def drives(probe: Probe) -> list[str]:
    """The names of the machine's drives; NVMe drives by their controllers."""
    return [f"/dev/{disk.name}" for disk in disks(probe) if not disk.kind]


def block(probe: Probe) -> None:
    """Drives, as far as the kernel knows them, and volumes of arrays."""
    found: list[Drive] = []
    volumes: dict[str, RemoteVolume] = {}
    for disk in disks(probe):
        if not disk.kind:
            found.append(_drive(probe, disk))
            continue
        probe.no_drives.add(str(device_name(disk.name)))
        for space in disk.spaces if disk.kind != VOLUME else ():
            volume = _remote(probe, disk, space)
            before = volumes.get(str(volume.id), volume)
            volumes[str(volume.id)] = replace(
                before,
                paths=tuple(dict.fromkeys([*before.paths, *volume.paths])),
                targets=tuple(dict.fromkeys([*before.targets, *volume.targets])),
            )
            probe.no_drives |= {item for item in (volume.serial, volume.wwn) if item}
    if found or volumes:
        probe.add(Device(drives=tuple(found), remote_volumes=tuple(volumes.values())))


def _controllers(probe: Probe, name: str, target: str) -> list[str]:
    """The controllers of a namespace: the one that it is below of, those of its subsystem, those that have a path to
    it; else the one with its number."""
    above = re.search(r"/(nvme\d+)/nvme\d+n\d+$", target)
    if above:
        return [above[1]]
    subsystem = posixpath.normpath(posixpath.join(BLOCK, posixpath.dirname(target)))
    found = [item for item in probe.names(subsystem, optional=True) if re.match(r"^nvme\d+$", item)]
    if not found:
        subsystem, space = re.findall(r"\d+", name)
        path = re.compile(rf"nvme{subsystem}(?:c\d+)?n{space}")
        found = [
            item
            for item in probe.names(NVME, optional=True)
            if any(path.fullmatch(below) for below in probe.names(f"{NVME}/{item}", optional=True))
        ]
    return found or [name[: name.rindex("n")]]


def _kind(probe: Probe, name: str, target: str) -> str:
    if "/rport-" in target:
        return "fc"
    if re.search(r"/session\d+/", target):
        return "iscsi"
    base = f"{BLOCK}/{name}/device"
    vendor, model = probe.text(f"{base}/vendor"), probe.text(f"{base}/model")
    if is_virtual(vendor, model):
        return VOLUME
    if "/virtio" in target or (vendor or "").lower().startswith(_HYPERVISORS):
        return ""
    # Names of 128 bits are given by whoever makes a volume, drives have shorter ones.
    named = (probe.text(f"{BLOCK}/{name}/wwid") or probe.text(f"{base}/wwid") or "").startswith("naa.6")
    level = probe.text(f"{base}/raid_level")
    place = re.search(r"/host(\d+)/.*/\d+:(\d+):\d+:\d+/block/", target)
    driver = probe.text(f"/sys/class/scsi_host/host{place[1]}/proc_name") if place else None
    shown = place is not None and int(place[2]) in _VOLUME_CHANNELS.get(driver or "", ())
    return VOLUME if named or shown or level not in (None, "N/A") else ""


def _drive(probe: Probe, disk: Disk) -> Drive:
    nvme = disk.name.startswith("nvme")
    device = f"{NVME}/{disk.name}" if nvme else f"{BLOCK}/{disk.name}/device"
    base = f"{BLOCK}/{(disk.spaces or (disk.name,))[0]}"
    model = word(probe.text(f"{device}/model"))
    spoken = protocol(probe, disk)
    rotating = {"1": True, "0": False}.get(probe.text(f"{base}/queue/rotational") or "")
    addresses = ADDRESS.findall(disk.target)
    sizes = [_sectors(probe, space) for space in disk.spaces]
    return Drive(
        vendor=drive_vendor(model) or _vendor(probe, device),
        model=model,
        serial=_serial(probe, device, base),
        logical_name=device_name(disk.name),
        firmware=firmware(probe.text(f"{device}/firmware_rev") or probe.text(f"{device}/rev")),
        protocol=spoken,
        drive_type=drive_type(spoken, rotating),
        wwn=_wwn(probe, device, base),
        capacity_bytes=positive(sum(size or 0 for size in sizes)),
        block_size_bytes=positive(probe.text(f"{base}/queue/logical_block_size")),
        bus_info=(pci_address(probe.text(f"{device}/address")) or (addresses or [None])[-1]) if nvme else None,
        storage_controller=addresses[-1] if addresses and not nvme else None,
        metadata=said(namespaces=",".join(disk.spaces) if nvme and disk.spaces != (f"{disk.name}n1",) else None),
    )


def _remote(probe: Probe, disk: Disk, space: str) -> RemoteVolume:
    base = f"{BLOCK}/{space}"
    device = f"{NVME}/{disk.name}" if disk.name.startswith("nvme") else f"{base}/device"
    serial, name = _serial(probe, device, base), _wwn(probe, device, base)
    lun = re.search(r"/\d+:\d+:\d+:(\d+)/block/", disk.target)
    maps = [holder for holder in probe.names(f"{base}/holders", optional=True) if holder.startswith("dm-")]
    multipath = next((item for item in maps if (probe.text(f"{BLOCK}/{item}/dm/uuid") or "").startswith("mpath-")), "")
    return RemoteVolume(
        id=name or ":".join(item for item in (serial, lun[1] if lun else space) if item),
        vendor=_vendor(probe, device),
        model=word(probe.text(f"{device}/model")),
        serial=serial,
        protocol=disk.kind,
        wwn=name,
        size_bytes=_sectors(probe, space),
        targets=tuple(item for item in (_target(probe, disk),) if item),
        paths=(f"/dev/{space}",),
        multipath=word(probe.text(f"{BLOCK}/{multipath}/dm/name")) if multipath else None,
        metadata=said(lun=lun[1] if lun else None, address=word(probe.text(f"{device}/address"))),
    )


def _target(probe: Probe, disk: Disk) -> Optional[str]:
    """The port, IQN or NQN of the array."""
    port = re.search(r"/(rport-[\d:-]+)/", disk.target)
    session = re.search(r"/(session\d+)/", disk.target)
    if port:
        return wwn(probe.text(f"/sys/class/fc_remote_ports/{port[1]}/port_name"))
    if session:
        return word(probe.text(f"/sys/class/iscsi_session/{session[1]}/targetname"))
    return word(probe.text(f"{NVME}/{disk.name}/subsysnqn"))


def _vendor(probe: Probe, device: str) -> Optional[str]:
    vendor = word(probe.text(f"{device}/vendor"))
    return None if vendor in ("ATA", "NVMe") or (vendor or "").startswith("0x") else vendor


def _wwn(probe: Probe, device: str, base: str) -> Optional[str]:
    return wwn(probe.text(f"{base}/wwid") or probe.text(f"{device}/wwid"))


def _sectors(probe: Probe, space: str) -> Optional[int]:
    return positive(integer(probe.text(f"{BLOCK}/{space}/size")), 512)


def protocol(probe: Probe, disk: Disk) -> Optional[str]:
    """``nvme``, ``sata``, ``sas``, ``virtio``; ``scsi`` for what is one of the others behind a controller."""
    device = f"{BLOCK}/{disk.name}/device"
    if disk.name.startswith("nvme"):
        return "nvme"
    if "/virtio" in disk.target:
        return "virtio"
    if "/ata" in disk.target or probe.text(f"{device}/vendor") == "ATA":
        return "sata"
    if "/end_device-" in disk.target or probe.text(f"{device}/sas_address"):
        return "sas"
    return protocol_of("scsi") if "/host" in disk.target else None


def _serial(probe: Probe, device: str, base: str) -> Optional[str]:
    """What the kernel shows as the serial number; else that of SCSI's vital product data page 80h, behind a header of
    four bytes."""
    shown = probe.text(f"{device}/serial") or probe.text(f"{base}/serial")
    if shown or not probe.has(device, "vpd_pg80"):
        return clean_serial(shown)
    page = probe.bytes_of(f"{device}/vpd_pg80", 4096) or b""
    return clean_serial(page[4:].split(b"\x00")[0].decode("ascii", "replace"))
