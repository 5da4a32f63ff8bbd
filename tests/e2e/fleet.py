# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine server and what operators do with it, as processes of their own: fleetd and the ansible commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from warm import warm_fleetd

from fleetlab.process import Child, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
INVENTORY = REPOSITORY / "inventory" / "machines.yml"
PLAYBOOKS = REPOSITORY / "playbooks"


@dataclass
class Fleet:
    """`fleetd serve` on SQLite in `workdir`, with tokens of an operator (admin) and a runner; a context manager."""

    workdir: Path
    bmc_username: str
    bmc_password: str
    url: str = field(default="", init=False)
    _server: Child | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        link = self.workdir / "collections" / "ansible_collections" / "baremetal" / "fleet"
        link.parent.mkdir(parents=True)
        link.symlink_to(REPOSITORY)
        (self.workdir / "server").mkdir()
        init = ["init", "--directory", "server", "--listen", "127.0.0.1:0", "--token-only"]
        self._admin = self.fleetd(*init).strip()
        config = ["--config", "server/fleetd.yml"]
        self._runner = self.fleetd(
            *config, "token", "create", "--name", "runner", "--scope", "runner", "--token-only"
        ).strip()
        self._server = self._child("server", "fleetd", *config, "serve")
        self._server.start()
        try:
            self.url = self._server.wait_for_line(r"^fleetd serves (http://\S+)", 60)[1].rstrip("/")
        except BaseException:
            self._server.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.stop()

    def environment(self, token: str = "") -> dict[str, str]:
        """What an operator's shell has: the server, a token, the BMCs' credentials. Nothing secret goes into argv."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY / 'plugins/module_utils'}",
            "HOME": str(self.workdir),
            "ANSIBLE_HOME": str(self.workdir / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.workdir / "collections"),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "FLEETD_LOG__FORMAT": "json",
            "BMC_USERNAME": self.bmc_username,
            "BMC_PASSWORD": self.bmc_password,
            **({"FLEETD_URL": self.url} if self.url else {}),
            **({"FLEETD_TOKEN": token} if token else {}),
        }

    def run(self, *argv: str | Path, token: str = "", timeout: float = 600, status: int = 0) -> str:
        """Run a command to its end and return its stdout; another exit status than expected shows all its output."""
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=self.workdir,
            env={**os.environ, **self.environment(token)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == status, f"{argv} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fleetd(self, *words: str) -> str:
        done = warm_fleetd().run("fleetd", *words, env={**os.environ, **self.environment()}, cwd=self.workdir)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def module(self, name: str, /, **options: Any) -> dict[str, Any]:
        """Run one module of the collection as the admin, on this host, and return its result."""
        argv: Sequence[str] = (
            "ansible",
            "localhost",
            "-c",
            "local",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
        )
        out = self.run(*argv, "-m", f"baremetal.fleet.{name}", "-a", json.dumps(options), token=self._admin)
        head, _, body = out.partition("=>")
        assert "SUCCESS" in head or "CHANGED" in head, out
        result: dict[str, Any] = json.loads(body)
        return result

    def playbook(self, name: str, *words: str, status: int = 0) -> str:
        """Run a playbook of the collection over the server's machines; 2 is ansible's status for failed hosts."""
        return self.run("ansible-playbook", "-i", INVENTORY, PLAYBOOKS / name, *words, token=self._admin, status=status)

    def inventory(self) -> dict[str, Any]:
        out = self.run("ansible-inventory", "-i", INVENTORY, "--list", token=self._admin)
        result: dict[str, Any] = json.loads(out)
        return result

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Ask the server as the admin; the answer's JSON, None for an empty answer."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {self._admin}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def runner(self, **settings: object) -> Child:
        """Return `fleetd runner`, not started, quick and with these settings of its section."""
        defaults = {"poll_seconds": 0.5, "check_seconds": 20, "state_dir": self.workdir / "runner"}
        env = {f"FLEETD_RUNNER__{key.upper()}": str(value) for key, value in {**defaults, **settings}.items()}
        return self._child("runner", "fleetd", "runner", "--inventory", str(INVENTORY), token=self._runner, **env)

    def wait_for(self, path: str, wanted: Any, timeout: float, what: str) -> Any:
        """Poll the server until `wanted(answer)`; return the answer."""
        answers = []

        def look() -> bool:
            answers[:] = [self.get(path)]
            return bool(wanted(answers[0]))

        wait_until(look, timeout, what, 0.5)
        return answers[0]

    def _child(self, name: str, module: str, *words: str, token: str = "", **env: str) -> Child:
        return Child(
            [sys.executable, "-m", module, *words],
            log=self.workdir / f"{name}.log",
            cwd=self.workdir,
            env={**self.environment(token), **env},
            name=name,
        )
