# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locks that processes share."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import Busy, InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.host.locks import FileLocks


class Clock:
    """Time that passes only while somebody sleeps; `slept` is called then."""

    def __init__(self, slept=None):
        self.time = 0.0
        self.slept = slept or (lambda: None)

    def monotonic(self):
        return self.time

    def now(self):
        return ""

    def sleep(self, seconds):
        self.time += seconds
        self.slept()


def test_one_at_a_time_and_given_back(tmp_path):
    clock = Clock()
    first, second = FileLocks(clock, str(tmp_path)), FileLocks(clock, str(tmp_path))
    with first.hold(["bmc 10.0.0.1"], 10):
        with second.hold(["bmc 10.0.0.2"], 10):
            pass
        assert clock.time == 0, "another name is free"
        with pytest.raises(Busy, match=r"bmc 10\.0\.0\.1 is still in use"):
            second.hold(["bmc 10.0.0.2", "bmc 10.0.0.1"], 10).__enter__()
        assert clock.time >= 10
        with second.hold(["bmc 10.0.0.2"], 0):
            pass  # what it had already was given back
    with pytest.raises(ZeroDivisionError), second.hold(["bmc 10.0.0.1"], 0):
        raise ZeroDivisionError
    with first.hold(["bmc 10.0.0.1"], 0):
        pass


def test_it_waits_until_the_other_is_done(tmp_path):
    other = FileLocks(Clock(), str(tmp_path)).hold(["pdu/7"], 0)
    other.__enter__()
    done = []

    def release():
        if not done:
            done.append(other.__exit__(None, None, None))

    with FileLocks(Clock(release), str(tmp_path)).hold(["pdu/7"], 10) as waited:
        assert done
        assert waited
    with FileLocks(Clock(), str(tmp_path)).hold(["pdu/7"], 10) as waited:
        assert not waited


def test_a_process_that_is_killed_gives_it_back(tmp_path):
    (name,) = _made(tmp_path, "bmc a")
    code = (
        "import fcntl, os, sys; f = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(f, fcntl.LOCK_EX);"
        "print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(Busy):
            FileLocks(Clock(), str(tmp_path)).hold(["bmc a"], 1).__enter__()
        holder.kill()
        holder.wait()
        with FileLocks(Clock(), str(tmp_path)).hold(["bmc a"], 1):
            pass


def test_files_of_others_can_be_locked_and_links_are_not_followed(tmp_path):
    umask = os.umask(0o077)
    try:
        (path,) = _made(tmp_path, "bmc a")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    with pytest.raises(InvalidInput, match="FLEET_LOCK_DIR"):
        FileLocks(Clock(), str(tmp_path)).hold(["bmc a"], 0).__enter__()
    with pytest.raises(InvalidInput, match="no such file"):
        FileLocks(Clock(), str(tmp_path / "none")).hold(["bmc a"], 0).__enter__()


def test_the_folder_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEET_LOCK_DIR", str(tmp_path))
    with FileLocks(Clock()).hold(["x"], 0):
        assert len(list(tmp_path.iterdir())) == 1


def _made(folder, name):
    with FileLocks(Clock(), str(folder)).hold([name], 0):
        return [str(path) for path in folder.iterdir()]
