# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores to test against, a clock that tests move, an API client, a real server process."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, text
from warm import Program, warm_fleetd

from fleetd.server import api as fleetd_api
from fleetd.server.app import CAPABILITIES
from fleetd.server.kernel import migrate
from fleetd.server.kernel.auth.model import Scope
from fleetd.server.kernel.auth.policy import Policy
from fleetd.server.kernel.capability import Services
from fleetd.server.kernel.engine import Transactions, make_engine
from fleetd.server.kernel.tables import metadata
from fleetd.server.work.model import Retry

REPO = Path(__file__).resolve().parents[3]
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class MovableClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


# -- stores


def _missing(reason: str) -> None:
    if os.environ.get("FLEET_REQUIRE_E2E") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _postgres_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of our own, on a Unix socket only, with an empty database."""
    binaries = _postgres_bin()
    if binaries is None:
        _missing("no PostgreSQL server: apt-get install postgresql")
        return
    user: str | None = None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = next((name for name in ("postgres", "nobody") if _exists(name)), None)
    directory = Path(tempfile.mkdtemp(prefix="fleetd-pg-"))
    try:
        if user:
            shutil.chown(directory, user)
        data = directory / "data"
        run = {"user": user, "cwd": directory, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "fleetd", "-A", "trust", "--no-sync"],
            check=True,
            capture_output=True,
            **run,
        )
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL,
            stderr=(directory / "log").open("wb"),
            **run,
        )
        try:
            yield _wait_for_postgres(f"postgresql+psycopg://fleetd@/postgres?host={directory}", directory / "log")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wait_for_postgres(url: str, log: Path) -> str:

    engine = make_engine(url)
    for _ in range(100):
        try:
            migrate.upgrade(engine)
        except Exception as exc:
            last = exc
            time.sleep(0.1)
        else:
            engine.dispose()
            return url
    raise AssertionError(f"PostgreSQL did not start: {last}\n{log.read_text()}")


@pytest.fixture
def clean_postgres_url(postgres_url: str) -> str:
    """The database without any rows."""

    engine = make_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(table.name for table in metadata.sorted_tables)}"))
    engine.dispose()
    return postgres_url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied: that is quicker than to migrate."""
    path = tmp_path_factory.mktemp("template") / "fleetd.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate.upgrade(engine)
    engine.dispose()
    return path


def _without_sync(engine: Engine) -> Engine:
    """A file whose writes wait for no disk: no power fails in a test."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return engine


@pytest.fixture
def make_database(migrated_file: Path, tmp_path: Path) -> Iterator[Callable[..., Transactions]]:
    """``make_database(clock)``: a migrated, empty SQLite file whose time is ``clock``'s. It is closed at the end."""
    made: list[Transactions] = []

    def make(clock: Callable[[], datetime] | None = None) -> Transactions:
        path = shutil.copy(migrated_file, tmp_path / f"made{len(made)}.db")
        made.append(Transactions(_without_sync(make_engine(f"sqlite:///{path}")), clock=clock))
        return made[-1]

    yield make
    for item in made:
        item.close()


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A migrated SQLite file."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'fleetd.db')}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "clean_postgres_url")


class Stores:
    """The stores of all capabilities over one database, as the server puts them together."""

    def __init__(self, url: str, clock: Callable[[], datetime] | None = None) -> None:
        self.tx = Transactions(_without_sync(make_engine(url)), clock=clock)
        services = Services(CAPABILITIES, self.tx, clock or (lambda: datetime.now(UTC)))
        self.services = services
        self.machines = services.machines._store
        self.powercycles = services.powercycles._store
        self.work = services.work
        self.devices = services.devices._store
        self.credentials = services.credentials._store
        self.events = services.events
        self.tokens = services.tokens._store
        self.requests = services.requests
        self.retention = services.retention


@pytest.fixture
def open_stores() -> Iterator[Callable[..., Stores]]:
    """``open_stores(url, clock)``: the stores over a database, closed at the end."""
    with contextlib.ExitStack() as opened:

        def make(url: str, clock: Callable[[], datetime] | None = None) -> Stores:
            made = Stores(url, clock)
            opened.callback(made.tx.close)
            return made

        yield make


@pytest.fixture
def store(database_url: str, open_stores: Callable[..., Stores]) -> Stores:
    """Empty stores on each kind of database."""
    return open_stores(database_url)


@pytest.fixture
def timed_store(database_url: str, open_stores: Callable[..., Stores], clock: MovableClock) -> Stores:
    """Empty stores on each kind of database, whose time is that of ``clock``."""
    return open_stores(database_url, clock)


# -- the API in this process


class Api:
    """The application over a SQLite file of its own, with one token of each scope."""

    def __init__(self, tx: Transactions, clock: MovableClock, **options: Any) -> None:

        limit = options.pop("max_body_bytes", 100_000)
        self.services = Services(CAPABILITIES, tx, clock, {"powercycles": {"retry": Retry(60, 2, 100, attempts=3)}})
        self.app = fleetd_api.create(self.services, Policy(**options), limit)
        self.tokens = {
            scope.value: self.services.tokens.create(
                scope.value, scope, machine="m1" if scope == Scope.AGENT else None
            )[1]
            for scope in Scope
        }

    def client(self, scope: str | None) -> httpx.Client:
        """A client with the token of ``scope``, or without one."""
        headers = {"Authorization": f"Bearer {self.tokens[scope]}"} if scope else {}
        client: httpx.Client = TestClient(self.app, headers=headers, follow_redirects=False)
        return client


@pytest.fixture
def make_api(make_database: Callable[..., Transactions], clock: MovableClock) -> Any:
    """``make_api(legacy_open=True, ...)``: an application with that policy."""
    return lambda **options: Api(make_database(clock), clock, **options)


@pytest.fixture
def api(make_api: Any) -> Api:
    made: Api = make_api()
    return made


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    return api.client("admin")


# -- a real process


def command(*arguments: str) -> list[str]:
    """``fleetd`` as its users start it."""
    return [sys.executable, "-m", "fleetd", *arguments]


def environment(**extra: str) -> dict[str, str]:
    """Ours without any FLEETD_ variable, with the sources on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLEETD_")}
    return {**kept, "PYTHONPATH": f"{REPO / 'src'}{os.pathsep}{REPO / 'plugins/module_utils'}", **extra}


@pytest.fixture
def fleetd_environment() -> Any:
    """``fleetd_environment(NAME="value")``: of a process of ours."""
    return environment


@pytest.fixture
def run_fleetd(tmp_path: Path) -> Any:
    """Runs ``fleetd ...`` in ``tmp_path`` and returns the finished process."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        if not _is_for_python(env):
            return warm_fleetd().run("fleetd", *arguments, cwd=tmp_path, env=environment(**env))
        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=environment(**env),
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    return run


def _is_for_python(env: dict[str, str]) -> bool:
    """Whether the interpreter itself reads one of these, when it starts."""
    return any(name.startswith(("PYTHON", "LD_")) for name in env)


@contextlib.contextmanager
def serving(
    directory: Path, *arguments: str, wrapper: Sequence[str] = (), **env: str
) -> Iterator[tuple[str, subprocess.Popen[str] | Program]]:
    """A ``fleetd serve`` in ``directory``, started by ``wrapper`` if given: its URL, from its log, and the process."""
    log = directory / f"serve-{time.monotonic_ns()}.log"
    words = ("serve", "--listen", "127.0.0.1:0", *arguments)
    process: subprocess.Popen[str] | Program
    log.touch()
    if wrapper or _is_for_python(env):
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*wrapper, *command(*words)],
                cwd=directory,
                env=environment(**env),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                text=True,
            )
    else:
        process = warm_fleetd().start("fleetd", *words, cwd=directory, env=environment(**env), out=os.devnull, err=log)
    try:
        yield _url(process, log), process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def _url(process: subprocess.Popen[str] | Program, log: Path) -> str:
    for _ in range(900):  # a busy machine takes long
        for line in log.read_text().splitlines():
            if '"listening"' in line:
                url: str = json.loads(line)["url"]
                return url
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError(f"fleetd serve did not start (rc {process.poll()}):\n{log.read_text()}")


@pytest.fixture(scope="session")
def serve_fleetd() -> Any:
    return serving
