# SPDX-License-Identifier: BSD-2-Clause
"""Device documents by machine and source, the history of their changes, and where components are, in SQL."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleetcore.document.values import serial_key
from sqlalchemy import Connection, Row, func, insert, select, update

from fleetd.server.devices import tables
from fleetd.server.devices.model import (
    ComponentFilter,
    ComponentStay,
    DeviceChange,
    FoundComponent,
    Publication,
    moves,
    of_device,
)
from fleetd.server.kernel import codec
from fleetd.server.kernel.engine import Transactions
from fleetd.server.kernel.ids import new_id
from fleetd.server.machines.service import Machines

_D, _H, _C = tables.devices, tables.device_history, tables.components
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
        change: Callable[[Mapping[str, Mapping[str, Any]]], Publication],
    ) -> Publication:
        """Store what ``change`` makes of the documents by source.

        If there are changes, an entry of the history with the document; and what :func:`moves` says of the components.

        :raises NotFound: no such machine.
        """

        def work(connection: Connection) -> Publication:
            previous = self._machines.locked(machine)
            present = _documents(connection, machine)
            publication = change(present)
            document = codec.dumps(publication.document)
            statement: Any = insert(_D).values(machine=machine, source=source)
            if source in present:
                statement = update(_D).where(_D.c.machine == machine, _D.c.source == source)
            connection.execute(statement.values(document=document, updated_at=now))
            self._machines.write(previous, replace(previous, device=publication.summary))
            if publication.changes:
                values = {
                    "id": new_id(now),
                    "machine": machine,
                    "source": source,
                    "at": now,
                    "changes": codec.dumps(publication.changes),
                    "document": packed(document),
                }
                connection.execute(insert(_H).values(values))
                self._tx.tell(of_device(machine, source, publication.changes))
            _move(connection, machine, source, publication.components, now)
            return publication

        return self._tx.write(work)

    def documents(self, machine: str) -> Mapping[str, Mapping[str, Any]]:
        """The documents by source; empty for a machine without any, and for one that is unknown."""
        return self._tx.read(lambda connection: _documents(connection, machine))

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
