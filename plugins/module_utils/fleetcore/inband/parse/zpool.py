# SPDX-License-Identifier: BSD-2-Clause

"""``zpool list -H -p -v -P``: ZFS pools and the devices they are made of."""

from __future__ import annotations

import re
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import decoded, health, parser
from ...document.parts import Volume
from ...document.values import positive
from ...errors import ParseError

_GROUP = re.compile(r"^(mirror|raidz\d?|draid\S*|spares?|logs?|cache|special|dedup|indirect|replacing|stripe)(-\d+)?$")


# What follows these is no place for data, as far as redundancy goes.
_CLASSES = frozenset(["spare", "spares", "log", "logs", "cache", "special", "dedup"])


@parser("zpool")
def parse_zpool(raw: str) -> Device:
    """Pools; no pool is a fine answer. Lines of devices begin with a tab or blanks.

    :raises ParseError: not a list of pools.
    """
    pools: list[dict[str, Any]] = []
    for line in decoded(raw).splitlines()[:20_000]:
        if not line.strip() or line.strip() == "no pools available":
            continue
        # Names may have blanks; `-H` separates by tabs.
        fields = line[:1000].strip().split("\t") if "\t" in line.strip() else line[:1000].split()
        if line[:1].isspace() or (_GROUP.match(fields[0]) and fields[1:2] == ["-"]):
            if not pools:
                raise ParseError("zpool: a device before the first pool", field="zpool")
            _member(pools[-1], fields)
        elif len(fields) >= 9:
            state = next((item for item in fields[8:] if item.isupper()), None)
            pools.append(
                {"name": fields[0], "size": fields[1], "state": state, "members": [], "kinds": [], "data": True}
            )
        else:
            raise ParseError("zpool: not a list of pools", field="zpool")
    return Device(volumes=tuple(_volume(pool) for pool in pools))


def _member(pool: dict[str, Any], fields: list[str]) -> None:
    name = fields[0]
    if name.startswith("/"):
        pool["members"].append(name)
    elif name in _CLASSES:
        pool["data"] = False
    elif _GROUP.match(name) and pool["data"]:
        pool["kinds"].append(name.split("-")[0])


def _volume(pool: dict[str, Any]) -> Volume:
    raid: Optional[str] = "+".join(dict.fromkeys(pool["kinds"])) or ("stripe" if pool["members"] else None)
    return Volume(
        id=pool["name"][:200],
        name=pool["name"][:200],
        raid_type=raid,
        size_bytes=positive(pool["size"]) if pool["size"].isdigit() else None,
        status=health(pool["state"]),
        physical_drives=tuple(pool["members"]),
        metadata={"kind": "zfs"},
    )
