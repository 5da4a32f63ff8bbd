# SPDX-License-Identifier: BSD-2-Clause
"""What /api/v1 takes and gives. Bodies are checked here, completely, before a use case sees them."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated, Any, Literal

from fleetcore.document.model import clean_mac
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from fleetd.server.kernel.ids import ID_RULE, is_machine_id
from fleetd.server.machines.model import BmcAccess

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LABEL = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?$")
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
_DEPTH = 32  # far below what Python's own JSON can write
_FINGERPRINT = re.compile(r"^[0-9a-f]{64}$")


def _no_control(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not contain control characters")
    return value


def _machine_id(value: str) -> str:
    if not is_machine_id(value):
        raise ValueError(f"can't name a machine: use {ID_RULE}")
    return value


def _address(value: str) -> str:
    host = value.strip("[]")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST.match(value) or len(value) > 253:
            raise ValueError(
                "must be an IP address or a host name; port and scheme have fields of their own (redfish_port, redfish_scheme)"
            ) from None
    return host


def _small_json(value: dict[str, Any]) -> dict[str, Any]:
    level: list[Any] = [value]
    for _depth in range(_DEPTH):
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
        level = [part for part in level if isinstance(part, dict | list)]
    if level:
        raise ValueError(f"must not be nested deeper than {_DEPTH} levels")
    try:
        size = len(json.dumps(value, allow_nan=False))
    except ValueError:
        raise ValueError("must be JSON: NaN and Infinity are not") from None
    if size > 16_384:
        raise ValueError("must not be larger than 16384 bytes of JSON")
    return value


MachineId = Annotated[str, AfterValidator(_machine_id)]
Data = Annotated[dict[str, Any], AfterValidator(_small_json)]
EventKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_no_control)]
Short = Annotated[
    str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True), AfterValidator(_no_control)
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_no_control)]
Token = Annotated[int, Field(ge=1, le=2**62)]
Port = Annotated[int, Field(ge=1, le=65535)]
CredentialName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$")]


class Body(BaseModel):
    """Of a request: unknown fields are errors, so that a typing mistake is not silently nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Bmc(Body):
    """How a machine's BMC is reached. No secrets."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="IP address or host name", examples=["10.0.0.7"]
    )
    mac: str | None = Field(default=None, description="MAC address of the BMC", examples=["aa:bb:cc:dd:ee:ff"])
    drivers: list[Literal["redfish", "ipmi", "pdu", "wake_on_lan", "command", "tasks"]] = Field(
        default=["redfish", "ipmi"],
        min_length=1,
        max_length=6,
        description="tried in this order; the options of those that are no BMC are inventory variables, not kept here",
    )
    redfish_scheme: Literal["https", "http"] = "https"
    redfish_port: Port | None = None
    ipmi_port: Port | None = None
    system: Short | None = Field(default=None, description="id of the ComputerSystem when there are several")
    validate_certs: bool = True
    fingerprint: str | None = Field(default=None, description="SHA-256 of the certificate in hex; colons allowed")
    credential: CredentialName | None = Field(default=None, description="name of the credential that logs in there")

    @field_validator("mac")
    @classmethod
    def _mac(cls, value: str | None) -> str | None:
        if value is None:
            return None
        clean = clean_mac(value)
        if clean is None:
            raise ValueError("not a MAC address: write it as aa:bb:cc:dd:ee:ff")
        return clean

    @field_validator("drivers")
    @classmethod
    def _drivers(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("names a driver twice")
        return value

    @field_validator("fingerprint")
    @classmethod
    def _fingerprint(cls, value: str | None) -> str | None:
        if value is None:
            return None
        clean = value.replace(":", "").strip().lower()
        if not _FINGERPRINT.match(clean):
            raise ValueError("not a SHA-256 fingerprint: 64 hex digits, colons allowed")
        return clean

    def to_domain(self) -> BmcAccess:
        return BmcAccess(**{**self.model_dump(), "drivers": tuple(self.drivers)})


class Writable(Body):
    """The fields of a machine that people write."""

    labels: dict[str, str] = Field(default={}, max_length=64, description="names and values for filters and groups")
    site: Short | None = None
    rack: Short | None = None
    position: Short | None = Field(default=None, description="place in the rack, for example U12")
    lifecycle: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")] = Field(
        default="active", description="for example active, new, broken, retired"
    )
    bmc: Bmc | None = None

    @field_validator("labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not _LABEL.match(name):
                raise ValueError(
                    f"name {name[:80]!r}: 1 to 63 letters, digits, _ . / -, first and last a letter or digit"
                )
            if len(text) > 255 or _CONTROL.search(text):
                raise ValueError(f"value of {name}: at most 255 characters, no control characters")
        return value

    def to_domain(self) -> dict[str, Any]:
        """Keyword arguments of ``domain.Machine``."""
        return {**self.model_dump(exclude={"bmc"}), "bmc": self.bmc.to_domain() if self.bmc else None}


class NewMachine(Writable):
    """A machine to register."""

    id: MachineId = Field(description=f"its name: {ID_RULE}", examples=["rack1-node3"])

    def to_domain(self) -> dict[str, Any]:
        values = super().to_domain()
        del values["id"]
        return values


class NewPowercycle(Body):
    """A request for a power cycle."""

    machine: MachineId
    reason: Text = ""
    requester: Text = Field(default="", description="who wants it; default: the name of the token")


class Report(Body):
    """What a runner did."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["claimed", "off", "on", "verified", "failed"]
    message: Text = ""
    error: Data | None = Field(default=None, description="code, message and details of a failure")
    runner: Text = Field(default="", description="which runner; default: the name of the token")
    fencing_token: Token | None = Field(
        default=None, description="of the claim under which it was done; a stale one is refused with 409"
    )


class NewEvent(Body):
    """Something that was seen."""

    kind: EventKind = Field(description="words with dots, the most general first", examples=["rack.door_opened"])
    machine: MachineId | None = Field(default=None, description="the machine it is about; it need not be known")
    message: Text = ""
    data: Data = Field(default={}, description="more about it; no secrets: everybody who may read sees it")


class NewEvents(Body):
    items: list[NewEvent] = Field(min_length=1, max_length=500)


class PublishItem(Body):
    """One observation of a bulk publication; its source is in the document."""

    machine: MachineId
    device: dict[str, Any]


class PublishMany(Body):
    """Several observations; each succeeds or fails by itself."""

    items: list[PublishItem] = Field(max_length=1000)


class NewCredential(Body):
    """A login. The password is never given back to who may not read it, and never repeated in an error."""

    username: Short
    password: Annotated[str, StringConstraints(max_length=4096), AfterValidator(_no_control)]


class NewSession(Body):
    """A component that wants to work."""

    component: Short = Field(description="its name, shown at what it holds", examples=["runner-rack1"])
    info: Annotated[dict[str, str | int | float | bool | None], AfterValidator(_small_json)] = Field(
        default={}, max_length=32, description="version, host, job, ...: shown to people"
    )
    interval: float = Field(
        default=5.0, ge=0.2, le=86_400, strict=False, description="seconds a heartbeat is good for; send twice as many"
    )


class Claim(Body):
    """Which work is wanted."""

    session: Id
    process: Short
    count: int = Field(default=1, ge=1, le=1000, description="at most so many machines")
    machines: list[MachineId] | None = Field(default=None, max_length=10_000, description="only among these")


class Take(Body):
    """One machine that is wanted by name."""

    session: Id
    process: Short = "manual"
    machine: MachineId
    needed: bool = Field(default=True, description="false: whatever the predicate and the backoff say")


class Exit(Body):
    """Which work is left."""

    session: Id
    process: Short
    machine: MachineId
    fencing_token: Token | None = Field(default=None, description="of the claim; a stale one is refused with 409")


class Cancelled(Exit):
    """Work that is given back."""

    cause: Text = ""


class RetryBody(Body):
    """When to try again, in place of the process's own rule."""

    initial: float = Field(default=60, ge=0, le=31_536_000, strict=False, description="seconds")
    exponent: float | None = Field(default=None, ge=0, le=100, strict=False, description="none: always `initial`")
    maximum: float = Field(default=3600, ge=0, le=31_536_000, strict=False, description="seconds")
    attempts: int | None = Field(default=None, ge=1, le=1000, description="so many in a row quarantine the machine")


class Failed(Exit):
    """Work that did not succeed."""

    cause: Text
    backoff: RetryBody | None = None


# -- answers (declared for OpenAPI)


class ErrorBody(BaseModel):
    code: str
    message: str
    details: dict[str, Any]


class Error(BaseModel):
    """The one shape of errors."""

    error: ErrorBody


class StepOut(BaseModel):
    state: str
    at: str
    message: str
    runner: str


class PowercycleOut(BaseModel):
    """A power cycle request."""

    id: str
    machine: str
    state: Literal["queued", "claimed", "off", "on", "verified", "failed", "cancelled"]
    requester: str
    reason: str
    requested_at: str
    updated_at: str
    finished_at: str | None
    not_before: str | None
    attempts: int
    error: dict[str, Any] | None
    steps: list[StepOut]


class DeviceSummaryOut(BaseModel):
    vendor: str | None
    model: str | None
    serial: str | None
    uuid: str | None
    power_state: str | None
    collected_at: str | None
    sources: list[str]
    cpus: int
    memory_bytes: int
    drives: int
    nics: int
    macs: list[str]
    findings: int = Field(description="how many there were when a document was last published")
    worst_finding: Literal["critical", "warning", "info"] | None


class MachineOut(BaseModel):
    """A machine. ``version`` is also its ETag."""

    id: str
    labels: dict[str, str]
    site: str | None
    rack: str | None
    position: str | None
    lifecycle: str
    created_at: str
    updated_at: str
    version: int
    bmc: dict[str, Any] | None
    description: dict[str, Any]
    device: DeviceSummaryOut | None
    powercycle: PowercycleOut | None


class MachineList(BaseModel):
    items: list[MachineOut]
    next: str | None = Field(description="cursor of the next page; null on the last")


class PowercycleList(BaseModel):
    items: list[PowercycleOut]
    next: str | None


class Published(BaseModel):
    changed: bool
    changes: int


class PublishedItem(BaseModel):
    machine: str
    changed: bool
    changes: int
    error: ErrorBody | None


class PublishedMany(BaseModel):
    items: list[PublishedItem]


class DeviceChangeOut(BaseModel):
    id: str
    at: str
    source: str
    changes: list[dict[str, Any]]


class DeviceHistory(BaseModel):
    items: list[DeviceChangeOut]
    next: str | None


class DeviceDiff(BaseModel):
    """Differences between two times; ``to`` null is now."""

    since: str = Field(alias="from")
    to: str | None
    changes: list[dict[str, Any]]


class Finding(BaseModel):
    """A contradiction; see the collection's docs/merge.md for the kinds."""

    kind: Literal["other_machine", "wrong_bmc", "disagreement", "other_part", "missing", "serial_elsewhere"]
    severity: Literal["critical", "warning", "info"]
    component: str
    field: str | None = None
    values: dict[str, Any]
    message: str


class Findings(BaseModel):
    items: list[Finding]


class BiosOut(BaseModel):
    """Parts of the merged device document: see docs/schema/device.schema.json."""

    bios: dict[str, Any] | None = None
    bios_configuration: dict[str, Any] | None = None
    boot: dict[str, Any] | None = None
    secure_boot: dict[str, Any] | None = None
    provenance: dict[str, str]


class ComponentStayOut(BaseModel):
    """A component in one place of one machine, as one source sees it, from when to when."""

    machine: str
    source: Literal["oob", "inband"]
    kind: str
    component: str
    slot: str | None
    serial: str | None
    vendor: str | None
    model: str | None
    first_seen: str
    last_seen: str
    current: bool


class ComponentList(BaseModel):
    items: list[ComponentStayOut]
    next: str | None


class Inventory(BaseModel):
    hosts: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, Any]]


Query = Annotated[str, AfterValidator(_no_control), StringConstraints(max_length=255)]


class WorkOut(BaseModel):
    """A lock on (machine, process), with its fencing token."""

    machine: str
    process: str
    session: str
    fencing_token: int
    started_at: str


class WorkList(BaseModel):
    items: list[WorkOut]


class SessionOut(BaseModel):
    id: str
    component: str
    actor: str
    info: dict[str, Any]
    interval: float
    created_at: str
    deadline: str


class HeartbeatOut(SessionOut):
    work: list[WorkOut]


class SessionList(BaseModel):
    items: list[SessionOut]


class WorkEventOut(BaseModel):
    id: str
    at: str
    machine: str
    process: str
    outcome: Literal["started", "finished", "failed", "cancelled"]
    session: str
    component: str
    actor: str
    cause: str
    fencing_token: int


class WorkHistory(BaseModel):
    items: list[WorkEventOut]
    next: str | None


class BackoffOut(BaseModel):
    until: str
    cause: str
    interval: int
    failures: int


class ConditionOut(BaseModel):
    text: str
    holds: bool


class ExplanationOut(BaseModel):
    """Why a machine is eligible for a process, or not."""

    machine: str
    process: str
    eligible: bool
    conditions: list[ConditionOut]
    work: WorkOut | None
    backoff: BackoffOut | None


class EventOut(BaseModel):
    """A line of the log. `id` is what a stream calls `id`: it grows."""

    id: int
    at: str
    kind: str
    machine: str | None
    actor: str
    message: str
    data: dict[str, Any]


class EventsAppended(BaseModel):
    items: list[EventOut]


class EventList(EventsAppended):
    next: str | None


class CredentialOut(BaseModel):
    """A credential without its secret."""

    name: str
    username: str
    created_at: str
    updated_at: str


class CredentialList(BaseModel):
    items: list[CredentialOut]


class LoginOut(BaseModel):
    """A credential with its secret."""

    name: str
    username: str
    password: str


class AuditEntryOut(BaseModel):
    id: str
    at: str
    actor: str
    action: str
    subject: str


class Audit(BaseModel):
    items: list[AuditEntryOut]
    next: str | None
