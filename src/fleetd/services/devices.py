# SPDX-License-Identifier: BSD-2-Clause
"""Device documents: one per machine and source, a merged view, and a history of changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fleetcore.diff import diff
from fleetcore.errors import InvalidInput, NotFound, ParseError
from fleetcore.merge import merge
from fleetcore.model import Device, Source, device_from_dict, to_dict

from fleetd.domain import DeviceChange, DeviceSummary
from fleetd.ports import Publication, Store
from fleetd.services import Clock
from fleetd.services.tally import Done, Tally

SOURCES = (Source.OOB, Source.INBAND)


def checked_source(source: str) -> Source:
    """The source of an observation.

    :raises InvalidInput: not oob or inband.
    """
    for item in SOURCES:
        if item.value == source:
            return item
    raise InvalidInput(f"source: {source[:80]!r} is not one of oob, inband", field="source")


class Devices:
    """Use cases around device documents."""

    def __init__(self, store: Store, clock: Clock, tally: Tally | None = None) -> None:
        self._store = store
        self._clock = clock
        self._tally = tally or Tally()

    def publish(self, machine: str, source: str, document: Any) -> Publication:
        """Store one observation. The same again changes nothing but the time of collection.

        :raises ParseError: not a device document; ``details["field"]`` says where.
        :raises InvalidInput: the source, or a document of another source. :raises NotFound: no such machine.
        """
        kind = checked_source(source)
        device = device_from_dict(document)
        if device.source not in (None, kind):
            raise InvalidInput(
                f"device.source: is {device.source.value}, was published as {source}", field="device.source"
            )
        clean = {**to_dict(device), "source": kind.value}
        try:
            json.dumps(clean, allow_nan=False, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ParseError("device: a text has half a character (a lone surrogate)", field="device") from None
        except ValueError:
            raise ParseError("device: NaN and Infinity are not JSON", field="device") from None

        def change(present: Mapping[str, Mapping[str, Any]]) -> Publication:
            after = device_from_dict(clean)
            before = present.get(kind.value)
            changes = diff(device_from_dict(before) if before else None, after)
            return Publication(clean, tuple(changes), summarize({**present, kind.value: clean}))

        made = self._store.publish_device(machine, kind.value, self._clock(), change)
        self._tally.add(Done.DOCUMENTS, kind.value)
        return made

    def get(self, machine: str, source: str | None = None) -> dict[str, Any]:
        """The merged document, or the one of ``source``.

        :raises NotFound: no such machine, or nothing was published for it (by that source).
        """
        documents = self._store.get_devices(machine)
        if not documents and self._store.get_machine(machine) is None:
            raise NotFound(f"no machine {machine}", machine=machine)
        if source is not None:
            kind = checked_source(source)
            if kind.value not in documents:
                raise NotFound(f"machine {machine} has no {source} device document yet", machine=machine, source=source)
            return dict(documents[kind.value])
        if not documents:
            raise NotFound(f"machine {machine} has no device document yet", machine=machine)
        merged: dict[str, Any] = to_dict(merged_device(documents))
        return merged

    def history(self, machine: str, limit: int | None, after: str | None = None) -> Sequence[DeviceChange]:
        """Changes, newest first.

        :raises NotFound: no such machine.
        """
        entries = self._store.device_history(machine, limit, after)
        if not entries and self._store.get_machine(machine) is None:
            raise NotFound(f"no machine {machine}", machine=machine)
        return entries


def merged_device(documents: Mapping[str, Mapping[str, Any]]) -> Device:
    """All sources as one device."""
    return merge({Source(source): device_from_dict(document) for source, document in documents.items()})


def summarize(documents: Mapping[str, Mapping[str, Any]]) -> DeviceSummary:
    """The few facts that lists and groups need, of the merged view."""
    device = merged_device(documents)
    macs = [port.macaddress for nic in device.nics for port in nic.nic_ports if port.macaddress]
    return DeviceSummary(
        vendor=device.vendor,
        model=device.model,
        serial=device.serial,
        uuid=device.uuid,
        power_state=device.power_state,
        collected_at=device.collected_at,
        sources=tuple(sorted(documents)),
        cpus=len(device.cpus),
        memory_bytes=sum(item.size_bytes or 0 for item in device.memory),
        drives=len(device.drives),
        nics=len(device.nics),
        macs=tuple(dict.fromkeys(macs)),
    )
