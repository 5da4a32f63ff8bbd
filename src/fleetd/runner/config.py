# SPDX-License-Identifier: BSD-2-Clause
"""Settings of ``fleetd runner``: the sections `runner`, `log` and, for its address, `server` of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from fleetd.common.settings import Listen, ProgramSettings, Section, ServerAccess, ServerAddress


class WaveSettings(Section):
    """Limits of machines that are power cycled at a time, and of those that may fail."""

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


class AwxSettings(Section):
    """AWX, where the playbooks run with ``executor: awx``."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    url: str | None = Field(default=None, description="address of AWX, for example https://awx.example")
    token_file: Path | None = Field(default=None, description="file with an OAuth2 token that may launch the templates")
    ca_path: str | None = Field(default=None, description="CA certificates for AWX; default: the system's")
    validate_certs: bool = Field(default=True, description="verify AWX's certificate")
    templates: dict[str, str] = Field(default_factory=dict, description="playbook -> id or name of its job template")
    fence: bool = Field(
        default=False,
        description="jobs ask the machine server whether the claim still holds; "
        "the template needs FLEETD_URL and FLEETD_TOKEN",
    )


class ProcessSettings(Section):
    """The work of one process. Which machines need it is said by the server's section ``leases``."""

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


class RunnerSettings(ServerAccess):
    """Options of ``fleetd runner``: which machines it serves, where the server is, how often and how patiently."""

    inventory: list[str] = Field(
        default_factory=list, description="Ansible inventories (files, directories, plugin configurations)"
    )
    pattern: str = Field(
        default="all", description="Ansible host pattern that narrows the inventory; empty selects nothing"
    )
    name: str | None = Field(default=None, description="of its session on the server; default: the host's name")
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
        description="how long the machines of a runner that gives no sign of life are kept from others; "
        "longer than a cycle takes",
    )
    waves: WaveSettings = WaveSettings()
    metrics_listen: Listen | None = Field(
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
        """Change a known process key by key."""
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

    @field_validator("inventory", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Settings(ProgramSettings):
    """The sections that ``fleetd runner`` reads."""

    server: ServerAddress = ServerAddress()
    runner: RunnerSettings = RunnerSettings()
