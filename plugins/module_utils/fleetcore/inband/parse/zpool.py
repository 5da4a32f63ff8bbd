# SPDX-License-Identifier: BSD-2-Clause

"""``zpool list -H -p -v -P``: ZFS pools and the devices they are made of."""

from __future__ import annotations

import re
from dataclasses import replace

from ...document.model import Device
from ...document.outputs import decoded, expect, health, parser
from ...document.parts import Volume
from ...document.values import positive

_GROUP = re.compile(r"^(mirror|raidz\d?|draid\S*|spares?|logs?|cache|special|dedup|indirect|replacing|stripe)(-\d+)?$")


# What follows these is no place for data, as far as redundancy goes.
_CLASSES = frozenset(["spare", "spares", "log", "logs", "cache", "special", "dedup"])


@parser("zpool")
def parse_zpool(raw: str) -> Device:
    """Pools; no pool is a fine answer. Lines of devices begin with a tab or blanks.

    :raises ParseError: not a list of pools.
    """
    pools: list[tuple[Volume, list[str]]] = []
    for line in decoded(raw).splitlines()[:20_000]:
        if not line.strip() or line.strip() == "no pools available":
            continue
        # Names may have blanks; `-H` separates by tabs.
        fields = line[:1000].strip().split("\t") if "\t" in line.strip() else line[:1000].split()
        if line[:1].isspace() or (_GROUP.match(fields[0]) and fields[1:2] == ["-"]):
            expect("zpool", pools, "a device before the first pool")
            pools[-1][1].append(fields[0])
            continue
        expect("zpool", len(fields) >= 9, "not a list of pools")
        name, size = fields[0][:200], fields[1]
        pool = Volume(
            id=name,
            name=name,
            size_bytes=positive(size) if size.isdigit() else None,
            status=health(next((item for item in fields[8:] if item.isupper()), None)),
            metadata={"kind": "zfs"},
        )
        pools.append((pool, []))
    return Device(volumes=tuple(_with_members(*found) for found in pools))


def _with_members(pool: Volume, names: list[str]) -> Volume:
    members = tuple(name for name in names if name.startswith("/"))
    data = names[: next((place for place, name in enumerate(names) if name in _CLASSES), None)]
    kinds = dict.fromkeys(name.split("-")[0] for name in data if _GROUP.match(name))
    return replace(pool, physical_drives=members, raid_type="+".join(kinds) or ("stripe" if members else None))
