# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real thing: processes, signals, SQLite and PostgreSQL, the command line."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

import fleetd
from fleetd.common.settings import load, load_text
from fleetd.runner.config import Settings as RunnerSettings
from fleetd.server.config import Settings
from fleetlab.process import wait_until


@pytest.fixture
def home(tmp_path: Path, run_fleetd: Any) -> tuple[Path, httpx.Auth]:
    """A directory after ``fleetd init``, and the admin's token."""
    done = run_fleetd("init", "--token-only")
    assert done.returncode == 0, done.stderr
    return tmp_path, bearer(done.stdout.strip())


def bearer(secret: str) -> Any:
    def auth(request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {secret}"
        return request

    return auth


# -- serve


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_what_was_acknowledged_is_there_after_a_restart(home: Any, serve_fleetd: Any, number: signal.Signals) -> None:
    directory, auth = home
    with serve_fleetd(directory) as (url, process), httpx.Client(base_url=url, auth=auth) as client:
        assert client.post("/api/v1/machines", json={"id": "m1"}).status_code == 201
        assert client.put("/api/v1/machines/m1/device/oob", json={"vendor": "ACME"}).status_code == 200
        assert client.post("/api/v1/powercycles", json={"machine": "m1"}).status_code == 201
        process.send_signal(number)
        code = process.wait(60)
        assert code == (-9 if number == signal.SIGKILL else 0)
    with serve_fleetd(directory) as (url, _process), httpx.Client(base_url=url, auth=auth) as client:
        machine = client.get("/api/v1/machines/m1").json()
        assert (machine["device"]["vendor"], machine["powercycle"]["state"]) == ("ACME", "queued")
        assert client.get("/json/v1/powercycle/list").json() == ["m1"]


def test_a_stop_finishes_requests_in_progress(home: Any, serve_fleetd: Any) -> None:
    directory, auth = home
    with serve_fleetd(directory) as (url, process):
        # A writer holds SQLite's lock, so that the request is still waiting when the signal comes.
        blocker = sqlite3.connect(directory / "fleetd.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        request = auth(httpx.Request("POST", f"{url}/api/v1/machines", json={"id": "m1"}))
        lines = ["POST /api/v1/machines HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in request.headers.items()), "\r\n"]
        with socket.create_connection(("127.0.0.1", request.url.port), timeout=60) as waiting:
            waiting.sendall("".join(lines).encode() + request.read())
            assert httpx.get(f"{url}/healthz", timeout=60).status_code == 200  # what came before it has been read
            process.terminate()
            wait_until(lambda: refuses(request.url.port), 60, "the stop has begun")
            blocker.execute("ROLLBACK")
            blocker.close()
            assert waiting.recv(100).startswith(b"HTTP/1.1 201 ")
        assert process.wait(60) == 0


def refuses(port: int | None) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_half_a_request_harms_nobody(home: Any, serve_fleetd: Any) -> None:
    directory, auth = home
    with serve_fleetd(directory) as (url, _process):
        port = httpx.URL(url).port
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b'POST /api/v1/machines HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"id":')
            assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/api/v1/machines", auth=auth).json()["items"] == []


@pytest.mark.postgres
def test_on_postgresql(tmp_path: Path, clean_postgres_url: str, run_fleetd: Any, serve_fleetd: Any) -> None:
    done = run_fleetd("init", "--token-only", "--database-url", clean_postgres_url)
    assert done.returncode == 0, done.stderr
    auth = bearer(done.stdout.strip())
    assert run_fleetd("migrate").stdout.startswith("schema ")
    # Two servers on one database.
    with serve_fleetd(tmp_path) as (first, _one), serve_fleetd(tmp_path) as (second, _two):
        assert httpx.post(f"{first}/api/v1/machines", json={"id": "m1"}, auth=auth).status_code == 201
        assert httpx.post(f"{second}/api/v1/powercycles", json={"machine": "m1"}, auth=auth).status_code == 201
        assert httpx.post(f"{first}/api/v1/powercycles", json={"machine": "m1"}, auth=auth).status_code == 200
        assert httpx.get(f"{first}/healthz").status_code == 200


def test_changes_are_streamed(home: Any, serve_fleetd: Any) -> None:
    directory, auth = home
    with serve_fleetd(directory, FLEETD_SERVER__SHUTDOWN_SECONDS="1") as (url, process):
        client = httpx.Client(base_url=url, auth=auth, timeout=60)
        client.post("/api/v1/machines", json={"id": "m1"})
        path = "/json/v1/machine/sse/description/updated"
        assert client.get(path).status_code == 400
        with client.stream("GET", path, params={"stream": "m1"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == ": connected"
            httpx.post(f"{url}/_/machine/toggle_powercycle/m1", auth=auth)
            assert next(line for line in lines if line.startswith("data:")) == "data: update"
            process.terminate()
            assert process.wait(60) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/live?machine=m1",
        "/live?show=trouble",
        "/api/v1/events/stream",
        "/json/v1/machine/sse/description/updated?stream=m1",
    ],
)
def test_who_listens_does_not_delay_a_stop(home: Any, serve_fleetd: Any, path: str) -> None:
    directory, auth = home
    with serve_fleetd(directory, FLEETD_SERVER__SHUTDOWN_SECONDS="200") as (url, process):
        client = httpx.Client(base_url=url, auth=auth, timeout=60)
        client.post("/api/v1/machines", json={"id": "m1"})
        with client.stream("GET", path) as answer:
            lines = answer.iter_lines()
            assert next(lines) == ": connected"
            process.terminate()
            assert list(lines) is not None  # the stream ends by itself
            assert process.wait(100) == 0  # before the server loses its patience


def test_serve_says_why_it_can_not(home: Any, run_fleetd: Any) -> None:
    directory, _auth = home
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_fleetd("serve", "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr
    (directory / "fleetd.db").write_bytes(b"not a database, " * 100)
    done = run_fleetd("serve", "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert done.stderr.startswith("fleetd: ")
    assert done.stderr.count("\n") == 1


def test_another_schema_is_refused(home: Any, run_fleetd: Any) -> None:
    directory, _auth = home
    with sqlite3.connect(directory / "fleetd.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (("serve", "--no-migrate", "--listen", "127.0.0.1:0"), ("token", "list"), ("migrate",)):
        done = run_fleetd(*arguments)
        assert done.returncode == 1, arguments
        assert "9999" in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr


# -- init, token, version, help


def test_init_prints_the_token_once_and_overwrites_nothing(tmp_path: Path, run_fleetd: Any) -> None:
    done = run_fleetd("init", "--listen", "127.0.0.1:9999")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fleetd_") == 1
    for name in ("fleetd.yml", "fleetd.db", "fleetd.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert "127.0.0.1:9999" in (tmp_path / "fleetd.yml").read_text()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = run_fleetd("init")
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists; nothing was changed" in again.stderr
    (tmp_path / "fleetd.yml").unlink()
    again = run_fleetd("init")
    assert (again.returncode, again.stdout) == (1, "")
    (tmp_path / "fleetd.yml").write_bytes(before["fleetd.yml"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for name in ("fleetd.yml", "fleetd.db"):
        (tmp_path / name).unlink()
    again = run_fleetd("init")
    assert (again.returncode, again.stdout) == (1, "")
    assert "fleetd.key exists; nothing was changed" in again.stderr


def test_init_that_fails_leaves_nothing(tmp_path: Path, run_fleetd: Any) -> None:
    done = run_fleetd("init", "--database-url", "postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_logins_can_be_stored_after_init(home: Any, serve_fleetd: Any) -> None:
    directory, auth = home
    login = {"username": "root", "password": "correct horse"}
    with serve_fleetd(directory) as (url, _process), httpx.Client(base_url=url, auth=auth) as client:
        stored = [client.put("/api/v1/credentials/rack1", json=login).json() for _ in range(2)]
        assert stored[0] == stored[1]  # updated_at too: nothing was changed
        changed = client.put("/api/v1/credentials/rack1", json={**login, "password": "battery staple"}).json()
        assert changed["updated_at"] > stored[0]["updated_at"]
        assert client.get("/api/v1/credentials/rack1").json()["password"] == "battery staple"


def test_tokens_on_the_command_line(home: Any, run_fleetd: Any) -> None:
    created = run_fleetd("token", "create", "--name", "rack1", "--scope", "runner", "--days", "1", "--token-only")
    assert created.returncode == 0, created.stderr
    assert created.stdout.startswith("fleetd_")
    assert run_fleetd("token", "create", "--name", "rack1", "--scope", "runner").returncode == 1
    listed = run_fleetd("token", "list").stdout
    assert "rack1" in listed
    assert created.stdout.strip() not in listed
    assert run_fleetd("token", "revoke", "rack1").returncode == 0
    assert "revoked" in run_fleetd("token", "list").stdout
    again = run_fleetd("token", "revoke", "rack1")
    assert (again.returncode, again.stderr) == (1, "fleetd: no token rack1\n")
    agent = run_fleetd("token", "create", "--name", "a", "--scope", "agent")
    assert agent.returncode == 1
    assert "machine" in agent.stderr


def test_version_and_help(run_fleetd: Any) -> None:
    assert run_fleetd("version").stdout == f"{fleetd.__version__}\n"
    assert run_fleetd("--version").stdout == f"fleetd {fleetd.__version__}\n"
    text = run_fleetd("--help").stdout
    for word in ("init", "serve", "token", "migrate", "FLEETD_SERVER__LISTEN"):
        assert word in text
    for name in ("init", "serve", "migrate"):
        assert run_fleetd(name, "--help").returncode == 0
    assert run_fleetd("nonsense").returncode == 2


# -- configuration


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server: {listn: x}", ("fleetd.yml", "server.listn", "no such key", "listen")),
        ("sever: {}", ("fleetd.yml", "sever", "no such key", "server")),
        ("server: {listen: nowhere}", ("fleetd.yml", "server.listen", "host:port")),
        ("server: {listen: 'x:99999'}", ("fleetd.yml", "server.listen", "host:port")),
        ("auth: {anonymous_scope: admin}", ("fleetd.yml", "auth.anonymous_scope", "viewer")),
        ("database: {url: 'mysql://x'}", ("fleetd.yml", "database.url", "sqlite")),
        ("powercycle: {max_attempts: 0}", ("fleetd.yml", "powercycle.max_attempts")),
        ("server: 7", ("fleetd.yml", "server")),
        ("- a", ("fleetd.yml", "sections")),
        ("server: {", ("fleetd.yml", "not YAML")),
    ],
)
def test_bad_configuration_is_one_line(tmp_path: Path, run_fleetd: Any, text: str, words: tuple[str, ...]) -> None:
    (tmp_path / "fleetd.yml").write_text(text)
    done = run_fleetd("migrate")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FLEETD_SERVER__LISTN", "x", ("FLEETD_SERVER__LISTN", "listen")),
        ("FLEETD_SEVER__LISTEN", "x", ("FLEETD_SEVER__LISTEN", "server")),
        ("FLEETD_SERVER__MAX_BODY_BYTES", "many", ("FLEETD_SERVER__MAX_BODY_BYTES", "many")),
        ("FLEETD_RUNNER__EXTRA_VARS", "wave=3", ("FLEETD_RUNNER__EXTRA_VARS", "not JSON", '{"name": "value"}')),
        ("FLEETD_RUNNER__INVENTORY", '["a.yml"', ("FLEETD_RUNNER__INVENTORY", "not JSON", "a,b")),
        ("FLEETD_CONFIG", "/nowhere.yml", ("FLEETD_CONFIG", "/nowhere.yml")),
    ],
)
def test_bad_environment_is_one_line(run_fleetd: Any, name: str, value: str, words: tuple[str, ...]) -> None:
    done = run_fleetd("runner" if name.startswith("FLEETD_RUNNER__") else "migrate", **{name: value})
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("value", ["a.yml, b.yml", '["a.yml", "b.yml"]'])
def test_a_list_in_the_environment(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FLEETD_RUNNER__INVENTORY", value)
    assert load_text(RunnerSettings, "", "x").runner.inventory == ["a.yml", "b.yml"]


def test_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.yml"
    file.write_text("server: {listen: '127.0.0.1:1', max_body_bytes: 5000}\nlog:\n")
    assert load(Settings, file).server.listen == "127.0.0.1:1"
    monkeypatch.setenv("FLEETD_SERVER__LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("FLEETD_TOKEN", "is not ours")
    assert load(Settings, file).server.listen == "127.0.0.1:2"
    settings = load(Settings, file, {"server": {"listen": "127.0.0.1:3", "max_body_bytes": None}})
    assert (settings.server.listen, settings.server.max_body_bytes) == ("127.0.0.1:3", 5000)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETD_SERVER__LISTEN")
    assert load(Settings).server.listen == "127.0.0.1:8480"
    file.rename(tmp_path / "fleetd.yml")
    assert load(Settings).server.listen == "127.0.0.1:1"


def test_log_formats(home: Any, serve_fleetd: Any) -> None:
    directory, _auth = home
    with serve_fleetd(directory) as (_url, _process):
        pass
    (log,) = directory.glob("serve-*.log")
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events == ["listening", "stopped"]


def test_python_m_fleetd_has_no_warnings(run_fleetd: Any) -> None:
    done: subprocess.CompletedProcess[str] = run_fleetd("version", PYTHONWARNINGS="error::DeprecationWarning:fleetd")
    assert (done.returncode, done.stderr) == (0, "")


def test_prune_by_hand(run_fleetd: Any) -> None:
    assert run_fleetd("init", "--token-only").returncode == 0
    done = run_fleetd("prune", FLEETD_RETENTION__EVENTS_DAYS="0", FLEETD_RETENTION__ANSWERS_HOURS="1")
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["0", name] for name in ("answers", "work_history", "powercycles", "audit", "device_history")
    ]
