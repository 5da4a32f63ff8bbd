# SPDX-License-Identifier: BSD-2-Clause

"""Describe what the walker follows, and what a topic says of itself.

A new schema or a vendor's own subtree is a rule of the topic that reads it. Never an id: only links.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

from ..document.sections import KINDS
from .tree import Tree
from .values import at, items, links_at

LAST = "-"
"""For ``unless``: follow at the end in any case, for what was not seen till then."""


@dataclass(frozen=True)
class Follow:
    """One property to follow.

    :param paths: alternatives, newest schema first, each a dotted property path (``[]``: every object of a list); the
        first that holds a link wins.
    :param kind: what is found there, or what the members of the collection there are.
    :param section: in whose coverage it counts, if not that of the topic; not followed when the section was not asked
        for.
    :param also: further sections for which it is followed: what is found there completes their parts.
    :param many: the link leads to a collection (worth ``$expand``).
    :param unless: follow only at the end, and only if no resource of this kind was found till then: the deprecated
        second.
    :param newer: with ``unless``: where the resource itself lacks this property, the second is followed whatever was
        found elsewhere.
    :param having: a property and a value: only resources of the kind ``unless`` that have it count.
    :param limit: of a collection's members, or of a list of links, fetch no more than this many (what came inline is
        all kept).
    :param inline_only: take what an expanded answer holds, never fetch it from here.
    :param without: not followed when this property holds a link.
    :param complete: a property with a list, and names: not followed when every object of the list has all of these
        properties, so that the resource would add nothing.
    """

    paths: tuple[str, ...]
    kind: str
    section: str = ""
    many: bool = True
    unless: Optional[str] = None
    limit: Optional[int] = None
    inline_only: bool = False
    without: Optional[str] = None
    complete: Optional[tuple[str, tuple[str, ...]]] = None
    having: Optional[tuple[str, str]] = None
    newer: Optional[str] = None
    also: tuple[str, ...] = ()

    def left_out(self, body: Mapping[str, Any], path: str) -> bool:
        """Whether the resource itself says that nothing new is to be found here."""
        if self.complete is not None:
            inside = items(at(body, self.complete[0]))
            if inside and all(name in item for item in inside for name in self.complete[1]):
                return True
        return self.without is not None and bool(links_at(body, self.without, path))

    def superseded(self, tree: Tree) -> bool:
        """Whether something of the newer kind was found, so that the deprecated link need not be followed."""
        found = tree.kinds.get(self.unless or "", ())
        if self.having is None:
            return bool(found)
        name, value = self.having
        return any(tree.bodies[path].get(name) == value for path in found)


Reader = Callable[[Tree], Any]
"""Reads a walked tree; pure. It never raises for what a BMC says."""


@dataclass(frozen=True)
class Topic:
    """A reader of one field of the device document over Redfish. Each file in ``topics/`` exports one, as ``TOPIC``.

    Title, section and columns of the field are said where the document declares it.

    :param field: of the document.
    :param read: gives its value; nothing (None or empty) where the BMC says nothing of it.
    :param rules: what is followed for it, by the kind of the resource that holds the link.
    :param otherwise: a section and a second reader, which is asked when ``read`` gives nothing.
    """

    field: str
    read: Reader
    rules: Mapping[str, tuple[Follow, ...]] = dataclasses.field(default_factory=dict)
    otherwise: Optional[tuple[str, Reader]] = None

    @property
    def section(self) -> str:
        """In whose coverage the field counts."""
        return KINDS[self.field].sections[0]


def rules_of(topics: Iterable[Topic]) -> dict[str, tuple[Follow, ...]]:
    """Collect the rules of all topics, in their order, by the kind of resource that holds the links."""
    rules: dict[str, tuple[Follow, ...]] = {}
    for topic in topics:
        for kind, follows in topic.rules.items():
            placed = (item if item.section else replace(item, section=topic.section) for item in follows)
            rules[kind] = (*rules.get(kind, ()), *placed)
    return rules


class Rules:
    """The rules that a walk follows: those of the sections that are asked for, and those that lead there."""

    def __init__(self, rules: Mapping[str, tuple[Follow, ...]], sections: frozenset[str]) -> None:
        self._rules = rules
        self._sections = sections
        self._asked: dict[str, list[Follow]] = {}

    def of(self, kind: str) -> list[Follow]:
        """Rules for a kind of resource."""
        found = self._asked.get(kind)
        if found is None:
            every = self._rules.get(kind, ())
            found = self._asked[kind] = [
                item
                for item in every
                if self._sections.intersection([item.section, *item.also]) or self._below(item.kind) & self._sections
            ]
        return found

    def _below(self, kind: str) -> set[str]:
        """Sections of all that hangs below a kind of resource, however deep: a chassis is read for its fans."""
        kinds, todo = set(), [kind]
        while todo:
            kinds.add(todo.pop())
            todo += [item.kind for name in kinds for item in self._rules.get(name, ()) if item.kind not in kinds]
        return {
            section for name in kinds for item in self._rules.get(name, ()) for section in (item.section, *item.also)
        }
