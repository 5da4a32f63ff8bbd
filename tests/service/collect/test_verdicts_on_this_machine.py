# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole collection of the machine that the tests run on: as root, as nobody, without tools, and where there is no
/sys.

Real processes, real files. Every source has a verdict, and one that collected nothing says why.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fleetcore
import pytest
from fleetcore.inband.collect.sources import SOURCES

PACKAGES = Path(fleetcore.__file__).parents[1]
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user and to make namespaces")
COLLECT = """
import json, os, shutil, sys
sys.path.insert(0, sys.argv[1])
from fleetcore.host.clock import SystemClock
from fleetcore.inband.collect import collector, host
from fleetcore.inband.collect.probe import Options
import importlib, pkgutil, fleetcore.inband.parse
for info in pkgutil.iter_modules(fleetcore.inband.parse.__path__):  # another user may not be able to read them later
    importlib.import_module(f"fleetcore.inband.parse.{info.name}")
import fleetcore.ipmi.device
from fleetcore.document.model import to_dict
user, path = sys.argv[2], sys.argv[3] or host.SEARCH_PATH
if user:
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
runner, limits = host.SystemRunner(path), Options(timeout=20, deadline=60)
device, _capture = collector.collect(runner, host.SystemFiles(), SystemClock(), limits)
json.dump(to_dict(device), sys.stdout)
"""


def collected(*before: str, user: str = "", path: str = "") -> dict:
    argv = [*before, sys.executable, "-c", COLLECT, str(PACKAGES), user, path]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    device = json.loads(done.stdout)
    assert device["collector"] == {"name": "host_inventory", "version": fleetcore.__version__}
    for name, item in device["coverage"].items():
        assert item["verdict"] in ("collected", "absent", "denied", "failed", "timeout", "skipped"), (name, item)
        assert item["verdict"] == "collected" or item["reason"], name
        assert "bug in the source" not in item.get("reason", ""), item
    return device


def verdicts(device: dict) -> dict[str, str]:
    return {name: item["verdict"] for name, item in device["coverage"].items()}


TOOLS = (
    "lshw",
    "lspci",
    "lsblk",
    "smartctl",
    "nvme",
    "ethtool",
    "hdparm",
    "storcli",
    "ipmi",
    "nvidia-smi",
    "racadm",
)


def test_as_whoever_runs_the_tests():
    device = collected()
    assert device["cpus"]
    assert verdicts(device)["kernel"] == "collected"
    assert set(verdicts(device)) == set(SOURCES)


def test_without_any_of_the_tools(tmp_path):
    found = collected(path=str(tmp_path))
    assert {verdicts(found)[name] for name in TOOLS} <= {"absent"}
    assert verdicts(found)["kernel"] == "collected"
    assert "not installed" in found["coverage"]["lshw"]["reason"]


@ROOT
def test_as_nobody():
    found = verdicts(collected(user="65534"))
    assert found["kernel"] == "collected"
    if Path("/sys/firmware/dmi/tables/DMI").exists():
        assert found["smbios"] == "denied"
    assert found["ipmi"] in ("absent", "denied")


@ROOT
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_in_a_container_without_sys_and_tools(tmp_path):
    """Namespaces of its own, an empty /sys, no tools: what a minimal image has."""
    hidden = ("unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--mount-proc", "sh", "-c")
    mount = 'mount -t tmpfs none /sys && exec "$@"'
    device = collected(*hidden, mount, "sh", path=str(tmp_path))
    found = verdicts(device)
    assert device["cpus"]
    assert {found[name] for name in (*TOOLS, "smbios", "dmi_id", "pci", "network", "block", "efi", "tpm")} == {"absent"}
    assert "container" in device["coverage"]["efi"]["reason"]
