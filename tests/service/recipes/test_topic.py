# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new kind of part by the recipe of CONTRIBUTING: a record, a field, a topic, and the script that writes the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

RECORD = '''

@dataclass(frozen=True, repr=False, eq=False)
class CoolingLoop(Component):
    """A loop of liquid."""

    id: Optional[str] = None
    coolant: Optional[str] = None
'''
FIELD = """    cooling_loops: tuple[part.CoolingLoop, ...] = field(
        default=(), metadata=parts("Cooling loops", "cooling", details=("coolant",))
    )
    sensors: """
TOPIC = '''"""Cooling loops."""

from __future__ import annotations

from ...document.parts import CoolingLoop
from ...document.values import word
from ..rules import Follow, Topic
from ..tree import Tree
from .common import component


def read(tree: Tree) -> tuple[CoolingLoop, ...]:
    """Loops, each with its coolant."""
    return tuple(
        CoolingLoop(**component(tree, path, body), coolant=word(body.get("CoolantType")))
        for path, body in tree.of("cooling_loop")
    )


TOPIC = Topic(
    "cooling_loops",
    read,
    rules={
        "chassis": (Follow(("ThermalEquipment",), "thermal_equipment", many=False),),
        "thermal_equipment": (Follow(("CoolingLoops",), "cooling_loop"),),
    },
)
'''
TREE = {
    "/redfish/v1": {"Systems": "/redfish/v1/Systems", "Chassis": "/redfish/v1/Chassis"},
    "/redfish/v1/Systems": {"Members": ["/redfish/v1/Systems/1"]},
    "/redfish/v1/Systems/1": {"Id": "1", "SerialNumber": "M1", "BiosVersion": "1"},
    "/redfish/v1/Chassis": {"Members": ["/redfish/v1/Chassis/1"]},
    "/redfish/v1/Chassis/1": {"Id": "1", "ThermalEquipment": "/redfish/v1/Thermal"},
    "/redfish/v1/Thermal": {"Id": "T", "CoolingLoops": "/redfish/v1/Loops"},
    "/redfish/v1/Loops": {"Members": ["/redfish/v1/Loops/A"]},
    "/redfish/v1/Loops/A": {"Id": "A", "CoolantType": "Water", "SerialNumber": "L1", "Status": {"Health": "OK"}},
}
LOOK = """
import json, sys
from fleetcore.document.components import components
from fleetcore.document.model import device_from_dict, to_dict
from fleetcore.document.sections import KINDS, SECTIONS
from fleetcore.document.tables import row
from fleetcore.redfish.walker import Walker
from fleetcore.redfish.wants import Outcome
from fleetcore.redfish.interpret import interpret
from fleetcore.document.model import Verdict

tree = json.load(sys.stdin)
walker = Walker(["cooling"])
while not walker.done:
    for want in walker.wants():
        body = tree.get(want.path)
        walker.took(want, Outcome(Verdict.COLLECTED, body, status=200) if body else Outcome(Verdict.ABSENT, status=404))
device = to_dict(interpret(walker.tree, walker.coverage()))
device_from_dict(device)
print(json.dumps({
    "device": device,
    "sections": SECTIONS,
    "components": [item["component"] for item in components(device)],
    "table": [KINDS["cooling_loops"].title, *(row(KINDS["cooling_loops"], item) for item in device["cooling_loops"])],
}))
"""


def linked(value):
    """Every path in the tree as a Redfish link."""
    if isinstance(value, dict):
        return {name: linked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [linked(item) for item in value]
    return {"@odata.id": value} if isinstance(value, str) and value.startswith("/") else value


@pytest.fixture
def copy(tmp_path):
    for name in (
        "plugins/module_utils/fleetcore",
        "docs/schema",
        "scripts",
        "src/fleetd/__init__.py",
    ):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / "galaxy.yml", tmp_path)
    return tmp_path


def run(copy: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        input=given,
        env={"PYTHONPATH": str(copy / "plugins" / "module_utils")},
        capture_output=True,
        text=True,
        check=False,
    )


def put(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text, (path, before)
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_a_record_a_field_and_a_topic_are_a_new_kind(copy):
    core = copy / "plugins" / "module_utils" / "fleetcore"
    assert run(copy, "scripts/check_docs.py").returncode == 0
    with (core / "document" / "parts.py").open("a", encoding="utf-8") as file:
        file.write(RECORD)
    put(core / "document" / "model.py", "    sensors: ", FIELD)
    (core / "redfish" / "topics" / "cooling_loops.py").write_text(TOPIC, encoding="utf-8")

    stale = run(copy, "scripts/check_docs.py")
    assert stale.returncode == 1
    for name in ("device.schema.json", "registry.py"):
        assert f"{name} is not current" in stale.stderr
    assert run(copy, "scripts/check_docs.py", "--write").returncode == 0
    assert run(copy, "scripts/check_docs.py").returncode == 0

    schema = json.loads((copy / "docs/schema/device.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"]["Device"]["properties"]["cooling_loops"]["items"] == {"$ref": "#/$defs/CoolingLoop"}
    assert schema["$defs"]["CoolingLoop"]["properties"]["coolant"] == {"type": "string"}

    looked = run(copy, "-c", LOOK, given=json.dumps(linked(TREE)))
    assert looked.returncode == 0, looked.stderr
    seen = json.loads(looked.stdout)
    assert [item["coolant"] for item in seen["device"]["cooling_loops"]] == ["Water"]
    assert seen["device"]["coverage"]["cooling"] == {"verdict": "collected"}
    assert "cooling" in seen["sections"]
    assert "cooling_loops:serial=L1" in seen["components"]
    assert seen["table"] == [
        "Cooling loops",
        {"place": "A", "model": "", "serial": "L1", "details": "Water", "firmware": "", "health": "OK"},
    ]
