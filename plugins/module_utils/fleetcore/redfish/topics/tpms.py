# SPDX-License-Identifier: BSD-2-Clause

"""TPMs: TrustedComponents of that type, else the deprecated TrustedModules of the system."""

from __future__ import annotations

from ...document.parts import Tpm
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree, is_absent
from ..values import items
from .boards import is_tpm
from .common import common


def read(tree: Tree) -> tuple[Tpm, ...]:
    """TrustedComponents of type TPM, else the deprecated TrustedModules of the system."""
    out = []
    for _path, body in tree.of("trusted_component"):
        if is_tpm(body):
            out.append(Tpm(**common(body), interface_type=word(body.get("TrustedComponentType"))))
    if not out:
        out = [
            Tpm(**common(body), interface_type=word(body.get("InterfaceType")))
            for body in items(tree.host.get("TrustedModules"))
            if not is_absent(body) and (body.get("InterfaceType") or body.get("FirmwareVersion"))
        ]
    return tuple(out)


TOPIC = Topic(
    "tpms",
    read,
    rules={
        "system": (Follow(("Links.TrustedComponents",), "trusted_component", many=False),),
        "chassis": (Follow(("TrustedComponents",), "trusted_component"),),
    },
)
