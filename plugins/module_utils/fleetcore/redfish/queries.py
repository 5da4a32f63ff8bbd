# SPDX-License-Identifier: BSD-2-Clause

"""Queries that spare requests (``$expand``, ``?only``): which a service offers, and has not refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from .values import at, integer

_SINGLE: Mapping[str, tuple[tuple[str, int], ...]] = {
    "system": ((".", 1),),
    "chassis": ((".", 1),),
    "storage": ((".", 2), (".", 1)),
    "network_adapter": ((".", 2), ("*", 1)),
}
"""Kinds of resources that are worth asking for with what is below them in one answer: the first of these (mark,
levels) that the service offers is taken. ``*`` reaches the ports that a controller links to."""

_ONLY = ("system", "chassis", "manager")
"""Kinds whose collection is asked for its only member where that is offered and ``$expand`` is not. Nothing else
leads to them: of others the member would be under way by another link, and be fetched twice."""


class Queries:
    """The queries that one service offers.

    :param root: the service root. Empty: it was not read, and offers nothing.
    :ivar single: the query by kind of a single resource that is asked for with what is below it.
    :ivar collection: the query for a collection with its members; None: it is asked for plainly.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        features = at(root, "ProtocolFeaturesSupported")
        expand = at(features, "ExpandQuery")
        self.single = _singles(expand) if isinstance(expand, Mapping) else {}
        self.collection = _collection(expand) if isinstance(expand, Mapping) else None
        self._only = at(features, "OnlyMemberQuery") is True
        self._refusals = 0

    def only(self, kind: str) -> bool:
        """Whether a collection of this kind is asked for its only member."""
        return self._only and kind in _ONLY

    def deep(self, kind: str, below: str) -> bool:
        """Whether a resource comes with the members of a collection of ``below``, or these with what is below them."""
        return "levels=2" in self.single.get(kind, "") or below in self.single

    def no_collections(self) -> None:
        """Take note that ``$expand`` of a collection did not work. After the second time it is not asked for again."""
        self._refusals += 1
        self.collection = None if self._refusals >= 2 else self.collection

    def no_singles(self) -> None:
        """Take note that ``$expand`` of a single resource did not work."""
        self.single.clear()

    def no_only(self) -> None:
        """Take note that ``?only`` did not work."""
        self._only = False


def _singles(expand: Mapping[str, Any]) -> dict[str, str]:
    """The ``$expand`` by kind of resource, for single resources."""
    if expand.get("Levels") is not True:
        return {}
    most = integer(expand.get("MaxLevels")) or 1
    offered = {".": expand.get("NoLinks") is True, "*": expand.get("ExpandAll") is True}
    found = {}
    for kind, choices in _SINGLE.items():
        usable = [(mark, levels) for mark, levels in choices if offered[mark] and levels <= most]
        if usable:
            found[kind] = f"$expand={usable[0][0]}($levels={usable[0][1]})"
    return found


def _collection(expand: Mapping[str, Any]) -> Optional[str]:
    """The ``$expand`` that fetches a collection with its members (DSP0266 section 7.3)."""
    mark = "." if expand.get("NoLinks") is True else "*" if expand.get("ExpandAll") is True else None
    if mark is None:
        return None
    return f"$expand={mark}($levels=1)" if expand.get("Levels") is True else f"$expand={mark}"
