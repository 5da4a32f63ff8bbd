# SPDX-License-Identifier: BSD-2-Clause
"""Device documents by machine and source: as they were last seen, merged, compared, and where parts are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleetcore.document.carry import keep_uncollected
from fleetcore.document.components import components
from fleetcore.document.diff import diff
from fleetcore.document.merge import merge
from fleetcore.document.model import Source, device_from_dict, to_dict
from fleetcore.document.sections import memory_bytes
from fleetcore.document.values import clean_serial, word
from fleetcore.errors import InvalidInput, NotFound, ParseError

from fleetd.common import logs
from fleetd.server.devices.conditions import DocumentOlder
from fleetd.server.devices.findings import Others, about, badness, finding_id, serial_keys
from fleetd.server.devices.model import (
    Acceptance,
    ComponentFilter,
    ComponentStay,
    DeviceChange,
    Filed,
    Finding,
    FoundComponent,
    KnownFinding,
    Publication,
    observed_at,
)
from fleetd.server.devices.store import DeviceStore
from fleetd.server.kernel.engine import Clock, Transactions
from fleetd.server.kernel.tally import Count, Tally
from fleetd.server.machines.conditions import HasBmc, LifecycleIn, LifecycleNotIn, NotHeld, NotQuarantined
from fleetd.server.machines.model import DeviceSummary, Machine
from fleetd.server.machines.service import Machines
from fleetd.server.work.process import Process
from fleetd.server.work.service import WorkService

_log = logs.get("fleetd.devices")
# The last line of defence: a document that nobody foresaw is refused, and its traceback is in the log.
DEFECTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

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
        self._tx = tx
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

    def publish(self, machine: str, source: str, document: Any) -> Publication | Filed:
        """Store one observation; what it could not collect stays as it was last seen.

        A repeated one changes nothing but times. One that is older than the current one of its source is filed in the
        history at its own time, and changes nothing else.

        :raises ParseError: not a device document; ``details["field"]`` says where.
        :raises InvalidInput: the source, or a document of another source. :raises NotFound: no such machine.
        """
        kind = checked_source(source)
        clean = _checked(document, kind)
        now = self._clock()
        seen = observed_at(clean, now)
        registered = self._machines.look(machine)
        others = self._others(machine, registered, [*self._store.documents(machine).values(), clean])

        def change(present: Documents) -> Publication | Filed:
            before = present.get(kind.value, {})
            last = observed_at(before, self._store.published_at(machine).get(kind.value, now))
            if before and seen < last:
                earlier = self._store.documents_at(machine, seen).get(kind.value) or {}
                filed = keep_uncollected(earlier, clean)
                return Filed(filed, tuple(diff(earlier, filed)), seen)
            # What is kept was seen then, whether or not the document says so itself.
            known = {"collected_at": last.isoformat().replace("+00:00", "Z"), **before} if before else before
            after = keep_uncollected(known, clean)
            documents = {**present, kind.value: after}
            found = {finding_id(item): item for item in about(registered, documents, others)}
            return Publication(
                after,
                tuple(diff(before, after)),
                summarize(documents, self._loud(machine, found)),
                tuple(_components(after, clean)),
                found,
            )

        def understood(present: Documents) -> Publication | Filed:
            try:
                return change(present)
            except DEFECTS as error:
                _log.exception("document_failed", machine=machine, source=source)
                what = f"the server can't make sense of it ({type(error).__name__}); its log says more"
                raise ParseError(f"device: {what}", field="device") from error

        made = self._store.publish(machine, kind.value, now, understood)
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

    def findings(self, machine: str) -> list[Finding]:
        """Find where the machine's sources contradict each other, the registration, or other machines.

        Worst first, then those that are accepted. See ``fleetcore.document.findings`` and ``devices/findings.py``.

        :raises NotFound: no such machine.
        """
        known, now = self._store.known_findings(machine), KnownFinding(self._clock())
        found = [
            Finding(name, field=item.pop("field", None), **item, **vars(known.get(name, now)))
            for name, item in self._about(machine, self._documents(machine)).items()
        ]
        return sorted(found, key=lambda item: item.accepted is not None)

    def accept_finding(self, machine: str, finding: str, reason: str, actor: str) -> Finding:
        """Let a finding be: it stays, and is quiet. Again with the same reason changes nothing.

        :raises NotFound: no such machine, or it has no such finding now.
        """
        accepted = Acceptance(actor, self._clock(), reason)
        return self._tx.together(lambda: self._judge(machine, finding, accepted, actor))

    def reopen_finding(self, machine: str, finding: str, actor: str) -> Finding:
        """Take back that a finding was accepted.

        :raises NotFound: see :meth:`accept_finding`.
        """
        return self._tx.together(lambda: self._judge(machine, finding, None, actor))

    def _judge(self, machine: str, finding: str, accepted: Acceptance | None, actor: str) -> Finding:
        found = {item.id: item for item in self.findings(machine)}
        if finding not in found:
            raise NotFound(f"machine {machine} has no finding {finding[:80]}", machine=machine, finding=finding[:80])
        known = found[finding]
        if (known.accepted and known.accepted.reason) == (accepted and accepted.reason):
            return known
        found[finding] = replace(known, accepted=accepted)
        loud = [{"severity": item.severity} for item in found.values() if item.accepted is None]
        self._store.judge(machine, found[finding], actor, _counts(loud))
        return found[finding]

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

    def _about(self, machine: str, documents: Documents) -> dict[str, dict[str, Any]]:
        """All findings by id."""
        registered = self._machines.look(machine)
        others = self._others(machine, registered, documents.values())
        return {finding_id(item): item for item in about(registered, documents, others)}

    def _others(self, machine: str, registered: Machine | None, documents: Iterable[Document]) -> Others:
        bmc = registered.bmc if registered else None
        stays = self._store.elsewhere(machine, serial_keys(documents))
        return Others(stays, self._machines.of_bmc(bmc) if bmc else ())

    def _loud(self, machine: str, found: Mapping[str, Document]) -> list[Document]:
        """Those that nobody has accepted."""
        known = self._store.known_findings(machine)
        return [item for name, item in found.items() if name not in known or known[name].accepted is None]


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
        **_counts(found),
    )


def _counts(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a summary says of the findings that nobody has accepted."""
    return {"findings": len(found), "worst_finding": min(found, key=badness)["severity"] if found else None}
