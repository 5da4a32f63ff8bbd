# SPDX-License-Identifier: BSD-2-Clause

"""TPMs: TrustedComponents of that type, else the deprecated TrustedModules of the system."""

from __future__ import annotations

from ...document.parts import Tpm
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import items
from .common import common, is_absent


def read(tree: Tree) -> tuple[Tpm, ...]:
    """TrustedComponents of type TPM, else the deprecated TrustedModules of the system."""
    out = []
    for _path, body in tree.of("trusted_component"):
        kind = " ".join(str(body.get(name, "")) for name in ("Id", "Name", "Model", "Description")).lower()
        if "tpm" in kind and not is_absent(body):
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
