# SPDX-License-Identifier: BSD-2-Clause

"""Fabric ports: the InfiniBand and Fibre Channel ports of the network adapters."""

from __future__ import annotations

from ...document.parts import FabricPort
from ..rules import Topic
from ..tree import Tree
from . import nics

_FABRICS = {"infiniband": "infiniband", "fibrechannel": "fibre_channel", "fc": "fibre_channel"}


def read(tree: Tree) -> tuple[FabricPort, ...]:
    """The InfiniBand and Fibre Channel ports among the adapters' ports."""
    out = []
    for nic in nics.read(tree):
        for port in nic.nic_ports:
            kind = _FABRICS.get((port.active_link_technology or "").lower())
            if kind:
                out.append(
                    FabricPort(
                        id=port.id,
                        vendor=nic.vendor,
                        model=nic.model,
                        kind=kind,
                        wwn=port.wwn,
                        speed_bits=port.speed_bits,
                        link_status=port.link_status,
                        status=port.status,
                    )
                )
    return tuple(out)


TOPIC = Topic("fabric_ports", read)
