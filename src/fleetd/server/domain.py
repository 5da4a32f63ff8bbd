# SPDX-License-Identifier: BSD-2-Clause
"""What the server knows: frozen values without any database or HTTP in them. Times are aware and UTC; None is "never"."""

from __future__ import annotations

import enum
import itertools
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from fleetcore.errors import ConflictError, InvalidInput

JsonMap = Mapping[str, Any]


class AttachedDevice(enum.StrEnum):
    """What a machine monitor should look for beside the machine itself."""

    NODEVICE = "nodevice"
    ADB = "adb"
    IOS = "ios"
    PYOCD = "pyocd"
    SSH = "ssh"


class PowerCycleState(enum.StrEnum):
    """Whether a runner can power cycle the machine: what it last said about the controller."""

    NOT_AVAILABLE = "not_available"
    AVAILABLE = "available"
    IN_ERROR = "in_error"


@dataclass(frozen=True)
class Annotation:
    """Who said what, when."""

    message: str = ""
    user: str = ""
    timestamp: datetime | None = None


@dataclass(frozen=True)
class Description:
    """What a machine monitor and the people said about a machine. The open power cycle is not in here: see Powercycle."""

    maintenance_mode: str = ""
    is_quarantined: bool = False
    recovering: str = ""
    attached_device: AttachedDevice = AttachedDevice.NODEVICE
    annotation: Annotation = Annotation()
    note: Annotation = Annotation()
    version: str = ""
    powercycle_state: PowerCycleState = PowerCycleState.NOT_AVAILABLE
    last_updated: datetime | None = None
    battery: int = 0
    temperature: Mapping[str, float] | None = None
    running_swarming_task: bool = False
    launched_swarming: bool = False
    recovery_start: datetime | None = None
    device_uptime: int = 0  # seconds
    ssh_user_ip: str = ""
    supplied_dimensions: Mapping[str, tuple[str, ...]] | None = None
    dimensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    task_request: JsonMap | None = None
    task_started: datetime | None = None

    def held(self) -> str:
        """Why the machine takes no work, in the words of ``Dimensions["quarantined"]``; empty: it takes work."""
        holds = []
        if self.maintenance_mode:
            holds.append(f"Maintenance: {self.maintenance_mode}")
        if self.is_quarantined:
            holds.append("Forced Quarantine")
        if self.recovering:
            holds.append(f"Recovering: {self.recovering}")
        return ", ".join(holds)


@dataclass(frozen=True)
class BmcAccess:
    """How to reach a machine's BMC. No secrets: credentials are elsewhere."""

    address: str
    mac: str | None = None
    drivers: tuple[str, ...] = ("redfish", "ipmi")
    redfish_scheme: str = "https"
    redfish_port: int | None = None
    ipmi_port: int | None = None
    system: str | None = None
    validate_certs: bool = True
    fingerprint: str | None = None
    credential: str | None = None  # its name


@dataclass(frozen=True)
class DeviceSummary:
    """The few facts of the device document that lists, groups and searches need."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    uuid: str | None = None
    power_state: str | None = None
    collected_at: str | None = None
    sources: tuple[str, ...] = ()
    cpus: int = 0
    memory_bytes: int = 0
    drives: int = 0
    nics: int = 0
    macs: tuple[str, ...] = ()
    findings: int = 0
    worst_finding: str | None = None  # its severity: critical, warning, info


@dataclass(frozen=True)
class Machine:
    """One machine. ``version`` counts the changes of what people write (labels, place, lifecycle, BMC): the ETag."""

    id: str
    created_at: datetime
    updated_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    site: str | None = None
    rack: str | None = None
    position: str | None = None
    lifecycle: str = "active"
    bmc: BmcAccess | None = None
    description: Description = Description()
    device: DeviceSummary | None = None
    version: int = 1

    def search_text(self) -> str:
        """Lower-case text in which ``q`` of a list is looked for."""
        device = self.device or DeviceSummary()
        parts = [
            self.id,
            self.site,
            self.rack,
            device.vendor,
            device.model,
            device.serial,
            device.uuid,
            self.bmc.address if self.bmc else None,
            *device.macs,
            *(f"{key}={value}" for key, value in sorted(self.labels.items())),
        ]
        return " ".join(part for part in parts if part).lower().replace("\x00", "")  # which PostgreSQL can't keep


class State(enum.StrEnum):
    """Of a power cycle request."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    OFF = "off"
    ON = "on"
    VERIFIED = "verified"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


CLOSED = frozenset({State.VERIFIED, State.FAILED, State.CANCELLED, State.EXPIRED})


@dataclass(frozen=True)
class Step:
    """One thing that happened to a request."""

    state: State
    at: datetime
    message: str = ""
    runner: str = ""


@dataclass(frozen=True)
class Powercycle:
    """A request to power cycle a machine, until it is closed. A machine has at most one that is open."""

    id: str
    machine: str
    state: State
    requested_at: datetime
    updated_at: datetime
    requester: str = ""
    reason: str = ""
    finished_at: datetime | None = None
    not_before: datetime | None = None  # set by backoff: not in the list of work before
    attempts: int = 0  # that failed or succeeded
    error: JsonMap | None = None
    steps: tuple[Step, ...] = ()

    @property
    def open(self) -> bool:
        return self.finished_at is None

    def to(self, state: State, now: datetime, message: str = "", runner: str = "", **changes: Any) -> Powercycle:
        """The next value: in ``state``, with a step for it."""
        step = Step(state, now, message, runner)
        return replace(self, state=state, updated_at=now, steps=(*self.steps, step), **changes)


@dataclass(frozen=True)
class DeviceChange:
    """One observation that changed something."""

    id: str
    machine: str
    source: str
    at: datetime
    changes: tuple[JsonMap, ...]


@dataclass(frozen=True)
class FoundComponent:
    """A component of a device document. ``seen``: by this observation, else only kept from an earlier one."""

    kind: str  # field of the document; "device" is the machine itself
    name: str  # as ``component`` of a change; unique in the document
    slot: str = ""
    serial: str | None = None
    vendor: str | None = None
    model: str | None = None
    seen: bool = True


@dataclass(frozen=True)
class ComponentStay:
    """A component in one place of one machine, as one source sees it, from when to when."""

    id: str  # sorts by ``first_seen``
    machine: str
    source: str
    component: FoundComponent
    first_seen: datetime
    last_seen: datetime
    current: bool = True


@dataclass(frozen=True)
class Moves:
    """What an observation changes about the stays of one machine's components, as its source sees them."""

    begun: tuple[ComponentStay, ...]
    ended: tuple[str, ...]  # ids; they keep when they were last seen
    seen: tuple[str, ...]  # ids; of those that go on


def serial_key(serial: str) -> str:
    """What serial numbers are compared by: sources differ in case and punctuation."""
    return "".join(letter for letter in serial.lower() if letter.isalnum())


def moves(
    present: Iterable[ComponentStay], found: Iterable[FoundComponent], machine: str, source: str, now: datetime
) -> Moves:
    """Compare the current stays with what is there now. A component in another slot begins another stay."""
    open_stays = {(stay.component.kind, stay.component.name, stay.component.slot): stay for stay in present}
    begun, seen = [], []
    for component in found:
        stay = open_stays.pop((component.kind, component.name, component.slot), None)
        if stay is None:
            begun.append(ComponentStay(new_id(now), machine, source, component, now, now))
        elif component.seen:
            seen.append(stay.id)
    return Moves(tuple(begun), tuple(stay.id for stay in open_stays.values()), tuple(seen))


class Scope(enum.StrEnum):
    """What a token is for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    RUNNER = "runner"
    AGENT = "agent"
    ADMIN = "admin"


@dataclass(frozen=True)
class Token:
    """An API token; the secret itself is nowhere, only its digest. ``machine`` binds an agent's token."""

    id: str
    name: str
    scope: Scope
    digest: str
    created_at: datetime
    machine: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class WebSession:
    """A login of the page. The cookie holds a secret of which ``digest`` is the hash; it ends with its token."""

    digest: str
    token_id: str
    expires_at: datetime


@dataclass(frozen=True)
class Credential:
    """A login, for example of BMCs. The secret is only here encrypted, and bound to the name."""

    name: str
    username: str
    secret: str = field(repr=False)
    created_at: datetime
    updated_at: datetime


class CredentialInUse(ConflictError):
    """Machines' BMCs name the credential; ``details["machines"]`` has the first of them."""

    LISTED = 20

    def __init__(self, name: str, machines: Sequence[str]) -> None:
        listed = list(machines[: self.LISTED])
        more = f" and {len(machines) - len(listed)} more" if len(machines) > len(listed) else ""
        super().__init__(
            f"credential {name} is that of {', '.join(listed)}{more}: change their bmc.credential, or force it",
            credential=name,
            machines=listed,
            count=len(machines),
        )


@dataclass(frozen=True)
class AuditEntry:
    """Who did what to a secret, when."""

    id: str
    at: datetime
    actor: str
    action: str  # credential.read, credential.write, credential.delete
    subject: str


@dataclass(frozen=True)
class Once:
    """A request that may arrive more than once, and is to be done once: who sent it, under which key, and its digest."""

    actor: str
    key: str
    request: str


class KeyReused(InvalidInput):
    """The key of a request was used for another one."""

    def __init__(self, request: Once) -> None:
        super().__init__(
            f"Idempotency-Key: {request.key[:64]!r} was used for another request; a new request needs a new key",
            field="Idempotency-Key",
        )


_ID = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.:@+~-]*(/[A-Za-z0-9_][A-Za-z0-9_.:@+~-]*)*$")
ID_RULE = "letters, digits and . _ : @ + ~ - in parts separated by /, at most 253 characters"


_sequence = itertools.count()
_latest = 0
_DAY = 86_400_000  # milliseconds


def is_machine_id(value: str) -> bool:
    """Whether ``value`` can name a machine: see ``ID_RULE``."""
    return len(value) <= 253 and bool(_ID.match(value)) and not value.endswith("\n")


def new_id(now: datetime) -> str:
    """An id that sorts by time, and in one process by order: 12 hex digits of milliseconds, 6 of a count, 16 random.

    When the clock is set back by less than a day, the time of the id before is used until it has caught up; by more, the
    time before was wrong.
    """
    global _latest  # noqa: PLW0603
    time = int(now.timestamp() * 1000)
    _latest = _latest if time < _latest < time + _DAY else time
    return f"{_latest:012x}{next(_sequence) & 0xFFFFFF:06x}{secrets.token_hex(8)}"


def id_floor(at: datetime) -> str:
    """Ids of :func:`new_id` that were made before ``at`` sort before it."""
    return f"{max(0, int(at.timestamp() * 1000)):012x}"
