# SPDX-License-Identifier: BSD-2-Clause

"""The tree of resources that a walk has collected: what the walker fills and the topics read."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar

from ..document.model import Coverage, Verdict
from .values import at, items

T = TypeVar("T")
Body = Mapping[str, Any]
Found = list[tuple[str, Body]]

_DIGITS = re.compile(r"(\d+)")
_ANSWERED = (Verdict.COLLECTED, Verdict.ABSENT)


@dataclass
class Tree:
    """The resources that were collected: bodies by path, paths by kind, and who linked to whom.

    :ivar system: path of the chosen system. :ivar system_parts: those of the boards that belong to
        it. :ivar others: (id, path) of the other machines.
    :ivar coverage: the verdict of every section, once the walk is over.
    :ivar derived: what topics work out of the whole tree, once (:func:`once`).
    """

    bodies: dict[str, Body] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    system: Optional[str] = None
    system_parts: tuple[str, ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    derived: dict[Any, Any] = field(default_factory=dict)

    def of(self, kind: str, parent: Optional[str] = None) -> Found:
        """Path and body of every resource of a kind, of one parent if named; in the order of their paths, DIMM2
        before DIMM10.

        The order in which answers came must not show in the document. What is listed as absent is nothing, but for
        systems: which of those are meant is decided elsewhere.
        """
        return [
            (path, self.bodies[path])
            for path in sorted(self.kinds.get(kind, []), key=natural)
            if (parent is None or self.parents.get(path) == parent)
            and (kind == "system" or not is_absent(self.bodies[path]))
        ]

    def inside(self, kind: str, name: str) -> Found:
        """The objects of a list inside of resources of a kind; their ids are by position when they have none."""
        return [
            (f"{path}/{name}/{index}", item)
            for path, body in self.of(kind)
            for index, item in enumerate(items(body.get(name)))
            if not is_absent(item)
        ]

    def get(self, path: Optional[str]) -> Body:
        """The body of a resource; empty if it was not collected."""
        return self.bodies.get(path, {}) if path else {}

    @property
    def host(self) -> Body:
        """The chosen system; empty without one."""
        return self.get(self.system)

    def asked(self, section: str) -> bool:
        """Whether a section was to be read."""
        return section not in self.coverage or self.coverage[section].verdict is not Verdict.SKIPPED

    def answered(self, section: str) -> bool:
        """Whether the BMC has said all of a section, even if that is nothing."""
        return self.coverage[section].verdict in _ANSWERED if section in self.coverage else True


def is_absent(body: Any) -> bool:
    """An empty slot: the service lists it and says that nothing is in it."""
    return bool(at(body, "Status.State") == "Absent")


def once(read: Callable[[Tree], T]) -> Callable[[Tree], T]:
    """Make a reader work once for a tree, however many topics ask it."""

    @functools.wraps(read)
    def found(tree: Tree) -> T:
        if read not in tree.derived:
            tree.derived[read] = read(tree)
        out: T = tree.derived[read]
        return out

    return found


@functools.lru_cache(maxsize=4096)  # the paths of many BMCs are the same
def natural(path: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts paths by the numbers in them."""
    return tuple((int(part), "") if part.isdecimal() and len(part) < 19 else (-1, part) for part in _DIGITS.split(path))
