# SPDX-License-Identifier: BSD-2-Clause

"""Transceivers: SFP modules in the ports (Port.SFP, or Dell's own)."""

from __future__ import annotations

from ...document.parts import Transceiver
from ...document.values import clean_serial, word
from ..rules import Topic
from ..tree import Tree
from ..values import at, first, id_of


def read(tree: Tree) -> tuple[Transceiver, ...]:
    """SFP modules of the ports (Port.SFP, or Dell's own)."""
    out = []
    for path, body in tree.of("network_port"):
        module = first(body, "SFP", "Oem.Dell.DellNetworkTransceiver")
        serial = clean_serial(at(module, "SerialNumber"))
        if serial or word(at(module, "PartNumber")):
            out.append(
                Transceiver(
                    id=id_of(path, body),
                    port=id_of(path, body),
                    vendor=word(first(module, "Manufacturer", "VendorName")),
                    model=word(first(module, "Type", "IdentifierType")),
                    serial=serial,
                    part_number=word(at(module, "PartNumber")),
                )
            )
    return tuple(out)


TOPIC = Topic("transceivers", read)
