# SPDX-License-Identifier: BSD-2-Clause
"""Configuration: one YAML file, then the environment, then the command line; the later one wins.

The file is ``--config``, else ``$FLEETD_CONFIG``, else ``./fleetd.yml``, else ``/etc/fleetd/fleetd.yml``; without any
of them the defaults hold. In the environment ``server.listen`` is ``FLEETD_SERVER__LISTEN``. A key that does not exist
or a value that can't be used is a :class:`ConfigError`, whose message names the file or variable and the key.

One file serves all programs. Each reads its own sections (a subclass of :class:`ProgramSettings`) and leaves those of
the others alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from fleetd.common.commandline import ConfigError

PREFIX = "FLEETD_"
SEARCH = (Path("fleetd.yml"), Path("/etc/fleetd/fleetd.yml"))
SECTIONS = (
    "auth", "credentials", "database", "leases", "log", "machines", "monitor", "powercycle", "retention", "runner",
    "server",
)  # fmt: skip
"""Sections of all programs: what a program does not read itself is another one's, or a mistake."""

_SECRET = ("url", "token", "key")  # may hold a password: never repeated in a message
_file_values: ContextVar[Mapping[str, Any]] = ContextVar("file_values")
S = TypeVar("S", bound="ProgramSettings")


def split_listen(value: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as ``(host, port)``.

    :raises ValueError: no port, or not one of 0-65535.
    """
    host, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8480 or [::]:8480")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":8480" says all addresses


def _listen(value: str) -> str:
    split_listen(value)
    return value


Listen = Annotated[str, AfterValidator(_listen)]
"""A setting of the form ``host:port``."""


class Section(BaseModel):
    """A section of the file. A key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid")


class LogSettings(Section):
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


class ServerAddress(BaseModel):
    """Section `server` for the server's neighbours: where it is. Its other keys are the server's own business."""

    listen: Listen = Field(default="127.0.0.1:8480", description="host:port; port 0 takes a free one and prints it")
    url: str | None = Field(
        default=None, description="how others reach this server, for links; default: http://<listen>"
    )

    def reached(self, explicit: str | None) -> str:
        """The server's URL: the one that is given, else ``$FLEETD_URL``, else what this section says."""
        return explicit or os.environ.get("FLEETD_URL") or self.url or f"http://{self.listen}"


class ServerAccess(Section):
    """How a program reaches the machine server."""

    server_url: str | None = Field(
        default=None, description="the machine server; default: $FLEETD_URL, else server.url or .listen"
    )
    token: SecretStr | None = Field(default=None, description="token of the program's scope; default: $FLEETD_TOKEN")
    ca_path: str | None = Field(default=None, description="CA certificates for the server; default: the system's")
    validate_certs: bool = Field(default=True, description="verify the server's certificate")


class ProgramSettings(BaseSettings):
    """The sections that one program reads, as attributes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours reads lists as people write them
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not used: one precedence, no hidden file
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Not YamlConfigSettingsSource: it reads paths only (`fleetd init` checks a text before it writes it), says
        # nothing of a file that is not there, and takes an empty section for a mistake.
        file = InitSettingsSource(settings_cls, dict(_file_values.get({})))
        return (init_settings, _EnvironmentSource(settings_cls), file)


def _is_plain_list(annotation: Any, value: str) -> bool:
    return get_origin(annotation) is list and not value.lstrip().startswith("[")


class _EnvironmentSource(EnvSettingsSource):
    """The environment. A list is JSON, or its items with commas between."""

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        if _is_plain_list(getattr(field, "annotation", None), str(value)):
            return [item.strip() for item in str(value).split(",") if item.strip()]
        return super().decode_complex_value(field_name, field, value)


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
    model: type[S],
    file: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> S:
    """Read, merge and check the sections that ``model`` has.

    :param file: the file, or None to look for it.
    :param overrides: from the command line: ``{section: {key: value}}``; values that are None or () are not given.
    :raises ConfigError: see there.
    """
    path = find_file(file)
    given = {
        section: {key: value for key, value in values.items() if value not in (None, ())}
        for section, values in (overrides or {}).items()
    }
    given = {section: values for section, values in given.items() if values}
    if path is None:
        return load_text(model, "", "", given)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{path}: can't read it: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    return load_text(model, text, str(path), given)


def load_text(model: type[S], text: str, name: str, given: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> S:
    """Read the settings of a file with this text, and of the environment; ``name`` stands in messages.

    :param given: from the command line: ``{section: {key: value}}``.
    :raises ConfigError: see there.
    """
    _check_environment(model)
    values = _parse(text, name)
    _file_values.set({key: value for key, value in values.items() if key in model.model_fields or key not in SECTIONS})
    try:
        return model(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        raise ConfigError(_explain(model, exc, name, given)) from None
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


def _check_environment(model: type[ProgramSettings]) -> None:
    """Refuse a variable with ``__`` that names nothing; FLEETD_URL and others without it are not settings."""
    for name in os.environ:
        section, found, key = name.removeprefix(PREFIX).lower().partition("__")
        if not name.startswith(PREFIX) or not found:
            continue
        if section not in SECTIONS:
            raise ConfigError(f"environment variable {name}: no section '{section}'; {_known(SECTIONS)}")
        its = _section(model, section)
        if its is None:
            continue  # another program's
        if key in its.model_fields:
            _check_composite(name, its.model_fields[key].annotation)
        elif its.model_config.get("extra") == "forbid":
            raise ConfigError(f"environment variable {name}: no key '{key}' in '{section}'; {_known(its.model_fields)}")


def _section(model: type[ProgramSettings], name: str) -> type[BaseModel] | None:
    """The class of a section that the program reads."""
    field = model.model_fields.get(name)
    annotation = field.annotation if field else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


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


def _known(names: Iterable[str]) -> str:
    return "known: " + (", ".join(sorted(names)) or "none")


def _explain(
    model: type[ProgramSettings], exc: ValidationError, path: str, given: Mapping[str, Mapping[str, Any]]
) -> str:
    first = exc.errors(include_url=False)[0]
    location = [str(part) for part in first["loc"]]
    variable = PREFIX + "__".join(part.upper() for part in location[:2])
    if len(location) > 1 and location[1] in given.get(location[0], {}):
        origin = f"command line: --{location[1].replace('_', '-')}"
    elif variable in os.environ:
        origin = f"environment variable {variable}"
    else:
        origin = f"{path}: {'.'.join(location)}"
    if first["type"] == "extra_forbidden":
        its = _section(model, location[0]) if len(location) > 1 else None
        return f"{origin}: no such key; {_known(its.model_fields if its else SECTIONS)}"
    message = first["msg"].removeprefix("Value error, ")
    if location[-1] in _SECRET:
        return f"{origin}: {message}"
    return f"{origin}: {message} (got {str(first['input'])[:80]!r})"
