# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's client side against a real `fleetd serve`, through real Ansible programs."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from warm import Program, warm_fleetd

from fleetlab.process import wait_until

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 60


def environment(**extra: str) -> dict[str, str]:
    """Ours without what a developer's shell says about Ansible or fleetd; programs of this Python come first."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "FLEETD_"))}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    env["PYTHONPATH"] = os.pathsep.join(str(ROOT / part) for part in ("src", "plugins/module_utils"))
    return {**env, **extra}


@dataclass
class Server:
    """A `fleetd serve` on SQLite, started and stopped at will, always on the same port once it has one."""

    work: Path
    listen: str = "127.0.0.1:0"
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    process: Program | None = None

    def _run(self, *arguments: str) -> str:
        config = str(self.work / "fleetd.yml")
        done = warm_fleetd().run("fleetd", "--config", config, *arguments, env=environment())
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def init(self) -> None:
        self.tokens["admin"] = self._run("init", "--token-only")
        for scope in ("viewer", "operator", "runner"):
            self.tokens[scope] = self._run("token", "create", "--scope", scope, "--name", scope, "--token-only")

    def start(self) -> None:
        command = ("--config", str(self.work / "fleetd.yml"), "serve", "--listen", self.listen)
        self.log.write_text("")
        env = environment(FLEETD_LOG__FORMAT="json")
        self.process = warm_fleetd().start("fleetd", *command, env=env, out=self.log, err=self.log)
        self.url = wait_until(self._address, START_SECONDS, "the server's address")
        self.listen = self.url.split("//", 1)[1].rstrip("/")

    def _address(self) -> str:
        """The first address that the server has printed."""
        said = self.log.read_text()
        assert self.process
        assert self.process.poll() is None, said
        address = re.search(r"http://[0-9.]+:[0-9]+", said)
        return address.group() if address else ""

    @property
    def log(self) -> Path:
        return self.work / "serve.log"

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None
            print(self.log.read_text())  # noqa: T201  (pytest shows it when a test fails)

    @contextmanager
    def client(self, scope: str = "admin") -> Iterator[ServerClient]:
        client = ServerClient(
            HttpClient(HttpOptions(self.url)), SystemClock(), self.url, token=self.tokens.get(scope, scope)
        )
        yield client
        client.close()


@dataclass(frozen=True)
class Done:
    """How a program ended. ``lines`` are those of stdout and stderr that say something."""

    rc: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return [line for line in (self.stdout + self.stderr).splitlines() if line.strip()]

    def host(self, name: str) -> dict[str, int]:
        """The counters of one host in the play recap."""
        (line,) = re.findall(rf"^{re.escape(name)}\s+: (.*)$", self.stdout, re.MULTILINE)
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


class Ansible:
    """Runs Ansible's programs with this checkout as the collection."""

    def __init__(self, work: Path, **extra: str) -> None:
        self.work = work
        link = work / "ansible_collections" / "baremetal" / "fleet"
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT, target_is_directory=True)
        self.env = environment(
            ANSIBLE_COLLECTIONS_PATH=str(work),
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_HOME=str(work / "home"),
            ANSIBLE_NOCOLOR="1",
            COLUMNS="500",
            **extra,
        )

    def run(self, program: str, *arguments: str, **extra: str) -> Done:
        command = [program, *arguments]
        done = subprocess.run(
            command, env={**self.env, **extra}, cwd=self.work, capture_output=True, text=True, check=False, timeout=200
        )
        print(*command, done.stdout, done.stderr, sep="\n")  # noqa: T201
        return Done(done.returncode, done.stdout, done.stderr)

    def play(self, tasks: list[dict[str, Any]], hosts: str, *arguments: str, **play: Any) -> Done:
        """Run one play over these comma-separated hosts on this computer."""
        body = {"hosts": "all", "gather_facts": False, "connection": "local", "tasks": tasks, **play}
        body["vars"] = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", **play.get("vars", {})}
        path = self.work / "play.json"
        path.write_text(json.dumps([body]))
        return self.run("ansible-playbook", "-i", f"{hosts},", str(path), *arguments)

    def inventory(self, config: dict[str, Any], *arguments: str, name: str = "machines.yml", **extra: str) -> Done:
        """Run ansible-inventory over a configuration of the plugin."""
        path = self.work / name
        path.write_text(json.dumps({"plugin": "baremetal.fleet.machines", **config}))
        return self.run("ansible-inventory", "-i", str(path), *(arguments or ("--list",)), **extra)

    def inventories(self, configs: list[dict[str, Any]]) -> Done:
        """Run ansible-inventory once over several configurations; what fails is a warning."""
        sources = []
        for number, config in enumerate(configs):
            path = self.work / f"{number}.machines.yml"
            path.write_text(json.dumps({"plugin": "baremetal.fleet.machines", **config}))
            sources += ["-i", str(path)]
        return self.run("ansible-inventory", *sources, "--list", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="false")


@contextmanager
def answering(body: bytes, status: int = 200, content_type: str = "application/json") -> Iterator[str]:
    """The address of a server that answers everything the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=other.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{other.server_address[1]}"
    finally:
        other.shutdown()
        other.server_close()
