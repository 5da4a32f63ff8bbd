# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible ships with a module is what its imports reach: in-band modules never reach the drivers or the walker."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
COLLECTION = ("ansible_collections", "baremetal", "fleet", "plugins")
OUT_OF_BAND = ("acting", "power", "redfish")
GROUPS = yaml.safe_load((PLUGINS.parent / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")

# Modules that look at or act on machines from outside; all others may run on a target.
FROM_OUTSIDE = {*GROUPS["bmc"], "bmc_scan", "pdu_outlet", "wake_on_lan"}


def _imports(path, package):
    """Names below ``plugins`` that a file's import statements may mean: of a module, or of something in one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
            elif (node.module or "").split(".")[: len(COLLECTION)] == list(COLLECTION):
                base = ()
            else:
                continue
            parts = tuple((node.module or "").split(".")) if node.module else ()
            parts = parts if node.level else parts[len(COLLECTION) :]
            yield base + parts
            for alias in node.names:
                yield (*base, *parts, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                if parts[: len(COLLECTION)] == COLLECTION:
                    yield parts[len(COLLECTION) :]


def _file(name):
    """The file of a dotted name below ``plugins``, or None if the name is not a module or package."""
    for path in (PLUGINS.joinpath(*name, "__init__.py"), PLUGINS.joinpath(*name).with_suffix(".py")):
        if path.is_file():
            return path
    return None


def closure(*start):
    """Every module, as dotted path below ``plugins``, that importing ``start`` imports, itself included."""
    reached = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = _file(name) if name and name not in reached else None
        if path is None:
            continue
        reached.add(name)
        package = name if path.name == "__init__.py" else name[:-1]
        waiting += [name[:length] for length in range(1, len(name))]  # importing a.b.c runs a and a.b
        waiting += list(_imports(path, package))
    return {".".join(name) for name in reached}


@pytest.mark.parametrize("module", [name for name in MODULES if name not in FROM_OUTSIDE])
def test_in_band_modules_ship_no_out_of_band_code(module):
    shipped = closure("modules", module)
    assert f"modules.{module}" in shipped
    assert [name for name in shipped if name.split(".")[2:3] and name.split(".")[2] in OUT_OF_BAND] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name in FROM_OUTSIDE])
def test_the_walk_finds_out_of_band_code_where_it_is(module):
    assert any(name.split(".")[2:3] == [part] for name in closure("modules", module) for part in OUT_OF_BAND)


def test_the_host_collector_ships_its_parsers_and_nothing_that_talks_to_the_network():
    shipped = closure("modules", "host_inventory")
    parsers = {
        path.stem for path in (PLUGINS / "module_utils/fleetcore/inband/parse").glob("*.py") if path.stem != "__init__"
    }
    assert {"module_utils.fleetcore.inband.collect.sources", "module_utils.fleetcore.inband.collect.archive"} <= shipped
    assert {f"module_utils.fleetcore.inband.parse.{name}" for name in parsers} <= shipped
    for name in ("fleetcore.net.http", "fleetcore.net.client.base", "_bmc_options", "_server"):
        assert f"module_utils.{name}" not in shipped


@pytest.mark.parametrize(
    ("module", "resources"),
    [
        ("credential", {"credentials"}),
        ("machine", {"machines"}),
        ("device_publish", {"devices", "machines"}),
        ("machine_finding", {"devices"}),
        ("powercycle", {"machines", "powercycles"}),
        ("work_lease", {"machines", "work"}),
    ],
)
def test_a_server_module_ships_the_resources_that_it_needs(module, resources):
    folder = "module_utils.fleetcore.net.client."
    shipped = {name[len(folder) :] for name in closure("modules", module) if name.startswith(folder)}
    assert shipped == {"base", *resources}
