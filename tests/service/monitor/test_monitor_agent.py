# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the monitor does when, by a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import NotFound, Unreachable
from fleetcore.host.spool import Spool
from monitor_fakes import FakeClock, FakeMachine

from fleetd.common.link import Link
from fleetd.monitor.adapters.machine import FileMemory
from fleetd.monitor.adapters.outbox import KINDS, Outboxes
from fleetd.monitor.agent import Agent
from fleetd.monitor.config import MonitorSettings
from fleetd.monitor.core import Attached, Flags, Host, Published


class Documents:
    def __init__(self) -> None:
        self.busy = False
        self.starts = 0
        self.ready: Mapping[str, Any] | None = None

    def start(self) -> None:
        self.busy = True
        self.starts += 1

    def take(self) -> Mapping[str, Any] | None:
        found, self.ready = self.ready, None
        self.busy = self.busy and found is None
        return found


class Memory:
    def __init__(self, at: float | None) -> None:
        self.published = None if at is None else Published(at)
        self.known: Attached | None = Attached()

    def attached(self) -> Attached | None:
        return self.known

    def save_attached(self, attached: Attached) -> None:
        self.known = attached

    def load(self) -> Published | None:
        return self.published

    def save(self, published: Published) -> None:
        self.published = published


class World:
    """An agent and everything around it."""

    def __init__(
        self,
        folder: Path,
        published: float | None = None,
        pace: MonitorSettings | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.set_by = 0.0  # how far the wall clock has been set
        self.machine = FakeMachine()
        self.documents = Documents()
        self.memory = memory or Memory(published)
        self.sent: list[tuple[float, str, Any]] = []
        self.heard: list[Any] = []
        self.texts: list[str] = []
        self.description: dict[str, Any] | Exception = {"MaintenanceMode": ""}
        self.polls = 0
        self.away = False
        send = {kind: lambda body, kind=kind: self.take(kind, body) for kind in ("event", "device")}
        self.outbox = Outboxes(
            Spool(folder, "monitor.state_dir", kinds=KINDS, max_items=100, max_bytes=100_000),
            send,
            {kind: Link(self.clock, lambda: 1.0) for kind in KINDS},
        )
        self.agent = Agent(
            Host("m1", "1", "2026-01-01T00:00:00Z"), pace or MonitorSettings(device_splay_seconds=0.0),
            machine=self.machine, documents=self.documents, memory=self.memory, outbox=self.outbox,
            describe=self.describe, heard=self.hear,
            clock=self.clock, wall=lambda: self.clock.monotonic() + self.set_by, random=lambda: 0.5,
        )  # fmt: skip

    def take(self, kind: str, body: Any) -> None:
        if self.away:
            raise Unreachable("gone")
        self.sent.append((self.clock.time - 1000.0, kind, body))

    def hear(self, text: str) -> None:
        self.texts.append(text)
        self.heard.append(json.loads(text))

    def describe(self) -> Mapping[str, Any]:
        self.polls += 1
        if isinstance(self.description, Exception):
            raise self.description
        return self.description

    def run(self, seconds: float) -> None:
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.clock.time += min(max(self.agent.step(), 0.001), end - self.clock.time)

    def times(self, kind: str) -> list[float]:
        return [round(at) for at, found, _body in self.sent if found == kind]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_event_on_start_and_every_thirty_seconds(world: World) -> None:
    world.run(95)
    assert world.times("event") == [0, 30, 60, 90]
    body = world.sent[0][2]
    assert (body["type"], body["host"]["name"], body["standalone"]) == ("raw_state", "m1", {"cores": 2})
    assert (body["forced_quarantine"], body["running_swarming_task"], body["monitor"]) == (False, False, {"dropped": 0})


def test_an_event_at_once_when_an_operator_says_something(world: World) -> None:
    world.run(11)
    world.machine.says = Flags(forced_quarantine=True)
    world.run(12)
    assert world.times("event") == [0, 15]
    assert world.sent[-1][2]["forced_quarantine"] is True


def test_an_event_is_about_the_device_that_the_description_says_is_attached(world: World) -> None:
    world.run(1)
    world.description = {"AttachedDevice": "ios"}
    world.agent.description_changed()
    world.run(1)
    assert world.times("event") == [0, 1]  # at once
    body = world.sent[-1][2]
    assert body["ios"] == {"device_type": "iPhone10,1"}
    assert not {"standalone", "server"} & body.keys()
    world.machine.found = {}  # it is gone
    world.run(31)
    body = world.sent[-1][2]
    assert not {"ios", "standalone", "server"} & body.keys()
    world.description = {"AttachedDevice": "nodevice"}
    world.agent.description_changed()
    world.run(1)
    assert world.sent[-1][2]["standalone"] == {"cores": 2}


def test_a_monitor_that_starts_knows_what_is_attached(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.memory.known = Attached("ssh", "root@h")
    world.away, world.description = True, Unreachable("gone")
    again = World(tmp_path, memory=world.memory)
    again.run(1)
    assert again.machine.attached == [Attached("ssh", "root@h")]


def test_the_first_event_of_all_waits_for_the_description(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.memory.known = None
    new = World(tmp_path, memory=world.memory)
    new.description = {"AttachedDevice": "adb"}
    new.run(1)
    assert (len(new.sent), new.machine.attached) == (1, [Attached("adb")])
    unknown = World(tmp_path, memory=Memory(None))
    unknown.memory.known = None
    unknown.description = NotFound("no such machine")
    unknown.run(1)
    assert unknown.sent[0][2]["standalone"] == {"cores": 2}


def test_a_document_when_none_was_published_and_then_every_six_hours(world: World) -> None:
    world.run(1)
    assert world.documents.starts == 1
    world.documents.ready = {"stats": {"seconds": 3.0}}
    world.run(1)
    assert [body for _at, kind, body in world.sent if kind == "device"] == [{"stats": {"seconds": 3.0}}]
    assert world.memory.published is not None
    world.run(6 * 3600 - 3)
    assert world.documents.starts == 1
    world.run(3)
    assert world.documents.starts == 2


def test_a_restart_does_not_publish_again(tmp_path: Path) -> None:
    world = World(tmp_path, published=1000.0 - 5 * 3600)
    world.run(3590)
    assert world.documents.starts == 0
    world.run(20)
    assert world.documents.starts == 1


def test_a_document_that_failed_is_not_tried_all_the_time(world: World) -> None:
    world.run(1)
    world.documents.busy = False  # and nothing to take
    world.run(3600)
    assert (world.documents.starts, world.memory.published) == (1, None)


def test_what_smart_says_is_in_every_event_until_the_next_document(world: World, tmp_path: Path) -> None:
    drives = [{"serial": "S1", "smart_status": "failed"}, {"serial": "S2", "smart_status": "ok"}]
    world.documents.ready = {"drives": [*drives, {"logical_name": "/dev/sdc", "smart_status": "failed"}]}
    world.machine.drives = {"S1": "OK", "S2": "OK", "sdc": "offline"}
    world.run(31)
    expected = {"S1": "SMART failed", "S2": "OK", "sdc": "offline"}  # what the kernel says is worse
    assert world.sent[-1][2]["server"]["drives"] == expected
    memory = FileMemory(tmp_path / "published.json")
    assert world.memory.published is not None
    memory.save(world.memory.published)
    again = memory.load()
    assert again is not None
    assert again.failed_drives == {"S1": "SMART failed", "sdc": "SMART failed"}
    (tmp_path / "published.json").write_text("[]")
    assert memory.load() is None


@pytest.mark.parametrize("jump", [-10 * 365 * 86400.0, -7 * 3600.0, 7 * 3600.0, 10 * 365 * 86400.0])
def test_a_clock_that_is_set_changes_no_pace(world: World, jump: float) -> None:
    world.run(1)
    world.documents.ready = {}
    world.run(31)
    world.set_by = jump
    world.run(6 * 3600 - 100)
    assert world.documents.starts == 1
    assert len(world.times("event")) == 718  # one each 30 s
    world.run(100)
    assert world.documents.starts == 2


def test_a_description_with_anything_in_it(world: World) -> None:
    world.description = {"MaintenanceMode": "\ud800", "Note": ["x"], "PowerCycle": {"a": [None]}, "IsQuarantined": 7}
    world.run(1)
    world.description = {"MaintenanceMode": {}, "Note": {"Message": {"b": "\udfff"}}}
    world.agent.description_changed()
    world.run(1)
    assert [sorted(heard) for heard in world.heard] == [
        ["IsQuarantined", "MaintenanceMode", "Note", "PowerCycle"],
        ["MaintenanceMode", "Note"],
    ]
    assert all(text.isascii() for text in world.texts)  # a hook can always have it on its input


def test_no_documents(tmp_path: Path) -> None:
    world = World(tmp_path, pace=MonitorSettings(device_seconds=0.0))
    world.run(7 * 3600)
    assert world.documents.starts == 0


def test_what_changes_in_the_description_is_told_once(world: World) -> None:
    world.run(1)
    world.description = {"MaintenanceMode": "alice"}
    world.agent.description_changed()
    world.run(1)
    world.description = {"MaintenanceMode": "alice", "LastUpdated": "later"}
    world.agent.description_changed()
    world.run(1)
    assert world.heard == [{"MaintenanceMode": ""}, {"MaintenanceMode": "alice"}]
    assert world.polls == 3


def test_without_a_stream_the_description_is_polled(world: World) -> None:
    world.description = NotFound("not yet")
    world.run(1)
    world.description = {"PowerCycle": True}
    world.run(58)
    assert world.heard == []
    world.run(2)
    assert world.heard == [{"PowerCycle": True}]


def test_an_outage_keeps_the_pace_and_the_order(world: World) -> None:
    world.away = True
    world.run(61)
    assert len(world.outbox.spool) == 3
    world.away = False
    world.run(60)  # the longest pause between two attempts
    assert not len(world.outbox.spool)
    assert len(world.times("event")) == 5
