# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What changed between two observations of one machine by one source. Pure.

Components are matched by identity, never by their place in a list: serial number, else WWN, MAC or UUID, else slot, bus address
or id. A part with the same serial in another slot has moved; another serial in the same slot is one part removed and one added.
Readings, link states and times are noise. What a source did not collect this time is not removed by it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from .model import Device, Verdict, to_dict

_STRONG = ("serial", "wwn", "macaddress", "uuid")
_PLACE = ("slot", "bus_info", "id", "interface_type", "name")
# Of the observation, or of the moment.
_NOISE_OF_DEVICE = frozenset(
    [
        "source",
        "collected_at",
        "collector",
        "coverage",
        "stats",
        "attempts",
        "provenance",
        "power_state",
        "sensors",
        "log",
    ]
)
_NOISE = frozenset(
    [
        "reading",
        "reading_units",
        "charge_percent",
        "power_on_hours",
        "life_left_percent",
        "smart_attributes",
        "link_status",
        "speed_bits",
        "active_link_technology",
        "negotiated_speed_gbps",
        "neighbor",
        "status.State",
        "status.post_code",
        "status.post_code_status",
    ]
)
# In which section of the coverage a field of the device is collected; all others are in ``system``.
_SECTION = {
    "bios": "system",
    "bmc": "manager",
    "bios_configuration": "bios",
    "secure_boot": "secure_boot",
    "boot": "boot",
    "cplds": "firmware",
    "tpms": "tpm",
    "gpus": "processors",
    "accelerators": "processors",
    "cpus": "processors",
    "memory": "memory",
    "dpus": "network",
    "nics": "network",
    "fabric_ports": "network",
    "transceivers": "network",
    "drives": "storage",
    "volumes": "storage",
    "storage_controller": "storage",
    "backplanes": "storage",
    "power_supplies": "power_supplies",
    "batteries": "power_supplies",
    "enclosures": "chassis",
    "asset_tag": "chassis",
    "location": "chassis",
    "chassis": "chassis",
    "pcie_devices": "pcie",
    "fans": "thermal",
    "licences": "licences",
    "firmware_inventory": "firmware",
}

Change = dict[str, Any]


def diff(before: Optional[Device], after: Device) -> list[Change]:
    """``[{op, component, field, before, after}]``; ``op`` is added, removed, changed or moved. Plain JSON data.

    ``component`` names the list and the identity (``drives:serial=X``; ``device`` for the machine itself), ``field`` is a dotted path,
    absent for a component that came or went, whose identifying values are in ``before`` or ``after``. Without ``before``
    everything is added. ``diff(x, x)`` is empty.
    """
    old = to_dict(before) if before is not None else {}
    new = to_dict(after)
    changes: list[Change] = []
    for name in (item.name for item in dataclasses.fields(Device)):
        if name in _NOISE_OF_DEVICE:
            continue
        seen = _was_collected(name, after)
        was, now = old.get(name), new.get(name)
        if name in _COMPONENTS:
            changes += _lists(name, was or [], now or [], seen)
        else:
            changes += _values("device", {name: was}, {name: now}, seen)
    return changes


def _was_collected(name: str, device: Device) -> bool:
    coverage = device.coverage.get(_SECTION.get(name, "system"))
    return coverage is None or coverage.verdict is Verdict.COLLECTED


_COMPONENTS = frozenset(
    name for name in _SECTION if isinstance(getattr(Device(), name, None), tuple) and name not in _NOISE_OF_DEVICE
)


def _lists(
    prefix: str, before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]], seen: bool
) -> list[Change]:
    changes: list[Change] = []
    pairs, gone, come = _match(list(before), list(after))
    for old, new in pairs:
        component = f"{prefix}:{_label(new)}"
        place = next((name for name in _PLACE if old.get(name) and new.get(name)), None)
        moved = place is not None and old[place] != new[place] and _key(old, _STRONG) == _key(new, _STRONG)
        if moved and place is not None:
            changes.append(_change("moved", component, place, old[place], new[place]))
        skip = frozenset([*_PLACE[:3], "storage_controller"]) if moved else frozenset()
        changes += _values(component, old, new, seen, skip)
    if seen:
        changes += [_change("removed", f"{prefix}:{_label(old)}", None, _summary(old), None) for old in gone]
    changes += [_change("added", f"{prefix}:{_label(new)}", None, None, _summary(new)) for new in come]
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


# -- identity -----------------------------------------------------------------------------------------------------------------


def _match(
    before: list[Mapping[str, Any]], after: list[Mapping[str, Any]]
) -> tuple[list[tuple[Mapping[str, Any], Mapping[str, Any]]], list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Pairs, what is gone, what has come. First by serial and the like, then by place where that does not contradict."""
    pairs = []
    for keys in (_STRONG + _PLACE, _STRONG, _PLACE, ()):  # (): nothing to know them by, so by being equal
        waiting: dict[Any, list[Mapping[str, Any]]] = {}
        for old in before:
            waiting.setdefault(_all(old, keys), []).append(old)
        left = []
        for new in after:
            candidates = waiting.get(_all(new, keys), []) if _all(new, keys) else []
            found = next((old for old in candidates if not _contradict(old, new)), None)
            if found is None:
                left.append(new)
            else:
                candidates.remove(found)
                pairs.append((found, new))
        taken = {id(old) for old, _new in pairs}
        before = [old for old in before if id(old) not in taken]
        after = left
    return pairs, before, after


def _all(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    if not names:
        return json.dumps(item, sort_keys=True)
    if names == _STRONG:
        return _key(item, _STRONG)
    if names == _PLACE:
        return _key(item, _PLACE)
    return tuple((name, item[name]) for name in names if isinstance(item.get(name), str))


def _contradict(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(old.get(name) and new.get(name) and old[name] != new[name] for name in _STRONG[:3])


def _key(item: Mapping[str, Any], names: tuple[str, ...]) -> Optional[tuple[str, str]]:
    for name in names:
        if isinstance(item.get(name), str):
            return name, item[name]
    if names is _STRONG:
        macs = [port.get("macaddress") for port in item.get("nic_ports", []) if isinstance(port, Mapping)]
        found = sorted(mac for mac in macs if mac)
        if found:
            return "mac", found[0]
    return None


def _label(item: Mapping[str, Any]) -> str:
    key = _key(item, _STRONG) or _key(item, _PLACE)
    return f"{key[0]}={key[1]}" if key else "?"


def _summary(item: Mapping[str, Any]) -> dict[str, Any]:
    """Enough of a component to know it by."""
    names = ("vendor", "model", "part_number", "size_bytes", "capacity_bytes", "kind", *_STRONG, *_PLACE)
    found = {name: item[name] for name in names if item.get(name) is not None}
    return found or {"value": json.dumps(item, sort_keys=True)[:200]}


def _change(op: str, component: str, field: Optional[str], before: Any, after: Any) -> Change:
    change = {"op": op, "component": component, "field": field, "before": before, "after": after}
    return {name: value for name, value in change.items() if value is not None}
