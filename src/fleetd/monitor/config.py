# SPDX-License-Identifier: BSD-2-Clause
"""Settings of ``fleetd monitor``: the sections `monitor`, `log` and, for its address, `server` of the configuration."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from fleetd.common.settings import ProgramSettings, ServerAccess, ServerAddress


class MonitorSettings(ServerAccess):
    """Options of ``fleetd monitor``: which machine this is, where the server is, how often it reports."""

    machine: str | None = Field(default=None, description="id of this machine; default: its host name")
    token_file: Path | None = Field(default=None, description="file that holds the token, if `token` does not")
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


class Settings(ProgramSettings):
    """The sections that ``fleetd monitor`` reads."""

    server: ServerAddress = ServerAddress()
    monitor: MonitorSettings = MonitorSettings()
