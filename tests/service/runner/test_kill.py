# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetd runner` as a process, killed at each stage: one cycle per request, the machine on, the request not lost.

The server is an independent one that speaks `/json/v1` only; the machines are files (see runner_fakes.FileLab).
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from runner_fakes import FileLab


class PlainServer:
    """The smallest machine server: a list, complete, and state/update. `lose` answers of complete are never sent."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.completed: list[str] = []
        self.states: dict[str, str] = {}
        self.refuse_complete = False
        self.refused = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/json/v1/powercycle/list":
                    self.answer(200, json.dumps(outer.wanted or None).encode())
                else:
                    self.answer(404, b"404 page not found")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path.startswith("/json/v1/powercycle/complete/"):
                    if outer.refuse_complete:
                        outer.refused += 1
                        self.answer(503, b"no")
                        return
                    machine = self.path.removeprefix("/json/v1/powercycle/complete/")
                    outer.completed.append(machine)
                    if machine in outer.wanted:
                        outer.wanted.remove(machine)
                else:
                    outer.states.update((m["MachineID"], m["PowerCycleState"]) for m in json.loads(body)["Machines"])
                self.answer(200, b"")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[PlainServer]:
    server = PlainServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


# Kills its own process at one point of the runner's life, from inside, so that the point is exact.
SUICIDE = """
import os, signal, sys
from fleetd.runner.adapters.ansible_runner import AnsibleRunner
from fleetd.runner.adapters.journal import SqliteJournal
from fleetd.runner.adapters.server import HttpWorkServer
from fleetd.runner.ports import EntryState

when, what = sys.argv.pop(1).split(":")

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def around(cls, name, match):
    original = getattr(cls, name)
    def wrapped(self, *args, **kwargs):
        hit = match(*args)
        if hit and when == "before":
            die()
        result = original(self, *args, **kwargs)
        if hit and when == "after":
            die()
        return result
    setattr(cls, name, wrapped)

if what in list(EntryState):
    around(SqliteJournal, "save", lambda entries: any(e.state == what for e in entries))
elif what == "start":
    around(AnsibleRunner, "start", lambda run: run.id.startswith("cycle-"))
elif what == "complete":
    around(HttpWorkServer, "verified", lambda *_: True)
from fleetd.cli import main
main()
"""


@contextlib.contextmanager
def runner(
    lab: FileLab, server: PlainServer, state: Path, point: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    program = ["-c", SUICIDE, point] if point else ["-m", "fleetd"]
    env = {
        **os.environ,
        "FLEETD_RUNNER__POLL_SECONDS": "0.3",
        "FLEETD_RUNNER__STATE_DIR": str(state),
        "FLEETD_RUNNER__SERVER_URL": server.url,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    with open(state.with_suffix(".log"), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program, "runner", "-i", str(lab.inventory)], env=env, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "point",
    [
        "after:running", "after:start", "before:verified", "after:verified", "after:complete", "after:done",
        *(pytest.param(point, marks=pytest.mark.storm) for point in ("before:start", "before:complete", "before:done")),
    ],
)  # fmt: skip
def test_a_runner_that_is_killed_cycles_once(lab: FileLab, server: PlainServer, tmp_path: Path, point: str) -> None:
    """A point of a storm leaves behind what the point before it leaves."""
    lab.machine("m1")
    server.wanted = ["m1"]
    with runner(lab, server, tmp_path / "state", point) as process:
        assert process.wait(120) == -signal.SIGKILL, (tmp_path / "state.log").read_text()
    server.states.clear()
    with runner(lab, server, tmp_path / "state") as process:
        until(lambda: not server.wanted and "m1" in server.states, "the request is completed, and it serves")
        process.terminate()
        assert process.wait(60) == 0
    assert lab.log("m1") == ["off", "on"]
    assert lab.power("m1") == "on"
    assert set(server.completed) == {"m1"}


def test_killed_with_everything_it_started_the_machine_comes_on_again(
    lab: FileLab, server: PlainServer, tmp_path: Path
) -> None:
    """As when the host of the runner loses its power in the middle of a cycle."""
    lab.machine("m1", held=True)
    server.wanted = ["m1"]
    with runner(lab, server, tmp_path / "state") as process:
        until(lambda: lab.power("m1") == "off", "the machine is off")
        process.kill()
        for path in Path("/proc").glob("[0-9]*/environ"):  # what this runner started carries its run's id
            with contextlib.suppress(OSError):
                for run in (tmp_path / "state" / "runs").iterdir():
                    if f"FLEETD_RUN_ID={run.name}".encode() in path.read_bytes():
                        os.kill(int(path.parent.name), signal.SIGKILL)
    assert lab.power("m1") == "off"
    with runner(lab, server, tmp_path / "state"):
        until(lambda: not server.wanted, "the request is completed")
    assert lab.log("m1") == ["off", "on"], "switched on once more, not cycled a second time"


def test_sigterm_waits_for_the_cycle_and_takes_no_new_one(lab: FileLab, server: PlainServer, tmp_path: Path) -> None:
    lab.machine("m1", held=True)
    lab.machine("m2")
    server.wanted = ["m1"]
    with runner(lab, server, tmp_path / "state") as process:
        until(lambda: lab.power("m1") == "off", "the machine is off")
        process.terminate()
        until(lambda: "stopping" in (tmp_path / "state.log").read_text(), "it has heard of the stop")
        server.wanted.append("m2")
        lab.release("m1")
        assert process.wait(60) == 0
    assert (lab.log("m1"), lab.log("m2")) == (["off", "on"], [])
    assert server.completed == ["m1"]


def test_a_second_sigterm_leaves_at_once_and_the_cycle_ends_by_itself(
    lab: FileLab, server: PlainServer, tmp_path: Path
) -> None:
    lab.machine("m1", held=True)
    server.wanted = ["m1"]
    with runner(lab, server, tmp_path / "state") as process:
        until(lambda: lab.power("m1") == "off", "the machine is off")
        process.terminate()
        until(lambda: "stopping" in (tmp_path / "state.log").read_text(), "it has heard of the stop")
        process.terminate()
        process.wait(60)
    assert lab.power("m1") == "off", "still in the middle of it"
    lab.release("m1")
    until(lambda: lab.power("m1") == "on", "the machine is on")
    with runner(lab, server, tmp_path / "state"):
        until(lambda: server.completed == ["m1"], "the completion is told")
    assert lab.log("m1") == ["off", "on"]


def test_a_server_that_does_not_take_the_completion_gets_it_later(
    lab: FileLab, server: PlainServer, tmp_path: Path
) -> None:
    lab.machine("m1")
    server.wanted = ["m1"]
    server.refuse_complete = True
    with runner(lab, server, tmp_path / "state"):
        until(lambda: lab.log("m1") == ["off", "on"], "cycled")
        until(lambda: server.refused >= 2, "refused, and tried again")
        server.refuse_complete = False
        until(lambda: server.completed == ["m1"], "the completion is told")
    assert lab.log("m1") == ["off", "on"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--once"], 2, "runner.inventory is empty"),
        (["--once", "-i", "INVENTORY", "-l", ""], 2, "runner.pattern is empty"),
        (["--once", "-i", "/no/such/inventory"], 2, "does not exist"),
        (["--once", "-i", "INVENTORY", "-l", "nobody"], 1, "selects no host"),
    ],
)
def test_selecting_nothing_fails_clearly(
    lab: FileLab, server: PlainServer, tmp_path: Path, arguments: list[str], code: int, text: str
) -> None:
    lab.machine("m1")
    server.wanted = ["m1"]
    done = subprocess.run(
        [sys.executable, "-m", "fleetd", "runner", "--state-dir", str(tmp_path / "state"), "--server-url", server.url]
        + [str(lab.inventory) if a == "INVENTORY" else a for a in arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert lab.log("m1") == []
