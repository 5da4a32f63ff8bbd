# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWX executor against a simulated AWX: the shapes of its documented REST API, no more."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fleetcore.errors import AuthenticationFailed, InvalidInput
from fleetcore.http import HttpClient, HttpOptions

from fleetd.adapters.awx import AwxRunner
from fleetd.runner_ports import PlaybookRun, RunProgress

POWER = "baremetal.fleet.bmc_power"
PAGE = 2  # smaller than what is asked for: AWX has a maximum of its own


class Awx:
    """Job templates 7 (as it has to be) and 8 (prompts for nothing), jobs that the test moves on, events in pages."""

    def __init__(self) -> None:
        self.jobs: dict[int, dict[str, Any]] = {}
        self.events: dict[int, list[dict[str, Any]]] = {}
        self.launches = 0
        self.lose_answers = False
        self.ignore: dict[str, Any] = {}
        self.cancelled: list[int] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.route(b"")

            def do_POST(self) -> None:
                self.route(self.rfile.read(int(self.headers.get("content-length") or 0)))

            def route(self, body: bytes) -> None:
                if self.headers.get("authorization") != "Bearer right":
                    self.answer(401, {"detail": "Authentication credentials were not provided."})
                    return
                url = urlsplit(self.path)
                query = {k: v[0] for k, v in parse_qs(url.query).items()}
                answer = outer.handle(self.command, url.path, query, json.loads(body or b"{}"))
                if answer is None:
                    self.close_connection = True
                else:
                    self.answer(*answer)

            def answer(self, status: int, data: Any) -> None:
                payload = json.dumps(data).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any] | None:  # noqa: PLR0911 - one per path
        if path == "/api/v2/job_templates/":
            names = {"power cycle": 7, "silent": 8}
            found = [{"id": names[query["name"]], "name": query["name"]}] if query["name"] in names else []
            return 200, {"count": len(found), "next": None, "previous": None, "results": found}
        launch = re.fullmatch(r"/api/v2/job_templates/(\d+)/launch/", path)
        if launch and method == "GET":
            asks = launch[1] == "7"
            return 200, {
                "ask_limit_on_launch": asks, "ask_variables_on_launch": asks, "can_start_without_user_input": True,
                "passwords_needed_to_start": [], "variables_needed_to_start": [],
            }  # fmt: skip
        if launch:
            self.launches += 1
            number = 100 + self.launches
            self.jobs[number] = {
                "id": number, "type": "job", "status": "pending", "limit": body.get("limit", ""), "job_explanation": "",
                "extra_vars": json.dumps(body["extra_vars"]), "event_processing_finished": False,
            }  # fmt: skip
            self.events[number] = []
            return (
                None
                if self.lose_answers
                else (201, {"job": number, "ignored_fields": self.ignore, **self.jobs[number]})
            )
        if path == "/api/v2/job_templates/7/jobs/":
            newest = [self.jobs[n] for n in sorted(self.jobs, reverse=True)]
            return 200, {"count": len(newest), "next": None, "previous": None, "results": newest}
        job = re.fullmatch(r"/api/v2/jobs/(\d+)/(|job_events/|cancel/)", path)
        if not job or int(job[1]) not in self.jobs:
            return 404, {"detail": "Not found."}
        number = int(job[1])
        if job[2] == "cancel/":
            self.cancelled.append(number)
            return 202, {}
        if job[2] == "":
            return 200, self.jobs[number]
        found = [e for e in self.events[number] if e["counter"] > int(query["counter__gt"])]
        page = int(query.get("page", "1"))
        more = len(found) > page * PAGE
        following = f"{path}?counter__gt={query['counter__gt']}&page={page + 1}" if more else None
        return 200, {"count": len(found), "next": following, "results": found[(page - 1) * PAGE : page * PAGE]}

    def happen(self, number: int, event: str, host: str, **result: Any) -> None:
        counter = len(self.events[number]) + 1
        data = {"host": host, "task_action": POWER, "resolved_action": POWER, "res": result}
        self.events[number].append({"counter": counter, "event": event, "host_name": host, "event_data": data})

    def end(self, number: int, status: str = "successful", why: str = "") -> None:
        self.jobs[number].update(status=status, event_processing_finished=True, job_explanation=why)


@pytest.fixture
def awx() -> Iterator[Awx]:
    awx = Awx()
    yield awx
    awx.server.shutdown()
    awx.server.server_close()


class Adapter(AwxRunner):
    def __init__(self, root: Path, awx: Awx, token: str = "right", template: str = "power cycle") -> None:
        self.now = 1000.0
        super().__init__(
            root, HttpClient(HttpOptions(awx.url)), lambda: token, {"cycle.yml": template}, lambda *_: {},
            wall=lambda: self.now, look_seconds=0, timeout=600,
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
    adapter.now += 100
    assert adapter.progress("cycle-1") == RunProgress(finished=True, launched=False)


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


def test_a_job_that_hangs_is_cancelled(awx: Awx, tmp_path: Path) -> None:
    adapter = Adapter(tmp_path, awx)
    adapter.start(run())
    adapter.now += 700
    assert not adapter.progress("cycle-1").finished
    assert awx.cancelled == [101]


def test_a_job_that_would_work_on_all_machines_is_cancelled(awx: Awx, tmp_path: Path) -> None:
    awx.ignore = {"limit": "a,b,c"}
    with pytest.raises(InvalidInput, match="ignored limit"):
        Adapter(tmp_path, awx).start(run())
    assert awx.cancelled == [101]


@pytest.mark.parametrize(
    ("template", "token", "error", "text"),
    [
        ("silent", "right", InvalidInput, "ask_limit_on_launch and ask_variables_on_launch"),
        ("nobody", "right", InvalidInput, "0 job templates"),
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
