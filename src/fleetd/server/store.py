# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd.server.ports.Store`` in SQL.

A write first locks the row of its machine (or request), then applies the function it was given: two servers on one
database never work from the same previous value.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fleetcore.errors import ConflictError, InvalidInput, NotFound
from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from fleetd.server.credentials.store import SqlCredentials
from fleetd.server.devices.store import SqlDevices
from fleetd.server.kernel import migrate, tables
from fleetd.server.kernel.auth.model import Token, WebSession
from fleetd.server.kernel.engine import TransactionCounts, Transactions, make_engine
from fleetd.server.kernel.events import model as events
from fleetd.server.kernel.events.store import SqlEvents, tell
from fleetd.server.kernel.idempotency.store import SqlOnce
from fleetd.server.kernel.retention.store import SqlRetention
from fleetd.server.machines import lists as machine_lists
from fleetd.server.machines import rows
from fleetd.server.machines.facets import EVERY_MACHINE, MachineCounts, MachineFilter, Order
from fleetd.server.machines.model import ControllerState, Machine
from fleetd.server.powercycles.model import CycleState, Powercycle
from fleetd.server.work.model import POWERCYCLE
from fleetd.server.work.store import SqlWork

_M, _P, _T, _S = tables.machines, tables.powercycles, tables.tokens, tables.web_sessions
_PENDING = tables.pending_powercycle_states
_CHUNK = 500  # machines of one statement


def _set_states(connection: Connection, states: Mapping[str, ControllerState], now: datetime) -> None:
    query = select(_M).where(_M.c.id.in_(list(states))).order_by(_M.c.id)
    known = [rows.machine(row) for row in connection.execute(query.with_for_update())]
    for machine in known:
        description = replace(machine.description, powercycle_state=states[machine.id])
        rows.write_machine(connection, machine, replace(machine, description=description))
    aside = sorted(states.keys() - {machine.id for machine in known})
    if aside:
        connection.execute(delete(_PENDING).where(_PENDING.c.machine.in_(aside)))
        made = [{"machine": name, "state": states[name].value, "updated_at": now} for name in aside]
        connection.execute(insert(_PENDING), made)


class SqlStore(SqlWork, SqlCredentials, SqlDevices, SqlEvents, SqlOnce, SqlRetention):
    """Implements ``fleetd.server.ports.Store``; the schema has to be there: see ``migrate``."""

    def __init__(
        self,
        url: str,
        pool_size: int = 10,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.engine = make_engine(url, pool_size)
        self._clock = clock
        self._tx = Transactions(self.engine, sleep, self._write_told)

    def ready(self) -> None:
        present = self._tx.read(migrate.current)
        if present != migrate.head():
            raise InvalidInput(
                f"the database's schema is {present or 'empty'}, this version needs {migrate.head()}: run `fleetd migrate`"
            )

    def transaction_counts(self) -> TransactionCounts:
        return TransactionCounts(self._tx.retried, self._tx.failed)

    def close(self) -> None:
        self.engine.dispose()

    # -- machines

    def create_machine(self, machine: Machine) -> Machine:
        def work(connection: Connection) -> Machine:
            return rows.insert_machine(connection, rows.apply_pending(connection, machine))

        try:
            return self._tx.write(work)
        except IntegrityError:
            raise ConflictError(f"machine {machine.id} exists already", machine=machine.id) from None

    def get_machine(self, machine_id: str) -> Machine | None:
        return self._tx.read(lambda connection: rows.one_machine(connection, machine_id))

    def get_machines(self, machine_ids: Sequence[str]) -> Sequence[Machine]:
        query = select(_M).where(_M.c.id.in_(list(machine_ids))).order_by(_M.c.id)
        return self._tx.read(lambda connection: [rows.machine(row) for row in connection.execute(query)])

    def list_machines(
        self, where: MachineFilter = EVERY_MACHINE, limit: int | None = None, after: str | None = None
    ) -> Sequence[Machine]:
        query = machine_lists.matching(where).order_by(_M.c.id).limit(limit)
        if after is not None:
            query = query.where(_M.c.id > after)
        return self._machines(query)

    def page_machines(
        self, where: MachineFilter, order: Order, limit: int, offset: int = 0, descending: bool = False
    ) -> Sequence[Machine]:
        keys = machine_lists.order_by(order, where.stale_before, descending, self.engine.dialect.name)
        return self._machines(machine_lists.matching(where).order_by(*keys, _M.c.id).limit(limit).offset(offset))

    def count_machines(self, where: MachineFilter = EVERY_MACHINE) -> MachineCounts:
        return self._tx.read(lambda connection: machine_lists.counts(connection, where))

    def _machines(self, query: Select[Any]) -> list[Machine]:
        return self._tx.read(lambda connection: [rows.machine(row) for row in connection.execute(query)])

    def update_machine(self, machine_id: str, change: Callable[[Machine], Machine]) -> Machine:
        def work(connection: Connection) -> Machine:
            previous = rows.locked_machine(connection, machine_id)
            return rows.write_machine(connection, previous, change(previous))

        return self._tx.write(work)

    def upsert_machine(self, machine_id: str, now: datetime, change: Callable[[Machine], Machine]) -> Machine:
        def work(connection: Connection) -> Machine:
            previous = rows.one_machine(connection, machine_id, lock=True)
            if previous is not None:
                return rows.write_machine(connection, previous, change(previous))
            machine = Machine(machine_id, created_at=now, updated_at=now)
            return rows.insert_machine(connection, change(rows.apply_pending(connection, machine)))

        return self._tx.write(work, again_on_conflict=True)

    def delete_machine(self, machine_id: str, check: Callable[[Machine], None] | None = None) -> None:
        def work(connection: Connection) -> None:
            machine = rows.locked_machine(connection, machine_id)
            if check:
                check(machine)
            connection.execute(delete(_M).where(_M.c.id == machine_id))
            tell(connection, events.of_machine(machine, None))

        self._tx.write(work)

    def set_powercycle_states(self, states: Mapping[str, ControllerState], now: datetime) -> None:
        def work(connection: Connection) -> None:
            names = sorted(states)  # one order of locks: no deadlock between two reports
            for start in range(0, len(names), _CHUNK):
                _set_states(connection, {name: states[name] for name in names[start : start + _CHUNK]}, now)

        self._tx.write(work, again_on_conflict=True)

    # -- power cycles

    def open_powercycle(self, request: Powercycle) -> tuple[Powercycle, bool]:
        def work(connection: Connection) -> tuple[Powercycle, bool]:
            rows.locked_machine(connection, request.machine)
            present = rows.open_powercycle(connection, request.machine)
            if present is not None:
                return present, False
            return rows.insert_powercycle(connection, request), True

        return self._tx.write(work, again_on_conflict=True)

    def get_powercycle(self, request_id: str) -> Powercycle | None:
        def work(connection: Connection) -> Powercycle | None:
            row = connection.execute(select(_P).where(_P.c.id == request_id)).first()
            return rows.powercycle(row) if row else None

        return self._tx.read(work)

    def list_powercycles(
        self,
        machine: str | None = None,
        state: CycleState | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Sequence[Powercycle]:
        query = select(_P).order_by(_P.c.id.desc()).limit(limit)
        if machine is not None:
            query = query.where(_P.c.machine == machine)
        if state is not None:
            query = query.where(_P.c.state == state.value)
        if after is not None:
            query = query.where(_P.c.id < after)
        return self._powercycles(query)

    def due_powercycles(self, now: datetime) -> Sequence[str]:
        query = (
            select(_P.c.machine)
            .where(_P.c.finished_at.is_(None), (_P.c.not_before.is_(None)) | (_P.c.not_before <= now))
            .order_by(_P.c.id)
        )

        def work(connection: Connection) -> list[str]:
            claimed = self._in_work(connection, POWERCYCLE)
            return [name for name in connection.execute(query).scalars() if name not in claimed]

        return self._tx.read(work)

    def update_powercycle(
        self, request_id: str, change: Callable[[Powercycle], Powercycle], unclaimed: bool = False
    ) -> Powercycle:
        def work(connection: Connection) -> Powercycle:
            query = select(_P).where(_P.c.id == request_id)
            row = connection.execute(query).first()
            if row is None:
                raise NotFound(f"no power cycle request {request_id}", powercycle=request_id)
            rows.locked_machine(connection, row.machine)  # first, as those do who claim it
            row = connection.execute(query.with_for_update()).one()
            if unclaimed and row.finished_at is None:
                self._refuse_held(connection, row.machine, POWERCYCLE)
            return rows.write_powercycle(connection, rows.powercycle(row), change)

        return self._tx.write(work)

    def toggle_powercycle(
        self,
        machine: str,
        opened: Powercycle | None,
        closed: Callable[[Powercycle], Powercycle] | None,
        unclaimed: bool = False,
    ) -> Powercycle | None:
        def work(connection: Connection) -> Powercycle | None:
            rows.locked_machine(connection, machine)
            present = rows.open_powercycle(connection, machine)
            if present is not None:
                if unclaimed:
                    self._refuse_held(connection, machine, POWERCYCLE)
                return rows.write_powercycle(connection, present, closed) if closed else None
            return rows.insert_powercycle(connection, opened) if opened is not None else None

        return self._tx.write(work, again_on_conflict=True)

    def latest_powercycles(self, machines: Iterable[str] | None = None) -> Mapping[str, Powercycle]:
        newest = select(func.max(_P.c.id)).group_by(_P.c.machine)
        query = select(_P).where(or_(_P.c.id.in_(newest), _P.c.finished_at.is_(None)))
        if machines is not None:
            query = query.where(_P.c.machine.in_(list(machines)))
        return {item.machine: item for item in sorted(self._powercycles(query), key=lambda item: (item.open, item.id))}

    def count_powercycles(self) -> Mapping[CycleState, int]:
        query = select(_P.c.state, func.count()).group_by(_P.c.state)
        return self._tx.read(
            lambda connection: {CycleState(state): count for state, count in connection.execute(query)}
        )

    def oldest_open_powercycle(self) -> datetime | None:
        query = select(func.min(_P.c.requested_at)).where(_P.c.finished_at.is_(None))
        return self._tx.read(lambda connection: connection.execute(query).scalar())

    def _powercycles(self, query: Select[Any]) -> list[Powercycle]:
        return self._tx.read(lambda connection: [rows.powercycle(row) for row in connection.execute(query)])

    # -- tokens

    def create_token(self, token: Token, only_first: bool = False) -> Token:
        def work(connection: Connection) -> Token:
            if only_first and connection.execute(select(_T.c.id).limit(1)).first():
                raise ConflictError("there are tokens already")
            connection.execute(
                insert(_T).values(
                    id=token.id,
                    name=token.name,
                    scope=token.scope.value,
                    digest=token.digest,
                    machine=token.machine,
                    created_at=token.created_at,
                    expires_at=token.expires_at,
                    revoked_at=token.revoked_at,
                )
            )
            tell(connection, events.of_token(None, token))
            return token

        try:
            return self._tx.write(work)
        except IntegrityError:
            raise ConflictError(f"a token named {token.name} exists; revoke it first", name=token.name) from None

    def find_token(self, digest: str) -> Token | None:
        def work(connection: Connection) -> Token | None:
            row = connection.execute(select(_T).where(_T.c.digest == digest)).first()
            return rows.token(row) if row else None

        return self._tx.read(work)

    def list_tokens(self) -> Sequence[Token]:
        query = select(_T).order_by(_T.c.created_at, _T.c.id)
        return self._tx.read(lambda connection: [rows.token(row) for row in connection.execute(query)])

    def revoke_token(self, id_or_name: str, now: datetime) -> Token:
        def work(connection: Connection) -> Token:
            query = select(_T).with_for_update()
            row = connection.execute(query.where(_T.c.id == id_or_name)).first()
            if row is None:
                row = connection.execute(query.where(_T.c.name == id_or_name, _T.c.revoked_at.is_(None))).first()
            if row is None:
                raise NotFound(f"no token {id_or_name}", token=id_or_name)
            previous = rows.token(row)
            token = replace(previous, revoked_at=previous.revoked_at or now)
            tell(connection, events.of_token(previous, token))
            connection.execute(update(_T).where(_T.c.id == token.id).values(revoked_at=token.revoked_at))
            connection.execute(delete(_S).where(_S.c.token_id == token.id))
            return token

        return self._tx.write(work)

    def create_session(self, session: WebSession, now: datetime) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(_S).where(_S.c.expires_at <= now))
            connection.execute(
                insert(_S).values(digest=session.digest, token_id=session.token_id, expires_at=session.expires_at)
            )

        self._tx.write(work)

    def find_session(self, digest: str, now: datetime) -> Token | None:
        query = select(_T).join(_S, _S.c.token_id == _T.c.id).where(_S.c.digest == digest, _S.c.expires_at > now)

        def work(connection: Connection) -> Token | None:
            row = connection.execute(query).first()
            return rows.token(row) if row else None

        return self._tx.read(work)

    def delete_session(self, digest: str) -> None:
        self._tx.write(lambda connection: connection.execute(delete(_S).where(_S.c.digest == digest)))
