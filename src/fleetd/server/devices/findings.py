# SPDX-License-Identifier: BSD-2-Clause
"""What contradicts what the documents of a machine say: each other, its registration, other machines. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetcore.document.findings import CRITICAL, SEVERITIES, WARNING, bmc_addresses, finding, findings
from fleetcore.document.match import label, same_words
from fleetcore.document.model import Source
from fleetcore.document.sections import LISTS
from fleetcore.document.values import serial_key

from fleetd.server.devices.model import ComponentStay
from fleetd.server.machines.model import BmcAccess, Machine

Document = Mapping[str, Any]
Documents = Mapping[str, Document]

# Several machines in one enclosure share these.
_SHARED = ("enclosures", "power_supplies", "fans", "backplanes", "batteries", "licences", "firmware_inventory")
_OWN = tuple(kind for kind in LISTS if kind not in _SHARED)


@dataclass(frozen=True)
class Others:
    """What is known of other machines: where serial numbers of this one are, and whose BMC may be the same."""

    stays: Sequence[ComponentStay] = ()
    machines: Sequence[Machine] = ()


def serial_keys(documents: Iterable[Document]) -> set[str]:
    """Serial numbers by which a machine's parts may be found in other machines."""
    found = {serial_key(part.get("serial")) for document in documents for _kind, part in _parts(document)}
    return found - {""}


def about(machine: Machine | None, documents: Documents, others: Others) -> list[dict[str, Any]]:
    """All findings about a machine, worst first; as ``fleetcore.document.findings`` has them."""
    found = findings({Source(source): document for source, document in documents.items()})
    found += _elsewhere(documents, others.stays)
    if machine and machine.bmc:
        found += _registered(machine.bmc, documents)
        found += _shared_bmc(machine.bmc, [item for item in others.machines if item.id != machine.id])
    return sorted(found, key=badness)


def badness(found: Mapping[str, Any]) -> int:
    """The worse, the smaller."""
    return SEVERITIES.index(found["severity"])


def finding_id(found: Mapping[str, Any]) -> str:
    """What makes a finding this one: what it is about, and who says what. Other values are another finding."""
    said = [found["kind"], found["component"], found.get("field"), found["values"]]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _parts(document: Document) -> Iterator[tuple[str, Document]]:
    """The machine itself, and what belongs to it alone."""
    yield "device", document
    for kind in _OWN:
        for part in document.get(kind, []):
            yield kind, part


def _elsewhere(documents: Documents, stays: Sequence[ComponentStay]) -> Iterator[dict[str, Any]]:
    """A serial number is that of another machine, too, or of a part that is in another machine now."""
    where: dict[tuple[str, str], list[ComponentStay]] = {}
    for stay in stays:
        where.setdefault((stay.component.kind, serial_key(stay.component.serial)), []).append(stay)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    same: set[str] = set()  # machines that are this one: that their parts are alike says nothing more
    ordered = sorted(documents.items())
    for kind, source, part in sorted(
        ((kind, source, part) for source, document in ordered for kind, part in _parts(document)),
        key=lambda item: item[0] != "device",
    ):
        key = kind, serial_key(part.get("serial"))
        machines = {stay.machine for stay in where.get(key, ()) if _may_be(part, stay)}
        if kind == "device":
            same |= machines
        else:
            machines -= same
        if machines:
            values = {**found.get(key, {}).get("values", {}), source: part["serial"]}
            found[key] = _of_others(kind, part, sorted(machines), values)
    yield from found.values()


def _may_be(part: Document, stay: ComponentStay) -> bool:
    """Makers count alike: with another model it is another part."""
    mine, theirs = part.get("model"), stay.component.model
    return stay.component.kind == "device" or not mine or not theirs or same_words(mine, theirs)


def _of_others(kind: str, part: Document, machines: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    serial, named = part["serial"], ", ".join(machines[:5])
    if kind == "device":
        message = f"serial number {serial} is that of machine {named}, too"
        return finding("serial_elsewhere", CRITICAL, kind, message, values, "serial")
    message = f"{kind}: the part with serial number {serial} is in machine {named}, too"
    return finding("part_elsewhere", WARNING, f"{kind}:{label(part)}", message, values, "serial")


def _registered(bmc: BmcAccess, documents: Documents) -> Iterator[dict[str, Any]]:
    macs = bmc_addresses(documents.get(Source.OOB.value, {}))[0]
    if bmc.mac and macs and bmc.mac not in macs:
        values = {"registered": bmc.mac, Source.OOB.value: sorted(macs)}
        message = f"the BMC is registered with MAC {bmc.mac}, the one that answered has {', '.join(sorted(macs))}"
        yield finding("wrong_bmc", CRITICAL, "bmc", message, values, "macaddress")


def _shared_bmc(bmc: BmcAccess, machines: Sequence[Machine]) -> Iterator[dict[str, Any]]:
    """Machines that are registered with one BMC, and not as several systems behind it."""
    same = [item for item in machines if item.bmc and item.bmc.system == bmc.system]
    way = bmc.address, bmc.redfish_port, bmc.ipmi_port
    for field, value, named in (
        ("macaddress", bmc.mac, [item.id for item in same if item.bmc and bmc.mac and item.bmc.mac == bmc.mac]),
        ("address", bmc.address, [item.id for item in same if item.bmc and _way(item.bmc) == way]),
    ):
        if named:
            message = f"the BMC with {'MAC' if field == 'macaddress' else 'address'} {value} is registered "
            message += f"for machine {', '.join(sorted(named)[:5])}, too"
            yield finding("bmc_elsewhere", CRITICAL, "bmc", message, {"registered": value}, field)


def _way(bmc: BmcAccess) -> tuple[str, int | None, int | None]:
    return bmc.address, bmc.redfish_port, bmc.ipmi_port
