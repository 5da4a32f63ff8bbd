# SPDX-License-Identifier: BSD-2-Clause
"""Query parameters of Redfish GETs ($expand, only, $top, $skip, $select), on resources as values (DSP0266, 7.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetlab.replies import Refused
from fleetlab.tree import Resource, canonical, link, members

Read = Callable[[str], Resource | None]
"""Path of a resource -> the resource, or None when there is none."""


@dataclass(frozen=True)
class Expansion:
    """`which`: "." subordinate resources, "~" those in Links, "*" both and annotations."""

    which: str
    levels: int


def parse_expand(text: str, features: Mapping[str, Any]) -> Expansion:
    """Read `.($levels=2)`. `features`: ExpandQuery of the service root. Raises Refused for what it doesn't offer."""
    found = re.fullmatch(r"([.*~])(?:\(\$levels=(\d+)\))?", text.strip())
    if not found:
        raise Refused(400, "QueryParameterValueFormatError", f"The value {text} of $expand has a wrong form.", text)
    which, levels = found[1], int(found[2] or 1)
    offered = features.get({".": "NoLinks", "*": "ExpandAll", "~": "Links"}[which])
    if not offered:
        raise Refused(501, "QueryNotSupportedOnResource", f"$expand={which} is not supported.")
    most = int(features.get("MaxLevels", 1)) if features.get("Levels") else 1
    if not 1 <= levels <= most:
        raise Refused(
            400,
            "QueryParameterOutOfRange",
            f"The value {levels} of $expand levels is out of range 1 to {most}.",
            str(levels),
            "$expand",
            f"1-{most}",
        )
    return Expansion(which, levels)


def expand(resource: Resource, expansion: Expansion, read: Read) -> Resource:
    """The resource with its references replaced by what they point to. Missing targets and loops stay references."""
    return _expand_members(resource, expansion.which, expansion.levels, read, (link(resource),))


def _expand_members(resource: Resource, which: str, levels: int, read: Read, above: tuple[str, ...]) -> Resource:
    def visit(value: Any, in_links: bool) -> Any:
        if isinstance(value, list):
            return [visit(item, in_links) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and "@odata.id" in value:
            wanted = which == "*" or in_links == (which == "~")
            return _fetched(value, which, levels, read, above) if wanted else value
        return {name: visit_member(name, item, in_links) for name, item in value.items()}

    def visit_member(name: str, item: Any, in_links: bool) -> Any:
        if which != "*" and (name == "Actions" or "@" in name):
            return item
        return visit(item, in_links or name == "Links")

    return {name: visit_member(name, item, False) for name, item in resource.items()}


def _fetched(reference: Resource, which: str, levels: int, read: Read, above: tuple[str, ...]) -> Resource:
    target = reference["@odata.id"]
    if not isinstance(target, str) or "#" in target or canonical(target) in above:
        return reference
    found = read(target)
    if found is None:
        return reference
    if levels == 1:
        return found
    return _expand_members(found, which, levels - 1, read, (*above, canonical(target)))


def only_member(resource: Resource, read: Read) -> Resource:
    """`only`: a collection's member if it has exactly one, otherwise the collection."""
    paths = members(resource)
    found = read(paths[0]) if len(paths) == 1 else None
    return resource if found is None else found


def page(resource: Resource, query: Mapping[str, str], page_size: int | None) -> Resource:
    """`$skip`, `$top` and the service's own page size, with `Members@odata.nextLink` where more is left."""
    listed = resource.get("Members")
    if not isinstance(listed, list):
        return resource
    skip, top = _number(query, "$skip", 0), _number(query, "$top", len(listed))
    wanted = listed[skip : skip + top]
    if page_size is None or len(wanted) <= page_size:
        return resource if len(wanted) == len(listed) else {**resource, "Members": wanted}
    more = {name: value for name, value in query.items() if name not in {"$skip", "$top"}}
    more["$skip"] = str(skip + page_size)
    if "$top" in query:
        more["$top"] = str(top - page_size)
    next_link = canonical(resource["@odata.id"]) + "?" + "&".join(f"{name}={value}" for name, value in more.items())
    return {**resource, "Members": wanted[:page_size], "Members@odata.nextLink": next_link}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise Refused(400, "QueryParameterValueTypeError", f"The value {text} of {name} is no number.", text, name)
    return int(text)


def select(resource: Resource, text: str) -> Resource:
    """`$select`: the named top-level properties, and the resource's annotations."""
    wanted = {name.strip().partition("/")[0] for name in text.split(",")}
    return {name: value for name, value in resource.items() if name.startswith("@odata.") or name in wanted}
