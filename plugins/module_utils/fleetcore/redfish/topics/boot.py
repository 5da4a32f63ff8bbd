# SPDX-License-Identifier: BSD-2-Clause

"""The boot order and the pending override."""

from __future__ import annotations

from typing import Optional

from ...document.parts import Boot
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import at, first, id_of, text


def read(tree: Tree) -> Optional[Boot]:
    """Order and override in the source's words; None if the BMC says nothing of them."""
    system = tree.host
    order = first(system, "Boot.BootOrder", "BootOrder")
    names = tuple(name for name in (text(item) for item in (order if isinstance(order, list) else [])) if name)
    options = {}
    for path, body in tree.of("boot_option"):
        reference = word(body.get("BootOptionReference")) or id_of(path, body)
        options[reference] = word(first(body, "DisplayName", "UefiDevicePath", "Name")) or ""
    found = Boot(
        order=names,
        options=options,
        mode=word(at(system, "Boot.BootSourceOverrideMode")),
        override_enabled=text(at(system, "Boot.BootSourceOverrideEnabled")),
        override_target=text(at(system, "Boot.BootSourceOverrideTarget")),
    )
    return None if found == Boot() else found


TOPIC = Topic("boot", read, rules={"system": (Follow(("Boot.BootOptions",), "boot_option"),)})
