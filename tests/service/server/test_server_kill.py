# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server is killed a hundred times under load: what it acknowledged is there, and nothing was done twice.

Every server is forked from one process that has imported everything, so that a start takes milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleetlab.process import LabError, wait_until

ENOUGH = 20
PATIENCE = 250
SEED = 20261121

# Starts a server for each line that it reads; prints its pid and address as soon as it answers.
NURSERY = """
import json, os, signal, sys
from pathlib import Path
from fleetd.common import logs
from fleetd.common.settings import load
from fleetd.server import app
from fleetd.server.config import Settings
logs.configure("json", "error")
settings = load(Settings, sys.argv[1])
app.make_services(settings, app.make_store(settings))  # imports what is imported late
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    if os.fork() == 0:
        app.serve(settings, lambda url: print(json.dumps({"pid": os.getpid(), "url": url}), flush=True))
        os._exit(0)
"""


class Nursery:
    """One server at a time, each killed before the next."""

    def __init__(self, config: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        self._pid = 0
        self.url = ""

    def start(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the server did not start: its error is above"
        found = json.loads(line)
        self._pid, self.url = found["pid"], found["url"]

    def kill(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            while Path(f"/proc/{self._pid}").exists():
                time.sleep(0.001)
            self._pid = 0

    def close(self) -> None:
        self.kill()
        self._process.kill()
        self._process.wait(60)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class Load:
    """Clients that write as fast as they can, and remember what was acknowledged."""

    def __init__(self, secret: str) -> None:
        self.url = ""
        self.created: set[str] = set()
        self.documents: dict[str, int] = {}
        self.requested: set[str] = set()
        self.claims: list[tuple[str, int]] = []
        self.verified: list[str] = []
        self.refused: list[str] = []
        self._client = httpx.Client(headers={"Authorization": f"Bearer {secret}"}, timeout=60)
        self._stop = threading.Event()
        self._defects: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._loop, args=(work,))
            for work in (self._create, self._publish, self._request, self._cycle)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self._client.close()
        assert self._defects == []

    def acknowledged(self) -> int:
        """How much was acknowledged."""
        return len(self.created) + max(self.documents.values(), default=0) + len(self.claims) + len(self.verified)

    def figures(self) -> dict[str, int]:
        """How much was acknowledged of each."""
        return {
            "created": len(self.created),
            "published": max(self.documents.values(), default=0),
            "claimed": len(self.claims),
            "verified": len(self.verified),
        }

    def least(self) -> int:
        """How much was acknowledged of what least was acknowledged of."""
        return min(self.figures().values())

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, or None if nobody knows what became of it."""
        try:
            answer = self._client.request(method, self.url + path, json=body)
        except httpx.TransportError:
            self._stop.wait(0.01)
            return None
        if answer.status_code >= 500:
            self.refused.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _loop(self, work: Callable[[], Iterator[None]]) -> None:
        try:
            for _ in work():
                if self._stop.is_set():
                    return
        except BaseException as exc:  # told when the test ends
            self._defects.append(exc)

    def _create(self) -> Iterator[None]:
        number = 0
        while True:
            answer = self.send("POST", "/api/v1/machines", {"id": f"c{number}"})
            # 409: an attempt before was carried out, and its answer was lost.
            if answer is not None and answer.status_code in (201, 409):
                self.created.add(f"c{number}")
                number += 1
            yield

    def _publish(self) -> Iterator[None]:
        number = 0
        while True:
            number += 1
            machine = f"m{number % 5}"
            answer = self.send("PUT", f"/api/v1/machines/{machine}/device/oob", {"serial": f"{number:06}"})
            if answer is not None and answer.status_code == 200:
                self.documents[machine] = number
            yield

    def _request(self) -> Iterator[None]:
        while True:
            asked = self.send("POST", "/api/v1/powercycles", {"machine": f"m{random.randrange(5)}"})
            if asked is not None and asked.status_code in (200, 201):
                self.requested.add(asked.json()["id"])
            yield

    def _cycle(self) -> Iterator[None]:
        """Claims power cycles and reports them, as a runner does."""
        session = ""
        while not session:
            made = self.send("POST", "/api/v1/sessions", {"component": "runner", "interval": 600})
            session = made.json()["id"] if made is not None and made.status_code == 201 else ""
            yield
        sure = True
        while True:
            # A claim whose answer was lost is in the work of the next heartbeat.
            beat = None if sure else self.send("POST", f"/api/v1/sessions/{session}/heartbeat")
            held = beat.json()["work"] if beat is not None and beat.status_code == 200 else []
            claimed = self.send("POST", "/api/v1/work/claim", {"session": session, "process": "powercycle", "count": 2})
            items = claimed.json()["items"] if claimed is not None and claimed.status_code == 200 else []
            self.claims += [(item["machine"], item["fencing_token"]) for item in items]
            pairs = {(item["machine"], item["fencing_token"]) for item in [*items, *held]}
            told = [self._report(machine, token) for machine, token in pairs]
            sure = (sure or beat is not None) and claimed is not None and all(told)
            yield

    def _report(self, machine: str, token: int) -> bool:
        """Whether it is known what became of it."""
        listed = self.send("GET", f"/api/v1/powercycles?machine={machine}&limit=1")
        if listed is None:
            return False
        request = listed.json()["items"][0]["id"]
        body = {"state": "verified", "fencing_token": token}
        answer = self.send("POST", f"/api/v1/powercycles/{request}/report", body)
        if answer is not None and answer.status_code == 200 and answer.json()["state"] == "verified":
            self.verified.append(request)
        return answer is not None


def everything(client: httpx.Client, path: str) -> list[Any]:
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = client.get(path, params={"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
        items += page["items"]
        cursor = page["next"]
        if not cursor:
            return items


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [15, pytest.param(100, marks=pytest.mark.storm)])
def test_kills_under_load(tmp_path: Path, run_fleetd: Any, fleetd_environment: Any, kills: int) -> None:
    secret = run_fleetd("init", "--token-only", "--listen", "127.0.0.1:0").stdout.strip()
    dice = random.Random(SEED)
    nursery = Nursery(tmp_path / "fleetd.yml", fleetd_environment())
    try:
        nursery.start()
        load = Load(secret)
        load.url = nursery.url
        for number in range(5):
            assert load.send("POST", "/api/v1/machines", {"id": f"m{number}"}).status_code == 201
        with load:
            for _ in range(kills):
                before = load.acknowledged()
                wait_until(lambda: load.acknowledged() > before, PATIENCE, "the server to take something", 0.01)  # noqa: B023
                time.sleep(dice.uniform(0.0, 0.4))
                nursery.kill()
                nursery.start()
                load.url = nursery.url
            try:
                wait_until(lambda: load.least() > ENOUGH, PATIENCE, "enough of everything")
            except LabError as error:
                raise AssertionError(f"{load.figures()}, refused: {load.refused[:3]}") from error
        assert load.refused == []
        with httpx.Client(base_url=nursery.url, headers={"Authorization": f"Bearer {secret}"}, timeout=60) as client:
            _judge(client, load)
    finally:
        nursery.close()


def _judge(client: httpx.Client, load: Load) -> None:
    assert load.least() > ENOUGH, "under load, or the test says nothing"
    machines = {item["id"] for item in everything(client, "/api/v1/machines")}
    assert load.created <= machines
    assert len(machines - load.created) <= 5 + 1  # those of the other clients, and one whose answer was lost
    for machine, number in load.documents.items():
        assert int(client.get(f"/api/v1/machines/{machine}/device").json()["serial"]) >= number
    requests = {item["id"]: item for item in everything(client, "/api/v1/powercycles")}
    assert load.requested <= requests.keys()
    assert all(requests[request]["state"] == "verified" for request in load.verified)
    assert max(Counter(load.claims).values()) == 1
    for item in requests.values():
        assert sum(step["state"] == "verified" for step in item["steps"]) <= 1, item
        assert item["attempts"] <= 1, item
    history = everything(client, "/api/v1/work/history")
    ends = Counter((line["machine"], line["fencing_token"]) for line in history if line["outcome"] != "started")
    starts = Counter((line["machine"], line["fencing_token"]) for line in history if line["outcome"] == "started")
    assert max(ends.values()) == max(starts.values()) == 1
    assert ends.keys() <= starts.keys()
    assert set(load.claims) <= starts.keys()
