# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new power driver by the recipe of CONTRIBUTING: one file that describes itself, and the script that writes the
rest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]

DRIVER = '''"""Switches a relay whose state is a file."""

from __future__ import annotations

from pathlib import Path

from ..ports import Clock, PowerAction, PowerState
from .driver import Driver, place


class RelayDriver:
    """A power driver of one relay."""

    name = "relay"
    actions = frozenset({PowerAction.ON, PowerAction.OFF})
    reads_state = True

    def __init__(self, path: Path, _clock: Clock) -> None:
        self._path = path

    def power_state(self) -> PowerState:
        return PowerState(self._path.read_text().strip())

    def set_power(self, action: PowerAction) -> None:
        self._path.write_text(action.value)

    def close(self) -> None:
        """Nothing is kept open."""


DRIVER = Driver(
    name="relay",
    order=15,
    options={
        "relay": {
            "type": "dict",
            "description": "For the driver V(relay), the relay that switches the machine.",
            "options": {
                "machine": {"type": "str", "play": "inventory_hostname", "description": "Which machine."},
                "path": {"type": "path", "required": True, "description": "File with the state."},
                "pin": {"type": "str", "no_log": True, "description": "Secret of the relay."},
            },
        }
    },
    check=lambda params: Path(params["relay"]["path"]),
    open=RelayDriver,
    controllers=lambda params: (place("relay", params["relay"]["path"], None),),
    requires="nothing (for the driver C(relay))",
)
'''
LOOK = """
import json
from ansible_collections.baremetal.fleet.plugins.module_utils import _bmc_options
from ansible_collections.baremetal.fleet.plugins.module_utils._boundary import argument_spec
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power import names
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.controllers import controllers_of
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.power.registry import DRIVERS

print(json.dumps({
    "registry": list(DRIVERS),
    "names": names.POWER_DRIVERS,
    "tried without a name": names.BMC_DRIVERS,
    "choices": _bmc_options.BMC_OPTIONS["drivers"]["choices"],
    "option": argument_spec(_bmc_options.POWER_OPTIONS)["relay"],
    "controllers": controllers_of("relay", {"relay": {"path": "/dev/relay1"}}),
}))
"""
ORDER = ["redfish", "ipmi", "pdu", "relay", "wake_on_lan", "command", "tasks"]


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy.parents[2]),
        "ANSIBLE_COLLECTIONS_PATH": str(copy.parents[2]),
        "ANSIBLE_HOME": str(copy.parents[2] / "home"),
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=250, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the driver in it, after the script."""
    home = tmp_path_factory.mktemp("recipe") / "ansible_collections" / "baremetal" / "fleet"
    for name in ("plugins", "scripts", "playbooks", "docs/schema", "meta", "src/fleetd/__init__.py", "galaxy.yml"):
        source, target = ROOT / name, home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    head = (home / "plugins/module_utils/fleetcore/power/driver.py").read_text().partition("\n\n")[0]
    (home / "plugins/module_utils/fleetcore/power/relay.py").write_text(f"{head}\n\n{DRIVER}")

    stale = run(home, sys.executable, "scripts/check_docs.py")
    assert stale.returncode == 1, stale.stderr
    for name in ("power/registry.py", "power/names.py"):
        assert f"{name} is not current" in stale.stderr
    for arguments in (["--write"], []):
        done = run(home, sys.executable, "scripts/check_docs.py", *arguments)
        assert done.returncode == 0, done.stderr
    return home


def test_registry_choices_option_and_controllers(copy: Path) -> None:
    done = run(copy, sys.executable, "-c", LOOK)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["registry"] == found["names"] == found["choices"] == ORDER
    assert found["tried without a name"] == ["redfish", "ipmi"]
    option = found["option"]
    assert (option["type"], option["options"]["pin"]["no_log"]) == ("dict", True)
    assert option["options"]["path"] == {"type": "path", "required": True}
    assert found["controllers"] == ["relay /dev/relay1"]


def test_a_module_switches_with_it(copy: Path, tmp_path: Path) -> None:
    relay = tmp_path / "state"
    relay.write_text("on")
    options = {"state": "off", "drivers": ["relay"], "relay": {"path": str(relay), "pin": "0815x"}}
    arguments = tmp_path / "arguments.json"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    module = "ansible_collections.baremetal.fleet.plugins.modules.bmc_power"
    done = run(copy, sys.executable, "-m", module, str(arguments))
    result = json.loads(done.stdout)
    assert (result["power"]["driver"], result["power"]["after"], relay.read_text()) == ("relay", "off", "off"), result
    assert "0815x" not in done.stdout


def drivers_in(options: dict[str, Any]) -> Iterator[list[str]]:
    """The choices of every option `drivers`, however deep."""
    for name, option in options.items():
        if name == "drivers":
            yield option["choices"]
        yield from drivers_in(option.get("suboptions") or {})


def test_every_documentation_has_it(copy: Path) -> None:
    modules = [f"baremetal.fleet.{path.stem}" for path in sorted((copy / "plugins/modules").glob("*.py"))]
    done = run(copy, str(Path(sys.executable).parent / "ansible-doc"), "--json", *modules)
    assert done.returncode == 0, done.stderr
    documents = {name: found["doc"] for name, found in json.loads(done.stdout).items()}
    choices = {name: list(drivers_in(document["options"])) for name, document in documents.items()}
    assert len([found for found in choices.values() if found]) > 10
    assert {tuple(item) for found in choices.values() for item in found} == {tuple(ORDER)}
    power = documents["baremetal.fleet.bmc_power"]
    assert power["options"]["relay"]["suboptions"]["path"]["description"] == "File with the state."
    assert "nothing (for the driver C(relay))" in power["requirements"]


def test_playbooks_take_it_from_the_inventory(copy: Path) -> None:
    variables = yaml.safe_load((copy / "playbooks/vars/machine.yml").read_text())["fleet_power_options"]
    assert variables["relay"].split("|")[0].strip() == "{{ {'machine': inventory_hostname}"
    assert variables["pdu"] == "{{ power_pdu | default(omit) }}"


def test_nobody_says_the_names_a_second_time() -> None:
    """A list of drivers that the script does not write would have to be changed by hand."""
    written = {"registry.py", "names.py"}
    listed = re.compile(r"\bpdu\b.*\bwake_on_lan\b.*\bcommand\b.*\btasks\b")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("plugins", "playbooks", "src")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in (".py", ".yml") and path.name not in written
        for line in path.read_text(encoding="utf-8").splitlines()
        if listed.search(line) and not line.endswith("written by scripts/check_docs.py")
    ]
    assert found == []
