# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dump of what is compared, and files that are written whole."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.components import components
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import Device, device_from_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.parts import (
    Bios,
    Cpu,
    Drive,
    Firmware,
    Sensor,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.host.files import safe_name, write_private
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.sweep.dump import (
    DumpOptions,
    dump_options,
    write_dump,
)

BEFORE = Device(
    serial="S1",
    bios=Bios(firmware=Firmware(installed="1.0")),
    cpus=(Cpu(slot="CPU1", cores=8),),
    drives=(Drive(serial="D1", slot="0"), Drive(serial="D2", slot="1")),
    sensors=(Sensor(name="Inlet", reading=20.0),),
)
AFTER = Device(
    serial="S1",
    bios=Bios(firmware=Firmware(installed="1.1")),
    cpus=(Cpu(slot="CPU1", cores=8),),
    drives=(Drive(serial="D1", slot="0"), Drive(serial="D3", slot="1")),
)


def test_the_four_files(tmp_path):
    folder = tmp_path / "new"
    paths = write_dump(DumpOptions(str(folder)), "rack1/node:1", BEFORE, AFTER)
    names = ["device", "current.components", "new.components", "changes"]
    assert paths == [str(folder / f"rack1%2Fnode%3A1.{name}.json") for name in names]
    device, current, new, changes = (json.loads(Path(path).read_text()) for path in paths)
    assert device_from_dict(device) == AFTER
    assert [item["component"] for item in current] == ["bios", "cpus:slot=CPU1", "drives:serial=D1", "drives:serial=D2"]
    assert [item["slug"] for item in new] == ["BIOS", "CPU", "Drive", "Drive"]
    assert new[0]["firmware"] == {"installed": "1.1"}
    assert {(item["op"], item["component"]) for item in changes} == {
        ("changed", "device"),
        ("removed", "drives:serial=D2"),
        ("added", "drives:serial=D3"),
    }
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in paths} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_only_what_differs(tmp_path):
    options = DumpOptions(str(tmp_path), only_differing=True)
    assert write_dump(options, "m", AFTER, AFTER) == []
    assert list(tmp_path.iterdir()) == []
    assert len(write_dump(options, "m", None, AFTER)) == 4
    assert json.loads((tmp_path / "m.current.components.json").read_text()) == []


@pytest.mark.parametrize(
    ("folder", "environment", "expected"),
    [
        (None, {}, None),
        (None, {"DEBUG_DUMP_FIXTURES": "false", "DEBUG_DUMP_DIFFERS": ""}, None),
        ("/d", {}, DumpOptions("/d")),
        (None, {"DEBUG_DUMP_FIXTURES": "true"}, DumpOptions(".")),
        (None, {"DEBUG_DUMP_DIFFERS": "True"}, DumpOptions(".", only_differing=True)),
        ("/d", {"DEBUG_DUMP_DIFFERS": "1"}, DumpOptions("/d", only_differing=True)),
        ("/d", {"DEBUG_DUMP_DIFFERS": "1", "DEBUG_DUMP_FIXTURES": "1"}, DumpOptions("/d")),
    ],
)
def test_who_asks_for_a_dump(folder, environment, expected):
    assert dump_options(folder, environment) == expected


def test_a_variable_that_is_no_flag():
    with pytest.raises(InvalidInput, match="DEBUG_DUMP_FIXTURES: '/tmp' is neither"):
        dump_options(None, {"DEBUG_DUMP_FIXTURES": "/tmp"})


def test_every_component_of_the_document_is_dumped():
    """A new kind of component in the model is in the dump, unless it is a reading or a record."""
    lists = {name for name, value in vars(Device()).items() if value == ()}
    dumped = {item["component"].partition(":")[0] for item in components({name: [{"id": "1"}] for name in lists})}
    assert lists - dumped == {
        "attempts",
        "capabilities",
        "efi_variables",
        "firmware_inventory",
        "interfaces",
        "links",
        "log",
        "numa_nodes",
        "partitions",
        "remote_volumes",
        "sensors",
    }
    assert components(None) == []


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o644)
    write_private(str(path), b"new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)
    assert [item.name for item in tmp_path.iterdir()] == ["x"]
    for wrong in (tmp_path, tmp_path / "absent" / "x", path / "x"):
        with pytest.raises(InvalidInput, match="can't be written"):
            write_private(str(wrong), b"")


@pytest.mark.parametrize("name", ["..", ".", "", "../../etc/passwd", "a/b", "a\nb", "x" * 500, "ü"])
def test_a_name_is_one_file(name):
    safe = safe_name(name)
    assert safe
    assert "/" not in safe
    assert not safe.startswith(".")
    assert len(safe) <= 200
    assert safe.isascii()
