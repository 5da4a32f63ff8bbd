# SPDX-License-Identifier: BSD-2-Clause
"""The memory of one virtual BMC: the changes to its tree, and the power of its systems."""

from __future__ import annotations

import copy
import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fleetlab.tree import Resource, Tree, etag_of, link, members

Event = dict[str, Any]
Later = Callable[[float, Callable[[], None]], object]
"""Call something after so many seconds."""


@dataclass(frozen=True)
class PowerBehaviour:
    """The obedience of a machine; times in seconds.

    `off_seconds`, `on_seconds`: from the request to the new power state. `graceful_seconds`: the same for a shutdown
    by the operating system (default: like off_seconds). `ignore_graceful`: its operating system hangs and never shuts
    down. `transition_states`: shows PoweringOff and PoweringOn meanwhile. `refuse_same`: On for a system that is on,
    or off for one that is off, is refused with 409, as some vendors do.
    """

    on_seconds: float = 0.0
    off_seconds: float = 0.0
    graceful_seconds: float | None = None
    ignore_graceful: bool = False
    transition_states: bool = False
    refuse_same: bool = False


class State:
    """Overlay over a tree. All methods may be called from any thread; resources handed out aren't to be changed."""

    def __init__(self, tree: Tree, behaviour: PowerBehaviour, later: Later, on_event: Callable[[Event], None]) -> None:
        self.tree = tree
        self.behaviour = behaviour
        self.later = later
        self.changed: dict[str, Resource | None] = {}
        self.staged_firmware: dict[str, str] = {}  # path of a component -> the version that the next boot brings
        self._on_event = on_event
        self._lock = threading.RLock()
        self._plans: dict[str, object] = {}

    # Resources

    def find(self, path: str) -> str:
        return self.tree.find(path)

    def get(self, path: str) -> Resource | None:
        """The resource at a path, in any form a client may write it."""
        path = self.find(path)
        return self.changed[path] if path in self.changed else self.tree.get(path)

    def follow(self, resource: Resource | None, *names: str) -> Resource | None:
        """Go from a resource along its reference properties."""
        for name in names:
            resource = self.get(link(resource.get(name))) if resource else None
        return resource

    def put(self, path: str, resource: Resource | None) -> None:
        """Set a resource, or remove it with None."""
        with self._lock:
            self.changed[self.find(path)] = resource

    def update(self, path: str, changes: Resource) -> None:
        """Merge changes into a resource (objects recursively, all else replaced)."""
        with self._lock:
            resource = merged(copy.deepcopy(self.get(path) or {}), changes)
            if "@odata.etag" in resource:
                del resource["@odata.etag"]
                resource["@odata.etag"] = etag_of(resource)
            self.put(path, resource)

    def add_member(self, collection: str, resource: Resource) -> None:
        with self._lock:
            self.put(resource["@odata.id"], resource)
            self._set_members(collection, [*members(self.get(collection)), resource["@odata.id"]])

    def remove_member(self, collection: str, path: str) -> None:
        with self._lock:
            self.put(path, None)
            self._set_members(collection, [item for item in members(self.get(collection)) if item != path])

    def clear_members(self, collection: str) -> None:
        """Remove all members of a collection."""
        with self._lock:
            for path in members(self.get(collection)):
                self.put(path, None)
            self._set_members(collection, [])

    def _set_members(self, collection: str, paths: list[str]) -> None:
        self.update(collection, {"Members": [{"@odata.id": path} for path in paths], "Members@odata.count": len(paths)})

    # Power

    def power_state(self, system: str) -> str:
        return str((self.get(system) or {}).get("PowerState", "Off"))

    def is_on(self, system: str) -> bool:
        return self.power_state(system) in {"On", "PoweringOff"}

    def set_power(self, system: str, on: bool, cause: str, seconds: float = 0.0) -> None:
        """Switch after so many seconds; an older plan for this system is dropped."""
        self._run(system, [(on, seconds)], cause)

    def cycle(self, system: str, off_after: float, cause: str) -> None:
        self._run(system, [(False, off_after), (True, self.behaviour.on_seconds)], cause)

    def restart(self, system: str, seconds: float, cause: str) -> None:
        """Reset without removing power: a new boot, the power state stays On."""
        with self._lock:
            plan = self._plans[system] = object()

        def happen() -> None:
            with self._lock:
                if self._plans.get(system) is plan:
                    self.event("restart", system, cause, boot=self._boot(system))

        self._after(seconds, happen)

    def _run(self, system: str, steps: list[tuple[bool, float]], cause: str) -> None:
        with self._lock:
            plan = self._plans[system] = object()

        def start(left: list[tuple[bool, float]]) -> None:
            on, seconds = left[0]
            if seconds > 0 and self.behaviour.transition_states:
                self.update(system, {"PowerState": "PoweringOn" if on else "PoweringOff"})

            def happen() -> None:
                with self._lock:
                    if self._plans.get(system) is not plan:
                        return
                    self._switch(system, on, cause)
                if left[1:]:
                    start(left[1:])

            self._after(seconds, happen)

        start(steps)

    def _switch(self, system: str, on: bool, cause: str) -> None:
        self.update(system, {"PowerState": "On" if on else "Off"})
        if on:
            self.event("on", system, cause, boot=self._boot(system))
        else:
            self.event("off", system, cause)

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        if seconds > 0:
            self.later(seconds, happen)
        else:
            happen()

    def event(self, what: str, path: str, cause: str, **more: Any) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._on_event({"at": now, "event": what, "resource": path, "cause": cause, **more})

    def _boot(self, system: str) -> str:
        """A boot: use up a one-time boot override, apply pending BIOS settings. Returns what was booted from."""
        resource = self.get(system) or {}
        boot = resource.get("Boot") or {}
        enabled = boot.get("BootSourceOverrideEnabled", "Disabled")
        target = str(boot.get("BootSourceOverrideTarget") or "None") if enabled in {"Once", "Continuous"} else "None"
        if enabled == "Once":
            self.update(system, {"Boot": {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None"}})
        self._apply_bios(link(resource.get("Bios")))
        for path, version in self.staged_firmware.items():
            self.update(path, {"Version": version})
            self.event("firmware", path, "boot", version=version)
        self.staged_firmware.clear()
        secure_boot = self.follow(resource, "SecureBoot")
        if secure_boot is not None:
            keys = secure_boot.get("SecureBootMode") != "SetupMode"
            current = "Enabled" if secure_boot.get("SecureBootEnable") and keys else "Disabled"
            self.update(link(resource["SecureBoot"]), {"SecureBootCurrentBoot": current})
        return target

    def _apply_bios(self, bios: str) -> None:
        settings = self.settings_of(bios)
        pending = self.changed.get(settings) if settings else None
        if pending:
            attributes = (self.get(bios) or {}).get("Attributes") or {}
            new = {name: value for name, value in (pending.get("Attributes") or {}).items() if name in attributes}
            self.update(bios, {"Attributes": new})
            self.put(settings, {**pending, "Attributes": {}})
            self.event("bios", bios, "boot", attributes=new)

    def settings_of(self, path: str) -> str:
        """Canonical path of the settings object (`@Redfish.Settings`) of a resource, "" without one."""
        settings = ((self.get(path) if path else None) or {}).get("@Redfish.Settings")
        found = link(settings.get("SettingsObject")) if isinstance(settings, dict) else ""
        return self.find(found) if found else ""


def merged(resource: Resource, changes: Resource) -> Resource:
    """`resource`, changed in place, with `changes` merged in."""
    for name, value in changes.items():
        old = resource.get(name)
        resource[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return resource
