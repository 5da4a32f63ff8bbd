# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`fleetd demo` as a process: it works, works again, and leaves nothing running however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetlab.process import wait_until

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 240  # on a machine that is busy with other tests


class Demos:
    """Starts demos whose processes, down to the last grandchild, carry a mark in their environment."""

    def __init__(self, directory: Path) -> None:
        self.work_dir = directory / "demo"
        self.mark = f"DEMO_TEST_MARK={uuid.uuid4().hex}"
        collections = directory / "collections" / "ansible_collections" / "baremetal"
        collections.mkdir(parents=True)
        (collections / "fleet").symlink_to(ROOT)
        name, _, value = self.mark.partition("=")
        self.env = {
            **os.environ,
            name: value,
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "fleetd", "demo", "--work-dir", str(self.work_dir), *arguments]
        return subprocess.Popen(
            argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def left(self) -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if self.mark.encode() in path.read_bytes().split(b"\0"):
                    found.append((path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def none_left(self) -> None:
        wait_until(lambda: not self.left(), 60, "the end of all that it started")

    def start_until(self, line: str) -> subprocess.Popen[str]:
        """Start one and return when it has printed that."""
        demo = self.start("--no-wait")
        assert demo.stdout is not None
        seen = []
        for text in demo.stdout:
            seen.append(text)
            if line in text:
                return demo
        pytest.fail("".join(seen))


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[Demos]:
    demos = Demos(tmp_path)
    yield demos
    demos.none_left()


def test_the_demo_works_without_its_port_and_again_in_its_folder(demos: Demos) -> None:
    """The second is killed while its runner works: who watches it ends what it has started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = demos.start("--no-wait", "--port", str(port))
        output, _ = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0, output
    assert "All steps worked" in output
    assert "node-1   off and on once; still requested: no" in output
    assert demos.left() == []
    token = (demos.work_dir / "admin.token").read_text().strip()
    readable = [
        p for p in demos.work_dir.rglob("*")
        if p.is_file() and p.stat().st_mode & 0o077 and token.encode() in p.read_bytes()
    ]  # fmt: skip
    assert readable == []
    assert token not in output

    again = demos.start_until("claimed")
    again.kill()
    assert again.wait(60) == -signal.SIGKILL
    demos.none_left()


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("Collect their inventory", signal.SIGINT),
        pytest.param("Start virtual BMCs", signal.SIGINT, marks=pytest.mark.storm),
        pytest.param("claimed", signal.SIGTERM, marks=pytest.mark.storm),
    ],
)
def test_nothing_is_left_when_it_is_interrupted(demos: Demos, line: str, number: signal.Signals) -> None:
    demo = demos.start_until(line)
    demo.send_signal(number)
    assert demo.wait(60) == 130
    demos.none_left()


def test_without_the_collection_it_says_what_to_do(demos: Demos) -> None:
    demos.env["ANSIBLE_COLLECTIONS_PATH"] = "/nowhere"
    demo = demos.start("--no-wait")
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "Step failed: Find the collection" in output
    assert "make demo" in output


def test_a_real_servers_settings_are_not_touched(demos: Demos) -> None:
    database = demos.work_dir.parent / "real.db"
    demos.env |= {"FLEETD_DATABASE__URL": f"sqlite:///{database}", "FLEETD_CONFIG": "/no/such/file"}
    demo = demos.start("--no-wait")
    assert demo.stdout is not None
    assert any("Register the machines" in line for line in demo.stdout)
    demo.terminate()
    demo.wait(60)
    assert not database.exists()


def test_a_directory_that_is_not_a_demos_is_left_alone(demos: Demos) -> None:
    demos.work_dir.mkdir()
    (demos.work_dir / "thesis.txt").write_text("mine")
    demo = demos.start("--no-wait")
    output, _ = demo.communicate(timeout=60)
    assert (demo.returncode, "not a demo's directory" in output) == (1, True)
    assert (demos.work_dir / "thesis.txt").read_text() == "mine"


def test_a_step_that_fails_is_named_with_its_log(demos: Demos) -> None:
    empty = demos.work_dir.parent / "broken"
    (empty / "ansible_collections" / "baremetal" / "fleet").mkdir(parents=True)
    demos.env["ANSIBLE_COLLECTIONS_PATH"] = str(empty)
    demo = demos.start("--no-wait")
    output, _ = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 1, output
    assert "Step failed: Collect their inventory" in output
    assert "collect.log" in output
    assert "Traceback" not in output
