# SPDX-License-Identifier: BSD-2-Clause

"""Contradictions between the BMC and the machine's own OS about one machine. Pure.

Sources spell one fact in several ways: the rules of ``_COMPARED`` tell a spelling from a contradiction. What only one
source says is no contradiction, but for parts that both should see and one does not (``_EXPECTED``).

It is longer than other files: one function for each kind of contradiction.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from .match import Part, could_be, label, mac_addresses, pci_devices, place_words, same_serial, same_uuid, same_words
from .merge import INBAND, OOB, pairs_of
from .model import Source, Verdict
from .places import elsewhere, misplaced
from .sections import KINDS, LISTS, Document, memory_bytes, plain, speakers
from .values import clean_mac, clean_serial, listed, pci_address

Finding = dict[str, Any]

CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)


def findings(documents: Mapping[Source, Document]) -> list[Finding]:
    """``[{kind, severity, component, field, values: {oob, inband}, message}]``, worst first. Plain JSON data.

    ``kind``: ``other_machine`` (the two documents are of two machines; nothing else is compared then), ``wrong_bmc``
    (the host's BMC is not the one that was asked), ``disagreement`` (on a fact), ``other_part`` (two parts in one
    place), ``missing`` (one source does not see it though it looked), ``mixed_firmware`` (ports of one card have
    several versions). ``component`` is as in a change; ``field`` is absent where it is about the component as a whole.
    All but ``mixed_firmware`` need both documents.
    """
    data = {source.value: plain(documents[source]) for source in (Source.OOB, Source.INBAND) if source in documents}
    found = [item for source, document in data.items() for item in _ports(source, document)]
    if len(data) > 1:
        found += _contradictions(data[OOB], data[INBAND])
    return sorted(found, key=lambda item: SEVERITIES.index(item["severity"]))


def _contradictions(oob: Part, inband: Part) -> list[Finding]:
    found = [*_machine(oob, inband), *_bmc(oob, inband)]
    if any(item["kind"] == "other_machine" for item in found):
        return found
    found += _facts("device", "device", oob, inband)
    for name in ("bios", "bmc"):
        found += _facts(name, name, oob.get(name) or {}, inband.get(name) or {})
    for name in LISTS:
        if name in _COMPARED or (oob.get(name) and inband.get(name) and not KINDS[name].whole):
            found += _parts(name, oob, inband)
    return [*found, *_total_memory(oob, inband)]


def finding(
    kind: str, severity: str, component: str, message: str, values: Mapping[str, Any], field: Optional[str] = None
) -> Finding:
    """One finding; ``values`` that are None are not said."""
    said = {name: value for name, value in values.items() if value is not None}
    about = {"kind": kind, "severity": severity, "component": component}
    return {**about, **({"field": field} if field else {}), "values": said, "message": message}


def _of_two(
    kind: str, severity: str, component: str, message: str, values: tuple[Any, Any], field: Optional[str] = None
) -> Finding:
    return finding(kind, severity, component, message, dict(zip((OOB, INBAND), values)), field)


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
    return [word.lstrip("0") or "0" if word.isdigit() else word for word in words]


def same_vendor(mine: str, theirs: str) -> bool:
    """One has a word of the other's name: ``Dell``, ``Dell Inc.``; ``SK Hynix``, ``Hynix Semiconductor``."""
    first, second = (
        {_ONE_VENDOR.get(word, word) for word in re.findall(r"[a-z0-9]{2,}", value.lower()) if word not in _ANY_VENDOR}
        for value in (mine, theirs)
    )
    return bool(first & second) or not first or not second


_ANY_VENDOR = listed(
    """
    inc corp corporation co ltd technology technologies systems semiconductor electronics and subsidiaries
    """
)
# Words of several names of one vendor.
_ONE_VENDOR: Mapping[str, str] = {
    "hpe": "hp",
    "hewlett": "hp",
    "supermicro": "super",
    "asustek": "asus",
    "quanta": "qct",
    "giga": "gigabyte",
}


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
        yield _of_two("disagreement", severity, component, message, (mine, theirs), field)


def _at(part: Any, path: str) -> Any:
    for name in path.split("."):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


# -- the machine and its BMC -------------------------------------------------------------------------------------------


def _machine(oob: Part, inband: Part) -> Iterable[Finding]:
    """Two machines, or one whose sources name another of its serial numbers: that of the board, the chassis, the
    system."""
    uuids = oob.get("uuid"), inband.get("uuid")
    one = bool(uuids[0] and uuids[1] and same_uuid(uuids[0], uuids[1]))
    one = one or any(same_serial(a, b) for a in _serials(oob) for b in _serials(inband))
    for component in ("device", "mainboard"):
        mine, theirs = [clean_serial(_of_machine(component, document).get("serial")) for document in (oob, inband)]
        if not mine or not theirs or same_serial(mine, theirs):
            continue
        if component == "device" and not one:
            message = (
                f"the BMC is that of machine {mine}, the OS runs on machine {theirs}: one of the two documents was "
                "published for the wrong machine, or the BMC's address is that of another machine"
            )
            yield _of_two("other_machine", CRITICAL, "device", message, (mine, theirs), "serial")
            return
        known = [(mine, _serials(inband)), (theirs, _serials(oob))]
        if not any(same_serial(serial, other) for serial, others in known for other in others):
            message = (
                f"{component}: serial number is {mine} for the BMC and {theirs} for the OS: was the board changed?"
            )
            yield _of_two("disagreement", WARNING, component, message, (mine, theirs), "serial")


def _of_machine(component: str, document: Part) -> Part:
    return document if component == "device" else document.get(component) or {}


def _serials(document: Part) -> set[str]:
    """All serial numbers of the machine as a whole."""
    found = {document.get("serial"), document.get("sku"), _of_machine("mainboard", document).get("serial")}
    found |= {item.get("serial") for item in document.get("enclosures", [])}
    return {value for value in found if isinstance(value, str)}


def _bmc(oob: Part, inband: Part) -> Iterable[Finding]:
    (macs, addresses), (seen_macs, seen_addresses) = bmc_addresses(oob), bmc_addresses(inband)
    shared = {address for address in addresses & seen_addresses if _proves(address)}
    if not macs or not seen_macs or macs & seen_macs or shared:
        return
    message = (
        f"the host's own BMC has MAC {', '.join(sorted(seen_macs))}, "
        f"the BMC that was asked has {', '.join(sorted(macs))}: "
        "the BMC's address may be that of another machine"
    )
    near = any(_near(mine, theirs) for mine in macs for theirs in seen_macs)
    # BMCs with a port of their own and a shared one have neighbouring addresses, and ipmitool asks for one of them.
    yield _of_two(
        "wrong_bmc", INFO if near else CRITICAL, "bmc", message, (sorted(macs), sorted(seen_macs)), "macaddress"
    )


def bmc_addresses(document: Document) -> tuple[set[str], set[str]]:
    """MAC and IP addresses of the BMC's own ports."""
    ports = ((plain(document).get("bmc") or {}).get("nic") or {}).get("nic_ports", [])
    macs = {clean_mac(port.get("macaddress")) for port in ports}
    return {mac for mac in macs if mac}, {address for port in ports for address in port.get("ip_addresses", [])}


# Of the interface between host and BMC, or set in the factory: alike on all machines of a make.
_OF_A_MAKE = listed("192.168.0.120 192.168.70.125 16.1.15.1 16.1.15.2 fde1:53ba:e9a0:de11::1")


def _proves(address: str) -> bool:
    """Whether this address can only be that of one BMC."""
    try:
        found = ipaddress.ip_address(address.partition("/")[0].partition("%")[0])
    except ValueError:
        return False
    return str(found) not in _OF_A_MAKE and not (found.is_link_local or found.is_loopback or found.is_unspecified)


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
    if name in _COMPARED:
        for mine, theirs in both:
            component = f"{name}:{label(theirs if label(mine) == '?' else mine)}"
            yield from _facts(name, component, mine, theirs)
            yield from _port_addresses(component, mine, theirs)
    if not _looked(name, oob) or not _looked(name, inband):
        return
    for mine, theirs in misplaced(oob.get(name, []), inband.get(name, [])):
        slots = mine["slot"], theirs["slot"]
        message = f"{name} {label(mine)}: in {slots[0]} for the BMC and in {slots[1]} for the OS: was it moved?"
        yield _of_two("disagreement", WARNING, f"{name}:{label(mine)}", message, slots, "slot")
    seen = only_oob, only_inband
    for mine, theirs in _in_one_slot(name, oob, inband):
        if any(mine is part for part in only_oob) and any(theirs is part for part in only_inband):
            seen = [part for part in seen[0] if part is not mine], [part for part in seen[1] if part is not theirs]
            message = f"{name} in {mine['slot']}: the BMC sees {label(mine)}, the OS {label(theirs)}"
            values = label(mine), label(theirs)
            yield _of_two("other_part", WARNING, f"{name}:{label(mine)}", message, values, "serial")
    severities = _EXPECTED.get(name, (None, None))
    hidden = _behind_volumes(oob, both) if name == "drives" else set()
    for parts, others, severity, blind in (
        (_unlike(seen[0], seen[1]), inband.get(name, []), severities[0], "OS"),
        (_unlike(seen[1], seen[0]), oob.get(name, []), severities[1], "BMC"),
    ):
        for part in parts if severity else ():
            if blind == "OS" and (part.get("storage_controller") in hidden or _between_host_and_bmc(part)):
                continue
            if not any(_share_hardware(part, other) for other in others):
                message = f"{_named(name, part)}: the {blind} does not see it"
                seer = {"OS": OOB, "BMC": INBAND}[blind]
                yield finding("missing", str(severity), f"{name}:{label(part)}", message, {seer: label(part)})


_MOST_TO_COMPARE = 40_000  # of garbage


def _unlike(parts: list[Part], others: list[Part]) -> list[Part]:
    """Those that none of the others could be, if there is one of the others for each of the rest: nothing tells which
    is which, but none is missing. Else all."""
    if len(parts) * len(others) > _MOST_TO_COMPARE:
        return parts
    rest = [part for part in parts if any(_may_be(part, other) for other in others)]
    free = list(others)
    for part in rest:
        other = next((other for other in free if _may_be(part, other)), None)
        if other is None:
            return parts
        free = [item for item in free if item is not other]
    return [part for part in parts if not any(part is item for item in rest)]


def _may_be(mine: Part, theirs: Part) -> bool:
    return could_be(mine, theirs) and not elsewhere(mine, theirs)


def _behind_volumes(oob: Part, both: Iterable[tuple[Part, Part]]) -> set[str]:
    """RAID controllers of whose drives the OS sees none: it sees their volumes only, without the maker's tool."""
    seen = {mine.get("storage_controller") for mine, _theirs in both}
    return {item["storage_controller"] for item in oob.get("volumes", []) if item.get("storage_controller")} - seen


def _between_host_and_bmc(part: Part) -> bool:
    """A network interface of which only addresses are known that no maker has given."""
    macs = mac_addresses(part)
    known = any(part.get(name) for name in ("serial", "model", "bus_info", "pci_vendor_id"))
    return bool(macs) and not known and all(int(mac[:2], 16) & 2 for mac in macs)


def _in_one_slot(name: str, oob: Part, inband: Part) -> Iterable[tuple[Part, Part]]:
    """Parts that have a slot for themselves in either view, and it is the same one."""
    # What sits in a PCIe slot is a card or a drive, too, and is compared as such.
    ours, theirs = [_by_slot(document.get(name, []) if name != "pcie_devices" else []) for document in (oob, inband)]
    return [(ours[slot], theirs[slot]) for slot in ours if slot in theirs]


def _by_slot(parts: Iterable[Part]) -> dict[tuple[str, ...], Part]:
    found: dict[tuple[str, ...], list[Part]] = {}
    for part in parts:
        if part.get("slot"):
            found.setdefault(place_words(str(part["slot"])), []).append(part)
    return {slot: same[0] for slot, same in found.items() if len(same) == 1}


def _share_hardware(mine: Part, theirs: Part) -> bool:
    """They are functions of one PCI device, or have a MAC address in common: as a whole it is seen by both."""
    shared = pci_devices(mine) & pci_devices(theirs)
    return bool(shared or set(mac_addresses(mine)) & set(mac_addresses(theirs)))


def _port_addresses(component: str, mine: Part, theirs: Part) -> Iterable[Finding]:
    """Ports at one PCI address whose MAC addresses differ."""
    ports = [{pci_address(port.get("bus_info")): port for port in card.get("nic_ports", [])} for card in (mine, theirs)]
    for address in sorted(key for key in ports[0] if key and key in ports[1]):
        macs = [clean_mac(side[address].get("macaddress")) for side in ports]
        if macs[0] and macs[1] and macs[0] != macs[1]:
            message = f"{component}: port {address} has MAC {macs[0]} for the BMC and {macs[1]} for the OS"
            yield _of_two("disagreement", INFO, component, message, (macs[0], macs[1]), "nic_ports.macaddress")


def _ports(source: str, document: Part) -> Iterable[Finding]:
    """Network cards whose ports do not have one firmware, in one view."""
    for card in document.get("nics", []):
        ports = [(port, _at(port, "firmware.installed")) for port in card.get("nic_ports", [])]
        versions = {label(port): version for port, version in ports if version}
        first = next(iter(versions.values()), "")
        if any(not same_version(first, version) for version in versions.values()):
            said = ", ".join(f"{port}: {version}" for port, version in versions.items())
            message = f"{_named('nics', card)}: its ports have different firmware: {said}"
            component = f"nics:{label(card)}"
            yield finding("mixed_firmware", WARNING, component, message, {source: versions}, "nic_ports.firmware")


def _total_memory(oob: Part, inband: Part) -> Iterable[Finding]:
    """A BMC that lists no modules may know their sum."""
    if oob.get("memory") or not inband.get("memory") or not _looked("memory", inband):
        return
    mine, theirs = memory_bytes(oob), memory_bytes(inband)
    # Some say whole GiB only.
    if not mine or not theirs or _about(1)(mine, theirs) or abs(mine - theirs) < 1 << 30:
        return
    message = f"memory: {mine / 2**30:.4g} GiB in all for the BMC and {theirs / 2**30:.4g} GiB for the OS"
    yield _of_two("disagreement", WARNING, "memory", message, (mine, theirs), "size_bytes")


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


def _named(name: str, part: Part) -> str:
    words = [part.get("slot") or part.get("id") or part.get("logical_name"), part.get("vendor"), part.get("model")]
    serial = part.get("serial")
    return " ".join([name, *(str(word) for word in words if word), *([f"(serial {serial})"] if serial else [])])
