# SPDX-License-Identifier: BSD-2-Clause

"""Backplanes: chassis that call themselves so."""

from __future__ import annotations

from ...document.parts import Backplane
from ..rules import Topic
from ..tree import Tree
from .common import component, is_absent


def read(tree: Tree) -> tuple[Backplane, ...]:
    """Chassis that call themselves backplanes."""
    return tuple(
        Backplane(**component(tree, path, body))
        for path, body in tree.of("chassis")
        if "backplane" in f"{body.get('Name')} {body.get('Model')}".lower() and not is_absent(body)
    )


TOPIC = Topic("backplanes", read)
