# SPDX-License-Identifier: BSD-2-Clause
"""A store in memory, for tests: what the SQL store must behave like."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fleetcore.document.values import serial_key
from fleetcore.errors import ConflictError, NotFound

from fleetd.server.credentials.model import AuditEntry, Credential, CredentialInUse
from fleetd.server.devices.model import (
    ComponentFilter,
    ComponentStay,
    DeviceChange,
    FoundComponent,
    Publication,
    moves,
)
from fleetd.server.kernel.auth.model import Token, WebSession
from fleetd.server.kernel.engine import TransactionCounts
from fleetd.server.kernel.events import model as events
from fleetd.server.kernel.events.model import EVERY_EVENT, Event, EventFilter, NewEvent
from fleetd.server.kernel.idempotency.model import KeyReused, Once
from fleetd.server.kernel.ids import JsonMap, id_floor, new_id
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.machines.facets import EVERY_MACHINE, Facet, MachineCounts, MachineFilter, Order, facets, order_key
from fleetd.server.machines.model import ControllerState, Machine
from fleetd.server.memory_work import MemoryWork
from fleetd.server.powercycles.model import CycleState, Powercycle
from fleetd.server.work.model import POWERCYCLE


class MemoryStore(MemoryWork):
    """Implements ``fleetd.server.ports.Store``. One lock makes every method a transaction; ``clock`` is that of sessions."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(clock)
        self._lock = threading.RLock()
        self._observed: dict[str, dict[str, datetime]] = {}
        self._machines: dict[str, Machine] = {}
        self._pending: dict[str, ControllerState] = {}
        self._requests: dict[str, Powercycle] = {}
        self._devices: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._history: dict[str, tuple[DeviceChange, Mapping[str, Any]]] = {}
        self._components: dict[str, ComponentStay] = {}
        self._tokens: dict[str, Token] = {}
        self._sessions: dict[str, WebSession] = {}

        self._duties: dict[str, tuple[str, datetime]] = {}
        self._answers: dict[tuple[str, str], tuple[str, JsonMap, datetime]] = {}
        self._credentials: dict[str, Credential] = {}
        self._audit: list[AuditEntry] = []

    def ready(self) -> None:
        return

    def transaction_counts(self) -> TransactionCounts:
        return TransactionCounts()

    def close(self) -> None:
        return

    # -- machines

    def create_machine(self, machine: Machine) -> Machine:
        with self._lock:
            if machine.id in self._machines:
                raise ConflictError(f"machine {machine.id} exists already", machine=machine.id)
            state = self._pending.pop(machine.id, None)
            if state is not None:
                machine = replace(machine, description=replace(machine.description, powercycle_state=state))
            return self._put_machine(machine)

    def get_machine(self, machine_id: str) -> Machine | None:
        return self._machines.get(machine_id)

    def get_machines(self, machine_ids: Sequence[str]) -> Sequence[Machine]:
        with self._lock:
            return [self._machines[name] for name in sorted(set(machine_ids)) if name in self._machines]

    def list_machines(
        self, where: MachineFilter = EVERY_MACHINE, limit: int | None = None, after: str | None = None
    ) -> Sequence[Machine]:
        with self._lock:
            ids = sorted(self._machines)
            found = (self._machines[name] for name in ids if after is None or name > after)
            return [machine for machine in found if self._matches(machine, where)][:limit]

    def page_machines(
        self, where: MachineFilter, order: Order, limit: int, offset: int = 0, descending: bool = False
    ) -> Sequence[Machine]:
        with self._lock:
            found = list(self.list_machines(where))
            latest = self.latest_powercycles()
            found.sort(
                key=lambda item: order_key(order, item, latest.get(item.id), where.stale_before), reverse=descending
            )
            return found[offset : offset + limit]

    def count_machines(self, where: MachineFilter = EVERY_MACHINE) -> MachineCounts:
        with self._lock:
            found = self.list_machines(where)
            latest = self.latest_powercycles()
            by_facet = Counter(
                facet for item in found for facet in facets(item, latest.get(item.id), where.stale_before)
            )
            by_state = Counter((item.lifecycle, item.description.powercycle_state) for item in found)
        return MachineCounts({facet: by_facet[facet] for facet in Facet}, by_state)

    def _matches(self, machine: Machine, where: MachineFilter) -> bool:
        return (
            (where.site is None or machine.site == where.site)
            and (where.rack is None or machine.rack == where.rack)
            and all(machine.labels.get(key) == value for key, value in where.labels.items())
            and where.lifecycle in (None, machine.lifecycle)
            and where.power_state in (None, machine.device.power_state if machine.device else "")
            and where.controller in (None, machine.description.powercycle_state)
            and where.credential in (None, machine.bmc.credential if machine.bmc else "")
            and (where.hold is None or _held(machine, where.hold))
            and where.powercycle in (None, self._open(machine.id) is not None)
            and (not where.q or where.q.lower() in machine.search_text())
            and (where.facet is None or where.facet in facets(machine, self._latest(machine.id), where.stale_before))
        )

    def _latest(self, machine_id: str) -> Powercycle | None:
        return self.latest_powercycles([machine_id]).get(machine_id)

    def update_machine(self, machine_id: str, change: Callable[[Machine], Machine]) -> Machine:
        with self._lock:
            return self._put_machine(change(self._existing(machine_id)))

    def upsert_machine(self, machine_id: str, now: datetime, change: Callable[[Machine], Machine]) -> Machine:
        with self._lock:
            previous = self._machines.get(machine_id)
            if previous is not None:
                return self.update_machine(machine_id, change)
            machine = Machine(machine_id, created_at=now, updated_at=now)
            state = self._pending.get(machine_id)
            if state is not None:
                machine = replace(machine, description=replace(machine.description, powercycle_state=state))
            changed = change(machine)
            self._pending.pop(machine_id, None)
            return self._put_machine(changed)

    def delete_machine(self, machine_id: str, check: Callable[[Machine], None] | None = None) -> None:
        with self._lock:
            machine = self._existing(machine_id)
            if check:
                check(machine)
            del self._machines[machine_id]
            self._tell(events.of_machine(machine, None))
            self._devices.pop(machine_id, None)
            self._observed.pop(machine_id, None)
            self._forget_work(machine_id)
            self._requests = {key: item for key, item in self._requests.items() if item.machine != machine_id}
            self._history = {key: item for key, item in self._history.items() if item[0].machine != machine_id}
            self._components = {key: item for key, item in self._components.items() if item.machine != machine_id}

    def set_powercycle_states(self, states: Mapping[str, ControllerState], now: datetime) -> None:  # noqa: ARG002
        with self._lock:
            for name, state in states.items():
                machine = self._machines.get(name)
                if machine is None:
                    self._pending[name] = state
                else:
                    self._put_machine(
                        replace(machine, description=replace(machine.description, powercycle_state=state))
                    )

    def _existing(self, machine_id: str) -> Machine:
        try:
            return self._machines[machine_id]
        except KeyError:
            raise NotFound(f"no machine {machine_id}", machine=machine_id) from None

    # -- power cycles

    def _open(self, machine: str) -> Powercycle | None:
        return next((item for item in self._requests.values() if item.machine == machine and item.open), None)

    def open_powercycle(self, request: Powercycle) -> tuple[Powercycle, bool]:
        with self._lock:
            self._existing(request.machine)
            present = self._open(request.machine)
            if present is not None:
                return present, False
            return self._put_request(request), True

    def get_powercycle(self, request_id: str) -> Powercycle | None:
        return self._requests.get(request_id)

    def list_powercycles(
        self,
        machine: str | None = None,
        state: CycleState | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Sequence[Powercycle]:
        with self._lock:
            found = sorted(self._requests.values(), key=lambda item: item.id, reverse=True)
        return [
            item
            for item in found
            if (machine is None or item.machine == machine)
            and (state is None or item.state == state)
            and (after is None or item.id < after)
        ][:limit]

    def due_powercycles(self, now: datetime) -> Sequence[str]:
        with self._lock:
            found = sorted(self._requests.values(), key=lambda item: item.id)
            claimed = {item.machine for item in self.list_work(process=POWERCYCLE)}
        return [
            item.machine
            for item in found
            if item.open and (item.not_before is None or item.not_before <= now) and item.machine not in claimed
        ]

    def update_powercycle(
        self, request_id: str, change: Callable[[Powercycle], Powercycle], unclaimed: bool = False
    ) -> Powercycle:
        with self._lock:
            if request_id not in self._requests:
                raise NotFound(f"no power cycle request {request_id}", powercycle=request_id)
            previous = self._requests[request_id]
            if unclaimed and previous.open:
                self._refuse_held(previous.machine, POWERCYCLE)
            return self._put_request(change(previous))

    def toggle_powercycle(
        self,
        machine: str,
        opened: Powercycle | None,
        closed: Callable[[Powercycle], Powercycle] | None,
        unclaimed: bool = False,
    ) -> Powercycle | None:
        with self._lock:
            self._existing(machine)
            present = self._open(machine)
            if unclaimed and present is not None:
                self._refuse_held(machine, POWERCYCLE)
            changed = opened if present is None else closed(present) if closed else None
            return self._put_request(changed) if changed is not None else None

    def latest_powercycles(self, machines: Iterable[str] | None = None) -> Mapping[str, Powercycle]:
        with self._lock:
            found = sorted(self._requests.values(), key=lambda item: (item.open, item.id))
        wanted = None if machines is None else set(machines)
        return {item.machine: item for item in found if wanted is None or item.machine in wanted}

    def count_powercycles(self) -> Mapping[CycleState, int]:
        with self._lock:
            return Counter(item.state for item in self._requests.values())

    def oldest_open_powercycle(self) -> datetime | None:
        with self._lock:
            return min((item.requested_at for item in self._requests.values() if item.open), default=None)

    # -- devices

    def publish_device(
        self,
        machine: str,
        source: str,
        now: datetime,
        change: Callable[[Mapping[str, Mapping[str, Any]]], Publication],
    ) -> Publication:
        with self._lock:
            previous = self._existing(machine)
            publication = change(self.get_devices(machine))
            self._devices.setdefault(machine, {})[source] = publication.document
            self._observed.setdefault(machine, {})[source] = now
            self._put_machine(replace(previous, device=publication.summary))
            if publication.changes:
                entry = DeviceChange(new_id(now), machine, source, now, publication.changes)
                self._history[entry.id] = (entry, publication.document)
                self._tell(events.of_device(machine, source, publication.changes))
            self._move(machine, source, publication.components, now)
            return publication

    def _move(self, machine: str, source: str, found: Sequence[FoundComponent], now: datetime) -> None:
        present = [
            item
            for item in self._components.values()
            if item.current and (item.machine, item.source) == (machine, source)
        ]
        change = moves(present, found, machine, source, now)
        self._components.update({item.id: item for item in change.begun})
        self._components.update({name: replace(self._components[name], current=False) for name in change.ended})
        self._components.update({name: replace(self._components[name], last_seen=now) for name in change.seen})

    def get_devices(self, machine: str) -> Mapping[str, Mapping[str, Any]]:
        return dict(self._devices.get(machine, {}))

    def device_history(
        self, machine: str, limit: int | None = None, after: str | None = None
    ) -> Sequence[DeviceChange]:
        with self._lock:
            found = sorted((item for item, _document in self._history.values()), key=lambda item: item.id, reverse=True)
        return [item for item in found if item.machine == machine and (after is None or item.id < after)][:limit]

    def devices_at(self, machine: str, at: datetime) -> Mapping[str, Mapping[str, Any] | None]:
        with self._lock:
            entries = [self._history[name] for name in sorted(self._history)]
        return {item.source: document for item, document in entries if item.machine == machine and item.at <= at}

    def list_components(
        self, where: ComponentFilter, limit: int | None = None, after: str | None = None
    ) -> Sequence[ComponentStay]:
        with self._lock:
            stays = [self._components[name] for name in sorted(self._components) if after is None or name > after]
        return [item for item in stays if _is_asked_for(item, where)][:limit]

    # -- tokens

    def create_token(self, token: Token, only_first: bool = False) -> Token:
        with self._lock:
            if only_first and self._tokens:
                raise ConflictError("there are tokens already")
            if any(item.name == token.name and item.revoked_at is None for item in self._tokens.values()):
                raise ConflictError(f"a token named {token.name} exists; revoke it first", name=token.name)
            self._tokens[token.id] = token
            self._tell(events.of_token(None, token))
            return token

    def find_token(self, digest: str) -> Token | None:
        with self._lock:
            return next((item for item in self._tokens.values() if item.digest == digest), None)

    def list_tokens(self) -> Sequence[Token]:
        with self._lock:
            return sorted(self._tokens.values(), key=lambda item: (item.created_at, item.id))

    def revoke_token(self, id_or_name: str, now: datetime) -> Token:
        with self._lock:
            found = self._tokens.get(id_or_name) or next(
                (item for item in self._tokens.values() if item.name == id_or_name and item.revoked_at is None), None
            )
            if found is None:
                raise NotFound(f"no token {id_or_name}", token=id_or_name)
            revoked = replace(found, revoked_at=found.revoked_at or now)
            self._tokens[found.id] = revoked
            self._tell(events.of_token(found, revoked))
            self._sessions = {key: item for key, item in self._sessions.items() if item.token_id != found.id}
            return revoked

    def create_session(self, session: WebSession, now: datetime) -> None:
        with self._lock:
            self._sessions = {key: item for key, item in self._sessions.items() if item.expires_at > now}
            self._sessions[session.digest] = session

    def find_session(self, digest: str, now: datetime) -> Token | None:
        with self._lock:
            session = self._sessions.get(digest)
            return self._tokens.get(session.token_id) if session and session.expires_at > now else None

    def delete_session(self, digest: str) -> None:
        with self._lock:
            self._sessions.pop(digest, None)

    # -- requests that are done once

    def once(self, request: Once, now: datetime, work: Callable[[], JsonMap]) -> tuple[JsonMap, bool]:
        with self._lock:
            present = self._answers.get((request.actor, request.key))
            if present is not None and present[0] != request.request:
                raise KeyReused(request)
            if present is not None:
                return present[1], True
            answer = work()
            self._answers[(request.actor, request.key)] = (request.request, answer, now)
            return answer, False

    # -- forgetting

    def prune(self, what: Kept, before: datetime, limit: int) -> int:
        with self._lock:
            if what == Kept.EVENTS:
                kept = next((place for place, item in enumerate(self._log) if item.at >= before), len(self._log))
                gone = self._log[: min(kept, limit)]
                self._log = self._log[len(gone) :]
                self._pruned = gone[-1].seq if gone else self._pruned
                return len(gone)
            if what == Kept.ANSWERS:
                old = [key for key, (_request, _answer, at) in self._answers.items() if at < before][:limit]
                for name in old:
                    del self._answers[name]
                return len(old)
            return self._prune_lines(what, before, limit)

    def _prune_lines(self, what: Kept, before: datetime, limit: int) -> int:
        lines: dict[Kept, tuple[Any, Callable[[Any], Any], Callable[[Any], bool]]] = {
            Kept.DEVICE_HISTORY: (
                [item for item, _document in self._history.values()],
                lambda item: (item.machine, item.source),
                lambda _item: True,
            ),
            Kept.WORK_HISTORY: (
                self._events,
                lambda item: (item.machine, item.process, item.outcome),
                lambda _item: True,
            ),
            Kept.POWERCYCLES: (
                self._requests.values(),
                lambda item: item.machine,
                lambda item: item.finished_at is not None and item.finished_at < before,
            ),
            Kept.AUDIT: (self._audit, lambda item: item.id, lambda _item: True),
        }
        found, alike, may_go = lines[what]
        ordered = sorted(found, key=lambda item: item.id)
        newest = {alike(item): item.id for item in ordered} if what != Kept.AUDIT else {}
        old = [item for item in ordered if item.id < id_floor(before) and newest.get(alike(item)) != item.id]
        gone = {item.id for item in [item for item in old if may_go(item)][:limit]}
        self._history = {key: item for key, item in self._history.items() if key not in gone}
        self._requests = {key: item for key, item in self._requests.items() if key not in gone}
        self._events = [item for item in self._events if item.id not in gone]
        self._audit = [item for item in self._audit if item.id not in gone]
        return len(gone)

    def take_duty(self, name: str, holder: str, seconds: float) -> bool:
        with self._lock:
            now = self._clock()
            present, until = self._duties.get(name, (holder, now))
            if present != holder and until > now:
                return False
            self._duties[name] = (holder, now + timedelta(seconds=seconds))
            return True

    # -- events

    def append_events(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        with self._lock:
            return self._tell(events)

    def list_events(
        self,
        where: EventFilter = EVERY_EVENT,
        limit: int | None = None,
        after: int | None = None,
        before: int | None = None,
    ) -> Sequence[Event]:
        with self._lock:
            found = self._log if after is not None else self._log[::-1]
        return [
            item
            for item in found
            if where.matches(item) and (after is None or item.seq > after) and (before is None or item.seq < before)
        ][:limit]

    def event_bounds(self) -> tuple[int, int]:
        with self._lock:
            return self._pruned, self._last

    # -- credentials

    def _note(self, audit: AuditEntry) -> None:
        self._audit.append(audit)
        self._tell(events.of_credential(audit))

    def put_credential(self, credential: Credential, audit: AuditEntry) -> Credential:
        with self._lock:
            present = self._credentials.get(credential.name)
            kept = replace(credential, created_at=present.created_at) if present else credential
            self._credentials[kept.name] = kept
            self._note(audit)
            return kept

    def read_credential(self, name: str, audit: AuditEntry) -> Credential:
        with self._lock:
            if name not in self._credentials:
                raise NotFound(f"no credential {name}", credential=name)
            self._note(audit)
            return self._credentials[name]

    def delete_credential(self, name: str, audit: AuditEntry, force: bool = False) -> None:
        with self._lock:
            if name not in self._credentials:
                raise NotFound(f"no credential {name}", credential=name)
            users = [key for key, item in sorted(self._machines.items()) if item.bmc and item.bmc.credential == name]
            if users and not force:
                raise CredentialInUse(name, users)
            self._note(audit)
            del self._credentials[name]

    def list_credentials(self) -> Sequence[Credential]:
        with self._lock:
            return [self._credentials[name] for name in sorted(self._credentials)]

    def change_secrets(self, change: Callable[[Credential], str]) -> int:
        with self._lock:
            changed = {name: replace(item, secret=change(item)) for name, item in self._credentials.items()}
            count = sum(changed[name] != item for name, item in self._credentials.items())
            self._credentials = changed
            return count

    def list_audit(
        self, subject: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[AuditEntry]:
        with self._lock:
            found = sorted(self._audit, key=lambda item: item.id, reverse=True)
        return [item for item in found if subject in (None, item.subject) and (after is None or item.id < after)][
            :limit
        ]


def _is_asked_for(stay: ComponentStay, where: ComponentFilter) -> bool:
    found = stay.component
    return (
        (where.serial is None or (found.serial is not None and serial_key(found.serial) == serial_key(where.serial)))
        and where.machine in (None, stay.machine)
        and where.kind in (None, found.kind)
        and where.model in (None, found.model)
        and where.current in (None, stay.current)
    )


def _held(machine: Machine, hold: str) -> bool:
    said = machine.description
    held = {
        "maintenance": said.maintenance_mode,
        "quarantine": said.is_quarantined,
        "recovery": said.recovering,
        "any": said.held(),
        "none": not said.held(),
    }
    return bool(held[hold])
