# SPDX-License-Identifier: BSD-2-Clause
"""Playbooks through ansible-runner, each run in a process of its own that outlives the runner.

A run is a directory (mode 0700) below the adapter's root::

    run.json       what to do; no secrets: those travel in the environment and in the inventory's own files
    group.yml      one group with exactly the hosts of this run, which --limit names
    lock           locked by the worker as long as it lives
    events.jsonl   "launched", one line per host outcome, "done": written through line by line
    progress/      one file per host, to which bmc_power appends each step as it happens
    worker.log     stdout and stderr of the worker
    private/       ansible-runner's directory; its artifacts are removed at the end, but for stdout

The worker (:mod:`.worker`) has its own session and ignores SIGTERM, so neither a stop nor a SIGKILL of the runner
interrupts a power cycle half way; a runner that starts again finds the directory and reads on.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from fleetcore.errors import FatalError, InvalidInput, MissingDependency, TimedOut

from fleetd.runner import core
from fleetd.runner.ports import HostOutcome, HostStep, PlaybookRun, RunProgress

RUN_ID = "FLEETD_RUN_ID"  # in the environment of the worker and of everything below it
LOCK_FD = "FLEETDLOCK_FD"
GROUP = "fleetd_run"
PROGRESS = "progress"
_OUTCOME = tuple(f.name for f in fields(HostOutcome))
_PATH_LISTS = ("PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG")
_RESERVE = 64 * 1024 * 1024
"""Bytes: a run that finds the disk full half way is killed half way, so with less room than this none is begun."""
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass
class AnsibleRunner:
    """Adapter of :class:`fleetd.runner.ports.PlaybookRunner`.

    :param root: directory for the runs; created with mode 0700.
    :param environment: added to this process's own environment: tokens and the like.
    :param forks: hosts at a time within one run.
    :param timeout: seconds after which a run is ended. Modules have tighter limits of their own: this is the last
        resort.
    :param keep: how many ended runs' logs stay for people to read.
    """

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _: KW_ONLY
    forks: int = 20
    timeout: float = 1800.0
    keep: int = 20
    _workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        make_private(self.root)

    def check(self, inventories: Sequence[str], pattern: str) -> None:
        """:raises InvalidInput: no inventory, one that does not exist, or an empty pattern.

        :raises MissingDependency: no Ansible.
        """
        _tool("ansible-playbook")
        if importlib.util.find_spec("ansible_runner") is None:
            raise MissingDependency(
                "ansible-runner is not installed: pip install 'fleetd[runner]'", tool="ansible-runner"
            )
        if not inventories or not all(inventories):
            raise InvalidInput("runner.inventory is empty: name at least one inventory", field="runner.inventory")
        if not pattern.strip():
            raise InvalidInput("runner.pattern is empty: name hosts or groups, or `all`", field="runner.pattern")
        for inventory in inventories:
            _source(inventory)

    def hosts(
        self, inventories: Sequence[str], pattern: str, variables: Sequence[str] = ()
    ) -> dict[str, dict[str, Any]]:
        self.check(inventories, pattern)
        argv = [_tool("ansible-inventory"), "--list", f"--limit={pattern}"]
        for inventory in inventories:
            argv += ["-i", _source(inventory)]
        env = self._env() | {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", "ANSIBLE_NOCOLOR": "1"}
        try:
            done = subprocess.run(  # noqa: S603
                argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TimedOut("ansible-inventory gave no answer within 120 s", seconds=120) from error
        if done.returncode != 0:
            raise InvalidInput(f"the inventory can't be read: {first_error(done.stderr)}", field="runner.inventory")
        groups = json.loads(done.stdout)
        known = groups.get("_meta", {}).get("hostvars", {})
        names = sorted({h for name, g in groups.items() if name != "_meta" for h in g.get("hosts", [])})
        return {n: {v: known[n][v] for v in variables if v in known.get(n, {})} for n in names}

    def start(self, run: PlaybookRun) -> None:
        if not run.hosts or not _SAFE_ID.fullmatch(run.id):
            raise InvalidInput("a run needs a plain id and at least one host: an empty limit would select everything")
        directory = self.root / run.id
        try:
            free = shutil.disk_usage(self.root).free
            if free < _RESERVE and not run.urgent:
                raise FatalError(
                    f"{self.root}: only {free >> 20} MiB are free on the disk; make room for {_RESERVE >> 20}"
                )
            directory.mkdir(mode=0o700)
            (directory / "private" / "project").mkdir(mode=0o700, parents=True)
            (directory / PROGRESS).mkdir(mode=0o700)
            _write(directory / "group.yml", json.dumps({GROUP: {"hosts": dict.fromkeys(run.hosts)}}))
            spec = asdict(run) | {
                "inventories": [_source(i) for i in run.inventories],
                "forks": self.forks,
                "timeout": self.timeout,
            }
            spec["started_at"] = time.monotonic()  # one clock for all processes since the host has started
            _write(directory / "run.json", json.dumps(spec))
            with open(directory / "worker.log", "wb") as log, open(directory / "lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                env = self._env() | {RUN_ID: run.id, LOCK_FD: str(lock.fileno())}
                self._workers[run.id] = self._spawn(directory, env, lock.fileno(), log)
        except OSError as error:
            raise FatalError(f"can't start a playbook run in {directory}: {error}") from error

    def _spawn(self, directory: Path, env: Mapping[str, str], lock: int, log: BinaryIO) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "fleetd.runner.adapters.worker", str(directory)],
            env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(lock,),
        )  # fmt: skip

    def progress(self, run_id: str) -> RunProgress:
        directory = self.root / run_id
        alive = self._alive(run_id, directory)  # before reading: what is written by then is seen
        outcomes: dict[str, HostOutcome] = {}
        launched = alive
        problem = ""
        for line in _lines(directory / "events.jsonl"):
            launched = True
            if "host" in line:
                outcomes.setdefault(line["host"], HostOutcome(**{k: line[k] for k in _OUTCOME if k in line}))
            problem = line.get("problem", problem)
        if not alive and not problem and not outcomes:
            problem = _tail(directory / "worker.log")
        return RunProgress(tuple(outcomes.values()), not alive, launched, problem, tuple(_steps(directory / PROGRESS)))

    def known(self) -> list[str]:
        return sorted(p.parent.name for p in self.root.glob("*/run.json"))

    def discard(self, run_id: str) -> None:
        directory = self.root / run_id
        for path in (directory / "run.json", directory / "group.yml", directory / "lock"):
            path.unlink(missing_ok=True)
        shutil.rmtree(directory / PROGRESS, ignore_errors=True)
        self._workers.pop(run_id, None)
        ended = sorted(
            (p for p in self.root.iterdir() if not (p / "run.json").exists()), key=lambda p: p.stat().st_mtime
        )
        for old in ended[: max(len(ended) - self.keep, 0)]:
            shutil.rmtree(old, ignore_errors=True)

    def _env(self) -> dict[str, str]:
        env = dict(os.environ) | dict(self.environment)
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
        for name in _PATH_LISTS:  # ansible-runner changes the directory
            if env.get(name):
                env[name] = os.pathsep.join(os.path.abspath(os.path.expanduser(p)) for p in env[name].split(os.pathsep))
        return env

    def _alive(self, run_id: str, directory: Path) -> bool:
        worker = self._workers.get(run_id)
        if worker is not None and worker.poll() is None:
            return True
        try:
            spec = json.loads((directory / "run.json").read_text())
            with open(directory / "lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except (OSError, ValueError):
            return False  # it was never started
        # The worker is gone, but what it started may still be switching. Not for ever, though.
        return time.monotonic() < spec["started_at"] + 2 * spec["timeout"] and _has_process(run_id)


def make_private(directory: Path) -> None:
    """:raises InvalidInput: it can't be made, or nothing can be written there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise InvalidInput(
            f"runner.state_dir: can't write in {directory}: {error.strerror}", field="runner.state_dir"
        ) from error


def _has_process(run_id: str) -> bool:
    cookie = f"{RUN_ID}={run_id}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if cookie in path.read_bytes().split(b"\0"):
                return True
    return False


def _tool(name: str) -> str:
    found = shutil.which(
        name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    )
    if found is None:
        raise MissingDependency(f"{name} is not installed: pip install 'fleetd[runner]'", tool=name)
    return found


def _source(inventory: str) -> str:
    if "," in inventory:
        return inventory  # a host list
    path = os.path.abspath(os.path.expanduser(inventory))
    if not os.path.exists(path):
        raise InvalidInput(f"runner.inventory: {inventory} does not exist", field="runner.inventory")
    return path


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read what was written line by line.

    The last one may be half written, and a host that lost its power may leave anything.
    """
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    for line in text.split("\n")[:-1]:
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def _steps(directory: Path) -> Iterator[HostStep]:
    for path in sorted(directory.glob("*")):
        for line in _lines(path):
            seen = core.step_seen(line)
            if seen:
                yield HostStep(unquote(path.name), *seen)


def first_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = next(
        (line for line in lines if line.startswith(("ERROR", "[ERROR]"))), lines[-1] if lines else "no message"
    )
    return found[:400]


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:400] if lines else ""
