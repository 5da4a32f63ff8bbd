# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection under its own name, for running modules and playbooks from this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from warm import Warm

from fleetlab.farm import BmcSpec, running_farm
from fleetlab.ipmi import IpmiSim, available

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def collections(tmp_path_factory):
    """A folder for ANSIBLE_COLLECTIONS_PATH in which baremetal.fleet is this checkout."""
    base = tmp_path_factory.mktemp("collections")
    folder = base / "ansible_collections" / "baremetal"
    folder.mkdir(parents=True)
    (folder / "fleet").symlink_to(ROOT, target_is_directory=True)
    return base


COLLECTION = "ansible_collections.baremetal.fleet.plugins"


@pytest.fixture(scope="session")
def warm(collections):
    """What starts modules without importing all that they share, each time."""
    with Warm(["ansible.module_utils.basic", f"{COLLECTION}.module_utils.*", "sushy"], [collections]) as warm:
        yield warm


@pytest.fixture
def module(warm, tmp_path):
    """Run a module in a process of its own, as Ansible does: `module("bmc_info", check=False, **options)` -> result."""

    def run(name, /, check=False, environment=(), **options):
        arguments = tmp_path / "arguments.json"
        arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check}}))
        whole, command = {**os.environ, **dict(environment)}, (f"{COLLECTION}.modules.{name}", str(arguments))
        if "PYTHONPATH" in environment:  # what is imported matters: the warm process has imported already
            cold = [sys.executable, "-m", *command]
            done = subprocess.run(cold, env=whole, capture_output=True, text=True, timeout=200, check=False)
        else:
            done = warm.run(*command, env=whole)
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def playbook(collections, tmp_path):
    """Run a playbook of the collection over `hosts` (name -> variables): the finished process, each host's recap."""

    def run(name, hosts, *arguments):
        inventory = tmp_path / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
            "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        }
        command = str(Path(sys.executable).parent / "ansible-playbook")
        done = subprocess.run(
            [command, "-i", str(inventory), f"baremetal.fleet.{name}", *arguments],
            check=False,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        recap = {}
        for line in done.stdout.partition("PLAY RECAP")[2].splitlines()[1:]:
            host, _colon, counts = line.partition(":")
            if counts:
                recap[host.strip()] = {
                    key: int(value) for key, _eq, value in (pair.partition("=") for pair in counts.split())
                }
        return done, recap

    return run


SECRET = "Tr0ub4dor&3"


@pytest.fixture
def bmc():
    """A virtual BMC with one server."""
    with running_farm(BmcSpec(tree="server", password=SECRET, task_seconds=0.4)) as farm:
        yield farm.bmcs[0]


@pytest.fixture
def chassis():
    """A virtual BMC with two nodes."""
    with running_farm(BmcSpec(tree="multinode", password=SECRET)) as farm:
        yield farm.bmcs[0]


@pytest.fixture
def login():
    """The options of modules that reach a virtual BMC."""

    def options(bmc, **more):
        return {
            "address": bmc.url,
            "username": bmc.username,
            "password": bmc.password,
            "ca_path": bmc.ca_path,
            "ipmi_port": 1,
            **more,
        }

    return options


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    """Debian's ipmi_sim."""
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    with IpmiSim(tmp_path_factory.mktemp("ipmi"), 0, "admin", "password") as running:
        yield running


@pytest.fixture
def login_ipmi():
    """The options of modules that reach the simulator."""

    def options(sim):
        login = {"username": sim.username, "password": sim.password}
        return {"address": "127.0.0.1", "ipmi_port": sim.port, "drivers": ["ipmi"], **login}

    return options
