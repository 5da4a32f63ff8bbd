# SPDX-License-Identifier: BSD-2-Clause
"""Decides what is due when, one step at a time, without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from fleetcore.errors import FleetError
from fleetcore.ports import Clock

from fleetd.common import logs
from fleetd.common.link import jittered
from fleetd.monitor import core
from fleetd.monitor.adapters.documents import Collector
from fleetd.monitor.adapters.machine import FileMemory, ThisMachine
from fleetd.monitor.adapters.outbox import Outboxes
from fleetd.monitor.config import MonitorSettings
from fleetd.monitor.core import Attached, Flags, Host, Published

_log = logs.get("fleetd.monitor")


def parts(machine: ThisMachine, attached: Attached | None, published: Published | None) -> Mapping[str, Any]:
    """What an event is about: an attached device, else the machine itself."""
    if attached is not None and attached.device != Attached.device:
        return machine.device(attached)
    failed = published.failed_drives if published else {}
    return {"standalone": machine.standalone(), "server": core.with_failed_drives(machine.server(), failed)}


@dataclass
class Agent:
    """Reports the machine and notices what becomes of its description.

    :param describe: the present description. :param heard: is told of one that changed, as JSON.
    :param wall: seconds since the epoch.
    """

    host: Host
    settings: MonitorSettings
    _: KW_ONLY
    machine: ThisMachine
    documents: Collector
    memory: FileMemory
    outbox: Outboxes
    describe: Callable[[], Mapping[str, Any]]
    heard: Callable[[str], None]
    clock: Clock
    wall: Callable[[], float]
    random: Callable[[], float]
    _flags: Flags | None = field(default=None, init=False)
    _description: Mapping[str, Any] | None = field(default=None, init=False)
    _said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._published = self.memory.load()
        self._attached = self.memory.attached()
        now = self.clock.monotonic()
        self._event_due = self._look_due = self._poll_due = now
        self._device_due = now + self._until_document()

    def event(self) -> dict[str, Any]:
        """The event that would be sent now."""
        flags, dropped = self.machine.flags(), self.outbox.spool.dropped
        return core.event(self.host, parts(self.machine, self._attached, self._published), flags, dropped)

    def description_changed(self) -> None:
        """Look at the description with the next step. From any thread."""
        self._poll_due = self.clock.monotonic()

    def step(self, stop: Callable[[], bool] = lambda: False) -> float:
        """Do what is due; the seconds until something is due again. A server that is away is no error."""
        self._look()
        if self._attached is None and self._is_due(self._poll_due):
            self.poll()  # what an event is about depends on it
        if self._is_due(self._event_due):
            self._event_due = self._after(jittered(self.settings.event_seconds, self.random()))
            self.outbox.offer("event", self.event())
        self._document()
        self.outbox.flush(stop)
        if self._is_due(self._poll_due):
            # First the time: a change that is told while the description is on its way is looked at again.
            self._poll_due = self._after(jittered(self.settings.poll_seconds, self.random()))
            self.poll()
        due = [self._event_due, self._look_due, self._poll_due]
        retry = self.outbox.wait()
        if retry is not None:
            due.append(self._after(retry))
        if self._collects():
            due.append(self._device_due)
        return max(0.0, min(due) - self.clock.monotonic())

    def _look(self) -> None:
        """An event is due at once when an operator or the machine's software says something else than before."""
        if not self._is_due(self._look_due):
            return
        self._look_due = self._after(self.settings.look_seconds)
        flags = self.machine.flags()
        if self._flags is not None and flags != self._flags:
            _log.info("flags_changed", forced_quarantine=flags.forced_quarantine, busy=flags.busy)
            self._event_due = self.clock.monotonic()
        self._flags = flags

    def publish(self, document: Mapping[str, Any]) -> bool:
        """Hand a device document over. True if it has left."""
        self._published = Published(self.wall(), core.failed_drives(document))
        self.memory.save(self._published)
        return self.outbox.offer("device", document)

    def _document(self) -> None:
        ready = self.documents.take()
        if ready is not None and self.publish(ready):
            _log.info("device_published", seconds=(ready.get("stats") or {}).get("seconds"))
        if self._collects() and self._is_due(self._device_due):
            self._device_due = self._after(
                max(1.0, self.settings.device_seconds + self.settings.device_splay_seconds * self.random())
            )
            self.documents.start()

    def _until_document(self) -> float:
        own = self.settings
        last = None if self._published is None else self._published.at
        return core.next_document(last, self.wall(), own.device_seconds, own.device_splay_seconds, self.random())

    def poll(self) -> None:
        """Look at the description."""
        try:
            found = self.describe()
        except FleetError as error:
            if error.code != self._said:
                self._said = error.code
                _log.info("description_unknown", code=error.code, message=error.message)
            return
        self._said = ""
        changes = core.description_changes(self._description, found)
        for name, value in changes:
            _log.info("description_changed", what=name, value=value)
        if changes or self._description is None:
            self.heard(json.dumps(found))  # ASCII: half a surrogate pair could not be written
        self._description = found
        self._now_attached(Attached.of(found))

    def _now_attached(self, attached: Attached) -> None:
        """An event is due at once when something else is attached than was known."""
        if attached == self._attached:
            return
        if attached != (self._attached or Attached()):
            self._event_due = self.clock.monotonic()
        self._attached = attached
        self.memory.save_attached(attached)

    def _collects(self) -> bool:
        return self.settings.device_seconds > 0 and not self.documents.busy

    def _is_due(self, at: float) -> bool:
        return at <= self.clock.monotonic()

    def _after(self, seconds: float) -> float:
        return self.clock.monotonic() + seconds
