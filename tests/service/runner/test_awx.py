# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWX executor against a simulated AWX: the shapes of its documented REST API, no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from awx_sim import POWER, Awx
from fleetcore.errors import AuthenticationFailed, FleetError, InvalidInput, PermissionDenied
from fleetcore.net.http import HttpClient, HttpOptions

from fleetd.runner.adapters.awx import AwxRunner
from fleetd.runner.ports import PlaybookRun, RunProgress


@pytest.fixture
def awx() -> Iterator[Awx]:
    awx = Awx()
    yield awx
    awx.close()


class Adapter(AwxRunner):
    def __init__(self, root: Path, awx: Awx, token: str = "right", template: str = "power cycle") -> None:
        self.now = 1000.0
        self.token = token
        super().__init__(
            root, HttpClient(HttpOptions(awx.url)), lambda: self.token, {"cycle.yml": template}, lambda *_: {},
            monotonic=lambda: self.now, look_seconds=0, timeout=600,
        )  # fmt: skip


def run(name: str = "cycle-1", **fields: Any) -> PlaybookRun:
    return PlaybookRun(name, "cycle.yml", ("inv",), ("a", "b", "c"), (POWER,), {"x": 1}, **fields)


def test_a_job_for_exactly_these_hosts_whose_outcomes_arrive_as_they_happen(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    job = awx.jobs[101]
    assert (job["limit"], json.loads(job["extra_vars"])) == ("a,b,c", {"x": 1, "fleetd_run": "cycle-1"})
    assert adapter.progress("cycle-1") == RunProgress()
    for host in "abc":
        awx.happen(101, "runner_on_start", host)
    awx.happen(101, "runner_on_ok", "b", power={"verified": True}, invocation={"module_args": {"password": "x"}})
    assert [(o.host, o.ok, dict(o.result)) for o in adapter.progress("cycle-1").outcomes] == [
        ("b", True, {"power": {"verified": True}})
    ]
    awx.happen(101, "runner_on_failed", "a", msg="no", failure={"code": "unreachable", "message": "m", "details": {}})
    awx.end(101, "failed")
    ended = adapter.progress("cycle-1")
    assert ended.finished
    assert {o.host: o.error.get("code") for o in ended.outcomes} == {"b": None, "a": "unreachable"}, "c: nobody knows"
    adapter.discard("cycle-1")
    assert adapter.known() == []


def test_a_playbook_for_many_machines_on_localhost(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run(on_controller=True))
    assert (awx.jobs[101]["limit"], json.loads(awx.jobs[101]["extra_vars"])["target"]) == ("", "a,b,c")
    awx.happen(101, "runner_on_ok", "localhost", failures=[{"machine": "b", "code": "unreachable", "message": "m"}])
    awx.end(101)
    assert {o.host: o.ok for o in adapter.progress("cycle-1").outcomes} == {"a": True, "b": False, "c": True}


@pytest.mark.parametrize("forgotten", ["the answer was lost", "killed before it was written down"])
def test_a_job_is_found_again_and_not_launched_twice(awx: Awx, tmp_path: Path, forgotten: str) -> None:
    awx.lose_answers = forgotten == "the answer was lost"
    Adapter(tmp_path, awx).start(run())
    (tmp_path / "cycle-1" / "job.json").unlink(missing_ok=True)
    awx.happen(101, "runner_on_ok", "a", power={})
    life = Adapter(tmp_path, awx)
    assert life.known() == ["cycle-1"]
    assert [o.host for o in life.progress("cycle-1").outcomes] == ["a"]
    assert awx.launches == 1


def test_a_launch_that_awx_never_saw_was_none_but_only_after_a_while(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    (tmp_path / "cycle-1" / "job.json").unlink()
    awx.jobs.clear()
    assert adapter.progress("cycle-1") == RunProgress()
    adapter.now += 150
    assert adapter.progress("cycle-1") == RunProgress(), "AWX may take two minutes for a request"
    adapter.now += 100
    assert adapter.progress("cycle-1") == RunProgress(finished=True, launched=False)


def test_a_launch_counts_as_none_only_while_awx_answers(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    awx.lose_answers = True
    adapter.start(run())
    awx.refuse = lambda _method, _path: 503
    for _ in range(10):
        adapter.progress("cycle-1")
        adapter.now += 100
    awx.refuse = lambda _method, _path: None
    adapter.now += 1000
    assert adapter.progress("cycle-1") == RunProgress()
    assert json.loads((tmp_path / "cycle-1" / "job.json").read_text())["job"] == 101


def test_nothing_is_decided_while_awx_is_away(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    awx.server.shutdown()
    awx.server.server_close()
    adapter.now += 100
    assert adapter.progress("cycle-1") == RunProgress()


def test_a_job_that_awx_could_not_run_has_done_nothing(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    awx.end(101, "error", "no capacity")
    ended = adapter.progress("cycle-1")
    assert {o.error["code"] for o in ended.outcomes} == {"not_started"}
    assert "no capacity" in ended.problem


def test_a_job_that_hangs_is_cancelled_and_one_that_waits_for_capacity_is_not(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    for status in ("pending", "waiting", "running"):
        awx.jobs[101]["status"] = status
        assert adapter.progress("cycle-1") == RunProgress()
        adapter.now += 190
    assert awx.cancelled == []
    adapter.now += 100
    assert not adapter.progress("cycle-1").finished
    assert awx.cancelled == [101]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"ignore": {"limit": "a,b,c"}}, "AWX ignored limit"),
        ({"ignore": {"extra_vars": {"x": 1}}}, "AWX ignored extra_vars"),
        ({"launch_with": {"limit": ""}}, "the limit ''"),
        ({"launch_with": {"limit": "a,b,c,d"}}, "the limit 'a,b,c,d'"),
        ({"launch_with": {"type": "workflow_job"}}, "several jobs"),
    ],
)
@pytest.mark.parametrize("deaf", [0, 3])
def test_a_job_for_other_machines_is_cancelled_until_it_has_ended(
    awx: Awx, tmp_path: Path, fault: dict[str, Any], why: str, deaf: int
) -> None:
    """Also when AWX does not take the cancellation at first, or the runner is killed in between."""
    left = [deaf]

    def refuse(_method: str, path: str) -> int | None:
        left[0] -= path.endswith("cancel/")
        return 503 if path.endswith("cancel/") and left[0] >= 0 else None

    for name, value in fault.items():
        setattr(awx, name, value)
    awx.refuse = refuse
    Adapter(tmp_path, awx).start(run())
    adapter = Adapter(tmp_path, awx)
    for _ in range(deaf):
        assert not adapter.progress("cycle-1").finished
    assert awx.cancelled[:1] == [101]
    awx.end(101, "canceled")
    ended = adapter.progress("cycle-1")
    assert ended.finished
    assert why in ended.problem
    assert {(o.host, o.error["code"]) for o in ended.outcomes} == {(h, "not_started") for h in "abc"}
    assert awx.launches == 1


def test_a_job_whose_launch_was_not_answered_is_looked_at_before_it_is_followed(awx: Awx, tmp_path: Path) -> None:
    awx.lose_answers = True
    awx.launch_with = {"limit": ""}
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    assert awx.cancelled == []
    adapter.progress("cycle-1")
    assert awx.cancelled[0] == 101


def test_machines_on_which_a_wrong_job_has_begun_are_named(awx: Awx, tmp_path: Path) -> None:
    awx.ignore = {"limit": "a,b,c"}
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    awx.happen(101, "runner_on_start", "somebody-else")
    awx.end(101, "canceled")
    with structlog.testing.capture_logs() as lines:
        assert adapter.progress("cycle-1").finished
    assert [line["machines"] for line in lines if line["event"] == "awx_others"] == [["somebody-else"]]


def test_a_job_that_somebody_launched_again_in_awx_is_not_taken_for_the_run_s_own(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    (tmp_path / "cycle-1" / "job.json").unlink()
    awx.launch(7, {"limit": "a,b,c", "extra_vars": {"fleetd_run": "cycle-1"}})
    for number in range(5):  # and others, more than a page
        awx.launch(7, {"limit": "x", "extra_vars": {"fleetd_run": f"other-{number}"}})
    adapter.progress("cycle-1")
    assert json.loads((tmp_path / "cycle-1" / "job.json").read_text())["job"] == 101


def test_an_event_that_awx_stored_late_is_not_missed(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    for host in "abc":
        awx.happen(101, "runner_on_start", host)
        awx.happen(101, "runner_on_ok", host, power={"verified": True})
    late = awx.events[101].pop(1)
    assert {o.host for o in adapter.progress("cycle-1").outcomes} == {"b", "c"}
    awx.events[101].insert(1, late)
    awx.end(101)
    assert {o.host for o in adapter.progress("cycle-1").outcomes} == {"a", "b", "c"}


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503, 404])
def test_awx_that_refuses_in_mid_job_decides_nothing_and_costs_one_line(awx: Awx, tmp_path: Path, status: int) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    awx.happen(101, "runner_on_ok", "a", power={})
    adapter.progress("cycle-1")
    awx.refuse = lambda _method, _path: status
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            found = adapter.progress("cycle-1")
            assert ([o.host for o in found.outcomes], found.finished) == (["a"], False)
            adapter.now += 10
    assert len(lines) == (0 if status == 404 else 1)
    awx.refuse = lambda _method, _path: None
    awx.happen(101, "runner_on_ok", "b", power={})
    assert [o.host for o in adapter.progress("cycle-1").outcomes] == ["a", "b"]
    assert awx.launches == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationFailed), (403, PermissionDenied), (400, InvalidInput), (405, InvalidInput)],
)
def test_a_launch_that_awx_refuses_has_not_happened(
    awx: Awx, tmp_path: Path, status: int, error: type[FleetError]
) -> None:
    adapter = Adapter(tmp_path, awx)
    awx.refuse = lambda method, _path: status if method == "POST" else None
    with pytest.raises(error):
        adapter.start(run())
    assert (awx.launches, adapter.known()) == (0, [])


def test_a_launch_that_broke_off_is_looked_for_and_not_repeated(awx: Awx, tmp_path: Path) -> None:
    """5xx: AWX may have made the job all the same."""
    adapter = Adapter(tmp_path, awx)
    awx.refuse = lambda method, _path: 502 if method == "POST" else None
    adapter.start(run())
    awx.refuse = lambda _method, _path: None
    assert adapter.progress("cycle-1") == RunProgress()
    awx.launch(7, {"limit": "a,b,c", "extra_vars": {"fleetd_run": "cycle-1"}})
    awx.happen(101, "runner_on_ok", "a", power={})
    assert [o.host for o in adapter.progress("cycle-1").outcomes] == ["a"]


@pytest.mark.parametrize("status", ["error", "canceled", "failed"])
def test_a_job_that_ends_in_the_middle_leaves_open_what_it_had_begun(awx: Awx, tmp_path: Path, status: str) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    awx.happen(101, "runner_on_start", "a")
    awx.happen(101, "runner_on_start", "b")
    awx.happen(101, "runner_on_ok", "b", power={})
    awx.end(101, status)
    ended = adapter.progress("cycle-1")
    assert ended.finished
    assert {o.host: o.error.get("code") for o in ended.outcomes} == {"b": None, "c": "not_started"}, "a may be off"


def test_a_job_whose_events_are_still_being_stored_has_not_ended(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    awx.jobs[101]["status"] = "successful"
    assert not adapter.progress("cycle-1").finished
    adapter.now += 700  # but not for ever
    assert adapter.progress("cycle-1").finished


@pytest.mark.parametrize(
    ("template", "token", "error", "text"),
    [
        ("silent", "right", InvalidInput, "ask_limit_on_launch and ask_variables_on_launch"),
        ("nobody", "right", InvalidInput, "0 job templates"),
        ("sliced", "right", InvalidInput, "job_slice_count"),
        ("9", "right", InvalidInput, "job_slice_count"),
        ("7", "wrong", AuthenticationFailed, "token_file"),
    ],
)
def test_what_can_not_work_is_said_before_anything_is_launched(
    awx: Awx, tmp_path: Path, template: str, token: str, error: type[Exception], text: str
) -> None:
    adapter = Adapter(tmp_path, awx, token, template)
    with pytest.raises(error, match=text):
        adapter.start(run())
    assert (awx.launches, adapter.known()) == (0, [])
