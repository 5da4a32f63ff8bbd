# SPDX-License-Identifier: BSD-2-Clause
"""Device documents by machine and source, the history of their changes, and where components are, in SQL."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleetcore.document.values import serial_key
from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from fleetd.server.devices import tables
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
    moves,
    of_acceptance,
    of_device,
    of_filed,
    of_findings,
)
from fleetd.server.kernel import codec
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.ids import id_at, new_id
from fleetd.server.machines.service import Machines

_D, _H, _C, _F = tables.devices, tables.device_history, tables.components, tables.findings
# Databases limit how many values one statement has.
_AT_ONCE = 500


class DeviceStore:
    """Documents and stays of components; they go with their machine."""

    def __init__(self, tx: Transactions, machines: Machines) -> None:
        self._tx = tx
        self._machines = machines

    def publish(
        self,
        machine: str,
        source: str,
        now: datetime,
        change: Callable[[Mapping[str, Mapping[str, Any]]], Publication | Filed],
    ) -> Publication | Filed:
        """Store what ``change`` makes of the documents by source.

        If there are changes, an entry of the history with the document; and what :func:`moves` says of the components.
        What is only filed is an entry of the history.

        :raises NotFound: no such machine.
        """

        def work(connection: Connection) -> Publication | Filed:
            previous = self._machines.locked(machine)
            present = _documents(connection, machine)
            publication = change(present)
            if isinstance(publication, Filed):
                if publication.changes:
                    _remember(connection, machine, source, id_at(publication.at), publication)
                    self._tx.tell([of_filed(machine, source, publication)])
                return publication
            document = codec.dumps(publication.document)
            statement: Any = insert(_D).values(machine=machine, source=source)
            if source in present:
                statement = update(_D).where(_D.c.machine == machine, _D.c.source == source)
            connection.execute(statement.values(document=document, updated_at=now))
            self._machines.write(previous, replace(previous, device=publication.summary))
            if publication.changes:
                kept = Filed(publication.document, publication.changes, now)
                _remember(connection, machine, source, new_id(now), kept)
                self._tx.tell(of_device(machine, source, publication.changes))
            _move(connection, machine, source, publication.components, now)
            self._tx.tell(of_findings(machine, _note(connection, machine, publication.findings, now)))
            return publication

        return self._tx.write(work)

    def documents(self, machine: str) -> Mapping[str, Mapping[str, Any]]:
        """The documents by source; empty for a machine without any, and for one that is unknown."""
        return self._tx.read(lambda connection: _documents(connection, machine))

    def published_at(self, machine: str) -> Mapping[str, datetime]:
        """When each source's document came."""
        query = select(_D.c.source, _D.c.updated_at).where(_D.c.machine == machine)
        return self._tx.read(lambda connection: {row.source: row.updated_at for row in connection.execute(query)})

    def known_findings(self, machine: str) -> Mapping[str, KnownFinding]:
        """What is kept of the machine's findings, by id."""
        query = select(_F).where(_F.c.machine == machine)

        def work(connection: Connection) -> dict[str, KnownFinding]:
            rows = connection.execute(query)
            return {row.id: KnownFinding(row.since, _acceptance(row)) for row in rows}

        return self._tx.read(work)

    def judge(self, machine: str, finding: Finding, actor: str, counts: Mapping[str, Any]) -> None:
        """Keep whether a person has accepted a finding, and what the machine's summary says of findings then.

        :raises NotFound: no such machine.
        """

        def work(connection: Connection) -> None:
            previous = self._machines.locked(machine)
            said = finding.accepted
            values = {
                "accepted_at": said.at if said else None,
                "accepted_by": said.by if said else None,
                "reason": said.reason if said else None,
            }
            row = and_(_F.c.machine == machine, _F.c.id == finding.id)
            if not connection.execute(update(_F).where(row).values(values)).rowcount:
                key = {"machine": machine, "id": finding.id, "since": finding.since}
                connection.execute(insert(_F).values({**key, **values}))
            if previous.device:
                self._machines.write(previous, replace(previous, device=replace(previous.device, **counts)))
            self._tx.tell([of_acceptance(machine, finding, actor)])

        self._tx.write(work)

    def elsewhere(self, machine: str, keys: Collection[str]) -> Sequence[ComponentStay]:
        """Parts that are in other machines now and have one of these serial numbers, without case and punctuation."""

        def work(connection: Connection) -> list[ComponentStay]:
            wanted, found = sorted({key[:255] for key in keys}), []
            for start in range(0, len(wanted), _AT_ONCE):
                chunk = _C.c.serial_key.in_(wanted[start : start + _AT_ONCE])
                query = select(_C).where(chunk, _C.c.current, _C.c.machine != machine).order_by(_C.c.id)
                found += [_stay(row) for row in connection.execute(query.limit(_AT_ONCE))]
            return found

        return self._tx.read(work)

    def history(self, machine: str, limit: int | None = None, after: str | None = None) -> Sequence[DeviceChange]:
        """At most ``limit`` changes, newest first, older than the one with id ``after``."""
        columns = (_H.c.id, _H.c.machine, _H.c.source, _H.c.at, _H.c.changes)
        query = select(*columns).where(_H.c.machine == machine).order_by(_H.c.id.desc()).limit(limit)
        if after is not None:
            query = query.where(_H.c.id < after)

        def work(connection: Connection) -> list[DeviceChange]:
            kept = [
                (*row[:4], codec.loads(tuple[dict[str, Any], ...], row.changes)) for row in connection.execute(query)
            ]
            return [DeviceChange(*values) for values in kept]

        return self._tx.read(work)

    def documents_at(self, machine: str, at: datetime) -> Mapping[str, Mapping[str, Any] | None]:
        """The documents by source as the newest history entry up to ``at`` left them; None: that entry kept none."""
        newest = select(func.max(_H.c.id)).where(_H.c.machine == machine, _H.c.at <= at).group_by(_H.c.source)
        query = select(_H.c.source, _H.c.document).where(_H.c.id.in_(newest))

        def work(connection: Connection) -> dict[str, Mapping[str, Any] | None]:
            return {source: unpacked(document) if document else None for source, document in connection.execute(query)}

        return self._tx.read(work)

    def components(
        self, where: ComponentFilter, limit: int | None = None, after: str | None = None
    ) -> Sequence[ComponentStay]:
        """At most ``limit`` stays of components, by when they began, newer than the one with id ``after``."""
        query = select(_C).order_by(_C.c.id).limit(limit)
        if after is not None:
            query = query.where(_C.c.id > after)
        if where.serial is not None:
            query = query.where(_C.c.serial_key == serial_key(where.serial)[:255])
        for name in ("machine", "kind", "model", "current"):
            wanted = getattr(where, name)
            if wanted is not None:
                query = query.where(_C.c[name] == wanted)
        return self._tx.read(lambda connection: [_stay(row) for row in connection.execute(query)])


def packed(document: str) -> bytes:
    """A document in JSON as the history keeps it."""
    return zlib.compress(document.encode(), 1)


def unpacked(data: bytes) -> dict[str, Any]:
    """The document of :func:`packed`."""
    return codec.loads(dict[str, Any], zlib.decompress(data).decode())


def stay_row(stay: ComponentStay) -> dict[str, Any]:
    """Values of the table's columns."""
    part = stay.component
    texts = {name: _text(getattr(part, name)) for name in ("kind", "name", "slot", "serial", "vendor", "model")}
    own = {name: value for name, value in vars(stay).items() if name != "component"}
    return {**own, **texts, "serial_key": serial_key(part.serial)[:255] or None}


def _text(value: str | None) -> Any:
    """Without what PostgreSQL can't keep in a text."""
    return None if value is None else value.replace("\x00", "")


def _stay(row: Row[Any]) -> ComponentStay:
    component = FoundComponent(row.kind, row.name, row.slot, row.serial, row.vendor, row.model)
    return ComponentStay(row.id, row.machine, row.source, component, row.first_seen, row.last_seen, row.current)


def _documents(connection: Connection, machine: str) -> dict[str, Mapping[str, Any]]:
    rows_ = connection.execute(select(_D.c.source, _D.c.document).where(_D.c.machine == machine))
    return {source: codec.loads(dict[str, Any], document) for source, document in rows_}


def _remember(connection: Connection, machine: str, source: str, entry: str, kept: Filed) -> None:
    """Add an entry to the history."""
    texts = {"changes": codec.dumps(kept.changes), "document": packed(codec.dumps(kept.document))}
    about = {"id": entry, "machine": machine, "source": source, "at": kept.at}
    connection.execute(insert(_H).values({**about, **texts}))


def _acceptance(row: Row[Any]) -> Acceptance | None:
    return Acceptance(row.accepted_by, row.accepted_at, row.reason) if row.accepted_at else None


def _note(
    connection: Connection, machine: str, found: Mapping[str, Mapping[str, Any]], now: datetime
) -> list[Mapping[str, Any]]:
    """Keep since when findings are known, and forget those that are gone unless they are accepted; returns new ones."""
    query = select(_F.c.id, _F.c.accepted_at).where(_F.c.machine == machine)
    known = {row.id: row.accepted_at for row in connection.execute(query)}
    gone = sorted(name for name, accepted in known.items() if name not in found and accepted is None)
    for start in range(0, len(gone), _AT_ONCE):
        rows = and_(_F.c.machine == machine, _F.c.id.in_(gone[start : start + _AT_ONCE]))
        connection.execute(delete(_F).where(rows))
    new = [name for name in found if name not in known]
    if new:
        connection.execute(insert(_F), [{"machine": machine, "id": name, "since": now} for name in new])
    return [found[name] for name in new]


def _move(connection: Connection, machine: str, source: str, found: Iterable[FoundComponent], now: datetime) -> None:
    current = select(_C).where(_C.c.machine == machine, _C.c.source == source, _C.c.current)
    named = [
        replace(item, name=_text(item.name), slot=_text(item.slot)) if "\x00" in item.name + item.slot else item
        for item in found
    ]
    change = moves([_stay(row) for row in connection.execute(current)], named, machine, source, now)
    for ids, values in ((change.ended, {"current": False}), (change.seen, {"last_seen": now})):
        for start in range(0, len(ids), _AT_ONCE):
            connection.execute(update(_C).where(_C.c.id.in_(ids[start : start + _AT_ONCE])).values(**values))
    if change.begun:
        connection.execute(insert(_C), [stay_row(stay) for stay in change.begun])
