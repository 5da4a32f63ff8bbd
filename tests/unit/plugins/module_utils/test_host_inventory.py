# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""host_inventory on the machine that runs the tests: as a module in a process of its own, with its own interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils._host import inventory_plan
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import device_from_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import FleetError, InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect import tools
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import CommandResult

PARAMS = {
    "full": None,
    "timeout": 30.0,
    "deadline": 120.0,
    "updates": False,
    "install_tools": False,
    "capture": False,
    "capture_path": "/nowhere/x.tar",
    "from_capture": None,
}


def params(**changes):
    return {**PARAMS, **changes}


def test_it_looks_at_this_machine_and_changes_nothing():
    plan = inventory_plan(params())
    assert plan.before == plan.after
    device = plan.preview()["device"]
    device_from_dict(device)
    assert device["source"] == "inband"
    assert device["cpus"][0]["threads"] >= 1
    assert device["hostname"]
    assert len(json.dumps(device)) < 100_000


def test_a_capture_is_a_change_and_replays_to_the_same(tmp_path):
    path = str(tmp_path / "capture.tar")
    plan = inventory_plan(params(capture=True, capture_path=path))
    assert plan.before != plan.after
    plan.preview()
    assert not (tmp_path / "capture.tar").exists()  # check mode
    result = plan.apply()
    assert result["capture"]["path"] == path
    again = inventory_plan(params(from_capture=path)).preview()["device"]
    assert json.dumps(again) == json.dumps(result["device"])


def test_the_file_of_a_capture_is_replaced_and_links_are_not_followed(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "capture.tar").symlink_to(tmp_path / "victim")
    inventory_plan(params(capture=True, capture_path=str(tmp_path / "capture.tar"))).apply()
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "capture.tar").is_symlink()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timeout": 0}, "timeout"),
        ({"deadline": -1}, "deadline"),
        ({"timeout": float("nan")}, "timeout"),
        ({"from_capture": "/nowhere"}, "from_capture"),
        ({"from_capture": "/nowhere", "capture": True}, "from_capture"),
    ],
)
def test_options_that_cannot_be(changes, field):
    with pytest.raises(InvalidInput) as caught:
        inventory_plan(params(**changes)).preview()
    assert caught.value.details["field"] == field


def test_a_capture_that_cannot_be_written():
    with pytest.raises(InvalidInput) as caught:
        inventory_plan(params(capture=True)).apply()
    assert caught.value.details["field"] == "capture_path"


# -- tools -------------------------------------------------------------------------------------------------------------


class Manager:
    """A package manager that has some packages, and more when its catalogue was renewed. All of a call or nothing."""

    def __init__(self, folder, known=(), later=(), seconds=1.0, code=0):
        self.folder = folder
        self.known = set(known)
        self.later = set(later)
        self.seconds = seconds
        self.code = code
        self.time = 0.0
        self.asked = []

    def monotonic(self):
        return self.time

    def run(self, argv, timeout):
        self.time += min(self.seconds, timeout)
        if self.seconds > timeout:
            return CommandResult(argv, None, "", "Waiting for headers")
        if "update" in argv:
            self.asked.append("update")
            self.known |= self.later
            return CommandResult(argv, 0, "", "")
        wanted = argv[argv.index("install") + 1 :]
        self.asked.append(" ".join(wanted))
        for package in wanted:
            if package not in self.known:
                return CommandResult(argv, 100, "", f"E: Unable to locate package {package}\n")
        for package in wanted:
            put(self.folder, next(tool for tool, name in tools.TOOLS.items() if name == package))
        return CommandResult(argv, self.code, "", "")

    def install(self, *packages):
        return tools.install(self, self, packages, "apt-get", str(self.folder))


def put(folder, name):
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_missing_tools_by_package(tmp_path):
    for name in ("lshw", "smartctl", "apt-get"):
        put(tmp_path, name)
    packages = tools.missing(str(tmp_path))
    assert "pciutils" in packages
    assert "lshw" not in packages
    assert tools.manager(str(tmp_path)) == "apt-get"
    with pytest.raises(FleetError):
        tools.manager(str(tmp_path / "nowhere"))


def test_the_catalogue_is_renewed_once(tmp_path):
    manager = Manager(tmp_path, later=["lshw", "nvme-cli"])
    assert manager.install("lshw", "nvme-cli") == {}
    assert manager.asked == ["lshw nvme-cli", "update", "lshw nvme-cli"]


def test_a_package_that_does_not_exist_costs_no_other(tmp_path):
    manager = Manager(tmp_path, known=["lshw"], later=["hdparm"])
    assert manager.install("hdparm", "ipmitool", "lshw") == {"ipmitool": "E: Unable to locate package ipmitool"}
    assert manager.asked[-3:] == ["hdparm", "ipmitool", "lshw"]


def test_installed_is_what_is_there_whatever_the_manager_says(tmp_path):
    assert Manager(tmp_path, known=["lshw"], code=102).install("lshw") == {}
    (tmp_path / "lshw").unlink()
    manager = Manager(tmp_path / "elsewhere", known=["lshw"])
    (tmp_path / "elsewhere").mkdir()
    assert tools.install(manager, manager, ["lshw"], "apt-get", str(tmp_path)) == {"lshw": "ended with 0"}


def test_a_manager_that_hangs_is_not_asked_again(tmp_path):
    manager = Manager(tmp_path, seconds=10**6)
    assert set(manager.install("lshw", "hdparm").values()) == {"stopped for taking too long (Waiting for headers)"}
    assert manager.time == tools.SECONDS


# -- the module as Ansible runs it -------------------------------------------------------------------------------------


def module(arguments):
    root = Path(__file__).resolve().parents[4]
    code = (
        "import json, sys\n"
        "from ansible.module_utils import basic\n"
        f"basic._ANSIBLE_ARGS = json.dumps({{'ANSIBLE_MODULE_ARGS': {arguments!r}}}).encode()\n"
        "basic._ANSIBLE_PROFILE = 'legacy'\n"
        "from ansible_collections.baremetal.fleet.plugins.modules.host_inventory import main\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=root,
        timeout=120,
        check=False,
    )
    return json.loads(done.stdout)


def test_the_module_in_check_mode():
    result = module({"_ansible_check_mode": True, "capture": True, "capture_path": "/nowhere/x.tar"})
    assert result["changed"] is True
    assert result["device"]["cpus"]
    assert "capture" not in result


def test_the_module_fails_with_a_code():
    result = module({"from_capture": "/nowhere"})
    assert result["failed"] is True
    assert result["failure"] == {"code": "invalid_input", "details": {"field": "from_capture"}}
