# SPDX-License-Identifier: BSD-2-Clause

"""``lsblk -J -b`` as a tree: partitions, what is made of them, and file systems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import document, parser
from ...document.system import Partition
from ...document.values import MAX_ITEMS, items, positive, size_bytes, text
from ...errors import ParseError

_NO_DISK = ("loop", "rom")
_DEPTH = 12
Row = Mapping[str, Any]


@parser("lsblk")
def parse_lsblk_tree(raw: str) -> Device:
    """Partitions, volumes of LVM, RAID, encryption and multipath, and disks that have a file system themselves.

    Something that is upon several others stands below each of them, and is one.

    :raises ParseError: not a list of block devices.
    """
    body = document(raw, "lsblk")
    if not isinstance(body, Mapping) or not isinstance(body.get("blockdevices"), list):
        raise ParseError("lsblk: no list of block devices", field="lsblk")
    rows: dict[str, Row] = {}
    parents: dict[str, dict[str, None]] = {}
    for row, parent in _walk(items(body["blockdevices"]), None, _DEPTH):
        name = _name(row)
        if name and len(rows) < MAX_ITEMS:
            rows.setdefault(name, row)
            parents.setdefault(name, {}).update({parent: None} if parent else {})
    found = [_partition(name, row, tuple(parents[name])) for name, row in rows.items()]
    return Device(partitions=tuple(item for item in found if item is not None))


def _walk(rows: list[Row], parent: Optional[str], depth: int) -> Iterator[tuple[Row, Optional[str]]]:
    for row in rows:
        if text(row.get("type")) in _NO_DISK or depth == 0:
            continue
        yield row, parent
        yield from _walk(items(row.get("children")), _name(row), depth - 1)


def _name(row: Row) -> Optional[str]:
    """``/dev/sda1``; ``/dev/mapper/vg-root`` rather than a number of the device mapper."""
    name, kernel = text(row.get("name")), text(row.get("kname"))
    if name and (kernel or "").startswith(("dm-", "/dev/dm-")):
        return name if name.startswith("/") else f"/dev/mapper/{name}"
    found = kernel or name
    return found if found is None or found.startswith("/") else f"/dev/{found}"


def _partition(name: str, row: Row, parents: tuple[str, ...]) -> Optional[Partition]:
    kind, filesystem = text(row.get("type")), text(row.get("fstype"))
    mounts = row.get("mountpoints")
    mount = text(row.get("mountpoint")) or text(mounts[0] if isinstance(mounts, list) and mounts else None)
    if kind in (None, "disk") and not (filesystem or mount):
        return None
    size = row.get("size")
    return Partition(
        name=name,
        kind=kind,
        parents=parents,
        size_bytes=positive(size) if isinstance(size, int) or str(size).isdigit() else size_bytes(size, binary=True),
        filesystem=filesystem,
        mount_point=mount,
    )
