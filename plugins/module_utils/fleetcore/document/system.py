# SPDX-License-Identifier: BSD-2-Clause

"""Records of what the operating system has made of the machine, as those in ``parts.py``, and columns of their
tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .parts import Identified, Record

INTERFACE = ("name", "kind", "macaddress", "ip_addresses", "gateways", "vlan_id", "parent", "members", "mode")
PARTITION = ("name", "kind", "parents", "size_bytes", "filesystem", "mount_point")
REMOTE_VOLUME = ("model", "serial", "protocol", "size_bytes", "targets", "paths", "multipath")
NUMA_NODE = ("id", "cpus", "memory_bytes")


@dataclass(frozen=True, repr=False, eq=False)
class OperatingSystem(Record):
    """The system that the machine runs; secrets of its command line are taken out."""

    name: Optional[str] = None
    id: Optional[str] = None
    version: Optional[str] = None
    kernel: Optional[str] = None
    architecture: Optional[str] = None
    command_line: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class Interface(Record):
    """A network interface as the OS has set it up: a port of a card (``kind`` is ``physical``), or a ``bond``,
    ``bridge`` or ``vlan`` upon such.

    Addresses are with the length of their prefix. ``gateways`` are those of default routes. ``members`` are the
    interfaces that a bond or bridge is made of, ``parent`` is what a VLAN is upon.
    """

    name: Optional[str] = None
    kind: Optional[str] = None
    macaddress: Optional[str] = None
    mtu_size: Optional[int] = None
    ip_addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    mode: Optional[str] = None
    vlan_id: Optional[int] = None
    parent: Optional[str] = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False, eq=False)
class Partition(Record):
    """A partition, or another block device that is made of disks (LVM, RAID, encryption, multipath), or a disk with a
    file system of its own; ``kind`` is the word of ``lsblk`` for it. ``parents`` are what it is made of.
    """

    name: Optional[str] = None
    kind: Optional[str] = None
    parents: tuple[str, ...] = ()
    size_bytes: Optional[int] = None
    filesystem: Optional[str] = None
    mount_point: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class RemoteVolume(Identified):
    """A volume of an array that the OS reaches over a network: no part of the machine, other hosts may have it, too.

    ``protocol`` is ``fc``, ``iscsi``, ``nvme-tcp``, ``nvme-rdma`` or ``nvme-fc``; ``targets`` are port names, IQNs or
    NQNs of the array, ``paths`` the block devices that lead to it, ``multipath`` the device that is put on them.
    """

    protocol: Optional[str] = None
    wwn: Optional[str] = None
    size_bytes: Optional[int] = None
    targets: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    multipath: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False)
class NumaNode(Record):
    """CPUs (numbers of the kernel, ``0-15,32-47``) that are near to each other, and the memory that is near to them."""

    id: Optional[str] = None
    cpus: Optional[str] = None
    memory_bytes: Optional[int] = None
