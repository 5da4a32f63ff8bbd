# SPDX-License-Identifier: BSD-2-Clause

"""Secure Boot."""

from __future__ import annotations

from typing import Optional

from ...document.parts import SecureBoot
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import boolean


def read(tree: Tree) -> Optional[SecureBoot]:
    """Whether it is on; None if the BMC says nothing of it."""
    for _path, body in tree.of("secure_boot"):
        found = SecureBoot(
            enabled=boolean(body.get("SecureBootEnable")),
            mode=word(body.get("SecureBootMode")),
            current_boot=word(body.get("SecureBootCurrentBoot")),
        )
        return None if found == SecureBoot() else found
    return None


TOPIC = Topic("secure_boot", read, rules={"system": (Follow(("SecureBoot",), "secure_boot", many=False),)})
