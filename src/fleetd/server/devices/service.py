# SPDX-License-Identifier: BSD-2-Clause
"""Device documents by machine and source: as they were last seen, merged, compared, and where parts are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fleetcore.document.carry import keep_uncollected
from fleetcore.document.components import components
from fleetcore.document.diff import diff
from fleetcore.document.findings import CRITICAL, SEVERITIES, bmc_addresses, findings
from fleetcore.document.merge import merge
from fleetcore.document.model import Source, device_from_dict, to_dict
from fleetcore.document.sections import memory_bytes
from fleetcore.document.values import clean_serial, word
from fleetcore.errors import InvalidInput, NotFound, ParseError

from fleetd.server.devices.conditions import DocumentOlder
from fleetd.server.devices.model import ComponentFilter, ComponentStay, DeviceChange, FoundComponent, Publication
from fleetd.server.devices.store import DeviceStore
from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.tally import Count, Tally
from fleetd.server.machines.conditions import HasBmc, LifecycleIn, LifecycleNotIn, NotHeld, NotQuarantined
from fleetd.server.machines.model import DeviceSummary, Machine
from fleetd.server.machines.service import Machines
from fleetd.server.work.process import Process
from fleetd.server.work.service import WorkService

DEFECTS: tuple[type[Exception], ...] = ()

SOURCES = (Source.OOB, Source.INBAND)
DOCUMENTS = Count(
    "device_documents_published",
    "Device documents that were published",
    "source",
    tuple(item.value for item in SOURCES),
)

Document = Mapping[str, Any]
Documents = Mapping[str, Document]


def checked_source(source: str) -> Source:
    """The source of an observation.

    :raises InvalidInput: not oob or inband.
    """
    for item in SOURCES:
        if item.value == source:
            return item
    raise InvalidInput(f"source: {source[:80]!r} is not one of oob, inband", field="source")


class Devices:
    """Use cases around device documents.

    :param observe_seconds: a document of that age is collected again, if the settings of work name no other interval.
    """

    def __init__(
        self,
        tx: Transactions,
        work: WorkService,
        machines: Machines,
        clock: Clock,
        tally: Tally,
        observe_seconds: int = 86_400,
    ) -> None:
        self._store = DeviceStore(tx, machines)
        self._machines = machines
        self._clock = clock
        self._tally = tally
        oob, inband = (work.interval(name, observe_seconds) for name in ("collect_oob", "collect_inband"))
        known = (LifecycleNotIn(("retired",)), HasBmc(), NotQuarantined())
        work.add(
            Process("collect_oob", DocumentOlder("oob", oob), known),
            Process("collect_inband", DocumentOlder("inband", inband), (LifecycleIn(("active",)), NotHeld())),
        )

    def publish(self, machine: str, source: str, document: Any) -> Publication:
        """Store one observation; what it could not collect stays as it was last seen.

        A repeated one changes nothing but times.

        :raises ParseError: not a device document; ``details["field"]`` says where.
        :raises InvalidInput: the source, or a document of another source. :raises NotFound: no such machine.
        """
        kind = checked_source(source)
        clean = _checked(document, kind)
        registered = self._machines.look(machine)
        elsewhere = self._elsewhere(machine, {kind.value: clean})

        def change(present: Documents) -> Publication:
            before = present.get(kind.value)
            after = keep_uncollected(before or {}, clean)
            documents = {**present, kind.value: after}
            found = [*found_in(documents, registered), *elsewhere]
            return Publication(
                after,
                tuple(diff(before, after)),
                summarize(documents, found),
                tuple(_components(after, clean)),
            )

        made = self._store.publish(machine, kind.value, self._clock(), change)
        self._tally.add(DOCUMENTS, kind.value)
        return made

    def get(self, machine: str, source: str | None = None, at: datetime | None = None) -> dict[str, Any]:
        """The merged document, or the one of ``source``; as it is known now, or was at a time.

        :raises NotFound: no such machine, or nothing was published for it (by that source, until then).
        """
        kind = checked_source(source) if source is not None else None
        documents = self._documents(machine, at)
        if kind is not None:
            if kind.value not in documents:
                raise NotFound(f"machine {machine} has no {source} device document yet", machine=machine, source=source)
            return dict(documents[kind.value])
        if not documents:
            raise NotFound(f"machine {machine} has no device document yet", machine=machine)
        return merged_device(documents)

    def bios(self, machine: str) -> dict[str, Any]:
        """``{bios, bios_configuration, boot, secure_boot, provenance}`` of the merged view, those that there are.

        :raises NotFound: see :meth:`get`.
        """
        document = self.get(machine)
        names = ("bios", "bios_configuration", "boot", "secure_boot")
        origins = {
            path: source for path, source in document.get("provenance", {}).items() if path.partition(".")[0] in names
        }
        return {**{name: document[name] for name in names if name in document}, "provenance": origins}

    def findings(self, machine: str) -> list[dict[str, Any]]:
        """Find where the machine's sources contradict each other, the registration, or other machines; worst first.

        See ``fleetcore.document.findings``.

        :raises NotFound: no such machine.
        """
        documents = self._documents(machine)
        found = [*found_in(documents, self._machines.look(machine)), *self._elsewhere(machine, documents)]
        return sorted(found, key=_badness)

    def history(self, machine: str, limit: int | None, after: str | None = None) -> Sequence[DeviceChange]:
        """Changes, newest first.

        :raises NotFound: no such machine.
        """
        entries = self._store.history(machine, limit, after)
        if not entries:
            self._exists(machine)
        return entries

    def changes(
        self, machine: str, since: datetime, until: datetime | None = None, source: str | None = None
    ) -> list[dict[str, Any]]:
        """What is different between two times, in the merged view or that of ``source``; ``until`` None is now.

        :raises NotFound: no such machine, or its state at one of the times was not kept.
        """
        kind = checked_source(source) if source is not None else None
        states = []
        for documents in (self._documents(machine, since), self._documents(machine, until)):
            found: Document = documents.get(kind.value, {}) if kind else merged_device(documents)
            # These are last known states: what is not in them is gone, whatever the coverage says of one collection.
            states.append({name: value for name, value in found.items() if name != "coverage"})
        return diff(states[0], states[1])

    def components(
        self, where: ComponentFilter, limit: int | None = None, after: str | None = None
    ) -> Sequence[ComponentStay]:
        """Find where components are and were, by when they came there.

        For a serial number that is the way of one part between slots and machines.
        """
        return self._store.components(where, limit, after)

    def _exists(self, machine: str) -> None:
        if self._machines.look(machine) is None:
            raise NotFound(f"no machine {machine}", machine=machine)

    def _documents(self, machine: str, at: datetime | None = None) -> dict[str, Document]:
        found = self._store.documents(machine) if at is None else self._store.documents_at(machine, at)
        if not found:
            self._exists(machine)
        documents = {source: document for source, document in found.items() if document is not None}
        if len(documents) < len(found) and at is not None:
            raise NotFound(
                f"the state of {machine} at {at.isoformat()} was not kept: "
                "it is older than this server's history of documents",
                machine=machine,
            )
        return documents

    def _elsewhere(self, machine: str, documents: Documents) -> list[dict[str, Any]]:
        """Findings: a serial number of the machine is that of another one, too."""
        found = []
        for serial in sorted(
            {document["serial"] for document in documents.values() if clean_serial(document.get("serial"))}
        ):
            stays = self._store.components(ComponentFilter(serial, kind="device", current=True), limit=20)
            others = sorted({stay.machine for stay in stays} - {machine})
            if others:
                finding = {
                    "kind": "serial_elsewhere",
                    "severity": CRITICAL,
                    "component": "device",
                    "field": "serial",
                    "values": {name: serial for name, item in documents.items() if item.get("serial") == serial},
                    "message": f"serial number {serial} is that of machine {', '.join(others[:5])}, too",
                }
                found.append(finding)
        return found


def _badness(finding: Mapping[str, Any]) -> int:
    return SEVERITIES.index(finding["severity"])


def _checked(document: Any, kind: Source) -> dict[str, Any]:
    device = device_from_dict(document)
    if device.source not in (None, kind):
        raise InvalidInput(
            f"device.source: is {device.source.value}, was published as {kind.value}", field="device.source"
        )
    clean = {**to_dict(device), "source": kind.value}
    try:
        json.dumps(clean, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ParseError("device: a text has half a character (a lone surrogate)", field="device") from None
    except ValueError:
        raise ParseError("device: NaN and Infinity are not JSON", field="device") from None
    return clean


def _components(after: Document, clean: Document) -> list[FoundComponent]:
    """The machine itself and its parts. The observation ``clean`` saw those that come first in ``after``."""
    by_kind: dict[str, int] = {}
    found = [_found("device", after, "", True)]
    for item in components(after):
        kind = item["component"].partition(":")[0]
        number = by_kind[kind] = by_kind.get(kind, 0) + 1
        observed = clean.get(kind) or []
        seen = number <= (len(observed) if isinstance(observed, list) else 1)
        # A BMC's ids are names of places.
        place = item.get("slot") or (item.get("id") if after.get("source") == Source.OOB.value else None) or ""
        found.append(_found(item["component"], item, place, seen))
    return found


def _found(name: str, item: Document, place: str, seen: bool) -> FoundComponent:
    serial = clean_serial(item.get("serial"))
    return FoundComponent(name.partition(":")[0], name, place, serial, item.get("vendor"), item.get("model"), seen)


def found_in(documents: Documents, machine: Machine | None) -> list[dict[str, Any]]:
    """Findings within one machine: between its sources, and with how its BMC is registered."""
    found = findings({Source(source): document for source, document in documents.items()})
    registered = machine.bmc.mac if machine and machine.bmc else None
    macs = bmc_addresses(documents.get(Source.OOB.value, {}))[0]
    if registered and macs and registered not in macs:
        found.append(
            {
                "kind": "wrong_bmc",
                "severity": CRITICAL,
                "component": "bmc",
                "field": "macaddress",
                "values": {"registered": registered, Source.OOB.value: sorted(macs)},
                "message": f"the BMC is registered with MAC {registered}, "
                f"the one that answered has {', '.join(sorted(macs))}",
            }
        )
    return sorted(found, key=_badness)


def merged_device(documents: Documents) -> dict[str, Any]:
    """All sources as one document."""
    return merge({Source(source): document for source, document in documents.items()})


def summarize(documents: Documents, found: Sequence[Mapping[str, Any]] = ()) -> DeviceSummary:
    """The few facts that lists and groups need, of the merged view."""
    device = merged_device(documents)
    macs = [port.get("macaddress") for nic in device.get("nics", []) for port in nic.get("nic_ports", [])]
    return DeviceSummary(
        vendor=word(device.get("vendor")),
        model=word(device.get("model")),
        serial=clean_serial(device.get("serial")),
        uuid=device.get("uuid"),
        power_state=device.get("power_state"),
        collected_at=device.get("collected_at"),
        sources=tuple(sorted(documents)),
        cpus=len(device.get("cpus", [])),
        memory_bytes=memory_bytes(device),
        drives=len(device.get("drives", [])),
        nics=len(device.get("nics", [])),
        macs=tuple(dict.fromkeys(mac for mac in macs if mac)),
        findings=len(found),
        worst_finding=min(found, key=_badness)["severity"] if found else None,
    )
