# SPDX-License-Identifier: BSD-2-Clause

"""The changes between two observations of one machine by one source. Pure.

Components are matched by identity, never by their place in a list: see ``match.py``. A part with the same serial in
another slot has moved; another serial in the same slot is one part removed and one added. Readings, link states and
times are noise. What a source did not collect this time is not removed by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .match import IDENTITIES, PLACES, label, pair, place_words
from .sections import FIELDS, LISTS, READINGS, Document, plain, uncollected
from .values import listed

_NOISE = listed(
    """
    reading reading_units charge_percent power_on_hours life_left_percent smart_attributes link_status speed_bits
    active_link_technology negotiated_speed_gbps temperature_celsius counters neighbor status.State status.post_code
    status.post_code_status
    """
)
Change = dict[str, Any]


def diff(before: Optional[Document], after: Document) -> list[Change]:
    """``[{op, component, field, before, after}]``; ``op`` is added, removed, changed or moved. Plain JSON data.

    ``component`` names the list and the identity (``drives:serial=X``; ``device`` for the machine itself), ``field``
    is a dotted path, absent for a component that came or went, whose identifying values are in ``before`` or
    ``after``. Without ``before`` everything is added. ``diff(x, x)`` is empty.
    """
    old = plain(before) if before is not None else {}
    new = plain(after)
    changes: list[Change] = []
    for name in FIELDS:
        was, now = old.get(name), new.get(name)
        if name in READINGS or was == now:
            continue
        seen = not uncollected(name, old, new)
        if name in LISTS:
            changes += _lists(name, was or [], now or [], seen)
            continue
        changes += _values("device", {name: was}, {name: now}, seen)
        if name == "bmc":
            changes += _lists("bmc/nic_ports", _bmc_ports(was), _bmc_ports(now), seen)
    return changes


def _bmc_ports(bmc: Optional[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    ports: list[Mapping[str, Any]] = ((bmc or {}).get("nic") or {}).get("nic_ports", [])
    return ports


def _lists(
    prefix: str, before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], seen: bool
) -> list[Change]:
    changes: list[Change] = []
    pairs, gone, come = pair(before, after, prefix)
    for old, new in pairs:
        if old == new:
            continue
        component = f"{prefix}:{label(new)}"
        place = next((name for name in PLACES if old.get(name) and new.get(name)), None)
        moved = place is not None and place_words(old[place]) != place_words(new[place])
        if moved and place is not None:
            changes.append(_change("moved", component, place, old[place], new[place]))
        skip = frozenset([*PLACES[:3], "storage_controller"]) if moved else frozenset()
        changes += _values(component, old, new, seen, skip)
    if seen:
        changes += [_change("removed", f"{prefix}:{label(old)}", None, _summary(old), None) for old in gone]
    changes += [_change("added", f"{prefix}:{label(new)}", None, None, _summary(new)) for new in come]
    return changes


def _values(
    component: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    seen: bool,
    skip: frozenset[str] = frozenset(),
) -> list[Change]:
    changes: list[Change] = []
    ports = "nic_ports"
    if isinstance(before.get(ports), list) or isinstance(after.get(ports), list):
        changes += _lists(f"{component}/{ports}", before.get(ports) or [], after.get(ports) or [], seen)
    old, new = dict(_flat(before, "")), dict(_flat(after, ""))
    for field in sorted({*old, *new}):
        if field.split(".")[0] in skip or field in _NOISE or field.rsplit(".", 1)[-1] in _NOISE or ports in field:
            continue
        was, now = old.get(field), new.get(field)
        if was == now or (now is None and not seen):
            continue
        op = "added" if was is None else "removed" if now is None else "changed"
        changes.append(_change(op, component, field, was, now))
    return changes


def _flat(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    """Leaves of nested objects by dotted path; lists are leaves."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else str(name))
    elif value is not None:
        yield path, value


def _summary(item: Mapping[str, Any]) -> dict[str, Any]:
    """Enough of a component to know it by."""
    names = ("vendor", "model", "part_number", "size_bytes", "capacity_bytes", "kind", *IDENTITIES, *PLACES)
    found = {name: item[name] for name in names if item.get(name) is not None}
    return found or {"value": json.dumps(item, sort_keys=True)[:200]}


def _change(op: str, component: str, field: Optional[str], before: Any, after: Any) -> Change:
    change = {"op": op, "component": component, "field": field, "before": before, "after": after}
    return {name: value for name, value in change.items() if value is not None}
