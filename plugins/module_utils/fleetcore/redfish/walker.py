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

import functools
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..document.model import Coverage, Verdict
from ..document.sections import SECTIONS
from ..errors import InvalidInput, NotFound
from .quirks import is_event_log
from .rules import EXPAND_WHOLE, LAST, ONLY, RULES, Follow
from .values import at, integer, items, link, links, links_at, objects_at, text

ROOT = "/redfish/v1"
REAL_SYSTEMS = (None, "Physical", "PhysicallyPartitioned")


@dataclass(frozen=True)
class Limits:
    """Bounds of one walk: what is beyond them is recorded as failed, not fetched."""

    resources: int = 4000
    depth: int = 12
    members: int = 2000
    pages: int = 50


class Want(NamedTuple):
    """One resource to fetch: ``url`` is a path, with a query when it is to be expanded (``whole``: one resource, no collection), or
    when ``only`` the single member of a collection is asked for, if it has a single one."""

    url: str
    path: str
    kind: str
    section: str
    parent: str = ""
    depth: int = 0
    expanded: bool = False
    limit: Optional[int] = None
    page_of: Optional[str] = None
    whole: bool = False
    only: bool = False


class Outcome(NamedTuple):
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
    derived: dict[str, Any] = field(default_factory=dict)
    """What an interpreter works out of the whole tree, once."""

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

    :param sections: which of :data:`SECTIONS`; None: all.
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
        self._later: list[tuple[Follow, str, int, Mapping[str, Any]]] = []
        self._seen: set[str] = {ROOT}
        self._open = 0
        self._pages: dict[str, int] = {}
        self._expand: Optional[str] = None
        self._only = False
        self._whole: dict[str, str] = {}
        self._inline: set[str] = set()
        self._refusals = 0
        self._chosen = False
        self._asked_rules: dict[str, list[Follow]] = {}
        self._other_names: set[Optional[str]] = set()
        self._own: set[str] = set()

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
            if (want.expanded or want.only) and outcome.status not in (401, 403, 404):
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
        for follow, _path, _depth, _body in self._later:
            if not self._superseded(follow):
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
            self._only = at(body, "ProtocolFeaturesSupported.OnlyMemberQuery") is True
            self._whole = _whole_queries(body)
            systems = link(at(body, "Systems"))
            if systems:
                self._want(systems, Follow(("Systems",), "system", "system"), ROOT, 1, many=True)
            return
        if isinstance(body.get("Members"), list):
            self._absorb_collection(want, body)
        elif want.whole:
            self._absorb_whole(want, body)
        elif want.only:
            self._absorb_only(want, body)
        else:
            self._keep(want, body)

    def _absorb_collection(self, want: Want, body: Mapping[str, Any]) -> None:
        collection = want.page_of or want.path
        members = body["Members"]
        follow = Follow((), want.kind, want.section, many=False, limit=want.limit)
        inline = 0
        apart: list[str] = []
        for member in members[: self._limits.members]:
            path = link(member, want.path)
            if path is None:
                continue
            if _is_whole(member):
                inline += 1
                self._take(want._replace(path=path, depth=want.depth + 1), member)
            else:
                apart.append(path)
        if want.limit is not None:  # of a log the newest: they have the highest numbers
            apart = sorted(apart, key=_natural, reverse=True)[: want.limit]
        for path in apart:
            self._want(path, follow, want.parent, want.depth + 1)
        if len(members) > self._limits.members:
            self._failed(want.section, f"{want.path}: more than {self._limits.members} members")
        if want.expanded and apart and not inline:
            self._refusals += 1
            self._expand = None if self._refusals >= 2 else self._expand
        next_page = link(body.get("Members@odata.nextLink"), want.path)
        if next_page:
            self._next_page(want, collection, next_page)

    def _absorb_only(self, want: Want, body: Mapping[str, Any]) -> None:
        """The single member, instead of the collection."""
        path = link(body.get("@odata.id"), want.path)
        if path is None or path == want.path:
            self._refused(want)
        else:
            self._take(want._replace(url=path, path=path, depth=want.depth + 1, only=False), body)

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
        if self._store(want, body) and want.kind != "system":  # what hangs below systems waits until one is chosen
            self._descend(want, body)

    def _store(self, want: Want, body: Mapping[str, Any]) -> bool:
        """Put a resource into the tree, if it is wanted there."""
        path, kind = want.path, want.kind
        if kind in ("chassis", "manager") and not self._concerns(kind, body):
            return False
        if kind == "log_service" and not is_event_log(body):
            return False
        if len(self.tree.bodies) >= self._limits.resources:
            self._failed(want.section, f"more than {self._limits.resources} resources")
            return False
        if path in self.tree.bodies:
            return False
        self.tree.bodies[path] = body
        self.tree.kinds.setdefault(kind, []).append(path)
        self.tree.parents[path] = want.parent
        return True

    def _take(self, want: Want, body: Mapping[str, Any]) -> None:
        """A resource that came inside of another one."""
        if want.path not in self._seen:
            self._seen.add(want.path)
            self._inline.add(want.path)
            self._keep(want, body)

    def _descend(self, want: Want, body: Mapping[str, Any]) -> None:
        """To what is below a resource: by one expanded answer if that saves requests, else link by link."""
        query = self._whole.get(want.kind)
        if query and want.path in self._inline and self._saves(want, body) > 1:
            self._queue.append(_whole_want(want, query))
        else:
            self._follow_all(want.path, want.kind, want.depth, body)

    def _saves(self, want: Want, body: Mapping[str, Any]) -> int:
        """How many requests an expanded answer is expected to make needless."""
        count = 0
        found = [(item, list(self._targets(item, body, want.path))) for item in self._rules(want.kind)]
        newer = {item.section for item, targets in found if item.unless is None and targets}
        for follow, targets in found:
            collection = follow.many and len(targets) == 1
            deep = "levels=2" in self._whole.get(want.kind, "") or follow.kind in self._whole
            if follow.unless == LAST:
                count += bool(targets) if want.kind == "network_adapter" else 0
            elif follow.unless is None or (follow.unless != follow.kind and follow.section not in newer):
                count += int(deep) if collection else len(targets)
        return count

    def _absorb_whole(self, want: Want, body: Mapping[str, Any]) -> None:
        """A resource with what is below it. What did not come inside is followed as ever."""
        if want.path not in self.tree.bodies and not self._store(want, body):
            return
        there = []
        for follow in RULES.get(want.kind, ()):
            there += [_is_whole(found) for item in follow.paths for _path, found in objects_at(body, item, want.path)]
            wanted = follow.section in self.sections or self._needed(follow)
            if wanted and follow.unless in (None, LAST) and not self._left_out(follow, body, want.path):
                self._inline_objects(follow, want.path, want.depth, body)
        if there and not any(there):
            self._whole.clear()  # it was not expanded: don't try again
        self._follow_all(want.path, want.kind, want.depth, body)

    def _inline_objects(self, follow: Follow, path: str, depth: int, body: Mapping[str, Any]) -> None:
        for item in follow.paths:
            for target, found in objects_at(body, item, path):
                if _is_whole(found) and not isinstance(found.get("Members"), list):
                    self._take(Want(target, target, follow.kind, follow.section, path, depth + 1), found)
                    self._report[follow.section].collected += 1

    def _left_out(self, follow: Follow, body: Mapping[str, Any], path: str) -> bool:
        """Says the body itself that this rule would find nothing new?"""
        if follow.complete is not None:
            inside = items(at(body, follow.complete[0]))
            if inside and all(name in item for item in inside for name in follow.complete[1]):
                return True
        return follow.without is not None and bool(links_at(body, follow.without, path))

    def _targets(self, follow: Follow, body: Mapping[str, Any], path: str) -> Iterable[str]:
        """What is still to be fetched of a rule's links."""
        if self._left_out(follow, body, path):
            return ()
        for item in follow.paths:
            found = links_at(body, item, path)
            if found:
                return [target for target in found if target not in self._seen]
        return ()

    def _follow_all(self, path: str, kind: str, depth: int, body: Mapping[str, Any]) -> None:
        for follow in self._rules(kind):
            if follow.inline_only or self._left_out(follow, body, path):
                continue
            if follow.unless is not None:
                if any(links_at(body, item, path) for item in follow.paths):
                    self._later.append((follow, path, depth, body))
                continue
            self._follow(follow, path, depth, body)

    def _rules(self, kind: str) -> Sequence[Follow]:
        """The rules for a kind of resource, as far as their sections are asked for."""
        found = self._asked_rules.get(kind)
        if found is None:
            found = self._asked_rules[kind] = [
                item for item in RULES.get(kind, ()) if item.section in self.sections or self._needed(item)
            ]
        return found

    def _needed(self, follow: Follow) -> bool:
        """The chassis are read for what hangs below them, the managers for the log."""
        below = {"chassis": _BELOW_CHASSIS, "manager": frozenset(["log", "licences"])}.get(follow.kind)
        return below is not None and bool(below & self.sections)

    def _follow(self, follow: Follow, path: str, depth: int, body: Mapping[str, Any]) -> None:
        if self._known(follow, path, body):
            return
        for item in follow.paths:
            found = objects_at(body, item, path)
            if follow.limit is not None and len(found) > 1:
                found = sorted(found, key=lambda target: _natural(target[0]))[: follow.limit]
            many = follow.many and len(found) == 1
            for target, inside in found[: self._limits.members]:
                if many and self._absorb_inline_collection(follow, path, depth, target, inside):
                    continue
                self._want(target, follow, path, depth + 1, many=many)
            if found:
                return

    def _known(self, follow: Follow, path: str, body: Mapping[str, Any]) -> bool:
        """Is everything that the resource lists in a second property (``Links``) already here? Then the collection is needless."""
        if len(follow.paths) < 2 or not self.tree.kinds.get(follow.kind):
            return False
        for item in follow.paths:
            if isinstance(at(body, item), list) and all(target in self._seen for target in links_at(body, item, path)):
                return True
        return False

    def _absorb_inline_collection(self, follow: Follow, path: str, depth: int, target: str, inside: Any) -> bool:
        """A collection that came inside of an expanded answer. False: its members are better fetched with it."""
        members = inside.get("Members") if isinstance(inside, Mapping) else None
        if not isinstance(members, list) or inside.get("Members@odata.nextLink") or target in self._seen:
            return False
        missing = [item for item in members if not _is_whole(item) and link(item, target) not in self._seen]
        if len(missing) > 1 and not (follow.kind in self._whole and len(missing) <= 8):
            return False
        self._seen.add(target)
        self._report[follow.section].collected += 1
        self._absorb_collection(Want(target, target, follow.kind, follow.section, path, depth + 1), inside)
        return True

    def _want(self, path: str, follow: Follow, parent: str, depth: int, many: bool = False) -> None:
        if path in self._seen:
            return
        if depth > self._limits.depth:
            self._failed(follow.section, f"{path}: deeper than {self._limits.depth} links")
            return
        if not self._room(follow.section):
            return
        self._seen.add(path)
        want = Want(path, path, follow.kind, follow.section, parent, depth, limit=follow.limit)
        if "?" in path:
            self._queue.append(want)
        elif many and self._expand is not None:
            self._queue.append(want._replace(url=f"{path}?{self._expand}", expanded=True))
        elif many and self._only and follow.kind in ONLY:
            self._queue.append(want._replace(url=f"{path}?only", only=True))
        elif not many and follow.kind in self._whole and follow.kind not in ("system", "chassis"):
            self._queue.append(_whole_want(want, self._whole[follow.kind]))
        else:
            self._queue.append(want)

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
        """A query was advertised and answered with an error: ask plainly, and after the second time (``$expand``) always."""
        if want.only:
            self._only = False
        elif want.whole:
            self._whole.clear()
            known = self.tree.bodies.get(want.path)
            if known is not None:
                self._follow_all(want.path, want.kind, want.depth, known)
                return
        else:
            self._refusals += 1
            if self._refusals >= 2:
                self._expand = None
        self._queue.append(want._replace(url=want.path, expanded=False, whole=False, only=False))

    # -- the order of things ---------------------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Fill the queue when it ran empty: choose the system, then follow the deprecated properties. True if there is work."""
        while not self._queue and self._open == 0 and self.problem is None:
            if not self._chosen:
                self._chosen = True
                self._choose_system()
            elif self._later:
                later, self._later = self._later, []
                done = {item[0] for item in later if self._superseded(item[0])}
                for follow, path, depth, body in later:
                    if follow not in done or (follow.newer is not None and not links_at(body, follow.newer, path)):
                        self._inline_objects(follow, path, depth, body)
                        self._follow(follow, path, depth, body)
            else:
                return False
        return bool(self._queue) and self.problem is None

    def _superseded(self, follow: Follow) -> bool:
        """Was something of the newer kind found, so that the deprecated link need not be followed?"""
        found = self.tree.kinds.get(follow.unless or "", ())
        if follow.having is None:
            return bool(found)
        name, value = follow.having
        return any(self.tree.bodies[path].get(name) == value for path in found)

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
            chosen = [systems[number][0] for number in candidates([body for _path, body in systems])]
        if len(chosen) > 1:
            self.problem = InvalidInput(
                f"several systems are behind this BMC: name one of them with `system`: {', '.join(sorted(names.values()))}",
                systems=sorted(names.values()),
            )
            return
        self.tree.system = chosen[0] if chosen else None
        hosts = [path for path, body in systems if _boots(body)]
        parts = [path for path in names if path not in hosts] if hosts and hosts == [self.tree.system] else []
        self._own = {path for path in [self.tree.system, *parts] if path}
        self._other_names = {name for path, name in names.items() if path not in self._own}
        self._follow_all(ROOT, "root", 0, root)
        if self.tree.system:
            path = self.tree.system
            self._descend(Want(path, path, "system", "system", ROOT, 1), self.tree.bodies[path])
        for path in parts:
            self._follow_all(path, "system_part", 1, self.tree.bodies[path])

    def _concerns(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Does a chassis or manager belong to the chosen system, or to nobody else in particular?"""
        property_name = "Links.ComputerSystems" if kind == "chassis" else "Links.ManagerForServers"
        systems = links(at(body, property_name))
        if systems and self.tree.system is not None:
            return bool(self._own & set(systems))
        # No links: a blade's chassis that carries the name of another blade is that one's.
        return kind != "chassis" or text(body.get("Id")) not in self._other_names


_DIGITS = re.compile(r"(\d+)")
_SEVERITY = (Verdict.DENIED, Verdict.TIMEOUT, Verdict.FAILED, Verdict.SKIPPED, Verdict.ABSENT, Verdict.COLLECTED)
_BELOW_CHASSIS = frozenset(
    ["network", "pcie", "power_supplies", "thermal", "sensors", "tpm", "storage", "memory", "processors"]
)


def candidates(systems: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which of the ComputerSystems of a BMC may be meant when none is named: the only machine, where the others are virtual, composed,
    or boards of accelerators; else all of them, and somebody has to choose. Positions in ``systems``.
    """
    real = [number for number, body in enumerate(systems) if body.get("SystemType") in REAL_SYSTEMS]
    hosts = [number for number in real if _boots(systems[number])]
    return real if len(real) == 1 else hosts if len(hosts) == 1 else list(range(len(systems)))


def _boots(system: Mapping[str, Any]) -> bool:
    """Is it a computer, and not a board of accelerators that is listed as a system of its own?"""
    return system.get("SystemType") in (
        None,
        "Physical",
        "PhysicallyPartitioned",
        "VirtuallyPartitioned",
        "OS",
        "Composed",
    ) and any(system.get(name) for name in ("Bios", "BiosVersion", "Boot", "HostName"))


@functools.lru_cache(maxsize=4096)  # the paths of many BMCs are the same
def _natural(path: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() and len(part) < 19 else (-1, part) for part in _DIGITS.split(path))


def _is_whole(member: Any) -> bool:
    """Is a collection's member the resource itself, not only a link to it?"""
    return (
        isinstance(member, Mapping)
        and ("Id" in member or "@odata.type" in member or "Members" in member)
        and "error" not in member
    )


def _whole_want(want: Want, query: str) -> Want:
    return want._replace(url=f"{want.path}?{query}", expanded=True, whole=True)


def _whole_queries(root: Mapping[str, Any]) -> dict[str, str]:
    """The ``$expand`` by kind of resource, for single resources, as far as the service offers it."""
    feature = at(root, "ProtocolFeaturesSupported.ExpandQuery")
    if not isinstance(feature, Mapping) or feature.get("Levels") is not True:
        return {}
    most = integer(feature.get("MaxLevels")) or 1
    offered = {".": feature.get("NoLinks") is True, "*": feature.get("ExpandAll") is True}
    found = {}
    for kind, choices in EXPAND_WHOLE.items():
        usable = [(mark, levels) for mark, levels in choices if offered[mark] and levels <= most]
        if usable:
            found[kind] = f"$expand={usable[0][0]}($levels={usable[0][1]})"
    return found


def _expand_query(root: Mapping[str, Any]) -> Optional[str]:
    """The ``$expand`` that fetches a collection with its members, if the service says that it can (DSP0266 section 7.3)."""
    feature = at(root, "ProtocolFeaturesSupported.ExpandQuery")
    if not isinstance(feature, Mapping):
        return None
    mark = "." if feature.get("NoLinks") is True else "*" if feature.get("ExpandAll") is True else None
    if mark is None:
        return None
    return f"$expand={mark}($levels=1)" if feature.get("Levels") is True else f"$expand={mark}"
