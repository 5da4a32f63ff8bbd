# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import stat

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    BadResponse,
    Busy,
    InvalidInput,
    NotFound,
    Unreachable,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.host.spool import Outbox, Report, Spool

KINDS = ("event", "device")


def spool(folder, items=100, size=100_000):
    return Spool(folder, "monitor.state_dir", kinds=KINDS, max_items=items, max_bytes=size)


def drain(found):
    out = []
    for kind in KINDS:
        while reports := found.first(kind):
            out.append(reports[0].body["n"])
            found.remove(reports[0])
    return out


def test_order_and_kinds_survive_the_process(tmp_path):
    first = spool(tmp_path)
    for number in range(12):
        first.put(Report("device" if number == 3 else "event", {"n": number}))
    again = spool(tmp_path)
    again.put(Report("event", {"n": 12}))
    (report,) = again.first("device")
    assert report is not None
    assert (report.kind, report.body, len(again)) == ("device", {"n": 3}, 13)
    assert drain(again) == [*(number for number in range(13) if number != 3), 3]
    assert (len(spool(tmp_path)), again.bytes, again.dropped) == (0, 0, 0)


def test_the_oldest_go_when_there_are_too_many_or_too_large(tmp_path):
    few = spool(tmp_path / "few", items=3)
    for number in range(5):
        few.put(Report("event", {"n": number}))
    assert few.dropped == 2
    assert spool(tmp_path / "few").dropped == 2  # the count survives, too
    assert drain(few) == [2, 3, 4]
    small = spool(tmp_path / "small", size=100)
    for number in range(3):
        small.put(Report("event", {"n": number, "x": "y" * 30}))
    assert small.bytes <= 100
    small.put(Report("device", {"n": 9, "x": "y" * 200}))  # larger than all of it: the others stay
    assert small.dropped == 2
    assert drain(small) == [1, 2]
    spool(tmp_path / "less")
    for number in range(5):
        spool(tmp_path / "less").put(Report("event", {"n": number}))
    assert drain(spool(tmp_path / "less", items=2)) == [3, 4]  # a limit that was lowered


def test_what_a_kill_or_a_bad_disk_leaves(tmp_path):
    found = spool(tmp_path)
    for number in range(3):
        found.put(Report("event", {"n": number}))
    (tmp_path / ".000000000004-event.json.x1").write_text('{"n"')  # a write that did not end
    (tmp_path / "000000000002-event.json").write_text('{"n"')
    (tmp_path / "README").write_text("not ours")
    again = spool(tmp_path)
    assert drain(again) == [0, 2]
    assert again.dropped == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README", "dropped"]


def test_a_folder_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"monitor\.state_dir"):
        spool(tmp_path / "file" / "spool")


# -- reports with names of their own


def named(folder):
    return Spool(str(folder), "spool", keys=("n",))


def test_a_newer_report_replaces_the_older_of_its_name(tmp_path):
    found = named(tmp_path)
    for number in range(3):
        found.put(Report("", {"n": number}, "m1"))
    found.put(Report("", {"n": 9}, "a0"))
    assert [(report.name, report.body["n"]) for report in found.first("", 10)] == [("m1", 2), ("a0", 9)]
    assert [(report.name, report.body["n"]) for report in named(tmp_path).first("", 10)] == [("a0", 9), ("m1", 2)]


def test_files_of_others_stay(tmp_path):
    (tmp_path / "other.json").write_text('{"x": 1}')
    (tmp_path / "torn.json").write_text('{"n"')
    (tmp_path / ".m2.x1").write_text('{"n"')  # a write of another process, under way
    found = named(tmp_path)
    found.put(Report("", {"n": 1}, "m1"))
    assert [report.name for report in found.first("", 10)] == ["m1"]
    found.remove(found.first("")[0])
    assert len(found) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".m2.x1", "other.json", "torn.json"]


def test_files_are_private(tmp_path):
    found = named(tmp_path / "spool")
    found.put(Report("", {"n": 1}, "m1"))
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "spool" / "m1.json").stat().st_mode) == 0o600


# -- the outbox


class Line:
    """An outbox and its server, whose next answers are ``script``: errors that it raises, or answers of one call."""

    def __init__(self, folder, batch=3):
        self.script = []
        self.got = []
        self.told = []
        self.closed = 0.0
        self.spool = named(folder)
        self.outbox = Outbox(self.spool, self.send, self, self, batch=batch)

    def send(self, reports):
        answers = self.script.pop(0) if self.script else ["taken"] * len(reports)
        if isinstance(answers, Exception):
            raise answers
        self.got.append([report.body["n"] for report in reports])
        return answers

    def offer(self, *numbers):
        return self.outbox.offer([Report("", {"n": number}, f"m{number}") for number in numbers])

    def wait(self):
        return self.closed

    def worked(self):
        self.closed = 0.0

    def failed(self, error):
        self.told.append(error.code)
        self.closed = 5.0

    def left(self, report, answer, waited):
        self.told.append((report.body["n"], getattr(answer, "code", answer), waited))

    def kept(self, report):
        self.told.append((report.body["n"], "kept"))

    def lost(self, report, error):
        self.told.append((report.body["n"], error.code))


def test_what_waits_goes_first_and_in_batches(tmp_path):
    line = Line(tmp_path)
    line.script = [Unreachable("gone")]
    assert not line.offer(1, 2)
    assert not line.offer(3, 4)
    assert line.outbox.wait() == 5.0
    assert line.told == ["unreachable", *((number, "kept") for number in (1, 2, 3, 4))]
    line.closed = 0.0
    assert line.offer(5)
    assert line.got == [[1, 2, 3], [4], [5]]
    assert line.told[5:] == [*((number, "taken", True) for number in (1, 2, 3, 4)), (5, "taken", False)]
    assert line.outbox.wait() is None


def test_an_answer_that_means_not_now_keeps_its_report_only(tmp_path):
    line = Line(tmp_path)
    line.script = [["taken", Busy("later"), NotFound("no such machine")]]
    assert not line.offer(1, 2, 3)
    assert line.told == [(1, "taken", False), "busy", (3, "not_found", False), (2, "kept")]
    assert line.outbox.flush() == 0, "the gate is closed"
    assert line.outbox.flush(now=True) == 1


def test_a_batch_that_is_refused_is_sent_one_by_one(tmp_path):
    line = Line(tmp_path)
    line.script = [InvalidInput("too large"), ["taken"], InvalidInput("too large"), ["taken"]]
    assert line.offer(1, 2, 3)
    assert line.told == [(1, "taken", False), (2, "invalid_input", False), (3, "taken", False)]


class Failing(Line):
    """A server that fails on some reports, and takes the others."""

    bad: frozenset[int] = frozenset()
    status = 500

    def send(self, reports):
        numbers = [report.body["n"] for report in reports]
        if self.bad & set(numbers):
            raise BadResponse("internal error", status=self.status)
        self.got.append(numbers)
        return ["taken"] * len(reports)


def waiting(line, numbers):
    for number in numbers:
        line.spool.put(Report("", {"n": number}, f"m{number}"))


@pytest.mark.parametrize("batch", [1, 3])
def test_what_the_server_fails_on_does_not_hold_up_what_it_takes(tmp_path, batch):
    line = Failing(tmp_path, batch)
    line.bad = frozenset([1, 2, 4])
    waiting(line, range(1, 7))
    line.outbox.flush()
    line.closed = 0.0
    line.offer(7)  # the last one that fails waits for it
    line.closed = 0.0
    line.outbox.flush()
    assert sorted(number for numbers in line.got for number in numbers) == [3, 5, 6, 7]
    refused = [said for said in line.told if isinstance(said, tuple) and said[1] == "bad_response"]
    assert sorted(refused) == [(number, "bad_response", True) for number in (1, 2, 4)]
    assert len(line.spool) == 0


@pytest.mark.parametrize(("bad", "status"), [(range(1, 5), 500), ([1], 404)])
def test_a_server_that_fails_on_all_or_has_no_such_path_loses_nothing(tmp_path, bad, status):
    line = Failing(tmp_path, 1)
    line.bad, line.status = frozenset(bad), status
    waiting(line, range(1, 5))
    assert line.outbox.flush() == 0
    assert len(line.spool) == 4
    assert line.closed


def test_the_one_that_a_server_fails_on_waits_for_the_next(tmp_path):
    line = Failing(tmp_path)
    line.bad = frozenset([1])
    assert not line.offer(1)
    assert len(line.spool) == 1
    line.closed = 0.0
    assert not line.offer(2)
    line.closed = 0.0
    assert line.offer(3)
    assert line.got == [[2], [3]]
    assert line.told[-3:] == [(1, "bad_response", True), (2, "taken", True), (3, "taken", False)]


@pytest.mark.parametrize("now", ["taken", "unreachable"])
def test_a_server_that_was_away_for_a_moment_does_not_lose_a_report(tmp_path, now):
    """It restarts behind a proxy while a batch is sent: the first one was not what it failed on."""
    away = BadResponse("bad gateway", status=502)
    line = Line(tmp_path)
    line.script = [away, away, ["taken"], ["taken"], ["taken"] if now == "taken" else Unreachable("gone")]
    assert line.offer(1, 2, 3) is (now == "taken")
    assert line.got[:2] == [[2], [3]]
    assert ((1, "taken", False) in line.told, len(line.spool)) == (now == "taken", int(now != "taken"))
    line = Line(tmp_path / "waits", batch=1)
    waiting(line, (1, 2))
    line.script = [away, ["taken"], ["taken"] if now == "taken" else Unreachable("gone")]
    line.outbox.flush()
    assert len(line.spool) == int(now != "taken")


def test_what_can_be_neither_sent_nor_kept_is_lost(tmp_path):
    line = Line(tmp_path / "spool")
    (tmp_path / "spool").rmdir()
    line.script = [Unreachable("gone")]
    assert not line.offer(1)
    assert line.told == ["unreachable", (1, "invalid_input")]
