# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children: what they start ends with them, and a failed start shows why."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from fleetlab.process import Child, LabError, Missing, alive, free_port


def script(tmp_path: Path, code: str, **options: object) -> Child:
    return Child([sys.executable, "-u", "-c", code], log=tmp_path / "log", name="script", **options)  # type: ignore[arg-type]


def test_stop_ends_the_grandchild_too(tmp_path: Path) -> None:
    code = "import subprocess; p = subprocess.Popen(['sleep', '600']); print('pid', p.pid); p.wait()"
    with script(tmp_path, code) as child:
        grandchild = int(child.wait_for_line(r"^pid (\d+)$", 60)[1])
        assert alive(grandchild)
    assert not child.running
    deadline = time.monotonic() + 60
    while alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(grandchild)


def test_stop_kills_what_ignores_the_request(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
    child = script(tmp_path, code).start()
    child.wait_for_line("deaf", 60)
    child.stop(timeout=0.2)
    assert not child.running
    child.stop()


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    child = script(tmp_path, "import sys; print('no such disk', file=sys.stderr); sys.exit(3)").start()
    with pytest.raises(LabError, match=r"(?s)ended with status 3 before .*ready.*no such disk"):
        child.wait_for_line("ready", 60)


def test_waiting_gives_up(tmp_path: Path) -> None:
    with (
        script(tmp_path, "import time; print('thinking'); time.sleep(600)") as child,
        pytest.raises(LabError, match=r"(?s)gave up after 0.5 s waiting for script to listen on 127.0.0.1:\d+"),
    ):
        child.wait_for_port(free_port(), 0.5)


def test_wait_for_port(tmp_path: Path) -> None:
    port = free_port()
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
    with script(tmp_path, code) as child:
        child.wait_for_port(port, 60)
        with pytest.raises(LabError, match="still runs after"):
            child.wait(0.1)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="no-such-program"):
        Child(["no-such-program"], log=tmp_path / "log").start()
