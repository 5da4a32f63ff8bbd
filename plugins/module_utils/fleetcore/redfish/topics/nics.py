# SPDX-License-Identifier: BSD-2-Clause

"""Network cards with their ports and MAC addresses, and what only EthernetInterfaces know."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ...document.parts import Nic, NicPort
from ...document.values import clean_mac, firmware, word
from ..quirks import NIC_PRODUCT_PATHS
from ..rules import LAST, Follow, Topic
from ..tree import Tree, once
from ..values import at, boolean, first, id_of, items, links, positive
from .common import component, is_absent, part, pci_id, slot, status


@once
def read(tree: Tree) -> tuple[Nic, ...]:
    """Adapters with ports; an EthernetInterface whose MAC no adapter has becomes a NIC of its own, else it completes
    the port."""
    out = [_adapter(path, body, tree) for path, body in tree.of("network_adapter") if not is_absent(body)]
    if not out:  # interfaces that lead to no adapter
        out = [_adapter(path, body, tree) for path, body in tree.of("network_interface") if not is_absent(body)]
        out = [nic for nic in out if nic.nic_ports]
    out += [_hpe_adapter(path, body, tree) for path, body in tree.of("hpe_adapter")]
    interfaces = [interface(path, body) for path, body in tree.of("ethernet")]
    known: dict[str, NicPort] = {port.macaddress: port for port in interfaces if port.macaddress}
    seen: set[str] = set()
    for index, nic in enumerate(out):
        ports = []
        for port in nic.nic_ports:
            seen.add(port.macaddress or "")
            ports.append(_complete(port, known.get(port.macaddress or "")))
        out[index] = dataclasses.replace(nic, nic_ports=tuple(ports))
    for mac, port in known.items():
        if mac not in seen:
            out.append(Nic(id=port.id, description=port.description, status=port.status, nic_ports=(port,)))
    return tuple(out)


def _adapter(path: str, body: Mapping[str, Any], tree: Tree) -> Nic:
    controllers = items(body.get("Controllers"))
    version = first(body, "FirmwareVersion") or (controllers[0].get("FirmwarePackageVersion") if controllers else None)
    functions = tree.of("network_function", parent=path)
    vendor_id, device_id = _pci(functions)
    model = word(body.get("Model")) or _product(functions)
    return Nic(
        **component(tree, path, {**body, "FirmwareVersion": version}, model=model),
        pci_vendor_id=vendor_id,
        pci_product_id=device_id,
        slot=slot(body) or (slot(controllers[0]) if controllers else None),
        part_number=part(body),
        nic_ports=tuple(_ports(tree.of("network_port", parent=path), functions)),
    )


def _product(functions: Iterable[tuple[str, Mapping[str, Any]]]) -> Optional[str]:
    for _path, body in functions:
        name = word(first(body, *NIC_PRODUCT_PATHS))
        if name:
            start, _dash, end = name.rpartition(" - ")
            return start if start and clean_mac(end) else name
    return None


def _pci(functions: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[Optional[str], Optional[str]]:
    for _path, body in functions:
        for vendor in ("DellNIC", "DellInfiniBand", "DellFC"):
            found = at(body, "Oem.Dell." + vendor)
            if pci_id(at(found, "PCIVendorID")):
                return pci_id(at(found, "PCIVendorID")), pci_id(at(found, "PCIDeviceID"))
    return None, None


def _ports(
    ports: list[tuple[str, Mapping[str, Any]]], functions: list[tuple[str, Mapping[str, Any]]]
) -> Iterable[NicPort]:
    """One per port; MACs from the port, else from the functions on it.

    Without ports: one per function that has a MAC.
    """
    by_port: dict[str, list[Mapping[str, Any]]] = {}
    alone: list[tuple[str, Mapping[str, Any]]] = []
    for path, body in functions:
        target = _port_of(path, body)
        if target and any(target == port for port, _body in ports):
            by_port.setdefault(target, []).append(body)
        else:
            alone.append((path, body))
    found = [_port(path, body, by_port.get(path, [])) for path, body in ports if not is_absent(body)]
    have = {port.macaddress for port in found if port.macaddress}
    for path, body in alone:
        mac = _function_mac(body)
        if mac and mac not in have:
            have.add(mac)
            found.append(NicPort(id=id_of(path, body), macaddress=mac, wwn=_wwn(body), status=status(body)))
    # A service may list a port twice, once for the adapter and once for the port: the one that says more stays.
    best: dict[Any, NicPort] = {}
    for index, port in enumerate(found):
        key = port.macaddress or index
        if key not in best or _richness(port) > _richness(best[key]):
            best[key] = port
    return best.values()


def _richness(port: NicPort) -> int:
    return sum(1 for item in dataclasses.fields(port) if getattr(port, item.name) not in (None, (), {}))


def _port_of(path: str, body: Mapping[str, Any]) -> Optional[str]:
    for name in (
        "Links.PhysicalNetworkPortAssignment",
        "Links.PhysicalPortAssignment",
        "PhysicalPortAssignment",
        "AssignablePhysicalNetworkPorts",
        "AssignablePhysicalPorts",
    ):
        found = links(at(body, name), path)
        if found:
            return found[0]
    return None


def _function_mac(body: Mapping[str, Any]) -> Optional[str]:
    return clean_mac(at(body, "Ethernet.PermanentMACAddress")) or clean_mac(at(body, "Ethernet.MACAddress"))


def _wwn(body: Mapping[str, Any]) -> Optional[str]:
    """Of a function, or of a port, which has a list of them."""
    name = first(
        body,
        "FibreChannel.PermanentWWPN",
        "FibreChannel.WWPN",
        "InfiniBand.PermanentPortGUID",
        "FibreChannel.AssociatedWorldWideNames",
        "InfiniBand.AssociatedPortGUIDs",
    )
    return (word(name[0] if isinstance(name, list) else name) or "").lower() or None


def _port(path: str, body: Mapping[str, Any], functions: list[Mapping[str, Any]]) -> NicPort:
    macs = [
        clean_mac(item)
        for name in ("Ethernet.AssociatedMACAddresses", "AssociatedNetworkAddresses")
        for item in (at(body, name) if isinstance(at(body, name), list) else [])
    ]
    macs = [_function_mac(item) for item in functions] + macs
    wwns = [_wwn(item) for item in functions] + [_wwn(body)]
    return NicPort(
        id=id_of(path, body),
        description=word(body.get("Name")),
        status=status(body),
        physid=word(first(body, "PortId", "PhysicalPortNumber")),
        speed_bits=positive(body.get("CurrentSpeedGbps"), 1e9) or positive(body.get("CurrentLinkSpeedMbps"), 1_000_000),
        active_link_technology=word(first(body, "LinkNetworkTechnology", "ActiveLinkTechnology")),
        link_status=word(body.get("LinkStatus")),
        macaddress=next((mac for mac in macs if mac), None),
        wwn=next((wwn for wwn in wwns if wwn), None),
        mtu_size=positive(body.get("MaxFrameSize")),
    )


def _hpe_adapter(path: str, body: Mapping[str, Any], tree: Tree) -> Nic:
    """HpeBaseNetworkAdapter: ports are inside."""
    version = firmware(at(body, "Firmware.Current.VersionString"))
    ports = []
    for index, port in enumerate(items(body.get("PhysicalPorts"))):
        ports.append(
            NicPort(
                id=f"{id_of(path, body)}-{index + 1}",
                physid=str(index + 1),
                description=word(port.get("Name")),
                status=status(port),
                macaddress=clean_mac(port.get("MacAddress")),
                link_status=word(port.get("LinkStatus")),
                speed_bits=positive(port.get("SpeedMbps"), 1_000_000),
            )
        )
    return Nic(
        **component(tree, path, body, firmware=version, model=word(first(body, "Model", "Name", "Description"))),
        slot=word(first(body, "Location", "StructuredName")),
        part_number=part(body),
        nic_ports=tuple(ports),
    )


def interface(path: str, body: Mapping[str, Any]) -> NicPort:
    """An EthernetInterface, of a host or of a manager."""
    addresses = [
        word(item.get("Address")) for name in ("IPv4Addresses", "IPv6Addresses") for item in items(body.get(name))
    ]
    return NicPort(
        id=id_of(path, body),
        description=word(body.get("Name")),
        logical_name=None,
        status=status(body),
        bus_info=word(body.get("UefiDevicePath")),
        macaddress=clean_mac(body.get("PermanentMACAddress")) or clean_mac(body.get("MACAddress")),
        speed_bits=positive(body.get("SpeedMbps"), 1_000_000),
        link_status=word(body.get("LinkStatus")),
        auto_neg=boolean(body.get("AutoNeg")),
        mtu_size=positive(body.get("MTUSize")),
        ip_addresses=tuple(dict.fromkeys(item.lower() for item in addresses if item and item.strip("0.:"))),
    )


def _complete(port: NicPort, other: Optional[NicPort]) -> NicPort:
    if other is None:
        return port
    names = ("speed_bits", "link_status", "auto_neg", "mtu_size", "bus_info", "status")
    new = {name: getattr(other, name) for name in names if getattr(port, name) is None}
    return dataclasses.replace(port, ip_addresses=port.ip_addresses or other.ip_addresses, **new)


TOPIC = Topic(
    "nics",
    read,
    rules={
        "system": (
            Follow(("EthernetInterfaces",), "ethernet"),
            Follow(("NetworkInterfaces",), "network_interface", unless="network_adapter"),
            Follow(
                ("Oem.Hpe.Links.NetworkAdapters", "Oem.Hp.Links.NetworkAdapters", "Oem.Hp.links.NetworkAdapters"),
                "hpe_adapter",
                unless="network_adapter",
            ),
        ),
        "chassis": (Follow(("NetworkAdapters",), "network_adapter"),),
        "network_interface": (
            Follow(("Links.NetworkAdapter",), "network_adapter", many=False),
            # Where the interface leads to no adapter, it holds the ports itself.
            Follow(("Ports", "NetworkPorts"), "network_port", unless="network_adapter"),
            Follow(("NetworkDeviceFunctions",), "network_function", unless="network_adapter"),
        ),
        "network_adapter": (
            Follow(("Ports", "NetworkPorts"), "network_port"),
            Follow(("NetworkDeviceFunctions",), "network_function"),
            # Some collections leave out ports that the controller links to.
            Follow(("Controllers[].Links.Ports",), "network_port", unless=LAST),
            Follow(("Controllers[].Links.NetworkPorts",), "network_port", unless=LAST, without="Ports"),
            Follow(("Controllers[].Links.NetworkDeviceFunctions",), "network_function", unless=LAST),
        ),
    },
)
