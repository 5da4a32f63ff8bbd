# SPDX-License-Identifier: BSD-2-Clause

"""``lldpctl -f json`` (or ``json0``): the switch port that each interface sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.model import Device
from ...document.outputs import first, json_object, mapping, parser
from ...document.parts import Nic, NicPort
from ...document.values import MAX_ITEMS, items, text


@parser("lldpctl")
def parse_lldpctl(raw: str) -> Device:
    """Ports by interface name, with ``neighbor``: chassis_id, system_name, port_id, port_description, vlan,
    management_address.

    An interface with several neighbours keeps the first that speaks LLDP (others: CDP, EDP, ...), else the first. Of
    several VLANs it is the one of untagged frames. No neighbours is a fine answer.
    """
    body = json_object(raw, "lldpctl", "no LLDP in the output", "lldp")
    ports: dict[str, NicPort] = {}
    # LLDP before other protocols; within them in the tool's order.
    for name, fields in sorted(
        _interfaces(body["lldp"]), key=lambda entry: text(entry[1].get("via")) not in (None, "LLDP")
    ):
        neighbor = _neighbor(fields)
        if neighbor and name not in ports:
            ports[name] = NicPort(logical_name=name, neighbor=neighbor)
    return Device(nics=tuple(Nic(id=name, nic_ports=(ports[name],)) for name in sorted(ports)))


def _interfaces(lldp: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and fields of interfaces: ``json`` keys them by name, ``json0`` and lists give the name inside."""
    out: list[tuple[str, Mapping[str, Any]]] = []
    for level in items(lldp):
        for entry in items(level.get("interface")):
            named = {text(entry["name"]): entry} if "name" in entry else entry
            found = list(named.items())[:MAX_ITEMS]
            out += [(str(key)[:64], value) for key, value in found if key and isinstance(value, Mapping)]
    return out


def _value(field: Any) -> Optional[str]:
    """A field as text: plain, ``{"value": ...}``, or the first of a list of these."""
    found = first(field)
    return text(found.get("value")) if isinstance(found, Mapping) else text(found)


def _neighbor(fields: Mapping[str, Any]) -> dict[str, str]:
    chassis, port = mapping(first(fields.get("chassis"))), mapping(first(fields.get("port")))
    name = _value(chassis.get("name"))
    if chassis and "id" not in chassis and "name" not in chassis:  # json: keyed by the system's name
        key, inner = next(iter(chassis.items()))
        if isinstance(inner, Mapping):
            name, chassis = text(key), inner
    vlans = items(fields.get("vlan"))
    vlan = next((item for item in vlans if item.get("pvid") in (True, "yes")), vlans[0] if vlans else {})
    found = {
        "chassis_id": _value(chassis.get("id")),
        "system_name": name,
        "system_description": _value(chassis.get("descr")),
        "management_address": _value(chassis.get("mgmt-ip")),
        "port_id": _value(port.get("id")),
        "port_description": _value(port.get("descr")),
        "vlan": text(vlan.get("vlan-id")),
    }
    return {key: value for key, value in found.items() if value}
