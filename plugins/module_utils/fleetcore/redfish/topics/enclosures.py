# SPDX-License-Identifier: BSD-2-Clause

"""Enclosures: every chassis that the machine is, is in, or has in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.parts import Enclosure
from ...document.values import clean_serial, word
from ..rules import LAST, Follow, Topic
from ..tree import Tree
from ..values import at
from .common import component, is_absent, part


def read(tree: Tree) -> tuple[Enclosure, ...]:
    """Every chassis that the machine is, is in, or has in it."""
    return tuple(
        Enclosure(
            **component(tree, path, body),
            chassis_type=word(body.get("ChassisType")),
            part_number=part(body),
            asset_tag=clean_serial(body.get("AssetTag")),
            location=location(body),
        )
        for path, body in tree.of("chassis")
        if not is_absent(body)
    )


def location(body: Mapping[str, Any]) -> Optional[str]:
    """The place of a chassis in the building, in one line."""
    parts = [
        ("", word(at(body, "Location.PostalAddress.Building"))),
        ("", word(at(body, "Location.PostalAddress.Room"))),
        ("row ", word(at(body, "Location.Placement.Row"))),
        ("rack ", word(at(body, "Location.Placement.Rack"))),
        ("unit ", word(at(body, "Location.Placement.RackOffset"))),
    ]
    words = [prefix + value for prefix, value in parts if value and value != "0"]
    if words:
        return ", ".join(words)
    info = word(at(body, "Location.Info"))
    return info if info and len(info.strip("; 0123456789")) > 0 else None


TOPIC = Topic(
    "enclosures",
    read,
    rules={
        "root": (Follow(("Chassis",), "chassis"),),
        # Nearly always known from the root.
        "system": (Follow(("Links.Chassis",), "chassis", many=False, unless=LAST),),
    },
)
