# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetd monitor` where nothing goes well: servers that answer anything, no room on the disk, no process to be had."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetcore.errors import FleetError
from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from monitor_fakes import EVENT, PlainServer, RealServer, eventually
from structlog.testing import capture_logs

from fleetd.monitor.adapters import documents
from fleetd.monitor.adapters.documents import Collector

HTML = b"<html><body>Sign in</body></html>"
DEEP = b"[" * 100_000
ODD = (
    b'{"error": {"message": ["?"], "details": {"message": 1, "self": 2, "status": "x", "retry_after": "y", "code": 3}}}'
)
# Status line and headers as they go over the wire, then the body; None: the connection is closed without a word.
ANSWERS: tuple[bytes | None, ...] = (
    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno",
    b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 100\r\n\r\ncut off",
    b"HTTP/1.1 503 Busy\r\nretry-after: soon\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nlocation: http://203.0.113.1/login\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 500 Oh\r\ncontent-length: %d\r\n\r\n%s" % (len(DEEP), DEEP),
    b"HTTP/1.1 500 Oh\r\ncontent-length: %d\r\n\r\n%s" % (len(ODD), ODD),
    b"HTTP/1.1 502 Oh\r\nretry-after: \xb2\r\ncontent-length: %d\r\n\r\n%s" % (len(ODD), ODD),
    b"HTTP/1.1 503 Oh\r\nretry-after: \xb2\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 999 What\r\n\r\n",
    b"HTTP/1.1 429 Slow down\r\nretry-after: 999999999\r\ncontent-length: 0\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    bytes(range(256)) * 4,
    b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500 + b"\r\n",
    None,
)
# Of what is asked, not told: also answers that are well-formed and nonsense.
READ_ANSWERS = (
    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(HTML), HTML),
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
    b'HTTP/1.1 200 OK\r\ncontent-length: 28\r\n\r\n{"MaintenanceMode":"\\ud800"}',
    b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(DEEP), DEEP),
    b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
)


class Hostile:
    """Answers each request wrongly, every time in another way, until it is told to be good."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.events: list[bytes] = []
        self.good = False
        posts, reads = itertools.cycle(ANSWERS), itertools.cycle((*ANSWERS, *READ_ANSWERS))
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.take(reads)

            def do_POST(self) -> None:
                self.take(posts)

            do_PUT = do_POST  # noqa: N815

            def take(self, answers: Iterator[bytes | None]) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                outer.asked.append(f"{self.command} {self.path}")
                if outer.good and self.path == EVENT:
                    outer.events.append(body)
                    self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                elif "sse" in self.path and not len(outer.asked) % 3:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\ndata:\xff\xfe\n\n" + b"x" * 300_000 + b"\ndata\n")
                else:
                    self.wfile.write(next(answers) or b"")
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    made = Hostile()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_every_wrong_answer_is_an_error_in_words(hostile: Hostile) -> None:
    """Whatever comes: an error of ours, in time and without what was sent."""
    http = HttpClient(HttpOptions(hostile.url, timeout=60))
    client = ServerClient(http, SystemClock(), hostile.url, token="t0k3n", attempts=1)
    for _answer in ANSWERS:
        with pytest.raises(FleetError) as caught:
            client.post_event({"type": "raw_state"})
        assert "t0k3n" not in str(caught.value)
    for _answer in ANSWERS:
        with pytest.raises(FleetError):
            client.publish_device("m1", {"source": "inband"}, "inband")
    said = []
    for _answer in (*ANSWERS, *READ_ANSWERS):
        with contextlib.suppress(FleetError):
            said.append(client.description("m1"))
    assert said == [{"MaintenanceMode": "\ud800"}]
    for _answer in (*ANSWERS, *READ_ANSWERS, *READ_ANSWERS):
        with contextlib.suppress(FleetError):
            assert len(list(client.description_updates("m1", http, 2))) <= 2


def test_a_server_that_answers_anything(hostile: Hostile, monitors: Any) -> None:
    """It goes on, keeps its events, and all of them arrive when the server is itself again."""
    hook = ["/bin/sh", "-c", "cat > /dev/null; exit 1"]
    monitor = monitors(hostile.url, token="t", poll_seconds=0.1, quiet_seconds=2, on_description=hook)
    for _round in range(2):
        monitor.start()
        asked = len(hostile.asked)
        eventually(lambda asked=asked: len(hostile.asked) > asked + 30)
        assert monitor.process.poll() is None
        monitor.end(signal.SIGKILL)  # and again, without the pause of an outage
    kept = len(monitor.spooled())
    assert kept > 3
    hostile.good = True
    monitor.start()
    eventually(lambda: len(hostile.events) > kept and not monitor.spooled())
    assert monitor.end() == 0
    assert "Traceback" not in monitor.log.read_text()


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root, for a small disk of its own"
)
def test_a_full_disk(server: RealServer, monitors: Any, tmp_path: Path) -> None:
    """What can't be kept is counted; what could be kept arrives, and so does everything after it."""
    token = server.token("m1")
    server.stop()
    monitor = monitors(server.url, token=token, event_seconds=0.1)
    mounted = tmp_path / "m/state"
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", mounted], check=True)
    try:
        monitor.start()
        eventually(lambda: len(monitor.said("spool_failed")) > 3)
        assert 0 < len(monitor.spooled()) <= 10
        assert monitor.process.poll() is None
        server.start()
        eventually(lambda: not monitor.spooled() and server.accepted and server.accepted[-1]["monitor"]["dropped"] > 3)
        count = len(server.accepted)
        eventually(lambda: len(server.accepted) > count + 3)
        assert monitor.end() == 0
        assert not [path for path in (mounted / "spool").iterdir() if path.name.startswith(".")]
    finally:
        with contextlib.suppress(Exception):
            monitor.end(signal.SIGKILL)
        subprocess.run(["umount", mounted], check=True)


def test_a_document_that_another_server_answers_with_500(plain: PlainServer, monitors: Any) -> None:
    """Events go on: the document waits by itself, and is tried again."""
    plain.documents = 500
    monitor = monitors(plain.url, device_seconds=600)
    monitor.start()
    eventually(lambda: [path for path in monitor.spooled() if path.name.endswith("-device.json")])
    count = len(plain.events)
    eventually(lambda: len(plain.events) > count + 5)
    assert [path.name[13:] for path in monitor.spooled()] == ["device.json"]
    assert monitor.end() == 0


def test_no_process_to_collect_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory for one now is no reason for no document ever again."""

    def refused(*_arguments: Any, **_options: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    told = threading.Event()
    collector = Collector(5, 60, told.set)
    with monkeypatch.context() as patched, capture_logs() as said:
        patched.setattr(documents.subprocess, "Popen", refused)
        collector.start()
        assert told.wait(60)
    assert [entry["event"] for entry in said] == ["collect_failed"]
    assert not collector.busy
    assert collector.take() is None
    told.clear()
    collector.start()
    assert told.wait(120)
    found = collector.take()
    assert found is not None
    assert found["source"] == "inband"
