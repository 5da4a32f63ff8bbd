# SPDX-License-Identifier: BSD-2-Clause

"""The BMC: the manager that is one, with its own network."""

from __future__ import annotations

from typing import Optional

from ...document.parts import Bmc, Nic
from ...document.values import word
from ..quirks import BMC_FIRMWARE_NAMES
from ..rules import LAST, Follow, Topic
from ..tree import Tree
from ..values import at, first, links, text
from .common import component
from .firmware_inventory import named
from .nics import interface


def read(tree: Tree) -> Optional[Bmc]:
    """The manager that is a BMC, else the first one; its firmware also from the firmware inventory."""
    managers = tree.of("manager")
    if not managers:
        return None
    types = ("BMC", "EnclosureManager", "ManagementController")
    managers.sort(
        key=lambda item: (
            types.index(item[1]["ManagerType"]) if item[1].get("ManagerType") in types else 9,
            tree.system not in links(at(item[1], "Links.ManagerForServers")),  # of a board of GPUs, perhaps
        )
    )
    protocols = [body for _path, body in tree.of("manager_protocol", parent=managers[0][0])]
    path, body = managers[0]
    names = [text(item.get("HostName")) for _path, item in tree.of("manager_ethernet", parent=path)]
    names += [text(first(item, "HostName", "FQDN")) for item in protocols]
    fields = component(tree, path, body)
    fields["firmware"] = fields["firmware"] or named(tree, BMC_FIRMWARE_NAMES)
    return Bmc(
        **fields,
        uuid=(word(first(body, "UUID", "ServiceEntryPointUUID")) or "").lower() or None,
        hostname=next((name for name in names if name), None),
        nic=_nic(tree, path),
    )


def _nic(tree: Tree, manager: str) -> Optional[Nic]:
    """The BMC's own network: interfaces that have a MAC; those with an address first."""
    ports = [interface(path, body) for path, body in tree.of("manager_ethernet", parent=manager)]
    ports = [port for port in ports if port.macaddress]
    ports.sort(key=lambda port: not any(not item.startswith(("fe80", "169.254")) for item in port.ip_addresses))
    return Nic(nic_ports=tuple(ports)) if ports else None


TOPIC = Topic(
    "bmc",
    read,
    rules={
        "root": (Follow(("Managers",), "manager"),),
        # Nearly always known from the root.
        "system": (Follow(("Links.ManagedBy",), "manager", many=False, unless=LAST),),
        "manager": (
            Follow(("EthernetInterfaces",), "manager_ethernet"),
            Follow(("NetworkProtocol",), "manager_protocol", many=False, unless="manager_ethernet"),
        ),
    },
)
