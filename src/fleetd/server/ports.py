# SPDX-License-Identifier: BSD-2-Clause
"""What the services ask of a store. One contract suite runs on every implementation.

Updates are functions ``(previous) -> next``, applied in one transaction; they may be called more than once and must have
no side effects. What they raise ends the transaction with nothing written and reaches the caller. All methods may raise
``fleetcore.errors.Busy`` when the database is gone or bounded retries were not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from fleetd.server.credentials.model import AuditEntry, Credential
from fleetd.server.devices.model import ComponentFilter, ComponentStay, DeviceChange, Publication
from fleetd.server.kernel.auth.model import Token, WebSession
from fleetd.server.kernel.engine import TransactionCounts
from fleetd.server.kernel.events.model import EVERY_EVENT, Event, EventFilter, NewEvent
from fleetd.server.kernel.idempotency.model import Once
from fleetd.server.kernel.ids import JsonMap
from fleetd.server.kernel.retention.model import Kept
from fleetd.server.machines.facets import EVERY_MACHINE, MachineCounts, MachineFilter, Order
from fleetd.server.machines.model import ControllerState, Machine
from fleetd.server.powercycles.model import CycleState, Powercycle
from fleetd.server.work.model import (
    Backoff,
    Change,
    Exit,
    Explanation,
    Lease,
    LeaseSession,
    Process,
    Processes,
    Subject,
    Work,
    WorkCounts,
    WorkEvent,
)


class MachineStore(Protocol):
    """Machines, ordered by id."""

    def create_machine(self, machine: Machine) -> Machine:
        """Insert it. A power cycle state that was kept aside for its id is applied.

        :raises ConflictError: it exists.
        """

    def get_machine(self, machine_id: str) -> Machine | None: ...

    def get_machines(self, machine_ids: Sequence[str]) -> Sequence[Machine]:
        """Those of these ids that exist, by id; at most some hundreds at once."""

    def list_machines(
        self, where: MachineFilter = EVERY_MACHINE, limit: int | None = None, after: str | None = None
    ) -> Sequence[Machine]:
        """At most ``limit`` machines whose id sorts after ``after``."""

    def page_machines(
        self, where: MachineFilter, order: Order, limit: int, offset: int = 0, descending: bool = False
    ) -> Sequence[Machine]:
        """``limit`` machines after the first ``offset`` in that order; those that are equal in it are ordered by id."""

    def count_machines(self, where: MachineFilter = EVERY_MACHINE) -> MachineCounts:
        """How many match, by facet and by state."""

    def update_machine(self, machine_id: str, change: Callable[[Machine], Machine]) -> Machine:
        """Apply ``change``.

        :raises NotFound: no such machine.
        """

    def upsert_machine(self, machine_id: str, now: datetime, change: Callable[[Machine], Machine]) -> Machine:
        """Apply ``change``; a machine that did not exist is created first (with what was kept aside for it)."""

    def delete_machine(self, machine_id: str, check: Callable[[Machine], None] | None = None) -> None:
        """Delete it with everything of it.

        :param check: called with the machine in the transaction; what it raises keeps the machine.
        :raises NotFound: no such machine.
        """

    def set_powercycle_states(self, states: Mapping[str, ControllerState], now: datetime) -> None:
        """Store what a runner says about controllers, all in one transaction; unknown ids are kept aside."""


class PowercycleStore(Protocol):
    """Power cycle requests, newest first."""

    def open_powercycle(self, request: Powercycle) -> tuple[Powercycle, bool]:
        """Insert it, or answer the one that is open for the machine; the flag says whether it was inserted.

        :raises NotFound: no such machine.
        """

    def get_powercycle(self, request_id: str) -> Powercycle | None: ...

    def list_powercycles(
        self,
        machine: str | None = None,
        state: CycleState | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Sequence[Powercycle]:
        """At most ``limit`` requests, newest first, older than the one with id ``after``."""

    def due_powercycles(self, now: datetime) -> Sequence[str]:
        """Machines with an open request whose backoff is over and which nobody has claimed, oldest request first."""

    def update_powercycle(
        self, request_id: str, change: Callable[[Powercycle], Powercycle], unclaimed: bool = False
    ) -> Powercycle:
        """Apply ``change``.

        :param unclaimed: an open one only if nobody holds the power cycle of its machine.
        :raises NotFound: no such request. :raises WorkConflict: somebody holds it.
        """

    def toggle_powercycle(
        self,
        machine: str,
        opened: Powercycle | None,
        closed: Callable[[Powercycle], Powercycle] | None,
        unclaimed: bool = False,
    ) -> Powercycle | None:
        """In one transaction: the machine's open request goes through ``closed``; if there is none ``opened`` is inserted.

        Either may be None: then that case changes nothing. The answer is the request that was touched.

        :param unclaimed: close it only if nobody holds the power cycle of the machine.
        :raises NotFound: no such machine. :raises WorkConflict: somebody holds it.
        """

    def latest_powercycles(self, machines: Iterable[str] | None = None) -> Mapping[str, Powercycle]:
        """The open request of each machine, else its newest; ``machines`` None is all."""

    def count_powercycles(self) -> Mapping[CycleState, int]:
        """Requests by state; states without any may be missing."""

    def oldest_open_powercycle(self) -> datetime | None:
        """When the open request that waits the longest was made; None: none is open."""


class DeviceStore(Protocol):
    """Device documents by machine and source, and the history of their changes."""

    def publish_device(
        self,
        machine: str,
        source: str,
        now: datetime,
        change: Callable[[Mapping[str, Mapping[str, Any]]], Publication],
    ) -> Publication:
        """Store what ``change`` makes of the documents by source, a history entry with the document if there are changes, and
        what ``devices.model.moves`` says of the components.

        :raises NotFound: no such machine.
        """

    def get_devices(self, machine: str) -> Mapping[str, Mapping[str, Any]]:
        """The documents by source; empty for a machine without any, and for one that is unknown."""

    def device_history(
        self, machine: str, limit: int | None = None, after: str | None = None
    ) -> Sequence[DeviceChange]:
        """At most ``limit`` changes, newest first, older than the one with id ``after``."""

    def devices_at(self, machine: str, at: datetime) -> Mapping[str, Mapping[str, Any] | None]:
        """The documents by source as the newest history entry up to ``at`` left them; None: that entry kept none."""

    def list_components(
        self, where: ComponentFilter, limit: int | None = None, after: str | None = None
    ) -> Sequence[ComponentStay]:
        """At most ``limit`` stays of components, by when they began, newer than the one with id ``after``."""


class TokenStore(Protocol):
    """API tokens and logins of the page, by digest."""

    def create_token(self, token: Token, only_first: bool = False) -> Token:
        """Insert it.

        :param only_first: refuse if there is any token already, in the same transaction.
        :raises ConflictError: there is one, or its name is taken by a token that is not revoked.
        """

    def find_token(self, digest: str) -> Token | None: ...

    def list_tokens(self) -> Sequence[Token]:
        """All of them, by creation time; revoked ones too."""

    def revoke_token(self, id_or_name: str, now: datetime) -> Token:
        """Revoke the token of that id, or the unrevoked one of that name. Its logins end with it.

        :raises NotFound: there is none.
        """

    def create_session(self, session: WebSession, now: datetime) -> None:
        """Insert it; expired ones are deleted."""

    def find_session(self, digest: str, now: datetime) -> Token | None:
        """The token behind an unexpired login, whatever its own state."""

    def delete_session(self, digest: str) -> None: ...


class CredentialStore(Protocol):
    """Credentials by name, and the audit of what is done to them, which is written in the same transaction."""

    def put_credential(self, credential: Credential, audit: AuditEntry) -> Credential:
        """Insert or replace it; ``created_at`` of one that is replaced stays."""

    def read_credential(self, name: str, audit: AuditEntry) -> Credential:
        """:raises NotFound: there is none; nothing is written."""

    def delete_credential(self, name: str, audit: AuditEntry, force: bool = False) -> None:
        """Delete it; if a machine's BMC names it, only with ``force``.

        :raises NotFound: there is none. :raises CredentialInUse: see above. Then nothing is written.
        """

    def list_credentials(self) -> Sequence[Credential]:
        """All, by name; not audited, because nobody may be given their secrets."""

    def change_secrets(self, change: Callable[[Credential], str]) -> int:
        """Replace each secret by what ``change`` returns, all in one transaction; how many differ."""

    def list_audit(
        self, subject: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[AuditEntry]:
        """At most ``limit`` entries, newest first, older than the one with id ``after``."""


class EventStore(Protocol):
    """The log: only ever appended to. Changes of everything above write theirs in their own transaction (``fleetd.events``).

    Numbers become visible in their order, however many servers write: who has seen one has seen all that are smaller.
    """

    def append_events(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        """Number and store them, all or none."""

    def list_events(
        self,
        where: EventFilter = EVERY_EVENT,
        limit: int | None = None,
        after: int | None = None,
        before: int | None = None,
    ) -> Sequence[Event]:
        """Newest first, those with smaller numbers than ``before``; with ``after`` oldest first, those with greater ones."""

    def event_bounds(self) -> tuple[int, int]:
        """The greatest number that was pruned, and the last one that was given; 0: none."""


class WorkStore(Protocol):
    """Sessions, work and its history. All times are the database's; see ``leases`` for what is what.

    Everything that a session does first looks, in the same transaction, whether its deadline has passed: then it is
    ``SessionExpired`` and nothing was written. ``processes`` says what becomes of the work of dead sessions that is met.
    """

    def open_session(self, component: str, actor: str, info: Mapping[str, Any], interval: float) -> LeaseSession:
        """A new session; its deadline is ``interval`` seconds from now."""

    def poke_session(self, session: str) -> LeaseSession:
        """The heartbeat: the deadline is ``interval`` seconds from now again.

        :raises SessionExpired: too late.
        """

    def get_session(self, session: str) -> LeaseSession:
        """:raises SessionExpired: its deadline has passed."""

    def end_session(self, session: str, processes: Processes) -> None:
        """Cancel its work and forget it. One that is not there (any more) is no error."""

    def list_sessions(self) -> Sequence[LeaseSession]:
        """Those that live, oldest first."""

    def claim(
        self, session: str, process: Process, count: int, processes: Processes, machines: Sequence[str] | None = None
    ) -> Sequence[Work]:
        """Lock up to ``count`` eligible machines, oldest need first; ``machines`` narrows the choice.

        :raises NothingToDo: none is eligible. :raises SessionExpired: see above.
        """

    def take(self, session: str, process: Process, machine: str, processes: Processes, needed: bool = True) -> Work:
        """Lock one machine. ``needed`` False: whatever the predicate and the backoff say.

        :raises WorkConflict: it is locked. :raises NotEligible: the predicate does not hold.
        :raises NotFound: no such machine. :raises SessionExpired: see above.
        """

    def transact(self, lease: Lease, change: Change, leave: Exit | None = None) -> Subject:
        """Apply ``change`` under the lock, and leave the work by one of the exits in the same transaction.

        :raises LeaseLost: it is not held so. Not for ``Cancel`` by a session: then nothing happens.
        :raises SessionExpired: the session named, or that of the token, is dead.
        """

    def reap(self, processes: Processes) -> int:
        """Cancel the work of dead sessions and forget them; how many there were. Several servers may do it at once.

        A deadline that is further away than its interval was written before the clock was set back: it is brought to
        ``interval`` from now, so that work of the dead is not locked until the clock has caught up.
        """

    def list_work(
        self, machine: str | None = None, process: str | None = None, session: str | None = None
    ) -> Sequence[Work]:
        """Work of live sessions, by machine and process."""

    def work_history(
        self, machine: str | None = None, process: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[WorkEvent]:
        """At most ``limit`` lines, newest first, older than the one with id ``after``."""

    def list_backoffs(self, machine: str | None = None) -> Sequence[Backoff]:
        """Those that last still."""

    def explain(self, process: Process, machine: str) -> Explanation:
        """Each condition of the predicate, evaluated by what :meth:`claim` uses.

        :raises NotFound: no such machine.
        """

    def count_work(self, process: Process) -> WorkCounts:
        """Eligible by the same predicate, in work, in backoff."""


class OnceStore(Protocol):
    """Requests that are done once, however often they arrive."""

    def once(self, request: Once, now: datetime, work: Callable[[], JsonMap]) -> tuple[JsonMap, bool]:
        """Do ``work``, which uses this store, and keep its answer, all in one transaction; or answer as it was answered.

        The flag says whether it was answered before. What ``work`` raises is not kept: the next one tries again. Two at
        once: the second waits for the first.

        :raises KeyReused: another request had this key.
        """


class RetentionStore(Protocol):
    """Forgetting."""

    def prune(self, what: Kept, before: datetime, limit: int) -> int:
        """Delete at most ``limit`` of what is older than ``before``, the oldest first; how many.

        What is newest stays: the last change of each machine's source, the last line of its work by process, its last
        request, and one that is open. Events go from the beginning of the log, without a gap.
        """

    def take_duty(self, name: str, holder: str, seconds: float) -> bool:
        """Whether ``holder`` is the one who does ``name`` for the next ``seconds``; taking it again makes it longer."""


class Store(
    MachineStore,
    PowercycleStore,
    DeviceStore,
    TokenStore,
    WorkStore,
    CredentialStore,
    EventStore,
    OnceStore,
    RetentionStore,
    Protocol,
):
    """All of it: what an adapter implements."""

    def ready(self) -> None:
        """Answer if the database answers and its schema is of this version.

        :raises Busy: it does not.
        :raises InvalidInput: the schema is of another version; the message says what to do.
        """

    def transaction_counts(self) -> TransactionCounts:
        """For metrics."""

    def close(self) -> None: ...
