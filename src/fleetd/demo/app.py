# SPDX-License-Identifier: BSD-2-Clause
"""``fleetd demo``: a fleet of virtual BMCs, from nothing to a verified power cycle, on one machine and without root.

Everything listens on 127.0.0.1 and lives in one directory. Passwords and tokens are made for this run; they travel in
the environment and in files of mode 0600. However the demo ends, even killed, nothing of it is left running: see
:mod:`.guard`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click
from fleetcore.errors import FleetError
from fleetcore.host.clock import SystemClock
from fleetcore.net.client.server import ServerClient
from fleetcore.net.http import HttpClient, HttpOptions
from rich.console import Console
from rich.markup import escape

from fleetd.common.commandline import print_table
from fleetd.demo.guard import DemoError, guarded, own_directory
from fleetd.demo.members import FLEET, Member, VirtualBmcs, fleet_rows

COLLECTION = Path("ansible_collections", "baremetal", "fleet")
_TOKEN = "admin.token"  # noqa: S105 (a file's name)


def run(work_dir: Path, port: int, *, no_wait: bool) -> int:
    """Run the demo and return the exit code."""
    console = Console(highlight=False)
    # SIGINT too: a shell lets what it starts in the background ignore it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    started = time.monotonic()
    demo = Demo(console, work_dir.absolute(), port)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        with demo.running():
            demo.steps()
            console.print(f"\n[bold green]All steps worked[/] in {time.monotonic() - started:.0f} s.")
            if not (no_wait or os.environ.get("CI")):
                demo.leave_running(interactive)
    except KeyboardInterrupt:
        console.print("\nInterrupted. Nothing is left running.")
        return 130
    except DemoError as error:
        where = f"\n  more: {error.log}" if error.log else ""
        console.print(f"\n[bold red]Step failed: {escape(demo.step)}[/]\n  {escape(str(error))}{where}", soft_wrap=True)
        return 1
    console.print("Stopped. Nothing is left running.")
    return 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@dataclass
class Demo:
    """The demo's steps in order, and what they share."""

    console: Console
    directory: Path
    port: int
    step: str = "start"
    url: str = ""
    members: list[Member] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)  # machine -> id of its power cycle request
    username: str = "fleet"
    password: str = field(default_factory=lambda: secrets.token_hex(8), repr=False)  # 16 characters: ipmi_sim's limit
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _admin: ServerClient | None = None
    _runner_token: str = field(default="", repr=False)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Guard: when the block ends, for whatever reason, everything that was started is stopped and gone."""
        self._stack.enter_context(own_directory(self.directory))
        (self.directory / "ansible.cfg").touch()
        for name in [name for name in os.environ if name.startswith("FLEETD_")]:
            del os.environ[name]  # settings of a real server, and its database, are none of the demo's business
        with guarded():
            try:
                yield
            finally:
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                with self.console.status("stopping"):
                    self._stack.close()

    def steps(self) -> None:
        """All steps, each with its line.

        :raises DemoError: a step failed; ``step`` says which.
        """
        for title, step in (
            ("Find the collection", self._find_collection),
            ("Start the machine server", self._serve),
            ("Start virtual BMCs", self._start_bmcs),
            ("Register the machines", self._register),
            ("Collect their inventory with ansible-playbook", self._collect),
            ("Show the fleet", self._show),
            ("Request power cycles through the API", self._request),
            ("Start the runner and follow it", self._run),
            ("Look at what the BMCs recorded", self._evidence),
        ):
            self.step = title
            began = time.monotonic()
            self.console.print(f"[bold cyan]▸ {title}[/]")
            try:
                step()
            except (FleetError, OSError, RuntimeError, _lab_error()) as error:
                raise DemoError(str(error), self.directory) from error
            self.console.print(f"  [dim]{time.monotonic() - began:.1f} s[/]")

    def say(self, text: str) -> None:
        self.console.print(f"  {text}", soft_wrap=True)

    # -- steps

    def _find_collection(self) -> None:
        paths = os.environ.get(
            "ANSIBLE_COLLECTIONS_PATH", "~/.ansible/collections:/usr/share/ansible/collections"
        ).split(os.pathsep)
        found = next(
            (p for p in (Path(path).expanduser().absolute() for path in paths if path) if (p / COLLECTION).is_dir()),
            None,
        )
        if found is None:
            raise DemoError(
                f"the collection baremetal.fleet is not in ANSIBLE_COLLECTIONS_PATH ({os.pathsep.join(paths)}). "
                "In a checkout `make demo` installs it; otherwise: ansible-galaxy collection install baremetal.fleet"
            )
        os.environ["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join([str(found), *paths])
        self.say(str(found / COLLECTION))

    def _serve(self) -> None:
        config = self.directory / "fleetd.yml"
        port = self.port if _is_free(self.port) else 0
        admin = self._fleetd("init", "--listen", f"127.0.0.1:{port}", "--token-only")
        with open(os.open(self.directory / _TOKEN, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(admin + "\n")
        with config.open("a") as file:
            file.write("auth:\n  anonymous_scope: viewer\n")
        self._runner_token = self._fleetd(
            "token", "create", "--name", "demo-runner", "--scope", "runner", "--token-only"
        )
        log = self._child("server", [*self._command(), "serve"])
        self.url = log.wait_for_line(r"fleetd serves (http://\S+)", 30)[1]
        clock = SystemClock()
        self._admin = ServerClient(HttpClient(HttpOptions(self.url)), clock, self.url, token=admin)
        self.say(f"{self.url}, SQLite in {self._relative(self.directory / 'fleetd.db')}")

    def _start_bmcs(self) -> None:
        bmcs = VirtualBmcs(self.directory, (self.username, self.password), self._stack, self.say)
        bmcs.start()
        self.members = bmcs.members

    def _register(self) -> None:
        for member in self.members:
            self._server.create_machine(
                {
                    "id": member.id,
                    "site": "demo",
                    "rack": member.rack,
                    "position": member.position,
                    "bmc": dict(member.bmc),
                    "labels": {},
                }
            )
        self.say(f"{len(self.members)} machines in the server")

    def _collect(self) -> None:
        inventory = self.directory / "machines.yml"
        inventory.write_text("plugin: baremetal.fleet.machines\n")
        argv = [_beside_python("ansible-playbook"), "baremetal.fleet.collect_oob", "-i", str(inventory)]
        self.say("[dim]$ ansible-playbook baremetal.fleet.collect_oob -i machines.yml[/]")
        self._until_ended("collect", argv, 120)
        missing = [m["id"] for m in self._server.machines() if not m.get("device")]
        if missing:
            raise DemoError(f"no device document of {', '.join(missing)} arrived", self.directory / "collect.log")

    def _show(self) -> None:
        print_table(fleet_rows(self._server), FLEET, right=range(4, 8))

    def _request(self) -> None:
        for member in self.members:
            if member.cycle:
                request = self._server.request_powercycle(member.id, "to see it in the demo", "demo")
                self.requests[member.id] = request["id"]
                self.say(f"POST /api/v1/powercycles  {member.id}: {request['state']}")

    def _run(self) -> None:
        runner = self._child("runner", [*self._command(), "runner"], {
            "FLEETD_RUNNER__INVENTORY": f'["{self.directory / "machines.yml"}"]',
            "FLEETD_RUNNER__STATE_DIR": str(self.directory / "runner"),
            "FLEETD_RUNNER__SERVER_URL": self.url,
            "FLEETD_RUNNER__POLL_SECONDS": "1",
            "FLEETD_RUNNER__EXTRA_VARS": '{"powercycle_off_seconds": 2}',
        })  # fmt: skip
        seen: set[tuple[str, str, str]] = set()
        open_requests = dict(self.requests)
        deadline = time.monotonic() + 120
        with self.console.status("the runner works"):
            while open_requests:
                for machine, request_id in list(open_requests.items()):
                    request = self._server.powercycle(request_id)
                    for step in request["steps"]:
                        key = (machine, step["state"], step["at"])
                        if key not in seen:
                            seen.add(key)
                            self.say(
                                f"{_time(step['at'])}  {machine:<8} [bold]{step['state']:<9}[/] "
                                f"[dim]{escape(step.get('message') or '')}[/]"
                            )
                    if request["state"] == "verified":
                        del open_requests[machine]
                    elif request["error"] or request["state"] in ("failed", "cancelled"):
                        error = (request["error"] or {}).get("message", "no reason given")
                        raise DemoError(f"{machine}: {request['state']}: {error}", runner.log)
                if not runner.running:
                    raise DemoError("the runner ended", runner.log)
                if time.monotonic() > deadline:
                    raise DemoError(f"no power cycle of {', '.join(open_requests)} within 120 s", runner.log)
                time.sleep(0.2)

    def _evidence(self) -> None:
        for member in self.members:
            if member.power_log is None:
                continue
            log = member.power_log()
            actions = [action.lower() for _at, action in log]
            for at, action in log:
                self.say(f"{_time(at)}  {member.id:<8} its BMC says: [bold]{escape(action)}[/]")
            if actions.count("off") != 1 or actions[-1:] != ["on"]:
                raise DemoError(
                    f"{member.id} should have gone off once and come on, its BMC recorded {actions or 'nothing'}"
                )
            listed = self._server.description(member.id).get("PowerCycle")
            self.say(f"          {member.id:<8} off and on once; still requested: {'yes' if listed else 'no'}")

    # -- the end

    def leave_running(self, interactive: bool) -> None:
        """Keep the page up until a key, SIGTERM or Ctrl-C; all of them are a good end."""
        self.step = "Leave the page running"
        self.console.print(
            f"\n  The page: [bold]{self.url}/[/]   (read only; to act on it, log in with the token in "
            f"{self._relative(self.directory / _TOKEN)})",
            soft_wrap=True,
        )
        self.console.print(
            "  Press [bold]q[/] or Enter to stop everything."
            if interactive
            else f"  Ctrl-C, or kill {os.getpid()}, stops everything."
        )
        with contextlib.suppress(KeyboardInterrupt, EOFError):
            if interactive:
                while click.getchar()[-1:] not in ("", "q", "Q", "\n", "\r"):
                    pass
            while not interactive:
                time.sleep(3600)

    # -- parts

    @property
    def _server(self) -> ServerClient:
        assert self._admin is not None  # noqa: S101 (set by an earlier step)
        return self._admin

    def _env(self) -> dict[str, str]:
        return {
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "BMC_USERNAME": self.username,
            "BMC_PASSWORD": self.password,
            "FLEETD_URL": self.url,
            "FLEETD_TOKEN": self._runner_token,
            "FLEETD_LOG__FORMAT": "console",
            "PYTHONUNBUFFERED": "1",
        }

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "fleetd", "--config", str(self.directory / "fleetd.yml")]

    def _fleetd(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            [*self._command(), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise DemoError(
                f"fleetd {arguments[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}"
            )
        return done.stdout.strip()

    def _child(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Any:
        from fleetlab.process import Child  # noqa: PLC0415

        log = self.directory / f"{name}.log"
        return self._stack.enter_context(Child(argv, log=log, env={**self._env(), **(env or {})}, name=name))

    def _until_ended(self, name: str, argv: Sequence[str], seconds: float) -> None:
        """Run a command with its output in a log; its newest line is shown while it runs."""
        child = self._child(name, argv)
        deadline = time.monotonic() + seconds
        with self.console.status(name) as status:
            while child.running:
                if time.monotonic() > deadline:
                    raise DemoError(f"{name} did not end within {seconds:g} s", child.log)
                lines = child.log.read_text(errors="replace").split("\n")
                status.update(escape(next((line for line in reversed(lines) if line.strip()), name))[:100])
                time.sleep(0.1)
        if child.returncode:
            raise DemoError(f"{name} ended with status {child.returncode}", child.log)
        recap = child.log.read_text(errors="replace").partition("PLAY RECAP")[2].splitlines()[1:]
        for host, _colon, counts in (line.partition(":") for line in recap if ":" in line):
            self.say(
                f"{host.strip():<8} [dim]{' '.join(word for word in counts.split() if not word.endswith('=0'))}[/]"
            )

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path)


def _lab_error() -> type[Exception]:
    try:
        from fleetlab.process import LabError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DemoError(f"{error.name} is not installed: pip install 'fleetd[demo]'") from error
    return LabError


def _beside_python(name: str) -> str:
    path = Path(sys.executable).parent / name
    found = str(path) if path.exists() else shutil.which(name)
    if found is None:
        raise DemoError(f"{name} is not installed: pip install 'fleetd[demo]'")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _time(at: str) -> str:
    """The local time of day, with tenths, of an RFC 3339 time."""
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:10]
