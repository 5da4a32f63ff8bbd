# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What collecting over Redfish costs, and what it costs others.

    python benchmarks/oob.py requests [--tree dell-r750.tar.gz]
    python benchmarks/oob.py sweep [--count 200 1000] [--latency 0 0.02] [--peers 4] [--bundle DIR]
    python benchmarks/oob.py memory [--sizes 200 1000]
    python benchmarks/oob.py faults [--count 50]
    python benchmarks/oob.py all --json FILE

Virtual BMCs (fleetlab) run in a process of their own, over TLS; the machine server is a real ``fleetd serve`` on
SQLite. CPU time is user and system of the client's process and its children only (wait4), memory the peak of its
resident set.

- ``requests``: one whole inventory: requests, logins, and how often the most requested resource was asked for;
- ``sweep``: the module bmc_sweep, started as Ansible starts it, parsing and publishing included, against
  ``community.general.redfish_info`` through ansible-playbook and sushy in threads, each on a few of the same BMCs.
  ``cpu_ms_per_bmc`` is what a further BMC costs, ``start_cpu_s`` what the start costs (measured with one BMC), for all
  alike; the ratio is that of ``cpu_ms_per_bmc``. And the floor: the same number of requests by the same HTTP client,
  nothing parsed;
- ``memory``: peak of the sweep's memory by the size of the fleet;
- ``faults``: what a BMC that hangs, one that needs 4 s per answer, and one that truncates cost the sweep in time.

``redfish_info`` comes from the package ``ansible``: ``pip install --no-deps --target DIR ansible==12.3.0``, then
``--bundle DIR``. What is being measured is said on standard error while it runs. A program that needs more than
``--limit`` seconds is ended, and with it the benchmark. The exit code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "plugins/module_utils")]

from fleetcore.host.clock import SystemClock  # noqa: E402
from fleetcore.net.client.server import ServerClient  # noqa: E402
from fleetcore.net.http import HttpClient, HttpOptions  # noqa: E402
from fleetcore.net.http_async import AsyncHttpClient  # noqa: E402
from fleetcore.ports import HttpRequest  # noqa: E402
from fleetcore.power.options import bmc_options  # noqa: E402
from fleetcore.sweep.collect import collect  # noqa: E402

from fleetlab.farm import BmcSpec, Farm, Fault, fleet  # noqa: E402

SUSHY_THREADS = 16
FORKS = 4
TARGET_REQUESTS = 40
TARGET_ANSIBLE = 100
TARGET_SUSHY = 10
TARGET_GROWTH = 1.15

PLAYBOOK = """
- hosts: all
  gather_facts: false
  connection: local
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  module_defaults:
    community.general.redfish_info:
      baseuri: "{{ baseuri }}"
      username: admin
      password: password
      validate_certs: false
      timeout: 30
  tasks:
    - community.general.redfish_info: {category: Systems, command: all}
      ignore_errors: true
    - community.general.redfish_info: {category: Chassis, command: all}
      ignore_errors: true
    - community.general.redfish_info: {category: Manager, command: all}
      ignore_errors: true
    - community.general.redfish_info: {category: Update, command: all}
      ignore_errors: true
"""


# -- the other side: virtual BMCs and a machine server in processes of their own ---------------------------------------


class FarmProcess:
    """Virtual BMCs in another process. ``bmcs``: url, username, password, ca_path of each."""

    def __init__(self, groups: Sequence[dict[str, Any]]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "_farm", json.dumps(groups)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.bmcs: list[dict[str, str]] = self._read()

    def counters(self) -> list[dict[str, Any]]:
        """Since the last call."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def total(self, name: str) -> int:
        return sum(item[name] for item in self.counters())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the virtual BMCs did not start")
        return json.loads(line)


def farm_process(groups: Sequence[dict[str, Any]]) -> None:
    specs: list[BmcSpec] = []
    for group in groups:
        values = dict(group)
        count = values.pop("count", 1)
        faults = tuple(Fault(**fault) for fault in values.pop("faults", ()))
        specs += fleet(BmcSpec(**values, faults=faults), count)

    async def main() -> None:
        async with Farm(specs) as farm:
            keys = ("url", "username", "password", "ca_path")
            print(json.dumps([{key: getattr(bmc, key) for key in keys} for bmc in farm.bmcs]), flush=True)
            loop = asyncio.get_running_loop()
            while await loop.run_in_executor(None, sys.stdin.readline):
                rows = []
                for bmc in farm.bmcs:
                    seen = bmc.counters.by_path
                    row = {name: getattr(bmc.counters, name) for name in ("requests", "logins", "logouts", "bytes_out")}
                    rows.append({**row, "most": max(seen.values(), default=0), "paths": len(seen)})
                    bmc.counters.reset()
                print(json.dumps(rows), flush=True)

    asyncio.run(main())


@contextmanager
def virtual_bmcs(*groups: dict[str, Any]) -> Iterator[FarmProcess]:
    farm = FarmProcess(groups)
    try:
        yield farm
    finally:
        farm.close()


@contextmanager
def machine_server(work: Path, machines: int) -> Iterator[tuple[str, str]]:
    """URL and token of a new server that knows machines m0, m1, ..."""
    folder = Path(tempfile.mkdtemp(dir=work))
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'plugins/module_utils'}",
        "FLEETD_LOG__LEVEL": "warning",
    }
    command = [sys.executable, "-m", "fleetd", "--config", str(folder / "fleetd.yml")]
    token = subprocess.run(
        [*command, "init", "--token-only"], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()
    server = subprocess.Popen(
        [*command, "serve", "--listen", "127.0.0.1:0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout
        found = re.search(r"http://\S+", server.stdout.readline().decode())
        if not found:
            raise SystemExit("the machine server did not start")
        url = found.group()
        client = ServerClient(HttpClient(HttpOptions(url)), SystemClock(), url, token=token)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: client.create_machine({"id": f"m{number}"}), range(machines)))
        client.close()
        yield url, token
    finally:
        server.terminate()
        server.wait()


class Limit:
    """How long one program may take: on a busy machine a benchmark ends rather than stands still."""

    seconds = 300.0


def progress(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words[:150]}", file=sys.stderr, flush=True)


# -- the clients -------------------------------------------------------------------------------------------------------


def measured(
    command: Sequence[str],
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    told: Any = None,
) -> dict[str, Any]:
    """Run a program: its output, wall-clock and CPU seconds, and peak memory in MiB, children included.

    :param told: JSON data for its standard input: lists are too long for an argument, and passwords do not belong
        there.
    """
    limit = Limit.seconds
    progress(f"{Path(command[0]).name} {' '.join(Path(item).name for item in command[1:4])} ...")
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as entry:
        entry.write(json.dumps(told).encode())
        entry.seek(0)
        begin = time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, cwd=cwd, stdin=entry, stdout=output, stderr=subprocess.STDOUT
        )
        too_long = threading.Timer(limit, process.kill)
        too_long.start()
        _pid, status, used = os.wait4(process.pid, 0)
        too_long.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        if seconds >= limit:
            raise SystemExit(f"{' '.join(map(str, command[:4]))}: ended after {seconds:.0f} s, see --limit")
        output.seek(0)
        text = output.read().decode(errors="replace")
    return {
        "rc": process.returncode,
        "output": text,
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def our_sweep(
    work: Path, bmcs: Sequence[dict[str, str]], server: tuple[str, str] | None, **options: Any
) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(dir=work))
    entries = [
        {
            "machine": f"m{number}",
            "address": bmc["url"],
            "username": bmc["username"],
            "password": bmc["password"],
            "ca_path": bmc["ca_path"],
        }
        for number, bmc in enumerate(bmcs)
    ]
    arguments = {"bmcs": entries, "drivers": ["redfish"], "spool": str(folder / "spool"), **options}
    if server:
        arguments.update(server_url=server[0], server_token=server[1])
    (folder / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    collections = folder / "ansible_collections" / "baremetal"
    collections.mkdir(parents=True)
    (collections / "fleet").symlink_to(ROOT, target_is_directory=True)
    run = measured(
        [
            sys.executable,
            "-m",
            "ansible_collections.baremetal.fleet.plugins.modules.bmc_sweep",
            str(folder / "arguments.json"),
        ],
        env={"PYTHONPATH": str(folder)},
    )
    result = json.loads(run["output"][run["output"].index("{") :].splitlines()[0])
    if "summary" not in result:
        raise SystemExit(f"the sweep failed: {result.get('msg')}")
    return {**run, "result": result, "summary": result["summary"]}


def redfish_info(work: Path, bundle: Path, bmcs: Sequence[dict[str, str]]) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(dir=work))
    (folder / "play.yml").write_text(PLAYBOOK)
    hosts = {f"h{number}": {"baseuri": bmc["url"].partition("//")[2]} for number, bmc in enumerate(bmcs)}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    env = {
        "ANSIBLE_COLLECTIONS_PATH": str(bundle),
        "ANSIBLE_LOCAL_TEMP": str(folder / "local"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    run = measured(
        ["ansible-playbook", "-i", str(folder / "hosts.json"), "-f", str(FORKS), str(folder / "play.yml")],
        env=env,
        cwd=folder,
    )
    if run["rc"]:
        raise SystemExit(f"redfish_info could not be run:\n{run['output'][-2000:]}")
    run["ignored"] = sum(int(number) for number in re.findall(r"ignored=(\d+)", run["output"]))
    return run


def sushy_in_threads(bmcs: Sequence[dict[str, str]]) -> dict[str, Any]:
    run = measured([sys.executable, __file__, "_sushy"], told=list(bmcs))
    if run["rc"]:
        raise SystemExit(f"sushy could not be run:\n{run['output'][-2000:]}")
    return run


def sushy_process(bmcs: Sequence[dict[str, str]]) -> None:
    """Read with sushy all that it has a class for and this tree holds."""
    import sushy  # noqa: PLC0415

    def read(bmc: dict[str, str]) -> None:
        root = sushy.Sushy(bmc["url"], bmc["username"], bmc["password"], verify=bmc["ca_path"])
        for system in root.get_system_collection().get_members():
            for collection in (system.processors, system.ethernet_interfaces):
                collection.get_members()
            for storage in system.storage.get_members():
                tolerant(lambda storage=storage: storage.drives)
                tolerant(lambda storage=storage: storage.volumes.get_members())
            for single in ("bios", "secure_boot"):
                tolerant(lambda single=single, system=system: getattr(system, single))
        for chassis in root.get_chassis_collection().get_members():
            for single in ("power", "thermal"):
                tolerant(lambda single=single, chassis=chassis: getattr(chassis, single))
            for adapter in tolerant(lambda chassis=chassis: chassis.network_adapters.get_members()) or ():
                tolerant(lambda adapter=adapter: adapter.network_ports.get_members())
                tolerant(lambda adapter=adapter: adapter.network_device_functions.get_members())
        root.get_manager_collection().get_members()
        tolerant(lambda: list(root.get_update_service().firmware_inventory.get_members()))

    def tolerant(function: Any) -> Any:
        try:
            return function()
        except (sushy.exceptions.SushyError, AttributeError, KeyError):
            return None

    with ThreadPoolExecutor(SUSHY_THREADS) as pool:
        list(pool.map(read, bmcs))


def floor(bmcs: Sequence[dict[str, str]], requests: int) -> dict[str, Any]:
    return measured([sys.executable, __file__, "_floor"], told=[list(bmcs), requests])


def floor_process(bmcs: Sequence[dict[str, str]], requests: int) -> None:
    """One TLS connection to each BMC and so many GETs of the service root; nothing is parsed."""

    async def read(bmc: dict[str, str], gate: asyncio.Semaphore) -> None:
        async with gate:
            http = AsyncHttpClient(HttpOptions(bmc["url"], ca_path=bmc["ca_path"]))
            for _number in range(requests):
                await http.send(HttpRequest("GET", "/redfish/v1/"))
            http.close()

    async def main() -> None:
        gate = asyncio.Semaphore(64)
        await asyncio.gather(*(read(bmc, gate) for bmc in bmcs))

    asyncio.run(main())


# -- the benchmarks ----------------------------------------------------------------------------------------------------


def bench_requests(options: argparse.Namespace, _work: Path) -> dict[str, Any]:
    tree = options.tree or next((path for path in captures() if path.exists()), Path("server"))
    rows = []
    with virtual_bmcs({"tree": str(tree)}, {"tree": str(tree), "expand": 0}) as farm:
        for name, bmc in zip(("$expand", "no $expand"), farm.bmcs, strict=True):
            farm.counters()
            values = {"address": bmc["url"], "drivers": ["redfish"], **bmc}
            device = asyncio.run(collect(bmc_options(values), SystemClock()))
            count = farm.counters()[0 if name == "$expand" else 1]
            parts = {kind: len(getattr(device, kind)) for kind in ("cpus", "memory", "drives", "nics", "pcie_devices")}
            rows.append({"case": name, **count, "sections": _verdicts(device), **parts})
    missed = []
    if rows[0]["requests"] > TARGET_REQUESTS:
        missed.append(f"{rows[0]['requests']} requests with $expand, more than {TARGET_REQUESTS}")
    if rows[1]["most"] > 1:
        missed.append("without $expand a resource was asked for twice")
    if {row["logins"] for row in rows} != {1}:
        missed.append("not one login each")
    columns = ("case", "requests", "logins", "logouts", "most", "bytes_out", "cpus", "memory", "drives", "nics")
    table(f"one inventory of {tree.name}", rows, columns)
    return {"tree": tree.name, "rows": rows, "missed": missed}


def captures() -> list[Path]:
    folders = [Path(os.environ["FLEET_FIXTURES"])] if "FLEET_FIXTURES" in os.environ else []
    folders += [ROOT / up / "shared/fixtures" for up in ("..", "../..")]
    return [folder / "redfish/dell-r750.tar.gz" for folder in folders]


def _verdicts(device: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in device.coverage.values():
        found[item.verdict.value] = found.get(item.verdict.value, 0) + 1
    return found


def bench_sweep(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    missed: list[str] = []
    for count in options.count:
        for latency in options.latency:
            progress(f"sweep of {count} BMCs, {1000 * latency:g} ms latency")
            found, wrong = _compared(options, work, count, latency)
            rows += found
            missed += wrong
    columns = (
        "latency_ms",
        "client",
        "bmcs",
        "requests_per_bmc",
        "cpu_ms_per_bmc",
        "start_cpu_s",
        "times_ours",
        "bmcs_per_second",
        "peak_mib",
    )
    table("sweep over TLS", rows, columns)
    return {"rows": rows, "missed": missed}


def _compared(
    options: argparse.Namespace, work: Path, fleet_size: int, latency: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of one size and latency, and the targets that were missed."""
    rows: list[dict[str, Any]] = []
    missed = []
    group = {
        "tree": str(options.tree or "server"),
        "count": fleet_size,
        "latency": latency,
        "count_paths": False,
    }
    with virtual_bmcs(group) as farm, machine_server(work, fleet_size) as server:
        runs = []
        for _number in range(options.repeat):
            runs.append(our_sweep(work, farm.bmcs, server))
            counted = farm.counters()
        ours = min(runs, key=lambda run: run["cpu"])
        if ours["summary"]["published"] != fleet_size:
            missed.append(f"only {ours['summary']['published']} of {fleet_size} documents were published")
        requests = sum(row["requests"] for row in counted) / fleet_size
        start = our_sweep(work, farm.bmcs[:1], server)
        own = 1000 * (ours["cpu"] - start["cpu"]) / (fleet_size - 1)

        def row(
            client: str, bmcs: int, cpu: float, base: float, requests: float, seconds: float, peak: float | None
        ) -> None:
            rows.append(
                {
                    "latency_ms": round(1000 * latency),
                    "client": client,
                    "bmcs": bmcs,
                    "requests_per_bmc": round(requests, 1),
                    "cpu_ms_per_bmc": round(cpu, 2),
                    "start_cpu_s": round(base, 2),
                    "times_ours": round(cpu / own, 1),
                    "bmcs_per_second": round(bmcs / seconds, 1),
                    "peak_mib": round(peak) if peak else None,
                }
            )

        row("bmc_sweep", fleet_size, own, start["cpu"], requests, ours["seconds"], ours["peak_mib"])
        base = floor(farm.bmcs[:1], round(requests))
        least = floor(farm.bmcs, round(requests))
        cpu = 1000 * (least["cpu"] - base["cpu"]) / (fleet_size - 1)
        row("floor: TLS + HTTP", fleet_size, cpu, base["cpu"], requests, least["seconds"], least["peak_mib"])
        farm.counters()

        few = farm.bmcs[: 5 * options.peers]
        one = sushy_in_threads(few[:1])
        farm.counters()
        more = sushy_in_threads(few)
        cpu = 1000 * (more["cpu"] - one["cpu"]) / (len(few) - 1)
        asked = farm.total("requests") / len(few)
        row("sushy, threads", len(few), cpu, one["cpu"], asked, more["seconds"], more["peak_mib"])
        if cpu < TARGET_SUSHY * own:
            missed.append(f"latency {latency}: sushy costs only {cpu / own:.1f} times as much")

        if options.bundle:
            few = farm.bmcs[: options.peers]
            one = redfish_info(work, options.bundle, few[:1])
            farm.counters()
            more = redfish_info(work, options.bundle, few)
            cpu = 1000 * (more["cpu"] - one["cpu"]) / (len(few) - 1)
            asked = farm.total("requests") / len(few)
            row("redfish_info, 4 tasks", len(few), cpu, one["cpu"], asked, more["seconds"], None)
            rows[-1]["failed_tasks"] = more["ignored"]
            if cpu < TARGET_ANSIBLE * own:
                missed.append(f"latency {latency}: redfish_info costs only {cpu / own:.1f} times as much")
        else:
            print("redfish_info is left out: give --bundle", file=sys.stderr)
    return rows, missed


def bench_memory(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    rows = []
    for count in options.sizes:
        group = {"tree": str(options.tree or "server"), "count": count, "count_paths": False}
        with virtual_bmcs(group) as farm, machine_server(work, count) as server:
            run = our_sweep(work, farm.bmcs, server)
            rows.append(
                {
                    "bmcs": count,
                    "published": run["summary"]["published"],
                    "seconds": round(run["seconds"], 1),
                    "cpu_ms_per_bmc": round(1000 * run["cpu"] / count, 2),
                    "peak_mib": round(run["peak_mib"], 1),
                }
            )
    missed = []
    growth = rows[-1]["peak_mib"] / rows[0]["peak_mib"]
    if growth > TARGET_GROWTH:
        missed.append(f"peak memory grows {growth:.2f} times from {rows[0]['bmcs']} to {rows[-1]['bmcs']} BMCs")
    table("memory of the sweep", rows, ("bmcs", "published", "seconds", "cpu_ms_per_bmc", "peak_mib"))
    return {"rows": rows, "missed": missed}


def bench_faults(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    deadline = options.deadline
    count = options.count[0]
    healthy = {"tree": "server", "count": count, "count_paths": False}
    bad = {
        "hangs": [{"kind": "hang"}],
        "4 s per answer": [{"kind": "slow", "seconds": 4.0}],
        "truncates": [{"kind": "truncate"}],
    }
    rows = []
    missed = []
    groups = [{"tree": "server", "faults": faults} for faults in bad.values()]
    with virtual_bmcs(healthy, *groups) as farm:
        good = farm.bmcs[:count]
        cases = {"none": good, **{name: [farm.bmcs[count + n], *good] for n, name in enumerate(bad)}}
        cases["all three"] = [*farm.bmcs[count:], *good]
        usual = 0.0
        for name, bmcs in cases.items():
            run = our_sweep(work, bmcs, None, deadline=deadline)
            farm.counters()
            summary = run["summary"]
            usual = usual or summary["seconds"]
            rows.append(
                {
                    "fault": name,
                    "seconds": summary["seconds"],
                    "added": round(summary["seconds"] - usual, 1),
                    "whole": summary["collected"] - summary["incomplete"],
                    "incomplete": summary["incomplete"],
                    "failed": summary["failed"],
                    "why": ", ".join(f"{item['code']}" for item in run["result"]["failures"]),
                }
            )
            if rows[-1]["added"] > deadline + 2.5:  # the logout of a BMC past its deadline gets 2 s
                missed.append(f"{name}: {rows[-1]['added']} s more, the deadline is {deadline} s")
            if rows[-1]["whole"] < count:
                missed.append(f"{name}: only {rows[-1]['whole']} of {count} healthy BMCs are complete")
    title = f"sweep of {count} healthy BMCs and bad ones, deadline {deadline:g} s"
    table(title, rows, ("fault", "seconds", "added", "whole", "incomplete", "failed", "why"))
    return {"rows": rows, "missed": missed}


def table(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """As Markdown, so that it can go into the documentation as it is."""
    cells = [list(columns), *([("" if row.get(name) is None else str(row[name])) for name in columns] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    print(f"\n{title}\n")
    for number, line in enumerate(cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    sys.stdout.flush()


BENCHES = {"requests": bench_requests, "sweep": bench_sweep, "memory": bench_memory, "faults": bench_faults}
PROCESSES = {"_farm": farm_process, "_sushy": sushy_process, "_floor": lambda item: floor_process(*item)}


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in PROCESSES:
        PROCESSES[sys.argv[1]](json.loads(sys.argv[2]) if len(sys.argv) == 3 else json.load(sys.stdin))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*BENCHES, "all"])
    parser.add_argument(
        "--tree", type=Path, help="built-in tree or capture; default: the R750 for requests, else server"
    )
    parser.add_argument("--count", type=int, nargs="+", default=[200], help="BMCs of the sweep, of one or more sizes")
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.02], help="seconds before each answer")
    parser.add_argument("--repeat", type=int, default=2, help="sweeps, of which the cheapest counts")
    parser.add_argument("--peers", type=int, default=4, help="BMCs that redfish_info reads; sushy five times as many")
    parser.add_argument("--bundle", type=Path, help="directory that holds ansible_collections/community/general")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000], help="BMCs, for memory")
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds, for faults")
    parser.add_argument("--limit", type=float, default=Limit.seconds, help="seconds for one program")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    Limit.seconds = options.limit
    results: dict[str, Any] = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": os.getloadavg()}
    with tempfile.TemporaryDirectory(prefix="bench-oob-") as work:
        for name, bench in BENCHES.items():
            if options.what in (name, "all"):
                results[name] = bench(options, Path(work))
    missed = [item for name in BENCHES for item in results.get(name, {}).get("missed", [])]
    for item in missed:
        print(f"MISSED: {item}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
