# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sweep itself, with collections and a server that the test scripts."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import tempfile
import threading
import time

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import (
    Coverage,
    Device,
    Source,
    Verdict,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    AuthenticationFailed,
    ConflictError,
    InvalidInput,
    TimedOut,
    Unreachable,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.host.clock import SystemClock
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.host.spool import Report
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.sweep import delivery
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.sweep.delivery import sweep_spool
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.sweep.done import DoneMachines
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.sweep.engine import Sweep, Target

NOW = "2026-01-01T00:00:00Z"


class Bmcs:
    """Collections: each takes ``seconds``, or raises what ``errors`` has for it."""

    def __init__(self, count, errors=None, seconds=0.0):
        self.targets = [Target(f"m{number}", lambda number=number: number) for number in range(count)]
        self.errors = errors or {}
        self.seconds = seconds
        self.asked = []
        self.now = self.most = 0
        self.logged_out = 0

    async def collect(self, target):
        number = target.source()
        self.asked.append(number)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
            if number in self.errors:
                raise self.errors[number]
        finally:
            self.now -= 1
            self.logged_out += 1
        coverage = {"system": Coverage(Verdict.FAILED if number == 3 else Verdict.COLLECTED)}
        return Device(serial=f"S{number}", source=Source.OOB, coverage=coverage)


class Server:
    """A machine server: ``errors`` are raised by the next calls, ``refused`` are its answers for machines."""

    def __init__(self, errors=(), refused=None, seconds=0.0):
        self.errors = list(errors)
        self.refused = refused or {}
        self.seconds = seconds
        self.got = []
        self.calls = []

    def publish(self, items):
        time.sleep(self.seconds)
        self.calls.append(len(items))
        if self.errors:
            error = self.errors.pop(0)
            if error is not None:
                raise error
        self.got += [machine for machine, _device in items]
        return [{"changed": True, "error": self.refused.get(machine)} for machine, _device in items]


def sweep(bmcs, server=None, **options):
    async def main():
        publish = server.publish if server else None
        one = Sweep(bmcs.targets, bmcs.collect, SystemClock(), publish=publish, **{"concurrency": 8, **options})
        return await one.run()

    with tempfile.TemporaryDirectory() as folder:
        options.setdefault("spool", sweep_spool(folder) if server else None)
        return asyncio.run(main())


def test_all_are_collected_and_published():
    bmcs, server = Bmcs(100), Server()
    summary = sweep(bmcs, server)
    assert sorted(server.got) == sorted(target.machine for target in bmcs.targets)
    assert (summary.total, summary.collected, summary.published, summary.failed) == (100, 100, 100, 0)
    assert summary.incomplete == 1
    assert bmcs.most == 8
    assert max(server.calls) <= delivery.BATCH


def test_a_failure_is_its_machines_own():
    errors = {3: TimedOut("no answer"), 7: ValueError("not foreseen"), 9: Unreachable("refused")}
    summary = sweep(Bmcs(20, errors), Server())
    assert (summary.collected, summary.failed) == (17, 3)
    found = {item["machine"]: (item["stage"], item["code"]) for item in summary.failures}
    assert found == {"m3": ("collect", "timeout"), "m7": ("collect", "bug"), "m9": ("collect", "unreachable")}
    assert summary.by_error == {"timeout": 1, "bug": 1, "unreachable": 1}


def test_one_that_hangs_does_not_hold_up_the_others():
    bmcs = Bmcs(40)
    slow = bmcs.collect

    async def collect(target):
        if target.source() == 0:
            bmcs.others_done = asyncio.Event()
            await bmcs.others_done.wait()
        device = await slow(target)
        if bmcs.logged_out == 39:
            bmcs.others_done.set()
        return device

    bmcs.collect = collect
    assert sweep(bmcs, concurrency=2).collected == 40


def test_memory_does_not_grow_behind_a_slow_server():
    bmcs, server = Bmcs(300), Server(seconds=0.01)
    summary = sweep(bmcs, server)
    assert summary.published == 300
    assert summary.peak_documents <= 8 + delivery.QUEUE + delivery.BATCH


def test_what_the_server_refuses_for_one_machine():
    server = Server(refused={"m5": {"code": "not_found", "message": "no such machine", "details": {}}})
    summary = sweep(Bmcs(10), server)
    assert (summary.published, summary.refused) == (9, 1)
    assert summary.failures == [
        {"machine": "m5", "stage": "publish", "code": "not_found", "message": "no such machine"}
    ]


def test_a_batch_that_is_refused_whole_is_sent_one_by_one():
    server = Server(errors=[InvalidInput("too large")])
    summary = sweep(Bmcs(5), server, concurrency=5)
    assert (summary.published, summary.refused) == (5, 0)
    assert sorted(server.calls) == [1, 1, 1, 1, 1, 5]


def test_server_down_in_the_middle(tmp_path):
    events = []
    spool = sweep_spool(str(tmp_path / "spool"))
    server = Server(errors=[None, Unreachable("down"), Unreachable("down")])
    told = {"on_event": lambda event, _facts: events.append(event), "retry_seconds": 0.0}
    summary = sweep(Bmcs(120, seconds=0.001), server, spool=spool, **told)
    assert sorted(server.got) == sorted(f"m{number}" for number in range(120)), "each once, after all"
    assert (summary.published, summary.spooled, len(spool)) == (120, 0, 0)
    assert "server_down" in events
    assert "server_up" in events


def test_server_down_to_the_end_and_sent_by_the_next_sweep(tmp_path):
    spool = sweep_spool(str(tmp_path / "spool"))
    down = Server(errors=[Unreachable("down")] * 1000)
    summary = sweep(Bmcs(50), down, spool=spool)
    assert (summary.collected, summary.published, summary.spooled) == (50, 0, 50)
    assert summary.failures == []
    assert len(down.calls) <= 5, "a server that is down is not asked for each document"
    up = Server()
    summary = sweep(Bmcs(1), up, spool=spool)
    assert len(up.got) == 51
    assert (len(spool), summary.spooled) == (0, 0)
    assert up.got[-1] == "m0", "the new one after the old one"


DENIED = {"code": "permission_denied", "message": "the token may not do this", "details": {}}


@pytest.mark.parametrize(
    "server",
    [
        Server(errors=[AuthenticationFailed("no such token")]),
        Server(refused={f"m{number}": DENIED for number in range(500)}),
    ],
    ids=["all", "each"],
)
def test_a_refused_token_stops_the_sweep_and_loses_nothing(tmp_path, server):
    spool = sweep_spool(str(tmp_path / "spool"))
    path = str(tmp_path / "state")
    bmcs = Bmcs(500, seconds=0.002)
    with contextlib.closing(DoneMachines(path, NOW)) as journal:
        summary = sweep(bmcs, server, spool=spool, done=journal)
    assert summary.problem is not None
    assert summary.problem.code in ("authentication_failed", "permission_denied")
    assert len(bmcs.asked) < 400
    assert summary.collected == summary.spooled == len(spool) >= 1
    assert summary.published == summary.refused == 0
    assert bmcs.now == 0

    again = Bmcs(500)
    right = Server()
    with contextlib.closing(DoneMachines(path, NOW)) as journal:
        summary = sweep(again, right, spool=spool, done=journal)
    assert summary.problem is None
    assert sorted(right.got) == sorted(target.machine for target in bmcs.targets), "each once"
    assert summary.skipped + summary.collected == 500
    assert len(spool) == 0


def test_a_spool_is_kept_when_the_token_is_refused(tmp_path):
    spool = sweep_spool(str(tmp_path / "spool"))
    spool.put(Report("", {"machine": "old", "device": {"serial": "1"}}, "old"))
    summary = sweep(Bmcs(1), Server(refused={"old": DENIED, "m0": DENIED}), spool=spool)
    kept = {path.stem for path in (tmp_path / "spool").iterdir()}
    # The refusal stops the sweep, before or after the one machine was read.
    assert kept in ({"old"}, {"old", "m0"})
    assert (summary.problem.code, summary.spooled) == ("permission_denied", len(kept))


def test_documents_as_files(tmp_path):
    bmcs = Bmcs(1)
    bmcs.targets = [dataclasses.replace(bmcs.targets[0], machine="../site/m0")]
    sweep(bmcs, directory=str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert file.name == "%2E.%2Fsite%2Fm0.json"
    assert json.loads(file.read_text())["serial"] == "S0"


# -- stop and resume ---------------------------------------------------------------------------------------------------


def stopped(bmcs, after, **options):
    async def main():
        async def collect(target):
            device = await bmcs.collect(target)
            if len(bmcs.asked) >= after:
                asyncio.get_running_loop().call_soon(one.stop)
            return device

        one = Sweep(bmcs.targets, collect, SystemClock(), concurrency=8, **options)
        return await one.run()

    return asyncio.run(main())


def test_stop_and_resume(tmp_path):
    path = str(tmp_path / "state")
    bmcs, server = Bmcs(100, {5: TimedOut("no answer")}, seconds=0.02), Server()
    journal = DoneMachines(path, NOW)
    spool = sweep_spool(str(tmp_path / "spool"))
    summary = stopped(bmcs, 40, publish=server.publish, spool=spool, done=journal)
    journal.close()
    assert summary.interrupted
    assert 0 < summary.collected < 100
    assert bmcs.logged_out == len(bmcs.asked)
    first = list(server.got)
    assert len(first) == summary.collected, "what was collected is published"

    rest, journal = Bmcs(100), DoneMachines(path, NOW)
    summary = sweep(rest, server, done=journal)
    journal.close()
    assert summary.skipped == len(first)
    assert sorted(server.got) == sorted(f"m{number}" for number in range(100)), "each once"
    assert 5 in rest.asked, "what failed is tried again"

    journal = DoneMachines(path, NOW)
    assert journal.machines == set(), "the sweep came to its end: the next one begins anew"
    journal.close()


def test_a_journal_of_a_sweep_that_was_killed_in_the_middle_of_a_line(tmp_path):
    path = tmp_path / "state"
    path.write_text('{"sweep": "x"}\n{"machine": "m1", "result": "published"}\n{"machine": "m')
    journal = DoneMachines(str(path), NOW)
    journal.add("m2", "published")
    journal.close()
    again = DoneMachines(str(path), NOW)
    assert again.machines == {"m1", "m2"}
    with pytest.raises(ConflictError, match="another sweep"):
        DoneMachines(str(path), NOW)
    again.close()


def test_a_file_that_is_no_journal_is_left_alone(tmp_path):
    path = tmp_path / "precious"
    path.write_text("something\n")
    with pytest.raises(InvalidInput, match="not the journal"):
        DoneMachines(str(path), NOW)
    assert path.read_text() == "something\n"


def test_publishing_happens_outside_of_the_event_loop():
    threads = set()
    server = Server()
    publish = server.publish

    def note(items):
        threads.add(threading.get_ident())
        return publish(items)

    server.publish = note
    sweep(Bmcs(30), server)
    assert threading.get_ident() not in threads
    assert len(threads) == 1
