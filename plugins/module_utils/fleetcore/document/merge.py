# SPDX-License-Identifier: BSD-2-Clause

"""One view of a machine from several observations, component by component and field by field. Pure.

Which source wins for which field is data (``Kind.bmc_first``, ``_BMC_FIRST``); the other one fills in what the first
does not say. Components of both are recognised by what they are: see ``match.py``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .match import Part, label, labels, pair
from .model import Source
from .places import without_stale_slots
from .sections import FIELDS, KINDS, LISTS, Document, plain
from .values import clean_serial

OOB, INBAND = Source.OOB.value, Source.INBAND.value

# Names and places that are printed on the machine, and health as its lamps show it: the BMC knows them better for
# every kind of part.
_BMC_FIRST = frozenset(["id", "slot", "status", "location"])
_NOTHING: tuple[Any, ...] = (None, [], {})
# Of one source as a whole: entries of two vocabularies are not mixed. Inside of fields; for fields of the machine see
# ``Kind.whole``.
_WHOLE = frozenset(["raw", "pending", "neighbor", *(name for name, kind in KINDS.items() if kind.whole)])


def bmc_first(kind: str, field: str = "") -> bool:
    """Whether the BMC's word on ``field`` of a ``kind`` of component (or of the machine's field ``kind``) is the
    better one."""
    return field in _BMC_FIRST or (kind in KINDS and KINDS[kind].bmc_first)


def merge(documents: Mapping[Source, Document]) -> dict[str, Any]:
    """The merged document as plain data, with ``provenance`` (see ``model.Device``) and ``links``.

    Every component of every source is in it, once. ``collected_at`` is the latest. ``coverage`` has the entries of
    both sources, that of a name that both have from the one that collected it, else from the first that says why
    there is nothing. Without documents it is an empty document.
    """
    data = {source.value: plain(documents[source]) for source in (Source.OOB, Source.INBAND) if source in documents}
    merged: dict[str, Any] = {"source": Source.MERGED.value}
    times = [document["collected_at"] for document in data.values() if document.get("collected_at")]
    if times:
        merged["collected_at"] = max(times)
    coverage = _coverage(list(data.values()))
    if coverage:
        merged["coverage"] = coverage
    oob, inband = data.get(OOB, {}), data.get(INBAND, {})
    oob = without_stale_slots(oob, inband, LISTS)
    provenance: dict[str, str] = {}
    for name in FIELDS:
        value, sources = _field(name, "", oob.get(name), inband.get(name))
        if value is None:
            continue
        merged[name] = value
        if name == "nics":
            ports = [port for nic in value for port in nic.get("nic_ports", [])]
            provenance.update(
                _briefly("nic_ports", ports, [found for part in sources for found in part.pop("nic_ports", [])])
            )
        provenance.update(_briefly(name, value, sources))
    _relink(merged, oob, inband)
    if provenance:
        merged["provenance"] = provenance
    links = _links(merged, provenance)
    if links:
        merged["links"] = links
    return merged


def pairs_of(name: str, oob: Document, inband: Document) -> tuple[list[tuple[Part, Part]], list[Part], list[Part]]:
    """Components of list ``name`` that both sources have, that only the BMC has, that only the OS has."""
    left, right = plain(oob).get(name, []), plain(inband).get(name, [])
    ordered = [sorted(items, key=_text) for items in (left, right)]
    found = pair(ordered[0], ordered[1], name, likely=True)
    place = {id(item): index for index, item in enumerate([*left, *right])}
    return (
        sorted(found.both, key=lambda both: place[id(both[0])]),
        sorted(found.left, key=lambda item: place[id(item)]),
        sorted(found.right, key=lambda item: place[id(item)]),
    )


def _text(part: Part) -> str:
    return json.dumps(part, sort_keys=True)


def _coverage(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    coverage: dict[str, Any] = {}
    for document in documents:
        for name, entry in document.get("coverage", {}).items():
            if name not in coverage or (entry.get("verdict") == "collected" and not entry.get("last_seen")):
                coverage[name] = entry
    return coverage


# -- values ------------------------------------------------------------------------------------------------------------

# Of a value: who it came from. Of a component: that by field. Of a list: that by component.
_Sources = Any


def _field(kind: str, field: str, oob: Any, inband: Any, name: str = "") -> tuple[Any, _Sources]:
    """The value of a field from what both sources have there, and its sources; ``(None, None)`` if neither has it.

    :param name: of what is inside of ``field``.
    """
    name = name or field or kind
    if name == "nic_ports" or (not field and kind in LISTS and kind not in _WHOLE):
        return _list(name, oob or [], inband or [])
    if oob in _NOTHING or inband in _NOTHING:
        value, source = (inband, INBAND) if oob in _NOTHING else (oob, OOB)
        return (None, None) if value in _NOTHING else (value, _all(value, source, field))
    first, second = ((oob, OOB), (inband, INBAND)) if bmc_first(kind, field) else ((inband, INBAND), (oob, OOB))
    if name in _WHOLE or not isinstance(oob, Mapping) or not isinstance(inband, Mapping):
        if _says_nothing(name, first[0]):
            first = second
        return _union(name, first, second)
    if name == "firmware" and not _same_version(oob, inband):
        return first[0], first[1]
    return _object(kind, field, oob, inband)


def _says_nothing(name: str, value: Any) -> bool:
    return (name == "serial" and clean_serial(value) is None) or (name == "smart_status" and value == "unknown")


def _all(value: Any, source: str, field: str) -> _Sources:
    return dict.fromkeys(value, source) if isinstance(value, Mapping) and not field else source


def _union(name: str, first: tuple[Any, str], second: tuple[Any, str]) -> tuple[Any, _Sources]:
    if name != "capabilities":
        return first
    known = {item.get("name") for item in first[0]}
    more = [item for item in second[0] if item.get("name") not in known]
    return [*first[0], *more], f"{INBAND},{OOB}" if more else first[1]


def _same_version(oob: Mapping[str, Any], inband: Mapping[str, Any]) -> bool:
    """Versions of different sources are not mixed."""
    mine, theirs = oob.get("installed"), inband.get("installed")
    return not mine or not theirs or mine == theirs


def _object(kind: str, field: str, oob: Mapping[str, Any], inband: Mapping[str, Any]) -> tuple[Any, _Sources]:
    out: dict[str, Any] = {}
    sources: dict[str, _Sources] = {}
    for name in dict.fromkeys([*inband, *oob]):
        # Inside of a field one entry of the table holds for all.
        value, source = _field(kind, field or name, oob.get(name), inband.get(name), name)
        if value is not None:
            out[name] = value
            sources[name] = source
    return out, (_joined(sources.values()) if field else sources)


def _joined(sources: Iterable[_Sources]) -> str:
    """One text of all sources below."""
    found: set[str] = set()
    for source in sources:
        if isinstance(source, str):
            found.update(source.split(","))
        elif source:
            found.update(_joined(source.values() if isinstance(source, Mapping) else source).split(","))
    return ",".join(sorted(found - {""}))


def _list(name: str, oob: Sequence[Part], inband: Sequence[Part]) -> tuple[Any, _Sources]:
    """Components of both; those of the BMC first, in its order."""
    if not oob and not inband:
        return None, None
    if not oob or not inband:
        source = OOB if oob else INBAND
        return list(oob or inband), [_of_one(item, source) for item in oob or inband]
    both, _only_oob, only_inband = pairs_of(name, {name: oob}, {name: inband})
    merged = {id(mine): _object(name, "", mine, theirs) for mine, theirs in both}
    out = [merged.get(id(item)) or (item, _of_one(item, OOB)) for item in oob]
    out += [(item, _of_one(item, INBAND)) for item in only_inband]
    return [item for item, _sources in out], [sources for _item, sources in out]


def _of_one(part: Part, source: str) -> _Sources:
    return {
        field: [_of_one(port, source) for port in value] if field == "nic_ports" else source
        for field, value in part.items()
    }


# -- provenance --------------------------------------------------------------------------------------------------------


def _briefly(name: str, value: Any, sources: _Sources) -> dict[str, str]:
    """Provenance of one field of the machine: what most have as the rule, the rest as exceptions from it."""
    if isinstance(sources, str):
        return {name: sources}
    if isinstance(sources, Mapping):
        flat = {field: _joined([source]) for field, source in sources.items()}
        rule = _most(flat.values())
        return {name: rule, **{f"{name}.{field}": source for field, source in flat.items() if source != rule}}
    parts = [{field: _joined([source]) for field, source in part.items()} for part in sources]
    if not any(parts):
        return {}
    rule = _most(source for part in parts for source in part.values())
    by_field: dict[str, list[str]] = {}
    for part in parts:
        if len(set(part.values())) > 1:
            for field, source in part.items():
                by_field.setdefault(field, []).append(source)
    rules = {field: most for field, found in by_field.items() for most in [_most(found)] if most != rule}
    out = {name: rule, **{f"{name}.{field}": source for field, source in sorted(rules.items())}}
    for title, part in zip(labels(value), parts):
        alone = set(part.values())
        if len(alone) == 1:
            (source,) = alone
            if source != rule or any(field in rules for field in part):
                out[f"{name}[{title}]"] = source
            continue
        for field, source in part.items():
            if source != rules.get(field, rule):
                out[f"{name}[{title}].{field}"] = source
    return out


def _most(sources: Iterable[str]) -> str:
    counts = Counter(sources)
    return max(sorted(counts), key=lambda source: counts[source]) if counts else INBAND


def source_of(
    provenance: Mapping[str, str], name: str, title: Optional[str] = None, field: Optional[str] = None
) -> str:
    """Look up the source of a field in ``provenance``: of the machine, of one of its parts, or of the component with
    that label in list ``name``."""
    paths = [f"{name}[{title}].{field}", f"{name}[{title}]"] if title is not None else []
    return next((provenance[path] for path in [*paths, f"{name}.{field}", name] if path in provenance), "")


# -- what ties components together -------------------------------------------------------------------------------------


def _relink(merged: dict[str, Any], oob: Mapping[str, Any], inband: Mapping[str, Any]) -> None:
    """Names of storage controllers in what came from the OS become those that the merged controllers have."""
    if not oob.get("storage_controller") or not inband.get("storage_controller"):
        return
    both, _left, _right = pairs_of("storage_controller", oob, inband)
    renamed = {theirs["id"]: mine["id"] for mine, theirs in both if theirs.get("id") and mine.get("id")}
    for name in ("drives", "volumes"):
        if name in merged:
            merged[name] = [
                {**item, "storage_controller": renamed[item["storage_controller"]]}
                if item.get("storage_controller") in renamed
                else item
                for item in merged[name]
            ]


def _links(merged: Mapping[str, Any], provenance: Mapping[str, str]) -> list[dict[str, Any]]:
    """One entry for every port that has a neighbour."""
    nics = merged.get("nics", [])
    owners = [(f"nics:{title}", nic) for title, nic in zip(labels(nics), nics)]
    owners.append(("bmc", merged.get("bmc", {}).get("nic") or {}))
    out = []
    for part, nic in owners:
        for port in nic.get("nic_ports", []):
            neighbor = port.get("neighbor")
            if not neighbor:
                continue
            if part == "bmc":
                source = source_of(provenance, "bmc", None, "nic")
            else:
                source = source_of(provenance, "nic_ports", label(port), "neighbor")
            link = {
                "part": part,
                "port": port.get("logical_name") or port.get("id") or port.get("bus_info"),
                "macaddress": port.get("macaddress"),
                "switch": neighbor.get("chassis_id"),
                "switch_name": neighbor.get("system_name"),
                "switch_port": neighbor.get("port_id") or neighbor.get("port_description"),
                "vlan": neighbor.get("vlan"),
                "source": source if source in (OOB, INBAND) else None,
            }
            out.append({name: value for name, value in link.items() if value is not None})
    return out
