# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tools that hang, fork, flood and speak other languages, and files that are not what they seem: on real processes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from fleetcore.errors import FatalError, MissingDependency, NotFound, PermissionDenied
from fleetcore.inband.collect import host
from fleetcore.inband.collect.host import OUTPUT_FILE, SystemFiles, SystemRunner


@pytest.fixture
def tool(tmp_path):
    def make(script, name="tool"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return name

    make.runner = SystemRunner(f"{tmp_path}:/usr/bin:/bin")
    return make


def alive(pid):
    """Is it running? A zombie that waits for its new parent is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pid, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end and alive(pid):
        time.sleep(0.02)
    return not alive(pid)


def test_output_and_exit_code(tool):
    result = tool.runner.run([tool("echo out; echo err >&2; exit 5")], 60)
    assert (result.rc, result.stdout, result.stderr) == (5, "out\n", "err\n")


def test_a_tool_that_is_not_there(tool):
    with pytest.raises(MissingDependency):
        tool.runner.run(["no-such-tool"], 60)


def test_a_tool_that_cannot_start(tmp_path, tool):
    (tmp_path / "broken").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "broken").chmod(0o755)
    with pytest.raises(FatalError):
        tool.runner.run(["broken"], 60)


def test_a_hung_tool_is_killed_with_its_children_and_its_words_are_kept(tool, tmp_path):
    name = tool(
        f"sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; echo started; trap '' TERM; sleep 300"
    )
    begin = time.monotonic()
    result = tool.runner.run([name], 3)
    assert 2.9 < time.monotonic() - begin < 60
    assert (result.rc, result.stdout) == (None, "started\n")
    assert gone(int((tmp_path / "child").read_text()))
    assert gone(int((tmp_path / "self").read_text()))


def test_a_child_that_keeps_the_pipe_open_holds_nothing_up(tool, tmp_path):
    name = tool(f"setsid sleep 300 & echo $! > {tmp_path}/child; echo done")
    begin = time.monotonic()
    result = tool.runner.run([name], 200)
    assert time.monotonic() - begin < 60
    assert (result.rc, result.stdout) == (0, "done\n")
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_a_tool_that_floods_is_stopped(tool, monkeypatch):
    monkeypatch.setattr(host, "MAX_OUTPUT", 1 << 20)
    result = tool.runner.run([tool("yes")], 60)
    assert result.rc is None
    assert 1 << 20 <= len(result.stdout) < 1 << 22


def test_the_locale_is_c_and_there_is_no_input(tool, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    result = tool.runner.run([tool('cat; echo "$LC_ALL/$LANG/$LANGUAGE/$SECRET_TOKEN/$(tty)"')], 60)
    assert result.stdout == "C//C//not a tty\n"


def test_output_that_is_not_utf_8(tool):
    assert tool.runner.run([tool(r"printf 'Gr\374n'")], 60).stdout == "Gr\u00fcn"


def test_a_tool_that_writes_to_a_file(tool):
    result = tool.runner.run([tool('echo profile > "$1"; echo chatter'), OUTPUT_FILE], 60)
    assert result.stdout == "profile\n"
    assert list(result.argv) == ["tool", OUTPUT_FILE]


def test_files(tmp_path):
    files = SystemFiles()
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "l").symlink_to("../x")
    assert files.read(str(tmp_path / "a"), 4) == b"0123"
    assert files.names(str(tmp_path)) == ["a", "l"]
    assert files.link(str(tmp_path / "l")) == "../x"
    for call in (lambda: files.read("/nowhere", 1), lambda: files.names("/nowhere"), lambda: files.link("/nowhere")):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(NotFound):
        files.read(str(tmp_path / "a" / "b"), 1)


def test_a_pipe_without_a_writer_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert SystemFiles().read(str(tmp_path / "pipe"), 10) == b""


def test_a_file_that_only_root_may_read(tmp_path):
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0)
    child = os.fork() if os.geteuid() == 0 else None
    if child == 0:  # as nobody
        try:
            os.chmod(tmp_path, 0o755)
            os.setuid(65534)
            SystemFiles().read("/proc/1/environ", 1)
        except PermissionDenied:
            os._exit(0)
        except BaseException:
            os._exit(2)
        os._exit(1)
    if child is None:
        with pytest.raises(PermissionDenied):
            SystemFiles().read(str(path), 1)
    else:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "table"
    path.write_bytes(b"A" * 100)
    stop = threading.Event()

    def change():
        size = 0
        while not stop.is_set():
            size = (size + 997) % 100_000
            path.write_bytes(b"B" * size)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _round in range(300):
            assert len(SystemFiles().read(str(path), 50_000)) <= 50_000
    finally:
        stop.set()
        thread.join()
