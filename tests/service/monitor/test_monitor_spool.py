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
from monitor_fakes import FakeClock
from structlog.testing import capture_logs

from fleetd.common.link import Link
from fleetd.monitor.adapters.outbox import KINDS, Outbox
from fleetd.monitor.adapters.spool import Spool


def spool(folder: Path, items: int = 100, size: int = 100_000) -> Spool:
    return Spool(folder, max_items=items, max_bytes=size)


def drain(found: Spool) -> list[Any]:
    out = []
    for kind in KINDS:
        while (report := found.first(kind)) is not None:
            out.append(report.body["n"])
            found.remove(report)
    return out


def test_order_and_kinds_survive_the_process(tmp_path: Path) -> None:
    first = spool(tmp_path)
    for number in range(12):
        first.put("device" if number == 3 else "event", {"n": number})
    again = spool(tmp_path)
    again.put("event", {"n": 12})
    report = again.first("device")
    assert report is not None
    assert (report.kind, report.body, len(again)) == ("device", {"n": 3}, 13)
    assert drain(again) == [*(number for number in range(13) if number != 3), 3]
    assert (len(spool(tmp_path)), again.bytes, again.dropped) == (0, 0, 0)


def test_the_oldest_go_when_there_are_too_many_or_too_large(tmp_path: Path) -> None:
    few = spool(tmp_path / "few", items=3)
    for number in range(5):
        few.put("event", {"n": number})
    assert few.dropped == 2
    assert spool(tmp_path / "few").dropped == 2  # the count survives, too
    assert drain(few) == [2, 3, 4]
    small = spool(tmp_path / "small", size=100)
    for number in range(3):
        small.put("event", {"n": number, "x": "y" * 30})
    assert small.bytes <= 100
    small.put("device", {"n": 9, "x": "y" * 200})  # larger than all of it: the others stay
    assert small.dropped == 2
    assert drain(small) == [1, 2]
    spool(tmp_path / "less")
    for number in range(5):
        spool(tmp_path / "less").put("event", {"n": number})
    assert drain(spool(tmp_path / "less", items=2)) == [3, 4]  # a limit that was lowered


def test_what_a_kill_or_a_bad_disk_leaves(tmp_path: Path) -> None:
    found = spool(tmp_path)
    for number in range(3):
        found.put("event", {"n": number})
    (tmp_path / ".000000000004-event.json.x1").write_text('{"n"')  # a write that did not end
    (tmp_path / "000000000002-event.json").write_text('{"n"')
    (tmp_path / "README").write_text("not ours")
    again = spool(tmp_path)
    assert drain(again) == [0, 2]
    assert again.dropped == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README", "dropped"]


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"monitor\.state_dir"):
        spool(tmp_path / "file" / "spool")


# -- the outbox


class Line:
    """A server that answers with ``error``, or takes what comes."""

    def __init__(self, folder: Path) -> None:
        self.error: FleetError | None = None
        self.fails_on: int | None = None  # all
        self.got: list[Any] = []
        self.clock = FakeClock()
        self.outbox = Outbox(
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

    outbox = Outbox(spool(tmp_path), {"event": slow}, {kind: Link(FakeClock(), lambda: 1.0) for kind in KINDS})
    thread = threading.Thread(target=outbox.offer, args=("event", {"n": 7}))
    thread.start()
    assert entered.wait(60)
    outbox.keep_flying()
    assert drain(spool(tmp_path)) == [7]
    leave.set()
    thread.join(60)
    assert drain(spool(tmp_path)) == []  # and not a second time
