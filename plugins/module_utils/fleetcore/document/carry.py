# SPDX-License-Identifier: BSD-2-Clause

"""The last known state of a machine by one source: a new observation, with what it could not collect kept from
before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .match import pair
from .sections import FIELDS, LISTS, READINGS, Document, plain, unanswered, uncollected


def keep_uncollected(before: Document, after: Document) -> dict[str, Any]:
    """``after`` as plain data, with what ``before`` knew of fields that were not collected this time.

    Whatever ``after`` does say wins. ``coverage[...].last_seen`` is when an entry that was not collected was seen last,
    if ``before`` has something of it. Only what was collected can be gone. Readings are never kept.
    Components that are only kept come after those that ``after`` has.
    """
    old, new = plain(before), dict(plain(after))
    coverage: dict[str, Any] = {
        name: {key: value for key, value in entry.items() if key != "last_seen"}
        for name, entry in new.get("coverage", {}).items()
    }
    kept = False
    for name in FIELDS:
        if name in READINGS or not old.get(name):
            continue
        reasons = uncollected(name, old, new)
        parts = unanswered(name, old, new) if name in LISTS and not reasons else {}
        if reasons:
            whole = _kept(name, old[name], new.get(name))
        elif parts:
            whole = _kept_parts(name, old[name], new.get(name) or [], frozenset().union(*parts.values()))
        else:
            continue
        if not reasons and whole == new.get(name):
            continue
        new[name] = whole
        kept = True
        _keep_provenance(name, old, new)
        for entry in (*reasons, *parts):
            was = old.get("coverage", {}).get(entry, {})
            seen = was.get("last_seen") or old.get("collected_at")
            if seen and entry in reasons:
                coverage[entry]["last_seen"] = seen
            elif seen:
                coverage[entry]["parts"] = {
                    title: {**part, "last_seen": was.get("parts", {}).get(title, {}).get("last_seen") or seen}
                    for title, part in coverage[entry]["parts"].items()
                }
    return {**new, "coverage": coverage} if kept or coverage != new.get("coverage", {}) else new


def _kept(name: str, old: Any, new: Any) -> Any:
    if not new:
        return old
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if old.get("installed") and new.get("installed", old["installed"]) != old["installed"]:
            return new  # another firmware: what was known of the one before does not hold
        missing = {key: value for key, value in old.items() if key not in new}
        both = {key: _kept(key, old[key], value) if key in old else value for key, value in new.items()}
        return {**both, **missing}
    if isinstance(old, list) and isinstance(new, list) and (name in LISTS or name == "nic_ports"):
        pairs = pair(old, new, name)
        before = {id(now): was for was, now in pairs.both}
        return [_kept("", before[id(item)], item) if id(item) in before else item for item in new] + list(pairs.left)
    return new


def _kept_parts(name: str, old: Any, new: Any, asked: frozenset[str]) -> Any:
    """``new`` with what ``old`` knew of the parts that were ``asked`` and did not answer. A part whose name another has
    now is gone."""
    pairs = pair(old, new, name)
    before = {id(now): was for was, now in pairs.both}
    taken = frozenset().union(*map(_names, new))
    return [
        _kept("", before[id(item)], item) if id(item) in before and asked & _names(item) else item for item in new
    ] + [item for item in pairs.left if (asked - taken) & _names(item)]


def _names(part: Mapping[str, Any]) -> frozenset[str]:
    """What a tool may call a part, or a port of it."""
    own = (part.get(field) for field in ("logical_name", "bus_info", "id", "slot"))
    return frozenset(name for name in own if name).union(*map(_names, part.get("nic_ports", ())))


def _keep_provenance(name: str, old: Mapping[str, Any], new: dict[str, Any]) -> None:
    """The tools that the kept values came from stay named: they are asked for next time."""
    was, now = old.get("provenance", {}), dict(new.get("provenance", {}))
    if name not in was:
        return
    tools = {tool for tool in [*was[name].split(","), *now.get(name, "").split(",")] if tool}
    now[name] = ",".join(sorted(tools))
    for path, tool in was.items():
        if path.startswith(f"{name}."):
            now.setdefault(path, tool)
    new["provenance"] = now
