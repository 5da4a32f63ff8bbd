# SPDX-License-Identifier: BSD-2-Clause
"""Guards of the demo: its directory is its own, and nothing of it outlives it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_MARKER = ".fleetd-demo"
_COOKIE = "FLEETD_DEMO_ID"  # in the environment of everything that the demo starts

# Ends every process that carries the cookie once the demo is gone, however it went: its end of the pipe closes then.
_WATCHDOG = """
import os, signal, sys, time
cookie = sys.argv[1].encode()
os.read(0, 1)
for number in [signal.SIGTERM] * 20 + [signal.SIGKILL] * 5:
    found = False
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if int(pid) != os.getpid() and cookie in file.read().split(b"\\0"):
                    os.kill(int(pid), number)
                    found = True
        except OSError:
            pass
    if not found:
        break
    time.sleep(0.1)
"""


class DemoError(Exception):
    """A step failed; the message is for a person, ``log`` the file that says more."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


@contextlib.contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """Make the work directory new and ours; one that is not a demo's is left alone."""
    marker = directory / _MARKER
    if directory.exists() and not marker.exists() and any(directory.iterdir()):
        raise DemoError(f"{directory} is not empty and not a demo's directory: name another with --work-dir")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with marker.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"another demo is running in {directory}") from None
        for path in directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != marker:
                path.unlink()
        yield


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Mark everything that is started in the block, and end what is left of it, also when this process is killed."""
    cookie = f"{_COOKIE}={secrets.token_hex(8)}"
    guard = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", "-c", _WATCHDOG, cookie],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.environ[_COOKIE] = cookie.partition("=")[2]  # only now: the guard must not end itself
    try:
        yield
    finally:
        assert guard.stdin is not None  # noqa: S101 (a pipe)
        guard.stdin.close()
        guard.wait(15)
