# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start Python programs by a fork of a process that has imported what they need: in milliseconds, not in seconds.

Tests start thousands of programs, and importing is most of what each of them does. What runs is
`python -m MODULE ARGUMENTS` as ever, in a process of its own with its own environment, directory and output; only its
imports are there already.

As a program: reads orders from standard input, a line of JSON each. `{"module", "arguments", ...}` starts one and
answers its process id, `{"wait": pid}` answers its exit status when it has ended.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class Warm:
    """A process that has imported the modules `imports` (`name.*`: all below it, too); a context manager.

    One that can't be imported is left out: whoever needs it says so.
    """

    def __init__(self, imports: Sequence[str], path: Sequence[str | Path]) -> None:
        self._path = os.pathsep.join(str(folder) for folder in path)
        self._imports = list(imports)
        self._talk = threading.Lock()

    def __enter__(self) -> Warm:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._imports],
            env={**os.environ, "PYTHONPATH": self._path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def run(
        self, module: str, *arguments: str, env: Mapping[str, str], cwd: Path | None = None, timeout: float = 280
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m module arguments` to its end. `env` is its whole environment, less PYTHONPATH."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            with self.start(module, *arguments, env=env, cwd=cwd, out=out, err=err) as program:
                status = program.wait(timeout)
            return subprocess.CompletedProcess([module, *arguments], status, _text(out), _text(err))

    def start(
        self, module: str, *arguments: str, env: Mapping[str, str], out: str | Path, err: Path, cwd: Path | None = None
    ) -> Program:
        """Start `python -m module arguments`; its output is added to the files `out` and `err`."""
        order = {"module": module, "arguments": arguments, "env": dict(env), "cwd": str(cwd or Path.cwd())}
        return Program(self, self._ask({**order, "out": str(out), "err": str(err)}))

    def reap(self, pid: int) -> int:
        """Return the exit status of a program that has ended, negative for a signal."""
        return self._ask({"wait": pid})

    def _ask(self, order: Mapping[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        with self._talk:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the process that starts programs has ended: its error is above"
        return int(answer)


@functools.cache
def warm_fleetd() -> Warm:
    """The one of this test process that starts `fleetd`, from the first time that somebody needs it."""
    warm = Warm(["fleetd.cli", "fleetd.server.app", "uvicorn"], [ROOT / "src", ROOT / "plugins/module_utils"])
    atexit.register(warm.__exit__)
    return warm.__enter__()


class Program:
    """A started program, with what tests use of `subprocess.Popen`; as a context manager it is killed at the end."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._warm = warm
        self._ended = os.pidfd_open(pid)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.poll() is None:
            self.send_signal(signal.SIGKILL)
            self.wait(60)

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status when it has ended.

        :raises subprocess.TimeoutExpired: it has not.
        """
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = self._warm.reap(self.pid)
            os.close(self._ended)
        return self.returncode

    def poll(self) -> int | None:
        """Return its exit status, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _text(path: Path) -> str:
    """What a program wrote; nothing if it was killed before it could open the file."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _import(name: str) -> None:
    package = name.removesuffix(".*")
    try:
        module = importlib.import_module(package)
    except Exception:  # no module to import, but a program or a plugin
        return
    if name.endswith(".*"):
        for found in pkgutil.iter_modules(module.__path__, f"{package}."):
            _import(f"{found.name}.*" if found.ispkg else found.name)


def _serve() -> None:
    """Answer orders until there are no more; return in a child that is to become a program."""
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        else:
            answer = os.fork()
            if not answer:
                _become(order)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    os._exit(0)


def _become(order: Mapping[str, Any]) -> None:
    """Be the program that is asked for, and end."""
    added = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, order["out"], added), (2, order["err"], added)):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (the old one has read ahead)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[0] = order["cwd"]
    sys.argv = [order["module"], *order["arguments"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        _import(wanted)
    gc.freeze()
    _serve()
