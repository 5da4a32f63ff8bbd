# SPDX-License-Identifier: BSD-2-Clause

"""The walker says which resources a collection needs next. It is told what came back, and never waits or fetches.

    walker = Walker(sections=("processors",))
    while not walker.done:
        for want in walker.wants():        # all that can be fetched now, each resource once
            walker.took(want, outcome)     # in any order, from any thread pool or event loop
    walker.tree, walker.coverage()

It ends: every resource is asked for once however often it is linked (one more time when ``$expand`` was refused), and
the number of resources, the depth, and the pages of a collection are bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ..document.model import Coverage, Verdict
from ..errors import FleetError
from .answers import error_text
from .queries import Queries
from .quirks import is_event_log
from .report import Report
from .rules import LAST, Follow, Rules, rules_of
from .systems import Choice, choose_system
from .topics.registry import TOPICS
from .tree import Tree, natural
from .values import at, is_resource, link, links, links_at, objects_at, text
from .wants import ROOT, Limits, Outcome, Want

RULES = rules_of(TOPICS)
"""Links to follow, by the kind of the resource that holds them."""


class Walker:
    """One walk over one BMC.

    :param sections: which of :data:`sections.SECTIONS`; None: all.
    :param system: id of the ComputerSystem when there are several behind one BMC.
    :raises InvalidInput: an unknown section.
    """

    def __init__(
        self, sections: Optional[Iterable[str]] = None, system: Optional[str] = None, limits: Optional[Limits] = None
    ) -> None:
        self._report = Report(sections)
        self._rules = Rules(RULES, self._report.asked)
        self.tree = Tree()
        self.problem: Optional[Exception] = None
        self._system_name = system
        self._limits = limits or Limits()
        self._queue: deque[Want] = deque([Want(ROOT + "/", ROOT, "root", "system")])
        self._later: list[tuple[Follow, str, int, Mapping[str, Any]]] = []
        self._seen: set[str] = {ROOT}
        self._open = 0
        self._pages: dict[str, int] = {}
        self._queries = Queries({})
        self._inline: set[str] = set()
        self._chosen = False
        self._choice: Optional[Choice] = None
        self._silent: list[str] = []

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether nothing is wanted and nothing is under way."""
        return self._open == 0 and (self.problem is not None or not self._advance())

    def wants(self) -> list[Want]:
        """Give everything that can be fetched now. Each want must be answered with one :meth:`took`."""
        if self.problem is not None:
            return []
        self._advance()
        ready = list(self._queue)
        self._queue.clear()
        self._open += len(ready)
        return ready

    def took(self, want: Want, outcome: Outcome) -> None:
        """Take in what became of a want."""
        self._open -= 1
        if outcome.verdict is not Verdict.COLLECTED or outcome.body is None:
            if (want.expanded or want.only) and outcome.status not in (401, 403, 404):
                self._refused(want)
            elif outcome.verdict is Verdict.ABSENT:
                self._report.missing(want.section)
            else:
                self._lost(want, f"{want.path}: {outcome.reason or outcome.verdict.value}", outcome.verdict)
            return
        self._report.collected(want.section)
        self._absorb(want, outcome.body)

    def skip_rest(self, verdict: Verdict, reason: str) -> None:
        """Give up: what is still wanted is recorded with this verdict (a deadline, a BMC that stopped answering)."""
        for want in self._queue:
            self._lost(want, reason, verdict)
        for follow, _path, _depth, _body in self._later:
            if not follow.superseded(self.tree):
                self._report.failed(follow.section, reason, verdict)
        self._queue.clear()
        self._later.clear()

    def _lost(self, want: Want, reason: str, verdict: Verdict) -> None:
        self._report.failed(want.section, reason, verdict)
        if want.kind == "system" and want.depth > 1:  # a member, not the collection
            self._silent.append(want.path)

    def coverage(self) -> dict[str, Coverage]:
        """Give the verdict of every section."""
        return self._report.coverage()

    # -- what came back ------------------------------------------------------------------------------------------------

    def _absorb(self, want: Want, body: Mapping[str, Any]) -> None:
        if want.kind == "root":
            self.tree.bodies[ROOT] = body
            self._queries = Queries(body)
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
            if is_resource(member):
                inline += 1
                self._take(want._replace(path=path, depth=want.depth + 1), member)
            else:
                apart.append(path)
        if want.limit is not None:  # of a log the newest: they have the highest numbers
            apart = sorted(apart, key=natural, reverse=True)[: want.limit]
        for path in apart:
            self._want(path, follow, want.parent, want.depth + 1)
        if "error" in body:
            self._report.failed(want.section, f"{want.path}: the list is incomplete ({error_text(body)[:200]})")
        if len(members) > self._limits.members:
            self._report.exceeded(want.section, f"{want.path}: more than {self._limits.members} members")
        if want.expanded and apart and not inline:
            self._queries.no_collections()
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
                self._report.exceeded(want.section, f"{collection}: more than {self._limits.pages} pages")
            return
        if url not in self._seen and self._room(want.section):
            self._seen.add(url)
            self._queue.append(want.plain()._replace(url=url, path=url, page_of=collection))

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
            self._report.exceeded(want.section, f"more than {self._limits.resources} resources")
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
        query = self._queries.single.get(want.kind)
        if query and want.path in self._inline and self._saves(want, body) > 1:
            self._queue.append(want.with_below(query))
        else:
            self._follow_all(want.path, want.kind, want.depth, body)

    def _saves(self, want: Want, body: Mapping[str, Any]) -> int:
        """Number of requests that an expanded answer is expected to spare."""
        count = 0
        found = [(item, list(self._targets(item, body, want.path))) for item in self._rules.of(want.kind)]
        newer = {item.section for item, targets in found if item.unless is None and targets}
        for follow, targets in found:
            collection = follow.many and len(targets) == 1
            deep = self._queries.deep(want.kind, follow.kind)
            if follow.unless == LAST:
                count += bool(targets) if want.kind == "network_adapter" else 0
            elif follow.unless is None or (follow.unless != follow.kind and follow.section not in newer):
                count += int(deep) if collection else len(targets)
        return count

    def _absorb_whole(self, want: Want, body: Mapping[str, Any]) -> None:
        """A resource with what is below it. What did not come inside is followed as ever."""
        if want.path not in self.tree.bodies and not self._store(want, body):
            return
        every = [item for follow in RULES.get(want.kind, ()) for item in follow.paths]
        there = [is_resource(found) for item in every for _path, found in objects_at(body, item, want.path)]
        for follow in self._rules.of(want.kind):
            if follow.unless in (None, LAST) and not follow.left_out(body, want.path):
                self._inline_objects(follow, want.path, want.depth, body)
        if there and not any(there):
            self._queries.no_singles()  # it was not expanded: don't try again
        self._follow_all(want.path, want.kind, want.depth, body)

    def _inline_objects(self, follow: Follow, path: str, depth: int, body: Mapping[str, Any]) -> None:
        for item in follow.paths:
            for target, found in objects_at(body, item, path):
                if is_resource(found) and not isinstance(found.get("Members"), list):
                    self._take(Want(target, target, follow.kind, follow.section, path, depth + 1), found)
                    self._report.collected(follow.section)

    def _targets(self, follow: Follow, body: Mapping[str, Any], path: str) -> Iterable[str]:
        """Those of a rule's links that are still to be fetched."""
        if follow.left_out(body, path):
            return ()
        for item in follow.paths:
            found = links_at(body, item, path)
            if found:
                return [target for target in found if target not in self._seen]
        return ()

    def _follow_all(self, path: str, kind: str, depth: int, body: Mapping[str, Any]) -> None:
        for follow in self._rules.of(kind):
            if follow.inline_only or follow.left_out(body, path):
                continue
            if follow.unless is not None:
                if any(links_at(body, item, path) for item in follow.paths):
                    self._later.append((follow, path, depth, body))
                continue
            self._follow(follow, path, depth, body)

    def _follow(self, follow: Follow, path: str, depth: int, body: Mapping[str, Any]) -> None:
        if self._known(follow, path, body):
            return
        for item in follow.paths:
            found = objects_at(body, item, path)
            if follow.limit is not None and len(found) > 1:
                found = sorted(found, key=lambda target: natural(target[0]))[: follow.limit]
            many = follow.many and len(found) == 1
            for target, inside in found[: self._limits.members]:
                if many and self._absorb_inline_collection(follow, path, depth, target, inside):
                    continue
                self._want(target, follow, path, depth + 1, many=many)
            if found:
                return

    def _known(self, follow: Follow, path: str, body: Mapping[str, Any]) -> bool:
        """Whether all that the resource lists in a second property (``Links``) is here, so that the collection is
        needless."""
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
        missing = [item for item in members if not is_resource(item) and link(item, target) not in self._seen]
        if len(missing) > 1 and not (follow.kind in self._queries.single and len(missing) <= 8):
            return False
        self._seen.add(target)
        self._report.collected(follow.section)
        self._absorb_collection(Want(target, target, follow.kind, follow.section, path, depth + 1), inside)
        return True

    def _want(self, path: str, follow: Follow, parent: str, depth: int, many: bool = False) -> None:
        if path in self._seen:
            return
        if depth > self._limits.depth:
            self._report.exceeded(follow.section, f"{path}: deeper than {self._limits.depth} links")
            return
        if not self._room(follow.section):
            return
        self._seen.add(path)
        want = Want(path, path, follow.kind, follow.section, parent, depth, limit=follow.limit)
        if "?" in path:
            self._queue.append(want)
        elif many and self._queries.collection is not None:
            self._queue.append(want._replace(url=f"{path}?{self._queries.collection}", expanded=True))
        elif many and self._queries.only(follow.kind):
            self._queue.append(want._replace(url=f"{path}?only", only=True))
        elif not many and follow.kind in self._queries.single and follow.kind not in ("system", "chassis"):
            self._queue.append(want.with_below(self._queries.single[follow.kind]))
        else:
            self._queue.append(want)

    def _room(self, section: str) -> bool:
        if len(self._seen) >= 2 * self._limits.resources:
            self._report.exceeded(section, f"more than {2 * self._limits.resources} links")
            return False
        return True

    def _refused(self, want: Want) -> None:
        """A query was advertised and answered with an error: ask plainly."""
        if want.only:
            self._queries.no_only()
        elif want.whole:
            self._queries.no_singles()
            known = self.tree.bodies.get(want.path)
            if known is not None:
                self._follow_all(want.path, want.kind, want.depth, known)
                return
        else:
            self._queries.no_collections()
        self._queue.append(want.plain())

    # -- the order of things -------------------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Fill the queue when it ran empty: choose the system, then follow the deprecated properties.

        True if there is work.
        """
        while not self._queue and self._open == 0 and self.problem is None:
            if not self._chosen:
                self._chosen = True
                self._choose_system()
            elif self._later:
                later, self._later = self._later, []
                done = {item[0] for item in later if item[0].superseded(self.tree)}
                for follow, path, depth, body in later:
                    if follow not in done or (follow.newer is not None and not links_at(body, follow.newer, path)):
                        self._inline_objects(follow, path, depth, body)
                        self._follow(follow, path, depth, body)
            else:
                return False
        return bool(self._queue) and self.problem is None

    def _choose_system(self) -> None:
        root = self.tree.bodies.get(ROOT)
        if root is None:
            return
        systems = self.tree.of("system")
        if systems:
            try:
                self._choice = choose_system(systems, self._system_name, self._silent)
            except FleetError as error:
                self.problem = error
                return
            self.tree.system, self.tree.system_parts, self.tree.others = self._choice[:3]
        self._follow_all(ROOT, "root", 0, root)
        if self._choice is not None:
            path = self._choice.path
            self._descend(Want(path, path, "system", "system", ROOT, 1), self.tree.bodies[path])
            for path in self._choice.parts:
                self._follow_all(path, "system_part", 1, self.tree.bodies[path])

    def _concerns(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Whether a chassis or manager belongs to the chosen system, or to nobody else in particular."""
        systems = links(at(body, "Links.ComputerSystems" if kind == "chassis" else "Links.ManagerForServers"))
        if self._choice is None:
            return True
        if systems:
            return not {self._choice.path, *self._choice.parts}.isdisjoint(systems)
        # No links: a blade's chassis that carries the name of another blade is that one's.
        return kind != "chassis" or text(body.get("Id")) not in [name for name, _path in self._choice.others]
