# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The walker: which resources a collection needs next. Sans-IO: it is told what came back, and never waits or fetches.

    walker = Walker(sections=("processors",))
    while not walker.done:
        for want in walker.wants():        # all that can be fetched now, each resource once
            walker.took(want, outcome)     # in any order, from any thread pool or event loop
    walker.tree, walker.coverage()

It ends: every resource is asked for once however often it is linked (one more time when ``$expand`` was refused), and the
number of resources, the depth, and the pages of a collection are bounded.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ..errors import InvalidInput, NotFound
from ..model import Coverage, Verdict
from .quirks import is_event_log
from .rules import RULES, SECTIONS, Follow
from .values import at, link, links, links_at, text

ROOT = "/redfish/v1"
REAL_SYSTEMS = (None, "Physical", "PhysicallyPartitioned")


@dataclass(frozen=True)
class Limits:
    """Bounds of one walk: what is beyond them is recorded as failed, not fetched."""

    resources: int = 4000
    depth: int = 12
    members: int = 2000
    pages: int = 50


@dataclass(frozen=True)
class Want:
    """One resource to fetch: ``url`` is a path, with a query when it is to be expanded."""

    url: str
    path: str
    kind: str
    section: str
    parent: str = ""
    depth: int = 0
    expanded: bool = False
    limit: Optional[int] = None
    page_of: Optional[str] = None


@dataclass(frozen=True)
class Outcome:
    """What came back: a JSON object, or why not. ``status`` is the HTTP status when there was one."""

    verdict: Verdict
    body: Optional[Mapping[str, Any]] = None
    reason: Optional[str] = None
    status: Optional[int] = None


@dataclass
class Tree:
    """What was collected: bodies by path, paths by kind, and who linked to whom."""

    bodies: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    system: Optional[str] = None

    def of(self, kind: str, parent: Optional[str] = None) -> list[tuple[str, Mapping[str, Any]]]:
        """Path and body of every resource of a kind, of one parent if named; in the order of their paths, DIMM2 before DIMM10.

        The order in which answers came must not show in the document.
        """
        return [
            (path, self.bodies[path])
            for path in sorted(self.kinds.get(kind, []), key=_natural)
            if parent is None or self.parents.get(path) == parent
        ]

    def get(self, path: Optional[str]) -> Mapping[str, Any]:
        return self.bodies.get(path, {}) if path else {}


@dataclass
class _Section:
    collected: int = 0
    missing: int = 0
    failures: list[tuple[Verdict, str]] = field(default_factory=list)


class Walker:
    """One walk over one BMC.

    :param sections: which of :data:`rules.SECTIONS`; None: all.
    :param system: id of the ComputerSystem when there are several behind one BMC.
    :raises InvalidInput: an unknown section.
    """

    def __init__(
        self, sections: Optional[Iterable[str]] = None, system: Optional[str] = None, limits: Optional[Limits] = None
    ) -> None:
        asked = SECTIONS if sections is None else tuple(sections)
        unknown = [name for name in asked if name not in SECTIONS]
        if unknown:
            raise InvalidInput(
                f"sections: {unknown[0]!r} is not one of {', '.join(SECTIONS)}", field="sections", value=unknown[0]
            )
        self.sections = frozenset(asked) | {"system", "power"}
        self.tree = Tree()
        self.problem: Optional[Exception] = None
        self._system_name = system
        self._limits = limits or Limits()
        self._report: dict[str, _Section] = {name: _Section() for name in SECTIONS}
        self._queue: deque[Want] = deque([Want(ROOT + "/", ROOT, "root", "system")])
        self._later: list[tuple[Follow, str, int]] = []
        self._seen: set[str] = {ROOT}
        self._open = 0
        self._pages: dict[str, int] = {}
        self._expand: Optional[str] = None
        self._refusals = 0
        self._chosen = False
        self._other_names: set[Optional[str]] = set()

    # -- asking ---------------------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Nothing is wanted and nothing is under way."""
        return self._open == 0 and (self.problem is not None or not self._advance())

    def wants(self) -> list[Want]:
        """Everything that can be fetched now. Each want must be answered with one :meth:`took`."""
        if self.problem is not None:
            return []
        self._advance()
        ready = list(self._queue)
        self._queue.clear()
        self._open += len(ready)
        return ready

    def took(self, want: Want, outcome: Outcome) -> None:
        """What became of a want."""
        self._open -= 1
        report = self._report[want.section]
        if outcome.verdict is not Verdict.COLLECTED or outcome.body is None:
            if want.expanded and outcome.status is not None and outcome.status not in (401, 403, 404):
                self._refused(want)
            elif outcome.verdict is Verdict.ABSENT:
                report.missing += 1
            else:
                report.failures.append((outcome.verdict, f"{want.path}: {outcome.reason or outcome.verdict.value}"))
            return
        report.collected += 1
        self._absorb(want, outcome.body)

    def skip_rest(self, verdict: Verdict, reason: str) -> None:
        """Give up: what is still wanted is recorded with this verdict (a deadline, a BMC that stopped answering)."""
        for want in self._queue:
            self._report[want.section].failures.append((verdict, reason))
        for follow, _path, _depth in self._later:
            if not self.tree.kinds.get(follow.unless or ""):
                self._report[follow.section].failures.append((verdict, reason))
        self._queue.clear()
        self._later.clear()

    def coverage(self) -> dict[str, Coverage]:
        """The verdict of every section."""
        self._report["power"] = self._report["system"]
        return {name: self._verdict(name) for name in SECTIONS}

    def _verdict(self, name: str) -> Coverage:
        report = self._report[name]
        if name not in self.sections:
            return Coverage(Verdict.SKIPPED)
        if report.failures:
            worst = min(report.failures, key=lambda item: _SEVERITY.index(item[0]))
            more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
            return Coverage(worst[0], f"{worst[1][:300]}{more}")
        if report.collected:
            reason = f"{report.missing} links lead nowhere" if report.missing else None
            return Coverage(Verdict.COLLECTED, reason)
        return Coverage(Verdict.ABSENT, "the BMC does not have it" if not report.missing else "not found (404)")

    # -- what came back --------------------------------------------------------------------------------------------------

    def _absorb(self, want: Want, body: Mapping[str, Any]) -> None:
        if want.kind == "root":
            self.tree.bodies[ROOT] = body
            self._expand = _expand_query(body)
            systems = link(at(body, "Systems"))
            if systems:
                self._want(systems, Follow(("Systems",), "system", "system"), ROOT, 1, many=True)
            return
        if isinstance(body.get("Members"), list):
            self._absorb_collection(want, body)
            return
        self._keep(want, body)

    def _absorb_collection(self, want: Want, body: Mapping[str, Any]) -> None:
        collection = want.page_of or want.path
        members = body["Members"]
        follow = Follow((), want.kind, want.section, many=False, limit=want.limit)
        inline = 0
        fetched = 0
        for member in members[: self._limits.members]:
            path = link(member, want.path)
            if path is None:
                continue
            if _is_whole(member):
                inline += 1
                if path not in self._seen:
                    self._seen.add(path)
                    self._keep(dataclasses.replace(want, path=path, depth=want.depth + 1), member)
            elif want.limit is None or fetched < want.limit:
                fetched += 1
                self._want(path, follow, want.parent, want.depth + 1)
        if len(members) > self._limits.members:
            self._failed(want.section, f"{want.path}: more than {self._limits.members} members")
        if want.expanded and fetched and not inline:
            self._refusals += 1
            self._expand = None if self._refusals >= 2 else self._expand
        next_page = link(body.get("Members@odata.nextLink"), want.path)
        if next_page:
            self._next_page(want, collection, next_page)

    def _next_page(self, want: Want, collection: str, url: str) -> None:
        pages = self._pages[collection] = self._pages.get(collection, 1) + 1
        if pages > (5 if want.limit is not None else self._limits.pages):
            if want.limit is None:
                self._failed(want.section, f"{collection}: more than {self._limits.pages} pages")
            return
        if url not in self._seen and self._room(want.section):
            self._seen.add(url)
            self._queue.append(
                Want(url, url, want.kind, want.section, want.parent, want.depth, limit=want.limit, page_of=collection)
            )

    def _keep(self, want: Want, body: Mapping[str, Any]) -> None:
        path, kind = want.path, want.kind
        if kind in ("chassis", "manager") and not self._concerns(kind, body):
            return
        if kind == "log_service" and not is_event_log(body):
            return
        if len(self.tree.bodies) >= self._limits.resources:
            self._failed(want.section, f"more than {self._limits.resources} resources")
            return
        if path in self.tree.bodies:
            return
        self.tree.bodies[path] = body
        self.tree.kinds.setdefault(kind, []).append(path)
        self.tree.parents[path] = want.parent
        if kind != "system":  # what hangs below systems waits until one is chosen
            self._follow_all(path, kind, want.depth, body)

    def _follow_all(self, path: str, kind: str, depth: int, body: Mapping[str, Any]) -> None:
        for follow in RULES.get(kind, ()):
            if follow.section not in self.sections and not self._needed(follow):
                continue
            if follow.unless is not None:
                if any(links_at(body, item, path) for item in follow.paths):
                    self._later.append((follow, path, depth))
                continue
            self._follow(follow, path, depth, body)

    def _needed(self, follow: Follow) -> bool:
        """The chassis are read for what hangs below them, the managers for the log."""
        below = {"chassis": _BELOW_CHASSIS, "manager": frozenset(["log"])}.get(follow.kind)
        return below is not None and bool(below & self.sections)

    def _follow(self, follow: Follow, path: str, depth: int, body: Mapping[str, Any]) -> None:
        for item in follow.paths:
            found = links_at(body, item, path)
            for target in found[: self._limits.members]:
                self._want(target, follow, path, depth + 1, many=follow.many and len(found) == 1)
            if found:
                return

    def _want(self, path: str, follow: Follow, parent: str, depth: int, many: bool = False) -> None:
        if path in self._seen:
            return
        if depth > self._limits.depth:
            self._failed(follow.section, f"{path}: deeper than {self._limits.depth} links")
            return
        if not self._room(follow.section):
            return
        self._seen.add(path)
        expanded = many and self._expand is not None and "?" not in path
        url = f"{path}?{self._expand}" if expanded else path
        self._queue.append(Want(url, path, follow.kind, follow.section, parent, depth, expanded, follow.limit))

    def _room(self, section: str) -> bool:
        if len(self._seen) >= 2 * self._limits.resources:
            self._failed(section, f"more than {2 * self._limits.resources} links")
            return False
        return True

    def _failed(self, section: str, reason: str) -> None:
        failures = self._report[section].failures
        if (Verdict.FAILED, reason) not in failures[-3:]:
            failures.append((Verdict.FAILED, reason))

    def _refused(self, want: Want) -> None:
        """``$expand`` was advertised and answered with an error: ask plainly, and after the second time always."""
        self._refusals += 1
        if self._refusals >= 2:
            self._expand = None
        self._queue.append(
            Want(want.path, want.path, want.kind, want.section, want.parent, want.depth, limit=want.limit)
        )

    # -- the order of things ---------------------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Fill the queue when it ran empty: choose the system, then follow the deprecated properties. True if there is work."""
        while not self._queue and self._open == 0 and self.problem is None:
            if not self._chosen:
                self._chosen = True
                self._choose_system()
            elif self._later:
                later, self._later = self._later, []
                done = {follow.unless for follow, _path, _depth in later if self.tree.kinds.get(follow.unless or "")}
                for follow, path, depth in later:
                    if follow.unless not in done:
                        self._follow(follow, path, depth, self.tree.bodies[path])
            else:
                return False
        return bool(self._queue) and self.problem is None

    def _choose_system(self) -> None:
        root = self.tree.bodies.get(ROOT)
        if root is None:
            return
        systems = self.tree.of("system")
        names = {path: text(body.get("Id")) or path.rsplit("/", 1)[-1] for path, body in systems}
        if self._system_name is not None:
            chosen = [path for path in names if self._system_name in (names[path], path.rsplit("/", 1)[-1])]
            if not chosen and systems:
                self.problem = NotFound(
                    f"system {self._system_name!r} is not behind this BMC; there are: {', '.join(sorted(names.values()))}",
                    system=self._system_name,
                    systems=sorted(names.values()),
                )
                return
        else:
            real = [path for path, body in systems if body.get("SystemType") in REAL_SYSTEMS]
            chosen = real if len(real) == 1 else list(names)
        if len(chosen) > 1:
            self.problem = InvalidInput(
                f"several systems are behind this BMC: name one of them with `system`: {', '.join(sorted(names.values()))}",
                systems=sorted(names.values()),
            )
            return
        self.tree.system = chosen[0] if chosen else None
        self._other_names = {name for path, name in names.items() if path != self.tree.system}
        self._follow_all(ROOT, "root", 0, root)
        if self.tree.system:
            self._follow_all(self.tree.system, "system", 1, self.tree.bodies[self.tree.system])

    def _concerns(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Does a chassis or manager belong to the chosen system, or to nobody else in particular?"""
        property_name = "Links.ComputerSystems" if kind == "chassis" else "Links.ManagerForServers"
        systems = links(at(body, property_name))
        if systems and self.tree.system is not None:
            return self.tree.system in systems
        # No links: a blade's chassis that carries the name of another blade is that one's.
        return kind != "chassis" or text(body.get("Id")) not in self._other_names


_DIGITS = re.compile(r"(\d+)")
_SEVERITY = (Verdict.DENIED, Verdict.TIMEOUT, Verdict.FAILED, Verdict.SKIPPED, Verdict.ABSENT, Verdict.COLLECTED)
_BELOW_CHASSIS = frozenset(
    ["network", "pcie", "power_supplies", "thermal", "sensors", "tpm", "storage", "memory", "processors"]
)


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() and len(part) < 19 else (-1, part) for part in _DIGITS.split(path)]


def _is_whole(member: Any) -> bool:
    """Is a collection's member the resource itself, not only a link to it?"""
    return isinstance(member, Mapping) and ("Id" in member or "@odata.type" in member) and "error" not in member


def _expand_query(root: Mapping[str, Any]) -> Optional[str]:
    """The ``$expand`` that fetches a collection with its members, if the service says that it can (DSP0266 section 7.3)."""
    feature = at(root, "ProtocolFeaturesSupported.ExpandQuery")
    if not isinstance(feature, Mapping):
        return None
    mark = "." if feature.get("NoLinks") is True else "*" if feature.get("ExpandAll") is True else None
    if mark is None:
        return None
    return f"$expand={mark}($levels=1)" if feature.get("Levels") is True else f"$expand={mark}"
