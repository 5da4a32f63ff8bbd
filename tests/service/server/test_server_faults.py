# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults around a server: a full disk, a database that is gone, a clock that jumps, clients that are slow or many."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from relay import Relay

MIB = 1024 * 1024


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    """What ``holds`` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found or time.monotonic() > end:
            assert found
            return found
        time.sleep(0.05)


# -- the disk


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk; run as root")
def test_a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing(
    tmp_path: Path, run_fleetd: Any, serve_fleetd: Any
) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    disk = tmp_path / "disk"
    disk.mkdir()
    shutil.copy(tmp_path / "fleetd.db", tmp_path / "template.db")
    # In a mount namespace of its own: gone when the server is.
    mount = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    script = f'mount -t tmpfs -o size=2m tmpfs "{disk}" && cp "{tmp_path}/template.db" "{disk}/fleetd.db" && exec "$@"'
    with serve_fleetd(tmp_path, wrapper=[*mount, script, "sh"], FLEETD_DATABASE__URL=f"sqlite:///{disk}/fleetd.db") as (
        url,
        process,
    ):
        filler = Path(f"/proc/{process.pid}/root{disk}/filler")
        with httpx.Client(base_url=url, headers=bearer(secret), timeout=60) as client:
            kept = []
            for number in range(2):
                assert client.post("/api/v1/machines", json={"id": f"m{number}"}).status_code == 201
                kept.append(f"m{number}")
            fill(filler)
            document = {
                "serial": "EX1",
                "memory": [{"slot": str(number), "serial": f"S{number}"} for number in range(2000)],
            }
            refused = [client.put("/api/v1/machines/m0/device/oob", json=document) for _ in range(3)]
            for answer in refused:
                assert answer.status_code == 503
                assert "full" in answer.json()["error"]["message"]
            # It still answers, and nothing is half there.
            assert [item["id"] for item in client.get("/api/v1/machines").json()["items"]] == kept
            assert client.get("/api/v1/machines/m0/device").status_code == 404
            assert client.get("/api/v1/machines/m0/device/history").json()["items"] == []
            filler.unlink()
            assert client.put("/api/v1/machines/m0/device/oob", json=document).json()["changed"] is True
            assert client.get("/api/v1/machines/m0/device").json()["serial"] == "EX1"


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(4096))


# -- the database


@pytest.mark.postgres
@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.storm)])
def test_a_while_without_the_database(
    tmp_path: Path, clean_postgres_url: str, run_fleetd: Any, serve_fleetd: Any, seconds: int
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    relay = Relay(f"{clean_postgres_url.rpartition('host=')[2]}/.s.PGSQL.5432", str(home / ".s.PGSQL.5432"))
    relay.up()
    url = f"postgresql+psycopg://fleetd@/postgres?host={home}"
    secret = run_fleetd("init", "--token-only", "--database-url", url).stdout.strip()
    with (
        serve_fleetd(tmp_path) as (address, process),
        httpx.Client(base_url=address, headers=bearer(secret), timeout=60) as client,
    ):
        client.post("/api/v1/machines", json={"id": "m0"}).raise_for_status()
        session = client.post("/api/v1/sessions", json={"component": "x", "interval": 120}).json()["id"]
        assert client.get("/healthz").status_code == 200
        relay.down()
        gone = time.monotonic()
        answers = []
        while time.monotonic() - gone < seconds:
            answers.append(client.post("/api/v1/machines", json={"id": f"lost{len(answers)}"}))
            assert client.get("/healthz").status_code == 503
        assert {answer.status_code for answer in answers} == {503}
        assert "the database does not answer" in answers[-1].json()["error"]["message"]
        relay.up()
        until(lambda: client.get("/healthz").status_code == 200)
        assert client.post("/api/v1/machines", json={"id": "m1"}).status_code == 201
        assert [item["id"] for item in client.get("/api/v1/machines").json()["items"]] == ["m0", "m1"]
        assert client.post(f"/api/v1/sessions/{session}/heartbeat").status_code == 200
        assert process.poll() is None
    relay.down()


# -- the clock


@contextlib.contextmanager
def faked_time(directory: Path) -> Iterator[tuple[dict[str, str], Callable[[str], None]]]:
    """The environment of a process whose clock ``shift`` moves by "+1h", "-1h", ..."""
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    if library is None:
        missing("no libfaketime: apt-get install faketime")
    file = directory / "faketime"

    def shift(by: str) -> None:
        new = directory / "faketime.new"
        new.write_text(f"{by}\n")
        new.rename(file)

    shift("+0")
    yield (
        {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        },
        shift,
    )


def missing(reason: str) -> None:
    if os.environ.get("FLEET_REQUIRE_E2E") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def test_a_clock_that_jumps(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    with (
        faked_time(tmp_path) as (env, shift),
        serve_fleetd(tmp_path, FLEETD_LEASES__REAPER_SECONDS="0.2", **env) as (url, _process),
        httpx.Client(base_url=url, headers=bearer(secret), timeout=60) as client,
    ):
        for number in range(3):
            client.post("/api/v1/machines", json={"id": f"m{number}"}).raise_for_status()
        first = cycle(client, "m0")
        assert report(client, first, "verified").status_code == 200
        session = client.post("/api/v1/sessions", json={"component": "x", "interval": 600}).json()["id"]
        claimed = cycle(client, "m1")
        claim = {"session": session, "process": "powercycle", "count": 1}
        (work,) = client.post("/api/v1/work/claim", json=claim).json()["items"]

        shift("-1h")
        # What was asked last is what is shown, and pages are still whole.
        second = cycle(client, "m0")
        assert second["id"] != first["id"]
        assert client.get("/api/v1/machines/m0").json()["powercycle"]["id"] == second["id"]
        assert set(client.get("/json/v1/powercycle/list").json()) == {"m0"}
        assert [item["id"] for item in client.get("/api/v1/powercycles?machine=m0").json()["items"]] == [
            second["id"],
            first["id"],
        ]
        # Who lives goes on, with a deadline of the new time; work of the dead is not locked for an hour.
        beat = client.post(f"/api/v1/sessions/{session}/heartbeat").json()
        assert beat["work"] == [work]
        dead = client.post("/api/v1/sessions", json={"component": "y", "interval": 600}).json()["id"]
        assert client.post("/api/v1/work/claim", json={**claim, "session": dead}).json()["items"][0]["machine"] == "m0"

        shift("+1h")
        # Everybody is dead now, as nobody could know better: the work is given back, late reports are refused.
        assert client.post(f"/api/v1/sessions/{session}/heartbeat").status_code == 409
        late = report(client, claimed, "verified", work["fencing_token"])
        assert late.status_code == 409
        until(lambda: set(client.get("/json/v1/powercycle/list").json()) == {"m0", "m1"})
        fresh = client.post("/api/v1/sessions", json={"component": "z", "interval": 600}).json()["id"]
        items = client.post("/api/v1/work/claim", json={**claim, "session": fresh, "count": 5}).json()["items"]
        assert {item["machine"] for item in items} == {"m0", "m1"}

        shift("+0")
        until(lambda: sessions_end_within(client, 700))
        for item in items:
            request = client.get(f"/api/v1/machines/{item['machine']}").json()["powercycle"]
            assert report(client, request, "verified", item["fencing_token"]).status_code == 200
        assert client.get("/json/v1/powercycle/list").json() == []


def cycle(client: httpx.Client, machine: str) -> Any:
    return client.post("/api/v1/powercycles", json={"machine": machine}).raise_for_status().json()


def report(client: httpx.Client, request: Any, state: str, token: int | None = None) -> httpx.Response:
    body = {"state": state, **({"fencing_token": token} if token else {})}
    return client.post(f"/api/v1/powercycles/{request['id']}/report", json=body)


def sessions_end_within(client: httpx.Client, seconds: float) -> bool:
    """Whether no deadline is further away, by this machine's clock, than the interval of its session allows."""
    now = time.time()
    items = client.get("/api/v1/sessions").json()["items"]
    return bool(items) and all(
        time.mktime(time.strptime(item["deadline"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - now < seconds
        for item in items
    )


# -- clients


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def head(secret: str, length: int) -> bytes:
    lines = [
        "PUT /api/v1/machines/m0/device/oob HTTP/1.1",
        "Host: fleet",
        f"Authorization: Bearer {secret}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_half_a_body_and_slow_bodies(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any) -> None:
    secret = run_fleetd("init", "--token-only").stdout.strip()
    body = b'{"serial": "SLOW"}'
    with (
        serve_fleetd(tmp_path, FLEETD_SERVER__BODY_SECONDS="8") as (url, _process),
        httpx.Client(base_url=url, headers=bearer(secret), timeout=60) as client,
    ):
        client.post("/api/v1/machines", json={"id": "m0"}).raise_for_status()
        with connect(url) as half:
            half.sendall(head(secret, len(body)) + body[:9])
        slow = [connect(url) for _ in range(200)]
        for item in slow:
            item.sendall(head(secret, len(body)) + body[:5])
        # The others are served meanwhile.
        for _ in range(5):
            assert client.get("/api/v1/machines/m0").status_code == 200
        with connect(url) as patient:
            for byte in head(secret, len(body)) + body:
                patient.sendall(bytes([byte]))
            assert b" 200 " in patient.recv(65536).split(b"\r\n")[0]
        for item in slow:
            with item:
                assert b" 408 " in item.recv(65536).split(b"\r\n")[0]
        history = client.get("/api/v1/machines/m0/device/history").json()["items"]
        assert len(history) == 1  # of the patient one


@pytest.mark.parametrize(("listeners", "machines"), [(200, 20), pytest.param(1000, 50, marks=pytest.mark.storm)])
def test_many_listeners(tmp_path: Path, run_fleetd: Any, serve_fleetd: Any, listeners: int, machines: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * listeners:
        missing(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * listeners), hard))
    secret = run_fleetd("init", "--token-only").stdout.strip()
    with (
        serve_fleetd(tmp_path) as (url, process),
        httpx.Client(base_url=url, headers=bearer(secret), timeout=60) as client,
        contextlib.ExitStack() as stack,
    ):
        for number in range(machines):
            client.post("/api/v1/machines", json={"id": f"m{number}"}).raise_for_status()
        before = memory(process)
        opened = []
        for number in range(listeners):
            item = stack.enter_context(connect(url))
            path = f"/json/v1/machine/sse/description/updated?stream=m{number % machines}"
            item.sendall(f"GET {path} HTTP/1.1\r\nHost: f\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
            opened.append(item)
        for item in opened:
            read_until(item, b": connected")
        assert client.get("/api/v1/machines?limit=1").status_code == 200
        assert memory(process) - before < listeners * MIB // 10  # 100 KiB each
        for number in range(machines):
            client.post(f"/_/machine/set_note/m{number}", json={"Message": "look"}).raise_for_status()
        for item in opened:
            read_until(item, b"data: update")
        for item in opened[: listeners // 2]:
            item.shutdown(socket.SHUT_RDWR)  # half of them go away without a word
        client.post("/_/machine/set_note/m0", json={"Message": "again"}).raise_for_status()
        for item in opened[listeners // 2 :: machines]:
            read_until(item, b"data: update")
    assert process.returncode == 0


def read_until(item: socket.socket, words: bytes) -> None:
    found = b""
    while words not in found:
        chunk = item.recv(65536)
        assert chunk, f"it ended before {words!r}: {found!r}"
        found += chunk


def memory(process: subprocess.Popen[str]) -> int:
    """Resident bytes."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
