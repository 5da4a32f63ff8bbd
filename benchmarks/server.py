# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the machine server can take, next to the least that its database and web framework can do on the same machine.

    python benchmarks/server.py [--machines 10000] [--seconds 10] [--postgres] [--json FILE]

A real ``fleetd serve`` in a process of its own, on SQLite and, with ``--postgres``, on a PostgreSQL server that the
script starts (Debian's package ``postgresql``). Clients are threads of this process with one connection each, so on two
cores they take their share. CPU is that of the server's process (PostgreSQL's own is not in it).

- ``events``: events of machine monitors for existing machines, ``source -> process -> store``, 4 clients;
- ``claims``: work claimed and finished one by one, 3 runners;
- ``documents``: device documents published, 2 clients; every other one with a change. Read from a virtual BMC with the
  tree of a Dell R750 if that capture is there, else with that of a smaller server (``--tree``);
- ``list``, ``inventory``, ``page``: ``/json/v1/powercycle/list``, ``/api/v1/inventory`` (also unchanged, by its ETag)
  and the first page, one client.

``floor`` is a handler of the same framework that decodes the same body and commits one row to the same kind of
database; for reading, one that sends prepared bytes of the same size. ``times floor`` is the floor's rate over ours.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "plugins/module_utils")]

from fleetcore.document.model import to_dict  # noqa: E402
from fleetcore.host.clock import SystemClock  # noqa: E402
from fleetcore.power.options import bmc_options  # noqa: E402
from fleetcore.sweep.collect import collect  # noqa: E402
from oob import captures, virtual_bmcs  # noqa: E402

from fleetd.server.app import CAPABILITIES  # noqa: E402
from fleetd.server.kernel.capability import Services  # noqa: E402
from fleetd.server.kernel.engine import Transactions, make_engine  # noqa: E402
from fleetd.server.kernel.ids import new_id  # noqa: E402
from fleetd.server.machines.model import BmcAccess, DeviceSummary, Machine  # noqa: E402
from fleetd.server.powercycles.model import CycleState, Powercycle  # noqa: E402

DUE = 50  # open power cycle requests
TICKS = os.sysconf("SC_CLK_TCK")


# -- databases ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def sqlite(work: Path) -> Iterator[str]:
    yield f"sqlite:///{work / 'fleetd.db'}"


@contextlib.contextmanager
def postgres(_work: Path) -> Iterator[str]:
    """A server of our own that syncs, as in production, on a Unix socket only."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        sys.exit("--postgres: no PostgreSQL here; apt-get install postgresql")
    binaries, directory = found[-1].parent, Path(tempfile.mkdtemp(prefix="fleetd-bench-"))
    user = None
    if os.getuid() == 0:  # it refuses to run as root
        user = pwd.getpwnam("postgres").pw_name
        shutil.chown(directory, user)
    run: dict[str, Any] = {"user": user, "cwd": directory, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    data = directory / "data"
    subprocess.run([binaries / "initdb", "-D", data, "-U", "fleetd", "-A", "trust"], check=True, **quiet, **run)
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses="], **quiet, **run
    )
    url = f"postgresql+psycopg://fleetd@/postgres?host={directory}"
    try:
        for _ in range(100):
            engine = make_engine(url)
            with contextlib.suppress(Exception), engine.connect():
                break
            time.sleep(0.1)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(directory, ignore_errors=True)


def populate(url: str, count: int) -> None:
    """Machines with hardware, and a few open requests; straight into the database."""
    store = Transactions(make_engine(url))
    now = datetime.now(UTC)
    services = Services(CAPABILITIES, store, lambda: now)
    for number in range(count):
        device = DeviceSummary(
            vendor=("Alpha", "Beta", "Gamma")[number % 3],
            model=f"M{number % 12}",
            serial=f"S{number:06d}",
            uuid=f"00000000-0000-0000-0000-{number:012d}",
            power_state="On",
            sources=("oob",),
            cpus=2,
            memory_bytes=2**39,
            drives=8,
            nics=2,
            macs=(f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",),
        )
        bmc = BmcAccess(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
        machine = Machine(
            f"node-{number:05d}",
            now,
            now,
            {"owner": f"team{number % 10}", "role": ("compute", "storage", "network")[number % 3]},
            f"site{number % 4}",
            f"r{number // 40}",
            f"u{number % 40}",
            "new",  # all are eligible to be onboarded
            bmc,
        )
        services.machines._store.create(replace(machine, device=device))
    for number in range(DUE):
        services.powercycles._store.open(
            Powercycle(new_id(now), f"node-{number:05d}", CycleState.QUEUED, now, now, "bench")
        )
    store.close()


# -- servers -----------------------------------------------------------------------------------------------------------


class Server:
    """A process that serves; it prints its address when it does."""

    def __init__(self, command: list[str], token: str = "", env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout
        found = re.search(r"http://\S+", self.process.stdout.readline())
        if not found:
            sys.exit(f"did not start: {' '.join(command)}")
        self.url = found.group()
        self.token = token

    def cpu(self) -> float:
        """Seconds so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def fleetd(work: Path, url: str, machines: int) -> Server:
    env = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'plugins/module_utils'}", "FLEETD_LOG__LEVEL": "warning"}
    command = [sys.executable, "-m", "fleetd", "--config", str(work / "fleetd.yml")]
    init = [*command, "init", "--token-only", "--database-url", url]
    token = subprocess.run(init, env={**os.environ, **env}, capture_output=True, text=True, check=True).stdout.strip()
    populate(url, machines)
    return Server([*command, "serve", "--listen", "127.0.0.1:0"], token, env)


def floor_process(url: str) -> None:
    """The least: decode the body, commit one row. ``GET /N`` sends N bytes."""
    import socket  # noqa: PLC0415

    import uvicorn  # noqa: PLC0415
    from fastapi import FastAPI  # noqa: PLC0415
    from fastapi.concurrency import run_in_threadpool  # noqa: PLC0415
    from sqlalchemy import text  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415

    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE floor (id BIGINT PRIMARY KEY, body TEXT)"))
    ids = itertools.count()
    app = FastAPI()

    def keep(body: bytes) -> None:
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO floor VALUES (:id, :body)"), {"id": next(ids), "body": json.dumps(json.loads(body))}
            )

    async def row(request: Request) -> Response:
        await run_in_threadpool(keep, await request.body())
        return Response()

    async def sized(request: Request) -> Response:
        return Response(bytes(int(request.path_params["size"])))

    app.add_route("/row", row, methods=["POST"])
    app.add_route("/{size}", sized)
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # so that asyncio sets TCP_NODELAY
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])


# -- clients -----------------------------------------------------------------------------------------------------------


class Client:
    """One connection that is kept."""

    def __init__(self, server: Server) -> None:
        parts = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        self._headers = {"Content-Type": "application/json"}
        if server.token:
            self._headers["Authorization"] = f"Bearer {server.token}"

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, Any]:
        payload = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, payload, {**self._headers, **headers})
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def expect(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        status, content, _headers = self.send(method, path, body, **headers)
        if status >= 300:
            sys.exit(f"{method} {path}: {status} {content[:300]!r}")
        return content


def rate(server: Server, clients: int, seconds: float, work: Callable[[Client, int], Iterator[None]]) -> dict[str, Any]:
    """How often per second ``work`` yields, all clients together, and the server's CPU for each."""
    counts = [0] * clients
    failed: list[str] = []
    end = time.monotonic() + seconds

    def loop(number: int) -> None:
        try:
            for _ in work(Client(server), number):
                counts[number] += 1
                if time.monotonic() >= end:
                    return
        except SystemExit as error:
            failed.append(str(error))

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(clients)]
    cpu, start = server.cpu(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        sys.exit(failed[0])
    took, done = time.monotonic() - start, sum(counts)
    return {"per_second": done / took, "cpu_ms": (server.cpu() - cpu) / done * 1000}


def latency(server: Server, path: str, times: int, **headers: str) -> dict[str, Any]:
    client = Client(server)
    client.send("GET", path, **headers)
    cpu, taken, size = server.cpu(), [], 0
    for _ in range(times):
        start = time.monotonic()
        status, content, _headers = client.send("GET", path, **headers)
        taken.append((time.monotonic() - start) * 1000)
        if status not in (200, 304):
            sys.exit(f"GET {path}: {status} {content[:300]!r}")
        size = len(content)
    return {
        "ms_p50": statistics.median(taken),
        "ms_max": max(taken),
        "bytes": size,
        "cpu_ms": (server.cpu() - cpu) / times * 1000,
    }


# -- the figures -------------------------------------------------------------------------------------------------------


def events(machines: int) -> Callable[[Client, int], Iterator[None]]:
    def work(client: Client, number: int) -> Iterator[None]:
        for count in itertools.count():
            body = json.dumps(event(f"node-{(count * 7 + number * 13) % machines:05d}", count))
            client.expect("POST", "/json/v1/machine/event/", body.encode())
            yield

    return work


def event(machine: str, count: int) -> dict[str, Any]:
    return {
        "type": "raw_state",
        "standalone": {"cores": 64, "cpus": ["x86", "x86-64"], "gpus": ["none"], "os_versions": ["Linux", "Debian-12"]},
        "host": {"name": machine, "version": "1.0", "start_time": "2026-11-20T00:00:00Z"},
        "server": {"temperatures": {f"CPU{n}": 40 + (count + n) % 20 for n in range(4)}, "fans": {"1": "OK"}},
    }


def claims(client: Client, _number: int) -> Iterator[None]:
    session = json.loads(client.expect("POST", "/api/v1/sessions", {"component": "bench", "interval": 600}))["id"]
    named = {"session": session, "process": "onboard"}
    while True:
        items = json.loads(client.expect("POST", "/api/v1/work/claim", {**named, "count": 1}))["items"]
        if not items:
            return
        found = {"machine": items[0]["machine"], "fencing_token": items[0]["fencing_token"]}
        client.expect("POST", "/api/v1/work/cancel", {**named, **found, "cause": "bench"})
        yield


def documents(document: dict[str, Any]) -> Callable[[Client, int], Iterator[None]]:
    def work(client: Client, number: int) -> Iterator[None]:
        for count in itertools.count():
            # Every other one differs from the one before in a firmware version, as after an update.
            bios = {**(document.get("bios") or {}), "firmware": {"installed": f"1.{count // 2}"}}
            changed = {**document, "bios": bios}
            client.expect("PUT", f"/api/v1/machines/node-{number:05d}/device/oob", changed)
            yield

    return work


def rows(body: bytes) -> Callable[[Client, int], Iterator[None]]:
    def work(client: Client, _number: int) -> Iterator[None]:
        while True:
            client.expect("POST", "/row", body)
            yield

    return work


def sample_document(tree: Path | None) -> dict[str, Any]:
    """What a virtual BMC with that tree gives: the R750 of the captures if it is here, else our own server."""
    found = tree or next((path for path in captures() if path.exists()), Path("server"))
    with virtual_bmcs({"tree": str(found)}) as farm:
        device = asyncio.run(
            collect(
                bmc_options({"drivers": ["redfish"], "address": farm.bmcs[0]["url"], **farm.bmcs[0]}), SystemClock()
            )
        )
    document: dict[str, Any] = to_dict(device)
    return document


def figures(server: Server, floor: Server, options: argparse.Namespace, document: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(document).encode()
    found: dict[str, Any] = {}
    for name, clients, work, least in (
        ("events", 4, events(options.machines), json.dumps(event("node-00000", 0)).encode()),
        ("claims", 3, claims, b'{"session": "s", "process": "onboard", "count": 1}'),
        ("documents", 2, documents(document), body),
    ):
        floored = rate(floor, clients, options.seconds / 2, rows(least))
        ours = rate(server, clients, options.seconds, work)
        found[name] = {**ours, "floor_per_second": floored["per_second"], "floor_cpu_ms": floored["cpu_ms"]}
        found[name]["times_floor"] = floored["per_second"] / ours["per_second"]
    reader = Client(server)
    listed = json.loads(reader.expect("GET", "/json/v1/powercycle/list"))
    if len(listed) != DUE:
        sys.exit(f"powercycle/list: {len(listed)} machines, expected {DUE}")
    inventory = reader.send("GET", "/api/v1/inventory")
    for name, path, times, headers in (
        ("list", "/json/v1/powercycle/list", 50, {}),
        ("inventory", "/api/v1/inventory", 5, {}),
        ("inventory, unchanged", "/api/v1/inventory", 5, {"If-None-Match": inventory[2]["ETag"]}),
        ("page", "/", 5, {}),
        ("page, filtered", "/?q=node-0999", 5, {}),
    ):
        ours = latency(server, path, times, **headers)
        floored = latency(floor, f"/{ours['bytes']}", times)
        found[name] = {**ours, "floor_ms_p50": floored["ms_p50"]}
    return found


def show(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name}")
    print(f"| {'':22} | per second | server CPU ms | floor per second | floor CPU ms | times floor |")
    print(f"|{'-' * 24}|------------|---------------|------------------|--------------|-------------|")
    for key in ("events", "claims", "documents"):
        row = found[key]
        print(
            f"| {key:22} | {row['per_second']:10.1f} | {row['cpu_ms']:13.2f} | {row['floor_per_second']:16.1f} "
            f"| {row['floor_cpu_ms']:12.2f} | {row['times_floor']:11.1f} |"
        )
    print(f"\n| {'':22} | ms (median) | ms (worst) | server CPU ms | KiB sent | floor ms |")
    print(f"|{'-' * 24}|-------------|------------|---------------|----------|----------|")
    for key, row in found.items():
        if "ms_p50" in row:
            print(
                f"| {key:22} | {row['ms_p50']:11.1f} | {row['ms_max']:10.1f} | {row['cpu_ms']:13.1f} "
                f"| {row['bytes'] / 1024:8.0f} | {row['floor_ms_p50']:8.2f} |"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10, help="for each rate")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, too")
    parser.add_argument("--tree", type=Path, help="capture of a Redfish tree, for the device document")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--floor", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        floor_process(options.floor)
        return 0
    document = sample_document(options.tree)
    size = len(json.dumps(document))
    print(f"{options.machines} machines; a device document has {size / 1024:.0f} KiB")
    result: dict[str, Any] = {"machines": options.machines, "document_bytes": size, "databases": {}}
    for database in (sqlite, postgres) if options.postgres else (sqlite,):
        name = database.__name__
        with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as url:
            server = fleetd(Path(folder), url, options.machines)
            least = url if database is postgres else f"sqlite:///{folder}/floor.db"
            floor = Server([sys.executable, __file__, "--floor", least])
            try:
                result["databases"][name] = figures(server, floor, options, document)
            finally:
                floor.stop()
                server.stop()
        show(name, result["databases"][name])
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
