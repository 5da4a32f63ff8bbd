# SPDX-License-Identifier: BSD-2-Clause

"""Licences: what is licensed, never the key."""

from __future__ import annotations

from ...document.parts import Licence
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import first
from .common import component


def read(tree: Tree) -> tuple[Licence, ...]:
    """Names of licences and when they end. Never the key."""
    out = []
    for path, body in tree.of("licence"):
        names = body.get("LicenseDescription")
        name = names[0] if isinstance(names, list) and names else first(body, "License", "Name", "Description")
        fields = component(tree, path, body, firmware=None, serial=None, description=word(name))
        expiry = word(first(body, "ExpirationDate", "LicenseEndDate", "LicenseExpire"))
        out.append(Licence(**fields, expires_at=expiry))
    return tuple(out)


TOPIC = Topic(
    "licences",
    read,
    rules={
        "root": (Follow(("LicenseService",), "licence_service", many=False),),
        "licence_service": (Follow(("Licenses",), "licence"),),
        "manager": (
            Follow(
                (
                    "Links.Oem.Dell.DellLicenseCollection",
                    "Oem.Hpe.Links.LicenseService",
                    "Oem.Hp.Links.LicenseService",
                    "Oem.Hp.links.LicenseService",
                ),
                "licence",
                unless="licence",
            ),
        ),
    },
)
