# SPDX-License-Identifier: BSD-2-Clause
"""Configuration: one YAML file, then the environment, then the command line; the later one wins.

The file is ``--config``, else ``$FLEETD_CONFIG``, else ``./fleetd.yml``, else ``/etc/fleetd/fleetd.yml``; without any of
them the defaults hold. In the environment ``server.listen`` is ``FLEETD_SERVER__LISTEN``. A key that does not exist or
a value that can't be used is a :class:`ConfigError`, whose message names the file or variable and the key.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

PREFIX = "FLEETD_"
_SECRET = ("url", "token", "key")  # may hold a password: never repeated in a message
SEARCH = (Path("fleetd.yml"), Path("/etc/fleetd/fleetd.yml"))


class ConfigError(Exception):
    """The configuration can't be used; the message is one line that names the file or variable, the key and the fix."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ServerSettings(_Section):
    """Where ``fleetd serve`` listens."""

    listen: str = Field(default="127.0.0.1:8480", description="host:port; port 0 takes a free one and prints it")
    url: str | None = Field(
        default=None, description="how others reach this server, for links; default: http://<listen>"
    )
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="larger requests are refused with 413")
    body_seconds: float = Field(
        default=60, gt=0, description="a request whose body has not arrived by then is refused with 408"
    )
    max_header_bytes: int = Field(
        default=32 * 1024, ge=1024, le=60_000, description="larger headers are refused with 431"
    )
    shutdown_seconds: int = Field(default=10, ge=0, description="how long a stop waits for requests in progress")

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        split_listen(value)
        return value


class DatabaseSettings(_Section):
    """Where the state is. SQLite, PostgreSQL and CockroachDB."""

    url: str = Field(
        default="sqlite:///fleetd.db",
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


class AuthSettings(_Section):
    """Who may do what without a token, and how long a login lasts."""

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


class LogSettings(_Section):
    """Logs go to standard error."""

    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, else json"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severity that is written"
    )

    @field_validator("level", "format", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class PowercycleSettings(_Section):
    """What the server does with failed attempts."""

    max_attempts: int = Field(default=3, ge=1, le=100, description="a request that failed so often is closed as failed")
    backoff_initial_seconds: int = Field(default=60, ge=1, description="wait after the first failure")
    backoff_exponent: float = Field(default=2.0, ge=1, le=10, description="factor for each further failure")
    backoff_maximum_seconds: int = Field(default=3600, ge=1, description="longest wait")


class CredentialSettings(_Section):
    """The keys of stored credentials. Without any, credentials can't be stored."""

    key_file: Path | None = Field(default=None, description="keys, one per line; the first encrypts, all decrypt")
    key: SecretStr | None = Field(default=None, description="one key; for the environment. Comes before the file's")


class MachineSettings(_Section):
    """What the server makes of what it hears of machines."""

    stale_minutes: float = Field(
        default=15.0,
        gt=0,
        le=100_000,
        description="a machine whose monitor says nothing for so long is shown as silent",
    )


class LeaseSettings(_Section):
    """What the server does around sessions and work."""

    reaper_seconds: float = Field(
        default=5.0, ge=0.1, le=3600, description="time between two looks for dead sessions, whose work is given back"
    )
    observe_seconds: int = Field(
        default=86_400, ge=60, description="a device document of that age makes a machine eligible for collection"
    )
    intervals: dict[str, int] = Field(
        default_factory=dict,
        description="process -> seconds. For a collection in the place of observe_seconds; any other name makes a process "
        "that a machine needs when it was last finished so long ago",
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


class WaveSettings(_Section):
    """How many machines the runner power cycles at a time, and when it stops."""

    size: int = Field(default=20, ge=1, le=1000, description="machines at the same time")
    limits: dict[str, int] = Field(
        default_factory=dict,
        description="host variable -> at most that many machines with the same value at the same time",
    )
    failure_budget: int | None = Field(
        default=10, ge=0, description="more failed machines stop the wave; null: any number may fail"
    )
    resume_seconds: float = Field(default=3600.0, ge=1, description="a stopped wave goes on after this time")

    @field_validator("limits")
    @classmethod
    def _limits(cls, value: dict[str, int]) -> dict[str, int]:
        for name, limit in value.items():
            if limit < 1:
                raise ValueError(f"{name}: must be 1 or more")
        return value


class AwxSettings(_Section):
    """Where the playbooks run with ``executor: awx``."""

    url: str | None = Field(default=None, description="address of AWX, for example https://awx.example")
    token_file: Path | None = Field(default=None, description="file with an OAuth2 token that may launch the templates")
    ca_path: str | None = Field(default=None, description="CA certificates for AWX; default: the system's")
    validate_certs: bool = Field(default=True, description="verify AWX's certificate")
    templates: dict[str, str] = Field(default_factory=dict, description="playbook -> id or name of its job template")
    fence: bool = Field(
        default=False,
        description="jobs ask the machine server whether the claim still holds; the template needs FLEETD_URL and FLEETD_TOKEN",
    )

    @field_validator("templates", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return {name: str(item) for name, item in value.items()} if isinstance(value, dict) else value


class ProcessSettings(_Section):
    """How the runner does the work of one process. Which machines need it is the server's ``leases`` section."""

    playbook: str = Field(description="a playbook of a collection, or a path")
    report: list[str] = Field(
        default_factory=lambda: ["baremetal.fleet.device_publish"],
        description="modules (full names) whose success means that a machine is done",
    )
    on_controller: bool = Field(
        default=False, description="the playbook works on localhost for all machines, which it gets as `target`"
    )
    batch: int = Field(default=100, ge=1, le=1000, description="machines in one run at most")
    poll_seconds: float = Field(default=60.0, ge=0.1, le=86400, description="time between two looks for due machines")
    splay_seconds: float = Field(
        default=30.0, ge=0, le=86400, description="the first look is at a random time within these"
    )
    extra_vars: dict[str, Any] = Field(default_factory=dict, description="extra variables of the playbook")


_PROCESSES: dict[str, dict[str, Any]] = {
    "collect_oob": {
        "playbook": "baremetal.fleet.collect_oob_sweep",
        "report": ["baremetal.fleet.bmc_sweep"],
        "on_controller": True,
        "batch": 500,
    },
    "collect_inband": {"playbook": "baremetal.fleet.collect_inband"},
}


class RetentionSettings(_Section):
    """How long what is kept; 0 is for ever. What is newest of a machine stays however old it is."""

    period_seconds: float = Field(default=3600.0, ge=1, le=86_400, description="time between two rounds of pruning")
    events_days: int = Field(default=90, ge=0, le=36_500, description="age at which events go")
    device_history_days: int = Field(default=730, ge=0, le=36_500, description="age at which changes of documents go")
    work_history_days: int = Field(default=180, ge=0, le=36_500, description="age at which the history of work goes")
    powercycles_days: int = Field(default=730, ge=0, le=36_500, description="age at which finished power cycles go")
    audit_days: int = Field(default=1095, ge=0, le=36_500, description="age at which the audit of credentials goes")
    answers_hours: int = Field(default=24, ge=1, le=8760, description="how long an Idempotency-Key is known")


class RunnerSettings(_Section):
    """Options of ``fleetd runner``: which machines it serves, where the server is, how often and how patiently."""

    inventory: list[str] = Field(
        default_factory=list, description="Ansible inventories (files, directories, plugin configurations)"
    )
    pattern: str = Field(
        default="all", description="Ansible host pattern that narrows the inventory; empty selects nothing"
    )
    name: str | None = Field(default=None, description="of its session on the server; default: the host's name")
    server_url: str | None = Field(
        default=None, description="the machine server; default: $FLEETD_URL, else server.url or .listen"
    )
    token: SecretStr | None = Field(default=None, description="token of scope runner; default: $FLEETD_TOKEN")
    ca_path: str | None = Field(default=None, description="CA certificates for the server; default: the system's")
    validate_certs: bool = Field(default=True, description="verify the server's certificate")
    state_dir: Path = Field(
        default=Path("fleetd-runner"), description="the journal and the runs; one runner per directory"
    )
    poll_seconds: float = Field(default=5.0, ge=0.1, le=3600, description="time between two looks at the server's list")
    check_seconds: float = Field(
        default=300.0, ge=1, le=86400, description="time between two checks of the power controllers"
    )
    retry_initial_seconds: float = Field(
        default=60.0, ge=0, description="wait after a machine's first failure; doubles"
    )
    retry_maximum_seconds: float = Field(default=3600.0, ge=0, description="longest wait between two attempts")
    max_attempts: int = Field(default=3, ge=1, le=100, description="attempts per request")
    executor: Literal["ansible-runner", "awx"] = Field(
        default="ansible-runner", description="where playbooks run: here, or as jobs of AWX"
    )
    awx: AwxSettings = AwxSettings()
    lease_seconds: float = Field(
        default=300.0,
        ge=1,
        le=86400,
        description="how long the machines of a runner that gives no sign of life are kept from others; longer than a cycle takes",
    )
    waves: WaveSettings = WaveSettings()
    metrics_listen: str | None = Field(
        default=None, description="host:port for Prometheus, for example 127.0.0.1:9481; default: none"
    )
    max_runs: int = Field(default=4, ge=1, le=50, description="playbook runs at the same time")
    forks: int = Field(default=20, ge=1, le=500, description="machines at the same time within one run")
    run_seconds: float = Field(
        default=1800.0, ge=10, description="a run is ended after this time; modules have tighter limits"
    )
    stop_seconds: float = Field(default=600.0, ge=0, description="how long a stop waits for running cycles")
    playbook: str = Field(default="baremetal.fleet.powercycle", description="playbook that power cycles")
    check_playbook: str = Field(
        default="baremetal.fleet.powercycle_check", description="playbook that checks controllers"
    )
    recover_playbook: str = Field(
        default="baremetal.fleet.power_on", description="playbook that makes sure machines are on"
    )
    extra_vars: dict[str, Any] = Field(default_factory=dict, description="extra variables of the playbooks")
    processes: list[str] = Field(
        default_factory=lambda: ["powercycle"], min_length=1, description="kinds of work that this runner does"
    )
    definitions: dict[str, ProcessSettings] = Field(
        default_factory=dict,
        validate_default=True,
        description="how the work of processes other than powercycle is done",
    )

    @field_validator("definitions", mode="before")
    @classmethod
    def _definitions(cls, value: Any) -> Any:
        """What is given for a known process changes it key by key."""
        if not isinstance(value, dict):
            return value
        names = {**_PROCESSES, **value}
        return {n: {**_PROCESSES.get(n, {}), **v} if isinstance(v := value.get(n) or {}, dict) else v for n in names}

    @field_validator("processes", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _defined(self) -> Self:
        for name in self.processes:
            if name != "powercycle" and name not in self.definitions:
                known = ", ".join(["powercycle", *sorted(self.definitions)])
                raise ValueError(f"processes: {name!r} is not defined: add it to runner.definitions (known: {known})")
        return self

    @field_validator("metrics_listen")
    @classmethod
    def _listen(cls, value: str | None) -> str | None:
        if value is not None:
            split_listen(value)
        return value

    @field_validator("inventory", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class MonitorSettings(_Section):
    """Options of ``fleetd monitor``: which machine this is, where the server is, how often it reports."""

    machine: str | None = Field(default=None, description="id of this machine; default: its host name")
    server_url: str | None = Field(
        default=None, description="the machine server; default: $FLEETD_URL, else server.url or .listen"
    )
    token: SecretStr | None = Field(
        default=None, description="token of scope agent for this machine; default: token_file, else $FLEETD_TOKEN"
    )
    token_file: Path | None = Field(default=None, description="file that holds the token")
    ca_path: str | None = Field(default=None, description="CA certificates for the server; default: the system's")
    validate_certs: bool = Field(default=True, description="verify the server's certificate")
    request_seconds: float = Field(default=10.0, ge=0.1, le=600, description="time-out of one request")
    state_dir: Path = Field(default=Path("fleetd-monitor"), description="the spool; one monitor per directory")
    event_seconds: float = Field(default=30.0, ge=0.1, le=86400, description="time between two events")
    look_seconds: float = Field(
        default=5.0, ge=0.1, le=3600, description="time between two looks at quarantine_file and busy_file"
    )
    device_seconds: float = Field(default=21600.0, ge=0, description="time between two device documents; 0: none")
    device_splay_seconds: float = Field(
        default=600.0, ge=0, description="a device document is delayed by a random time up to this"
    )
    tool_seconds: float = Field(default=30.0, ge=1, description="time-out of one tool that a device document asks")
    collect_seconds: float = Field(default=180.0, ge=1, description="time-out of collecting a device document")
    poll_seconds: float = Field(
        default=60.0, ge=0.1, le=86400, description="time between two looks at the machine's own description"
    )
    quiet_seconds: float = Field(
        default=300.0, ge=1, description="a stream of changes without a sign of life for so long is opened anew"
    )
    spool_items: int = Field(default=1000, ge=1, le=1_000_000, description="reports kept while the server is away")
    spool_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, description="their size; the oldest are dropped first")
    quarantine_file: Path = Field(
        default=Path("/etc/fleetd-monitor/quarantine"), description="while it exists, events ask for a quarantine"
    )
    busy_file: Path | None = Field(default=None, description="while it exists, events say that the machine runs a task")
    on_description: list[str] = Field(
        default_factory=list, description="command that gets the description on its input when something in it changed"
    )


class Settings(BaseSettings):
    """All of it. Sections are attributes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    auth: AuthSettings = AuthSettings()
    log: LogSettings = LogSettings()
    powercycle: PowercycleSettings = PowercycleSettings()
    credentials: CredentialSettings = CredentialSettings()
    leases: LeaseSettings = LeaseSettings()
    machines: MachineSettings = MachineSettings()
    retention: RetentionSettings = RetentionSettings()
    runner: RunnerSettings = RunnerSettings()
    monitor: MonitorSettings = MonitorSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours reads lists as people write them
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not used: one precedence, no hidden file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, _EnvironmentSource(settings_cls), _FileSource(settings_cls))


_file_values: dict[str, Any] = {}


def _is_plain_list(annotation: Any, value: str) -> bool:
    return get_origin(annotation) is list and not value.lstrip().startswith("[")


class _EnvironmentSource(EnvSettingsSource):
    """The environment. A list is JSON, or its items with commas between."""

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        if _is_plain_list(getattr(field, "annotation", None), str(value)):
            return [item.strip() for item in str(value).split(",") if item.strip()]
        return super().decode_complex_value(field_name, field, value)


class _FileSource(PydanticBaseSettingsSource):
    """The values of the file that :func:`load` has read."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return _file_values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(_file_values)


def split_listen(value: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as ``(host, port)``.

    :raises ValueError: no port, or not one of 0-65535.
    """
    host, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8480 or [::]:8480")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":8480" says all addresses


def find_file(explicit: str | os.PathLike[str] | None = None) -> Path | None:
    """The configuration file that holds, or None.

    :raises ConfigError: one was named and does not exist.
    """
    named = explicit or os.environ.get("FLEETD_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            origin = "--config" if explicit else "FLEETD_CONFIG"
            raise ConfigError(f"{origin}: no such file: {path}. `fleetd init` writes one.")
        return path
    return next((path for path in SEARCH if path.is_file()), None)


def load(
    file: str | os.PathLike[str] | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read, merge and check the configuration.

    :param file: the file, or None to look for it.
    :param overrides: from the command line: ``{section: {key: value}}``; values that are None are not given.
    :raises ConfigError: see there.
    """
    path = find_file(file)
    given = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in (overrides or {}).items()
    }
    given = {section: values for section, values in given.items() if values}
    if path is None:
        return _merge("", "", given)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: can't read it: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    return _merge(text, str(path), given)


def load_text(text: str, name: str) -> Settings:
    """The settings of a file with this text, and of the environment; ``name`` stands in messages.

    :raises ConfigError: see there.
    """
    return _merge(text, name, {})


def _merge(text: str, name: str, given: Mapping[str, Mapping[str, Any]]) -> Settings:
    _check_environment()
    _file_values.clear()
    _file_values.update(_parse(text, name))
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        raise ConfigError(_explain(exc, name, given)) from None
    except SettingsError as exc:
        raise ConfigError(f"environment: {exc}") from None


def _parse(text: str, path: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(exc).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected sections such as 'server:', got {type(data).__name__}")
    return {str(key): value if value is not None else {} for key, value in data.items()}


def _check_environment() -> None:
    """Names without ``__`` (FLEETD_URL, FLEETD_TOKEN, FLEETD_CONFIG) are not ours; those with it have to exist."""
    for name in os.environ:
        section, found, key = name.removeprefix(PREFIX).partition("__")
        if not name.startswith(PREFIX) or not found:
            continue
        field = Settings.model_fields.get(section.lower())
        if field is None:
            raise ConfigError(f"environment variable {name}: no section '{section.lower()}'; {_known(Settings)}")
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            names = annotation.model_fields
            if key.lower() not in names:
                raise ConfigError(
                    f"environment variable {name}: no key '{key.lower()}' in '{section.lower()}'; {_known(annotation)}"
                )
            _check_composite(name, names[key.lower()].annotation)


def _check_composite(variable: str, annotation: Any) -> None:
    """pydantic does not say which variable has bad JSON."""
    value = os.environ[variable]
    if get_origin(annotation) not in (list, dict) or _is_plain_list(annotation, value):
        return
    try:
        json.loads(value)
    except ValueError as exc:
        example = '["a", "b"], or a,b' if get_origin(annotation) is list else '{"name": "value"}'
        raise ConfigError(f"environment variable {variable}: not JSON ({exc}); write it as {example}") from None


def _known(model: type[BaseModel]) -> str:
    return "known: " + (", ".join(sorted(model.model_fields)) or "none")


def _explain(exc: ValidationError, path: str, given: Mapping[str, Mapping[str, Any]]) -> str:
    first = exc.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"]]
    dotted = ".".join(location)
    variable = PREFIX + "__".join(part.upper() for part in location[:2])
    if len(location) > 1 and location[1] in given.get(location[0], {}):
        origin = f"command line: --{location[1].replace('_', '-')}"
    elif variable in os.environ:
        origin = f"environment variable {variable}"
    else:
        origin = f"{path}: {dotted}"
    if first["type"] == "extra_forbidden":
        model: type[BaseModel] = Settings
        if len(location) > 1:
            annotation = Settings.model_fields[location[0]].annotation
            assert isinstance(annotation, type)  # noqa: S101 - sections are models
            assert issubclass(annotation, BaseModel)  # noqa: S101
            model = annotation
        return f"{origin}: no such key; {_known(model)}"
    message = first["msg"].removeprefix("Value error, ")
    if location[-1] in _SECRET:
        return f"{origin}: {message}"
    return f"{origin}: {message} (got {str(first['input'])[:80]!r})"
