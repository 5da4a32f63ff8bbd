# SPDX-License-Identifier: BSD-2-Clause
"""Child processes of the lab: started in a process group of their own, stopped by that group, never by name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

TAIL_LINES = 20


class LabError(Exception):
    """A part of the lab could not be started or did not do what was asked; the message is for a person."""


class Missing(LabError):
    """Software that the lab needs is not installed; the message says what to do."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """Return a port of `host` that nobody uses now. Somebody may take it before you do."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(probe: Callable[[], T], timeout: float, what: str, interval: float = 0.1) -> T:
    """Call `probe` every `interval` seconds until it returns something true, and return that.

    Raises LabError("... after `timeout` s: `what`") when it never does. What `probe` raises passes through.
    """
    deadline = time.monotonic() + timeout
    while True:
        if value := probe():
            return value
        if time.monotonic() >= deadline:
            raise LabError(f"gave up after {timeout:g} s waiting for {what}")
        time.sleep(interval)


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a text file, "" when there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def json_lines(path: Path) -> list[dict[str, str]]:
    """Return what a file has written line by line, nothing when there is none."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


class Running(ABC):
    """A context manager around one child process, which a subclass starts as `_child`.

    One that does not come up is stopped.
    """

    _child: Child | None = None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError("not started")
        return self._child.pid

    @abstractmethod
    def _start(self) -> None:
        """Start the child and wait until it is of use."""

    def _stop(self) -> None:
        """Stop the child. Idempotent."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()


class Child:
    """A child process with its output (stdout and stderr together) in a log file.

    Use as a context manager, or call start() and stop(); stop() may be called twice. The child leads a process group of
    its own, so that Ctrl-C in the terminal reaches only us and we stop what we started, with whatever it started.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        """`env` is added to our own environment; `name` stands in error messages (default: the command's name)."""
        self.argv = [os.fspath(part) for part in argv]
        self.log = log
        self.name = name or Path(self.argv[0]).name
        self._cwd = cwd
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise LabError(f"{self.name} is not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._process.poll() if self._process else None

    def start(self) -> Self:
        """Start it; raise Missing when there is no such program."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603 (the lab starts what its caller names)
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self._cwd,
                    env={**os.environ, **self._env} if self._env else None,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise Missing(f"{self.name} cannot be started: {error}") from error
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """Terminate the process group, kill it after `timeout` seconds."""
        process = self._process
        if process is None:
            return
        for sign, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
                break
        # Whatever the leader left behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal to the child alone, not to what it started."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit status; LabError with the log's tail when it goes on."""
        process = self._process
        if process is None:
            raise LabError(f"{self.name} is not started")
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} still runs after {timeout:g} s; {self.log}:\n{tail(self.log)}") from None

    def wait_for(self, probe: Callable[[], object], timeout: float, what: str) -> None:
        """Wait until `probe` returns something true; LabError with the log's tail when it ends or the time does."""

        def ready() -> bool:
            if probe():
                return True
            if not self.running:
                code = self._process.returncode if self._process else None
                raise LabError(f"{self.name} ended with status {code} before {what}")
            return False

        try:
            wait_until(ready, timeout, what)
        except LabError as error:
            raise LabError(f"{error}\n--- {self.log} ends with:\n{tail(self.log)}") from None

    def wait_for_line(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait until the log matches the regular expression (multi-line mode) and return the match."""
        compiled = re.compile(pattern, re.MULTILINE)
        found: list[re.Match[str]] = []

        def look() -> bool:
            if match := compiled.search(self.log.read_text(errors="replace")):
                found.append(match)
            return bool(found)

        self.wait_for(look, timeout, f"{self.name} to print {pattern!r}")
        return found[0]

    def wait_for_port(self, port: int, timeout: float, host: str = "127.0.0.1") -> None:
        """Wait until something accepts TCP connections there."""

        def connects() -> bool:
            with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0):
                return True
            return False

        self.wait_for(connects, timeout, f"{self.name} to listen on {host}:{port}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
