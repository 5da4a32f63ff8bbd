# SPDX-License-Identifier: BSD-2-Clause

"""``ip -d -j address`` and ``ip -j route``: how the OS has set up its network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import at, decoded, document, mapping, parser
from ...document.system import Interface
from ...document.values import clean_mac, integer, items, positive, text
from ...errors import ParseError

# Virtual interfaces that are worth telling, if they are upon hardware.
_UPON = ("bond", "bridge", "team", "vlan")
# Addresses of these scopes are of this cable only, or of this host.
_LOCAL = ("link", "host")


@parser("ip")
def parse_ip_address(raw: str) -> Device:
    """Ports of network cards; bonds, bridges, teams and VLANs upon them; of the loopback what others can reach.

    What containers and virtual machines of the host have is left out, and so are addresses that change by themselves.

    :raises ParseError: not ip's JSON.
    """
    rows = _rows(raw)
    members: dict[str, list[str]] = {}
    for row in rows:
        if row.get("master"):
            members.setdefault(str(row["master"]), []).append(str(row["ifname"]))
    parents = {str(row["ifname"]): [str(row["link"])] for row in rows if row.get("link") and _kind(row) == "vlan"}
    kinds = {str(row["ifname"]): _kind(row) for row in rows}

    def is_upon_hardware(name: str, depth: int = 0) -> bool:
        below = [*members.get(name, ()), *parents.get(name, ())]
        return kinds.get(name) == "physical" or (
            kinds.get(name) in _UPON and depth < 8 and any(is_upon_hardware(item, depth + 1) for item in below)
        )

    found = []
    for row in rows:
        name = str(row["ifname"])
        addresses = _addresses(row)
        if is_upon_hardware(name) or (_kind(row) == "loopback" and addresses):
            found.append(_interface(row, addresses, members.get(name, []), parents.get(name, [])))
    return Device(interfaces=tuple(found))


@parser("ip")
def parse_ip_route(raw: str) -> dict[str, tuple[str, ...]]:
    """The gateways of default routes, by the interface that leads to them.

    :raises ParseError: not ip's JSON.
    """
    found: dict[str, dict[str, None]] = {}
    for row in items(document(raw, "ip")) if decoded(raw).strip() else ():
        if row.get("dst") in ("default", "0.0.0.0/0", "::/0"):
            for hop in items(row.get("nexthops")) or [row]:
                gateway = text(hop.get("gateway")) or text(at(hop, "via", "host"))
                name = text(hop.get("dev"))
                if gateway and name:
                    found.setdefault(name, {})[gateway] = None
    return {name: tuple(gateways) for name, gateways in found.items()}


def _rows(raw: str) -> list[Mapping[str, Any]]:
    rows = [row for row in items(document(raw, "ip")) if text(row.get("ifname"))]
    if not rows:
        raise ParseError("ip: no interface in the output", field="ip")
    return rows


def _kind(row: Mapping[str, Any]) -> str:
    kind = text(at(row, "linkinfo", "info_kind"))
    if kind:
        return kind
    link = text(row.get("link_type"))
    return "physical" if link in ("ether", "infiniband") else link or ""


def _interface(row: Mapping[str, Any], addresses: tuple[str, ...], members: list[str], parents: list[str]) -> Interface:
    details = mapping(at(row, "linkinfo", "info_data"))
    return Interface(
        name=text(row.get("ifname")),
        kind=_kind(row),
        macaddress=clean_mac(row.get("address")),
        mtu_size=positive(row.get("mtu")),
        ip_addresses=addresses,
        mode=text(details.get("mode")),
        vlan_id=integer(details.get("id")) if _kind(row) == "vlan" else None,
        parent=parents[0] if parents else None,
        members=tuple(members),
    )


def _addresses(row: Mapping[str, Any]) -> tuple[str, ...]:
    found = [_address(entry) for entry in items(row.get("addr_info"))]
    return tuple(item for item in found if item)


def _address(entry: Mapping[str, Any]) -> Optional[str]:
    local, length = text(entry.get("local")), integer(entry.get("prefixlen"))
    if not local or entry.get("scope") in _LOCAL or entry.get("temporary") or entry.get("deprecated"):
        return None
    return f"{local}/{length}" if length is not None else local
