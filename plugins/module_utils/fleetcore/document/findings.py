# SPDX-License-Identifier: BSD-2-Clause

"""Contradictions between the BMC and the machine's own OS about one machine. Pure.

Sources spell one fact in several ways: the rules of ``_COMPARED`` tell a spelling from a contradiction. What only one
source says is no contradiction, but for parts that both should see and one does not (``_EXPECTED``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from .match import Part, label, place_words, same_serial, same_uuid, same_words
from .merge import INBAND, OOB, pairs_of
from .model import Source, Verdict
from .sections import Document, memory_bytes, plain, speakers
from .values import clean_mac, listed

Finding = dict[str, Any]

CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)


def findings(documents: Mapping[Source, Document]) -> list[Finding]:
    """``[{kind, severity, component, field, values: {oob, inband}, message}]``, worst first. Plain JSON data.

    ``kind``: ``other_machine`` (the two documents are of two machines; nothing else is compared then), ``wrong_bmc``
    (the host's BMC is not the one that was asked), ``disagreement`` (on a fact), ``other_part`` (two parts in one
    place), ``missing`` (one source does not see it though it looked). ``component`` is as in a change; ``field`` is
    absent where it is about the component as a whole. Less than two documents have no findings.
    """
    if Source.OOB not in documents or Source.INBAND not in documents:
        return []
    oob, inband = plain(documents[Source.OOB]), plain(documents[Source.INBAND])
    found = [*_machine(oob, inband), *_bmc(oob, inband)]
    if all(item["kind"] != "other_machine" for item in found):
        found += _facts("device", "device", oob, inband)
        for name in ("bios", "bmc"):
            found += _facts(name, name, oob.get(name) or {}, inband.get(name) or {})
        for name in ("memory", "cpus", "drives", "nics", "gpus", "power_supplies", "storage_controller"):
            found += _parts(name, oob, inband)
        found += _total_memory(oob, inband)
    return sorted(found, key=lambda item: SEVERITIES.index(item["severity"]))


def _finding(
    kind: str, severity: str, component: str, message: str, values: tuple[Any, Any], field: Optional[str] = None
) -> Finding:
    said = {name: value for name, value in ((OOB, values[0]), (INBAND, values[1])) if value is not None}
    finding = {"kind": kind, "severity": severity, "component": component}
    return {**finding, **({"field": field} if field else {}), "values": said, "message": message}


# -- spellings of one fact ---------------------------------------------------------------------------------------------


def same_version(mine: str, theirs: str) -> bool:
    """``1.8.2`` is ``1.08.02`` and ``v1.8.2``; ``4.40`` may be ``4.40.10.00``; ``20.31.1014`` is ``20.31.10.14``; of
    several versions one."""
    return any(_one_version(first, second) for first in mine.split() for second in theirs.split())


def _one_version(mine: str, theirs: str) -> bool:
    first, second = sorted((_numbers(mine), _numbers(theirs)), key=len)
    if len(first) > 1 and second[: len(first)] == first:
        return True
    return first == second or "".join(first) == "".join(second)


def _numbers(version: str) -> list[str]:
    """Numbers without leading zeros, and letters; not those in front (``v1.0``, ``L2.07``)."""
    words = re.findall(r"[0-9]+|[a-z]+", version.lower().lstrip("abcdefghijklmnopqrstuvwxyz"))
    return [str(int(word)) if word.isdigit() else word for word in words]


def same_vendor(mine: str, theirs: str) -> bool:
    """One has a word of the other's name: ``Dell``, ``Dell Inc.``; ``SK Hynix``, ``Hynix Semiconductor``."""
    first, second = (
        {word for word in re.findall(r"[a-z0-9]{2,}", value.lower()) if word not in _ANY_VENDOR}
        for value in (mine, theirs)
    )
    return bool(first & second) or not first or not second


_ANY_VENDOR = listed(
    """
    inc corp corporation co ltd technology technologies systems semiconductor electronics and subsidiaries
    """
)


def _about(percent: float) -> Callable[[Any, Any], bool]:
    return lambda mine, theirs: abs(mine - theirs) <= max(abs(mine), abs(theirs)) * percent / 100


def _equal(mine: Any, theirs: Any) -> bool:
    return bool(mine == theirs)


def _same_text(mine: str, theirs: str) -> bool:
    first, second = sorted((re.sub(r"[^a-z0-9]", "", value.lower()) for value in (mine, theirs)), key=len)
    return first in second


_Rule = tuple[Callable[[Any, Any], bool], str]
# Sizes: tools round, and mix powers of 1000 and 1024 in what they round to.
_COMPARED: Mapping[str, Mapping[str, _Rule]] = {
    "device": {"vendor": (same_vendor, INFO), "model": (same_words, WARNING), "uuid": (same_uuid, WARNING)},
    "bios": {"firmware.installed": (same_version, WARNING)},
    "bmc": {"firmware.installed": (same_version, INFO)},
    "cpus": {"model": (same_words, WARNING), "cores": (_equal, WARNING), "threads": (_equal, INFO)},
    "memory": {"size_bytes": (_about(1), WARNING), "part_number": (_same_text, INFO)},
    "drives": {
        "capacity_bytes": (_about(2), WARNING),
        "firmware.installed": (same_version, INFO),
        "model": (same_words, INFO),
    },
    "nics": {"firmware.installed": (same_version, INFO)},
    "gpus": {"model": (same_words, INFO), "firmware.installed": (same_version, INFO)},
    "power_supplies": {"power_capacity_watts": (_about(1), INFO)},
    "storage_controller": {"firmware.installed": (same_version, INFO)},
}


def _facts(kind: str, component: str, oob: Part, inband: Part) -> Iterable[Finding]:
    for field, (same, severity) in _COMPARED[kind].items():
        mine, theirs = _at(oob, field), _at(inband, field)
        if mine is None or theirs is None or same(mine, theirs):
            continue
        message = (
            f"{component}: {field.partition('.')[0].replace('_', ' ')} is {mine} for the BMC and {theirs} for the OS"
        )
        yield _finding("disagreement", severity, component, message, (mine, theirs), field)


def _at(part: Any, path: str) -> Any:
    for name in path.split("."):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


# -- the machine and its BMC -------------------------------------------------------------------------------------------


def _machine(oob: Part, inband: Part) -> Iterable[Finding]:
    """Two machines, or one whose sources name another of its serial numbers: that of the board, the chassis, the
    system."""
    mine, theirs = oob.get("serial"), inband.get("serial")
    uuids = oob.get("uuid"), inband.get("uuid")
    one_uuid = bool(uuids[0] and uuids[1] and same_uuid(uuids[0], uuids[1]))
    if not mine or not theirs or one_uuid or any(same_serial(a, b) for a in _serials(oob) for b in _serials(inband)):
        return
    message = (
        f"the BMC is that of machine {mine}, the OS runs on machine {theirs}: one of the two documents was published "
        "for the wrong machine, "
        "or the BMC's address is that of another machine"
    )
    yield _finding("other_machine", CRITICAL, "device", message, (mine, theirs), "serial")


def _serials(document: Part) -> set[str]:
    """All serial numbers of the machine as a whole."""
    found = {document.get("serial"), document.get("sku"), (document.get("mainboard") or {}).get("serial")}
    found |= {item.get("serial") for item in document.get("enclosures", [])}
    return {value for value in found if isinstance(value, str)}


def _bmc(oob: Part, inband: Part) -> Iterable[Finding]:
    (macs, addresses), (seen_macs, seen_addresses) = bmc_addresses(oob), bmc_addresses(inband)
    if not macs or not seen_macs or macs & seen_macs or addresses & seen_addresses:
        return
    message = (
        f"the host's own BMC has MAC {', '.join(sorted(seen_macs))}, "
        f"the BMC that was asked has {', '.join(sorted(macs))}: "
        "the BMC's address may be that of another machine"
    )
    near = any(_near(mine, theirs) for mine in macs for theirs in seen_macs)
    # BMCs with a port of their own and a shared one have neighbouring addresses, and ipmitool asks for one of them.
    yield _finding(
        "wrong_bmc", INFO if near else CRITICAL, "bmc", message, (sorted(macs), sorted(seen_macs)), "macaddress"
    )


def bmc_addresses(document: Document) -> tuple[set[str], set[str]]:
    """MAC and IP addresses of the BMC's own ports."""
    ports = ((plain(document).get("bmc") or {}).get("nic") or {}).get("nic_ports", [])
    macs = {clean_mac(port.get("macaddress")) for port in ports}
    return {mac for mac in macs if mac}, {address for port in ports for address in port.get("ip_addresses", [])}


def _near(mine: str, theirs: str) -> bool:
    first, second = (int(value.replace(":", ""), 16) for value in (mine, theirs))
    return abs(first - second) <= 4


# -- parts -------------------------------------------------------------------------------------------------------------

# Parts that a source should see if it looked: how bad it is when the OS misses one that the BMC has, and the other
# way round. A BMC does not see all drives, an OS has network cards and graphics on USB.
_EXPECTED: Mapping[str, tuple[Optional[str], Optional[str]]] = {
    "memory": (WARNING, WARNING),
    "cpus": (WARNING, WARNING),
    "drives": (WARNING, INFO),
    "nics": (WARNING, None),
    "gpus": (WARNING, None),
}


def _parts(name: str, oob: Part, inband: Part) -> Iterable[Finding]:
    both, only_oob, only_inband = pairs_of(name, oob, inband)
    for mine, theirs in both:
        yield from _facts(name, f"{name}:{label(theirs if label(mine) == '?' else mine)}", mine, theirs)
    if name not in _EXPECTED or not _looked(name, oob) or not _looked(name, inband):
        return
    for mine in list(only_oob):
        other = next((item for item in only_inband if _in_one_place(mine, item)), None)
        if other is not None:
            only_oob.remove(mine)
            only_inband.remove(other)
            place = mine.get("slot") or mine.get("id")
            message = f"{name} in {place}: the BMC sees {label(mine)}, the OS {label(other)}"
            yield _finding(
                "other_part", WARNING, f"{name}:{label(mine)}", message, (label(mine), label(other)), "serial"
            )
    by_os, by_bmc = _EXPECTED[name]
    missed: list[tuple[Part, Optional[str], str, tuple[Any, Any]]] = []
    missed += [(part, by_os, "OS", (label(part), None)) for part in only_oob]
    missed += [(part, by_bmc, "BMC", (None, label(part))) for part in only_inband]
    for part, severity, blind, values in missed:
        if severity:
            message = f"{_named(name, part)}: the {blind} does not see it"
            yield _finding("missing", severity, f"{name}:{label(part)}", message, values)


def _total_memory(oob: Part, inband: Part) -> Iterable[Finding]:
    """A BMC that lists no modules may know their sum."""
    if oob.get("memory") or not inband.get("memory") or not _looked("memory", inband):
        return
    mine, theirs = memory_bytes(oob), memory_bytes(inband)
    # Some say whole GiB only.
    if not mine or not theirs or _about(1)(mine, theirs) or abs(mine - theirs) < 1 << 30:
        return
    message = f"memory: {mine / 2**30:.4g} GiB in all for the BMC and {theirs / 2**30:.4g} GiB for the OS"
    yield _finding("disagreement", WARNING, "memory", message, (mine, theirs), "size_bytes")


def _looked(name: str, document: Part) -> bool:
    """The source says that it collected the field, completely and now."""
    coverage = document.get("coverage", {})
    said = [coverage[entry] for entry in speakers(name, document) if entry in coverage]
    verdicts = [Verdict(entry.get("verdict", Verdict.COLLECTED)) for entry in said]
    return (
        Verdict.COLLECTED in verdicts
        and all(verdict in (Verdict.COLLECTED, Verdict.ABSENT) for verdict in verdicts)
        and not any(entry.get("last_seen") or entry.get("parts") for entry in said)
    )


def _in_one_place(mine: Part, theirs: Part) -> bool:
    places = mine.get("slot"), theirs.get("slot")
    return bool(places[0] and places[1]) and place_words(str(places[0])) == place_words(str(places[1]))


def _named(name: str, part: Part) -> str:
    words = [part.get("slot") or part.get("id") or part.get("logical_name"), part.get("vendor"), part.get("model")]
    serial = part.get("serial")
    return " ".join([name, *(str(word) for word in words if word), *([f"(serial {serial})"] if serial else [])])
