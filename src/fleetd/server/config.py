# SPDX-License-Identifier: BSD-2-Clause
"""Settings of the machine server: every section of the configuration but those of the runner and the monitor."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from fleetd.common.settings import ProgramSettings, Section, ServerAddress

DEFAULT_DATABASE = Path("fleetd.db")


class ServerSettings(ServerAddress, Section):
    """The address that ``fleetd serve`` listens on, and limits of requests."""

    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="larger requests are refused with 413")
    body_seconds: float = Field(
        default=60, gt=0, description="a request whose body has not arrived by then is refused with 408"
    )
    max_header_bytes: int = Field(
        default=32 * 1024, ge=1024, le=60_000, description="larger headers are refused with 431"
    )
    shutdown_seconds: int = Field(default=10, ge=0, description="how long a stop waits for requests in progress")


class DatabaseSettings(Section):
    """The database with the state: SQLite, PostgreSQL or CockroachDB."""

    url: str = Field(
        default=f"sqlite:///{DEFAULT_DATABASE}",
        description="SQLAlchemy URL: sqlite:////var/lib/fleetd/fleetd.db, postgresql+psycopg://user@host/name",
    )
    pool_size: int = Field(default=10, ge=1, le=200, description="connections kept to PostgreSQL")

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value.partition(":")[0].partition("+")[0] not in ("sqlite", "postgresql", "cockroachdb"):
            raise ValueError("must start with sqlite:, postgresql: or cockroachdb:")
        return value


ProxyScope = Literal["viewer", "operator", "runner", "admin"]
_HEADER = re.compile(r"^[A-Za-z][A-Za-z0-9-]*\Z")
_NO_IDENTITY = frozenset({"authorization", "cookie", "host", "content-type", "content-length", "x-forwarded-for"})


class AuthSettings(Section):
    """Rights without a token, and the length of a login."""

    anonymous_scope: Literal["none", "viewer", "operator"] = Field(
        default="none", description="what requests without a token may do"
    )
    legacy_open: bool = Field(
        default=False, description="serve /json/v1 and /_/ without a token: for unmodified clients, which know none"
    )
    session_hours: int = Field(default=12, ge=1, le=24 * 31, description="how long a login of the page lasts")
    secure_cookies: bool = Field(
        default=False, description="send the page's cookie over HTTPS only; set it behind a TLS proxy"
    )
    trusted_proxies: list[str] = Field(
        default_factory=list, description="networks of reverse proxies whose X-Forwarded-For and -Proto are believed"
    )
    proxy_user_header: str | None = Field(
        default=None, description="header in which a trusted proxy says who asks; it must replace what clients send"
    )
    proxy_groups_header: str | None = Field(
        default=None, description="header with the groups of that user, separated by commas"
    )
    proxy_scopes: dict[str, ProxyScope] = Field(
        default_factory=dict, description="scope by user or group; several add up"
    )
    proxy_default_scope: Literal["none", "viewer", "operator"] = Field(
        default="none", description="scope of users whom proxy_scopes does not name"
    )
    failed_logins_per_minute: int = Field(
        default=30, ge=1, le=100_000, description="failed logins of one address before it gets 429"
    )
    failed_logins_total_per_minute: int = Field(
        default=600, ge=1, le=1_000_000, description="failed logins in all before one is too many for an address"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for item in value:
            try:
                ipaddress.ip_network(item)
            except ValueError:
                raise ValueError(f"{item!r} is not a network: write it as 10.0.0.5/32 or fd00::/8") from None
        return value

    @field_validator("proxy_user_header", "proxy_groups_header")
    @classmethod
    def _header(cls, value: str | None) -> str | None:
        if value is not None and (not _HEADER.match(value) or value.lower() in _NO_IDENTITY):
            raise ValueError("must be the name of a header, for example X-Forwarded-User")
        return value

    @model_validator(mode="after")
    def _complete(self) -> AuthSettings:
        if self.proxy_user_header and not self.trusted_proxies:
            raise ValueError("proxy_user_header needs trusted_proxies: without them anybody could send it")
        return self


class PowercycleSettings(Section):
    """Treatment of failed attempts."""

    max_attempts: int = Field(default=3, ge=1, le=100, description="a request that failed so often is closed as failed")
    backoff_initial_seconds: int = Field(default=60, ge=1, description="wait after the first failure")
    backoff_exponent: float = Field(default=2.0, ge=1, le=10, description="factor for each further failure")
    backoff_maximum_seconds: int = Field(default=3600, ge=1, description="longest wait")


class CredentialSettings(Section):
    """The keys of stored credentials. Without any, credentials can't be stored."""

    key_file: Path | None = Field(default=None, description="keys, one per line; the first encrypts, all decrypt")
    key: SecretStr | None = Field(default=None, description="one key; for the environment. Comes before the file's")


class MachineSettings(Section):
    """Judgement of what machines report."""

    stale_minutes: float = Field(
        default=15.0,
        gt=0,
        le=100_000,
        description="a machine whose monitor says nothing for so long is shown as silent",
    )


class LeaseSettings(Section):
    """Care for sessions and work."""

    reaper_seconds: float = Field(
        default=5.0, ge=0.1, le=3600, description="time between two looks for dead sessions, whose work is given back"
    )
    observe_seconds: int = Field(
        default=86_400, ge=60, description="a device document of that age makes a machine eligible for collection"
    )
    intervals: dict[str, int] = Field(
        default_factory=dict,
        description="process -> seconds. For a collection in the place of observe_seconds; any other name makes a "
        "process that a machine needs when it was last finished so long ago",
    )

    @field_validator("intervals")
    @classmethod
    def _intervals(cls, value: dict[str, int]) -> dict[str, int]:
        for name, seconds in value.items():
            if seconds < 60:
                raise ValueError(f"{name}: must be 60 seconds or more")
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
                raise ValueError(f"{name!r}: a process's name has a-z, 0-9 and _")
        return value


class RetentionSettings(Section):
    """Ages at which things go; 0: never. The newest of a machine stays however old it is."""

    period_seconds: float = Field(default=3600.0, ge=1, le=86_400, description="time between two rounds of pruning")
    events_days: int = Field(default=90, ge=0, le=36_500, description="age at which events go")
    device_history_days: int = Field(default=730, ge=0, le=36_500, description="age at which changes of documents go")
    work_history_days: int = Field(default=180, ge=0, le=36_500, description="age at which the history of work goes")
    powercycles_days: int = Field(default=730, ge=0, le=36_500, description="age at which finished power cycles go")
    audit_days: int = Field(default=1095, ge=0, le=36_500, description="age at which the audit of credentials goes")
    answers_hours: int = Field(default=24, ge=1, le=8760, description="how long an Idempotency-Key is known")


class Settings(ProgramSettings):
    """The sections that the commands of the server read."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    auth: AuthSettings = AuthSettings()
    powercycle: PowercycleSettings = PowercycleSettings()
    credentials: CredentialSettings = CredentialSettings()
    leases: LeaseSettings = LeaseSettings()
    machines: MachineSettings = MachineSettings()
    retention: RetentionSettings = RetentionSettings()
