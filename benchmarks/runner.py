# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the runner costs, and how quick it is.

    python benchmarks/runner.py latency [--requests 20]
    python benchmarks/runner.py wave [--machines 200]
    python benchmarks/runner.py idle [--seconds 120]
    python benchmarks/runner.py all --json FILE

A real ``fleetd serve`` on SQLite, a real ``fleetd runner`` with its defaults (poll every 5 s) but for what is said
here, real Ansible, and virtual BMCs (fleetlab) over TLS in this process. CPU time is user and system of the runner and
all that it started.

- ``latency``: one request after the other; seconds from the request to the reset command that the BMC gets (its own
  power log), p50 and p95;
- ``wave``: all machines requested at once, in runs of 20 as is the default, 20 at a time (``--forks``): wall from the
  first request to the last verified report, CPU time per machine, and the same for Ansible alone: a play with one no-op
  task (``ansible.builtin.ping``, local) over the same hosts and forks. Says how far it is every ten seconds;
- ``idle``: CPU time of a runner that has nothing to do but polls and heartbeats, extrapolated to an hour. The checks of
  the controllers (every five minutes, one run) are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "plugins/module_utils")]

from fleetcore.host.clock import SystemClock  # noqa: E402
from fleetcore.net.client.server import ServerClient  # noqa: E402
from fleetcore.net.http import HttpClient, HttpOptions  # noqa: E402

from fleetlab.farm import BmcSpec, Farm, raise_file_limit, running_farm  # noqa: E402
from fleetlab.process import Child, free_port  # noqa: E402

FORKS = 20
WAIT_SECONDS = 1800
TICK = os.sysconf("SC_CLK_TCK")
VARIABLES = {"powercycle_off_seconds": 1, "powercycle_graceful_timeout": 0, "powercycle_verify_timeout": 20}


class Site:
    """A server, machines, and a runner for them, below one directory."""

    def __init__(self, directory: Path, farm: Farm) -> None:
        self.directory = directory
        self.farm = farm
        collections = directory / "collections/ansible_collections/baremetal"
        collections.mkdir(parents=True)
        (collections / "fleet").symlink_to(ROOT)
        (directory / "ansible.cfg").touch()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("src", "plugins/module_utils")),
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        }
        self.argv = [sys.executable, "-m", "fleetd", "--config", str(directory / "fleetd.yml")]
        init = [*self.argv, "init", "--listen", self.url.removeprefix("http://"), "--token-only"]
        self.token = subprocess.run(
            init, env={**os.environ, **self.env}, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        hosts = {
            bmc.name: {
                "bmc_address": "127.0.0.1", "bmc_redfish_port": bmc.port, "bmc_fingerprint": bmc.fingerprint,
                "bmc_drivers": ["redfish"], "bmc_username": bmc.username, "bmc_password": "password",
            }
            for bmc in farm.bmcs
        }  # fmt: skip
        self.inventory = directory / "inventory.json"
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        self.client = ServerClient(HttpClient(HttpOptions(self.url)), SystemClock(), self.url, token=self.token)

    @contextmanager
    def serving(self) -> Iterator[None]:
        with Child([*self.argv, "serve"], log=self.directory / "serve.log", env=self.env, name="serve") as server:
            server.wait_for_port(int(self.url.rpartition(":")[2]), 60)
            for bmc in self.farm.bmcs:
                self.client.create_machine({"id": bmc.name})
            yield

    def runner(self, **settings: Any) -> Child:
        given = {
            "inventory": [str(self.inventory)],
            "state_dir": str(self.directory / "runner"),
            "extra_vars": VARIABLES,
            **settings,
        }
        env = {f"FLEETD_RUNNER__{k.upper()}": v if isinstance(v, str) else json.dumps(v) for k, v in given.items()}
        env |= {**self.env, "FLEETD_TOKEN": self.token, "FLEETD_RUNNER__SERVER_URL": self.url}
        return Child([*self.argv, "runner"], log=self.directory / "runner.log", env=env, name="runner")

    def checked(self) -> bool:
        """The runner knows its machines, and its first check has ended."""
        return all(self.client.description(b.name)["PowerCycleState"] == "available" for b in self.farm.bmcs)

    def idle(self) -> bool:
        """No playbook run is left."""
        return not list((self.directory / "runner/runs").glob("*/run.json"))


@contextmanager
def site(machines: int) -> Iterator[Site]:
    raise_file_limit()
    specs = [BmcSpec(name=f"m{n:04}", index=n, count_paths=False) for n in range(machines)]
    with tempfile.TemporaryDirectory() as directory, running_farm(specs) as farm:
        found = Site(Path(directory), farm)
        with found.serving():
            yield found
        found.client.close()


def until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS, every: float = 0.2) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"not within {seconds} s")
        time.sleep(every)


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def process_cpu(pid: int) -> float:
    """User and system time of a living process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def tree_cpu(pid: int) -> float:
    """The same, with the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(f) for f in fields[11:15]) / TICK


def latency(requests: int) -> dict[str, Any]:
    seconds: list[float] = []
    with site(1) as here, here.runner():
        until(here.checked)
        (bmc,) = here.farm.bmcs
        for number in range(requests):
            begin = datetime.now(UTC)
            request = here.client.request_powercycle(bmc.name, "a benchmark")["id"]
            until(lambda: len(bmc.power_log) > 2 * number, every=0.01)  # noqa: B023 - called at once
            seconds.append((datetime.now(UTC) - begin).total_seconds())
            until(lambda: here.client.powercycle(request)["state"] == "verified")  # noqa: B023
    ordered = sorted(seconds)
    return {
        "requests": requests, "poll_seconds": 5, "p50_s": round(statistics.median(ordered), 2),
        "p95_s": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 2), "max_s": round(ordered[-1], 2),
    }  # fmt: skip


def wave(machines: int, forks: int) -> dict[str, Any]:
    with site(machines) as here:
        floor_wall, floor_cpu = floor(here, forks)
        say(f"no-op play: {floor_wall:.0f} s")
        settings = {"waves": {"size": forks}, "forks": forks, "check_seconds": 86400}
        with here.runner(**settings) as runner:
            until(here.checked)
            until(here.idle)  # the CPU time of a run counts when it has ended: that of the check is not the wave's
            say("all controllers checked")
            before, own = tree_cpu(runner.pid), process_cpu(runner.pid)
            begin = time.monotonic()
            for bmc in here.farm.bmcs:
                here.client.request_powercycle(bmc.name, "a benchmark")
            said = begin

            def done() -> bool:
                nonlocal said
                count = len(list(here.client.powercycles(state="verified")))
                if time.monotonic() - said > 10:
                    said = time.monotonic()
                    say(f"{said - begin:.0f} s: {count} of {machines} verified")
                return count == machines

            until(done, every=1)
            wall = time.monotonic() - begin
            attempts = sum(p["attempts"] for p in here.client.powercycles(state="verified"))
            until(here.idle)
            runs = (here.directory / "runner.log").read_text().count('"event": "cycling"')
            cpu, own = tree_cpu(runner.pid) - before, process_cpu(runner.pid) - own
    return {
        "machines": machines,
        "forks": forks,
        "attempts": attempts,
        "runs": runs,
        "wall_s": round(wall, 1),
        "cpu_s_per_machine": round(cpu / machines, 3),
        "of_the_runner_itself": round(own / machines, 3),
        "floor_wall_s": round(floor_wall, 1),
        "floor_cpu_s_per_machine": round(floor_cpu / machines, 3),
        "over_floor_cpu_s_per_machine": round((cpu - floor_cpu) / machines, 3),
        "times_floor": round(cpu / floor_cpu, 2),
    }


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def floor(here: Site, forks: int) -> tuple[float, float]:
    """Wall and CPU seconds of a play that does nothing on the same hosts."""
    play = here.directory / "noop.yml"
    play.write_text(
        "- hosts: all\n  gather_facts: false\n  connection: local\n  vars:\n"
        '    ansible_python_interpreter: "{{ ansible_playbook_python }}"\n  tasks:\n    - ansible.builtin.ping:\n'
    )
    argv = ["ansible-playbook", "-i", str(here.inventory), "-f", str(forks), str(play)]
    before, begin = children_cpu(), time.monotonic()
    subprocess.run(argv, env={**os.environ, **here.env}, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin, children_cpu() - before


def idle(seconds: int) -> dict[str, Any]:
    with site(20) as here, here.runner(check_seconds=86400) as runner:
        until(here.checked)
        time.sleep(3)
        before = process_cpu(runner.pid)
        time.sleep(seconds)
        used = process_cpu(runner.pid) - before
    return {
        "seconds": seconds,
        "machines": 20,
        "poll_seconds": 5,
        "cpu_s": round(used, 2),
        "cpu_s_per_hour": round(used * 3600 / seconds, 1),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["latency", "wave", "idle", "all"])
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--forks", type=int, default=FORKS, help="machines in one run, and in the wave")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args(argv)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "latency": lambda: latency(options.requests),
        "wave": lambda: wave(options.machines, options.forks),
        "idle": lambda: idle(options.seconds),
    }
    figures = {name: part() for name, part in parts.items() if options.what in (name, "all")}
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
