# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on disk, and their way to a server that comes and goes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import (
    AuthenticationFailed,
    BadResponse,
    FleetError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unreachable,
)
from fleetcore.host.spool import Spool
from monitor_fakes import FakeClock
from structlog.testing import capture_logs

from fleetd.common.link import Link
from fleetd.monitor.adapters.outbox import KINDS, Outboxes


def spool(folder: Path, items: int = 100, size: int = 100_000) -> Spool:
    return Spool(folder, "monitor.state_dir", kinds=KINDS, max_items=items, max_bytes=size)


def drain(found: Spool) -> list[Any]:
    out = []
    for kind in KINDS:
        while reports := found.first(kind):
            (report,) = reports
            out.append(report.body["n"])
            found.remove(report)
    return out


class Line:
    """A server that answers with ``error``, or takes what comes."""

    def __init__(self, folder: Path) -> None:
        self.error: FleetError | None = None
        self.fails_on: int | None = None  # all
        self.got: list[Any] = []
        self.clock = FakeClock()
        self.outbox = Outboxes(
            spool(folder),
            {"event": self.take, "device": self.take},
            {kind: Link(self.clock, lambda: 1.0, maximum=30.0) for kind in KINDS},
        )

    def take(self, body: Mapping[str, Any]) -> None:
        if self.error is not None and self.fails_on in (None, body["n"]):
            raise self.error
        self.got.append(body["n"])


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path)


def test_an_outage_costs_nothing_but_time(line: Line) -> None:
    assert line.outbox.offer("event", {"n": 0})
    line.error = Unreachable("gone")
    for number in (1, 2, 3):
        assert not line.outbox.offer("device" if number == 2 else "event", {"n": number})
    assert line.outbox.wait() == 1.0
    line.error = None
    assert not line.outbox.flush()  # too early: it would be asked too often
    line.clock.time += 1.1
    assert line.outbox.offer("event", {"n": 4})
    assert line.got == [0, 1, 3, 2, 4]  # events first
    assert not len(line.outbox.spool)
    assert line.outbox.wait() is None


def test_an_outage_in_the_middle_of_the_queue(line: Line) -> None:
    line.error = Unreachable("gone")
    for number in range(4):
        line.outbox.offer("event", {"n": number})
    line.error, line.clock.time = None, line.clock.time + 60
    stops = iter([False, False, True])
    assert not line.outbox.flush(lambda: next(stops, True))
    assert line.got == [0, 1]
    assert line.outbox.flush()
    assert line.got == [0, 1, 2, 3]


def test_what_the_server_refuses_does_not_hold_up_the_rest(line: Line) -> None:
    line.error = InvalidInput("server: host.name: is blank")
    with capture_logs() as said:
        assert line.outbox.offer("event", {"n": 0})
    assert [(entry["event"], entry["log_level"]) for entry in said] == [("report_refused", "error")]
    assert line.outbox.refused == 1
    line.error = None
    assert line.outbox.offer("event", {"n": 1})
    assert line.got == [1]


@pytest.mark.parametrize("error", [AuthenticationFailed("no"), PermissionDenied("no"), BadResponse("oh", status=500)])
def test_a_token_that_is_refused_is_said_once_and_costs_no_report(line: Line, error: FleetError) -> None:
    line.error = error
    with capture_logs() as said:
        for number in range(4):
            line.outbox.offer("event", {"n": number})
            line.clock.time += 100
    assert [entry["event"] for entry in said].count("server_down") == 1
    line.error = None
    assert line.outbox.flush()
    assert line.got == [0, 1, 2, 3]


def test_a_document_that_the_server_fails_on_holds_up_no_event(line: Line) -> None:
    line.fails_on = 0
    line.error = BadResponse("oh", status=500)
    assert not line.outbox.offer("device", {"n": 0})
    for number in range(1, 4):
        assert line.outbox.offer("event", {"n": number})
        line.clock.time += 30
    assert line.got == [1, 2, 3]
    assert [path.name[13:] for path in line.outbox.spool._folder.glob("0*")] == ["device.json"]
    line.error = None
    line.clock.time += 60
    assert line.outbox.flush()
    assert line.got == [1, 2, 3, 0]


@pytest.mark.parametrize("error", [NotFound("404"), BadResponse("405", status=405)])
def test_a_server_that_knows_no_documents_gets_events(line: Line, error: FleetError) -> None:
    line.error = error
    with capture_logs() as said:
        line.outbox.offer("device", {"n": 0})
        line.outbox.offer("device", {"n": 1})
    assert [entry["event"] for entry in said] == ["not_taken"]
    line.error = None
    assert line.outbox.offer("event", {"n": 2})
    assert line.got == [2]


def test_a_full_spool_is_said(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.outbox.spool._max_items = 2
    line.error = Unreachable("gone")
    with capture_logs() as said:
        for number in range(5):
            line.outbox.offer("event", {"n": number})
    assert [entry["event"] for entry in said] == ["server_down", "spooling", "spool_full"]
    assert line.outbox.spool.dropped == 3


def test_a_stop_keeps_what_is_being_sent(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_body: Mapping[str, Any]) -> None:
        entered.set()
        leave.wait(60)
        raise Unreachable("gone")

    outbox = Outboxes(
        spool(tmp_path), {"event": slow, "device": slow}, {kind: Link(FakeClock(), lambda: 1.0) for kind in KINDS}
    )
    thread = threading.Thread(target=outbox.offer, args=("event", {"n": 7}))
    thread.start()
    assert entered.wait(60)
    outbox.keep_flying()
    assert drain(spool(tmp_path)) == [7]
    leave.set()
    thread.join(60)
    assert drain(spool(tmp_path)) == []  # and not a second time


def test_a_document_that_the_server_fails_on_holds_up_no_newer_one(line: Line) -> None:
    line.error, line.fails_on = BadResponse("server: internal error", status=500), 0
    assert not line.outbox.offer("device", {"n": 0})
    with capture_logs() as said:
        for number in (1, 2):
            line.outbox.offer("device", {"n": number})
            line.clock.time += 100
        assert line.outbox.flush()
    assert line.got == [1, 2]
    assert [entry["message"] for entry in said if entry["event"] == "report_refused"] == [
        "dropped: server: internal error"
    ]


def test_events_wait_for_the_one_that_the_server_fails_on(line: Line) -> None:
    line.error, line.fails_on = BadResponse("server: internal error", status=500), 0
    for number in range(3):
        line.outbox.offer("event", {"n": number})
        line.clock.time += 100
    assert not line.outbox.flush()
    assert line.got == []
    line.error, line.clock.time = None, line.clock.time + 100
    assert line.outbox.flush()
    assert line.got == [0, 1, 2]
