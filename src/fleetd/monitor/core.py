# SPDX-License-Identifier: BSD-2-Clause
"""Events and changes of the description, as pure functions of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Host:
    """The monitor itself. ``start_time`` is RFC 3339."""

    name: str
    version: str
    start_time: str


@dataclass(frozen=True)
class Published:
    """When the last device document was handed over, in seconds since the epoch, and the drives that SMART gave up."""

    at: float
    failed_drives: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Flags:
    """Flags that an operator or the machine's software sets by files. A forced quarantine is latched by the server."""

    forced_quarantine: bool = False
    busy: bool = False


@dataclass(frozen=True)
class Attached:
    """What the description says is attached to the machine. ``nodevice``: nothing, it reports itself."""

    device: str = "nodevice"
    ssh_user_ip: str = ""

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Attached:
        return cls(str(description.get("AttachedDevice") or cls.device), str(description.get("SSHUserIP") or ""))


def event(host: Host, parts: Mapping[str, Any], flags: Flags, dropped: int) -> dict[str, Any]:
    """An Event of ``POST /json/v1/machine/event/``.

    :param parts: what it is about: ``standalone`` and ``server``, or an attached device. ``server`` and ``monitor`` are
        ours, other servers ignore them.
    """
    return {
        "type": "raw_state",
        "host": {"name": host.name, "version": host.version, "start_time": host.start_time},
        **parts,
        "monitor": {"dropped": dropped},
        "running_swarming_task": flags.busy,
        "launched_swarming": False,
        "forced_quarantine": flags.forced_quarantine,
    }


def failed_drives(document: Mapping[str, Any]) -> dict[str, str]:
    """Drives of a device document that SMART gives up, by the names that events have for them, and what is wrong."""
    return {
        str(name): "SMART failed"
        for drive in document.get("drives") or ()
        if drive.get("smart_status") == "failed"
        for name in [drive.get("serial") or drive.get("wwn") or str(drive.get("logical_name") or "").rpartition("/")[2]]
        if name
    }


def with_failed_drives(server: Mapping[str, Any], failed: Mapping[str, str]) -> dict[str, Any]:
    """Facts of a server, in which drives that are there and healthy to the kernel have what SMART says of them."""
    drives = server.get("drives") or {}
    judged = {name: failed.get(name, health) if health == "OK" else health for name, health in drives.items()}
    return {**server, "drives": judged}


def next_document(last: float | None, now: float, interval: float, splay: float, random: float) -> float:
    """Seconds until a device document is due: ``interval`` after the last one, up to ``splay`` later.

    Times are seconds since the epoch. One that was never published, or in the future, is due as soon as the splay
    allows.
    """
    age = interval if last is None or last > now else now - last
    return max(0.0, interval - age) + splay * random


_WATCHED = {
    "MaintenanceMode": "maintenance",
    "IsQuarantined": "quarantine",
    "Recovering": "recovery",
    "PowerCycle": "powercycle",
    "PowerCycleState": "powercycle_state",
    "AttachedDevice": "attached_device",
}


def description_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """List what is new in a Description and of interest to a person, as (name, value).

    Without one before, all that is set is new.
    """
    found = [
        (name, after.get(key))
        for key, name in _WATCHED.items()
        if (after.get(key) or None) != ((before or {}).get(key) or None)
    ]
    if _note(after) != _note(before or {}):
        found.append(("note", _note(after)))
    return found


def _note(description: Mapping[str, Any]) -> str:
    note = description.get("Note")
    return str(note.get("Message") or "") if isinstance(note, Mapping) else ""
