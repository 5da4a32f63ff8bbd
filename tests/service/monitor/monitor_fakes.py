# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock, files that are a table, a machine, and machine servers on loopback: ours, and one of another make."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from fleetcore.errors import NotFound

from fleetd.monitor.core import Attached, Flags
from fleetd.server import api
from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel import migrate
from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine

REPO = Path(__file__).resolve().parents[3]
EVENT = "/json/v1/machine/event/"


class FakeClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> str:
        return "2026-01-01T00:00:00Z"

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Files:
    """A tree of files. A value that starts with ``->`` is a symbolic link."""

    def __init__(self, tree: Mapping[str, str]) -> None:
        self.tree = dict(tree)

    def read(self, path: str, limit: int) -> bytes:
        if path not in self.tree:
            raise NotFound(f"{path}: no such file")
        return self.tree[path].encode()[:limit]

    def names(self, path: str) -> Sequence[str]:
        found = {name[len(path) + 1 :].split("/")[0] for name in self.tree if name.startswith(path + "/")}
        if not found:
            raise NotFound(f"{path}: no such folder")
        return sorted(found)

    def link(self, path: str) -> str:
        if not self.tree.get(path, "").startswith("->"):
            raise NotFound(f"{path}: no such link")
        return self.tree[path][2:]


class FakeMachine:
    def __init__(self) -> None:
        self.says = Flags()
        self.drives: Mapping[str, str] = {}

        self.attached: list[Attached] = []
        self.found: Mapping[str, Any] = {"ios": {"device_type": "iPhone10,1"}}

    def device(self, attached: Attached) -> Mapping[str, Any]:
        self.attached.append(attached)
        return self.found

    def standalone(self) -> Mapping[str, Any]:
        return {"cores": 2}

    def server(self) -> Mapping[str, Any]:
        return {"boot_id": "b", "drives": self.drives}

    def flags(self) -> Flags:
        return self.says


def free_socket() -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    return made


class Monitor:
    """A `fleetd monitor` and its folder."""

    def __init__(self, folder: Path, url: str, **options: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.config = folder / "fleetd.yml"
        own = {
            "machine": "m1", "server_url": url, "state_dir": str(folder / "state"), "event_seconds": 0.2,
            "look_seconds": 0.1, "device_seconds": 0, "device_splay_seconds": 0, "poll_seconds": 600,
            "quarantine_file": str(folder / "quarantine"), "request_seconds": 20, **options,
        }  # fmt: skip
        self.config.write_text(json.dumps({"monitor": own}))
        self.process: subprocess.Popen[str] | None = None
        self.log = folder / "log"

    def argv(self, *arguments: str) -> dict[str, Any]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FLEETD_")}
        path = f"{REPO / 'src'}{os.pathsep}{REPO / 'plugins/module_utils'}"
        return {
            "args": [sys.executable, "-m", "fleetd", "--config", str(self.config), "monitor", *arguments],
            "env": {**kept, "PYTHONPATH": path}, "cwd": self.folder, "text": True,
        }  # fmt: skip

    def start(self) -> None:
        with self.log.open("a") as stream:
            self.process = subprocess.Popen(**self.argv(), stderr=stream)

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(**self.argv(*arguments), capture_output=True, timeout=120, check=False)

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def spooled(self) -> list[Path]:
        return sorted((self.folder / "state" / "spool").glob("*-*.json"))


class RealServer:
    """The machine server\'s application behind uvicorn, over a database that outlives stops.

    ``accepted``: events, in order.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        tx = Transactions(make_engine(f"sqlite:///{self._folder.name}/fleetd.db"))
        migrate.upgrade(tx.engine)
        self.services = Services(CAPABILITIES, tx, lambda: datetime.now(UTC))
        self.accepted: list[dict[str, Any]] = []
        with contextlib.closing(free_socket()) as sock:
            self.port = sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def token(self, machine: str | None, scope: Scope = Scope.AGENT) -> str:
        return self.services.tokens.create(f"{scope.value}-{machine}", scope, machine=machine)[1]

    def start(self) -> None:
        config = uvicorn.Config(
            self._recorded, "127.0.0.1", self.port, log_config=None, timeout_graceful_shutdown=1, interface="asgi3"
        )
        self._server = uvicorn.Server(config)
        self._app = api.create(self.services, Policy(), 1_000_000)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        eventually(lambda: self._server is not None and self._server.started)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join(60)
            self._server = None

    async def _recorded(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        status = 0

        async def heard() -> Any:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        async def said(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if scope.get("path") == EVENT and status == 200:
                    self.accepted.append(json.loads(body))
            await send(message)

        await self._app(scope, heard, said)


class PlainServer:
    """An independent server that speaks ``/json/v1`` only: no tokens, no comments in the stream."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.note = ""
        self.with_stream = True
        self.documents = 404  # what it answers to them
        self.streams: list[queue.Queue[bytes | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path, _mark, query = self.path.partition("?")
                if path == "/json/v1/machine/description/m1" and outer.events:
                    found = {"Note": {"Message": outer.note}, "Dimensions": {"id": ["m1"]}}
                    self.answer(200, json.dumps(found).encode())
                elif path.startswith("/json/v1/machine/description/"):
                    self.answer(500, b"Failed to read from datastore\n")
                elif path == "/json/v1/machine/sse/description/updated" and outer.with_stream and query == "stream=m1":
                    self.stream()
                else:
                    self.answer(404, b"404 page not found\n")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path != EVENT:
                    self.answer(outer.documents, b"404 page not found\n")
                    return
                outer.events.append(json.loads(body))
                self.answer(200, b"")

            do_PUT = do_POST  # noqa: N815

            def stream(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                mine: queue.Queue[bytes | None] = queue.Queue()
                outer.streams.append(mine)
                while (data := mine.get()) is not None:
                    self.wfile.write(data)

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def update(self, note: str) -> None:
        self.note = note
        for stream in self.streams:
            stream.put(b"data: update\n\n")

    def drop_streams(self) -> None:
        for stream in self.streams:
            stream.put(None)

    def close(self) -> None:
        self.drop_streams()
        self.server.shutdown()
        self.server.server_close()


def eventually(true: Callable[[], object], seconds: float = 150.0) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
