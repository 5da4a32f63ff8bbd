# SPDX-License-Identifier: BSD-2-Clause

"""Questions and answers of a walk: values between the walker and whoever fetches, records or replays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ..document.model import Verdict

ROOT = "/redfish/v1"


@dataclass(frozen=True)
class Limits:
    """Bounds of one walk: what is beyond them is recorded as failed, not fetched."""

    resources: int = 4000
    depth: int = 12
    members: int = 2000
    pages: int = 50


class Want(NamedTuple):
    """One resource to fetch.

    :ivar url: its path, with a query where it is to come with what is below it.
    :ivar kind: of the resource, or of the members of the collection. :ivar section: in whose coverage it counts.
    :ivar parent: path of the resource that links to it.
    :ivar expanded: it is asked for with ``$expand``. :ivar whole: with ``$expand``, and is one resource, no collection.
    :ivar limit: how many members of the collection are wanted. :ivar page_of: path of the collection that it is a
        page of.
    :ivar only: the single member of the collection is asked for, if it has a single one.
    """

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

    def with_below(self, query: str) -> Want:
        """Ask for the resource with what is below it."""
        return self._replace(url=f"{self.path}?{query}", expanded=True, whole=True)

    def plain(self) -> Want:
        """Ask without a query."""
        return self._replace(url=self.path, expanded=False, whole=False, only=False)


class Outcome(NamedTuple):
    """The answer to a want: a JSON object, or why there is none. ``status`` is the HTTP status when there was one."""

    verdict: Verdict
    body: Optional[Mapping[str, Any]] = None
    reason: Optional[str] = None
    status: Optional[int] = None
