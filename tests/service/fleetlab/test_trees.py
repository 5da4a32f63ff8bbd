# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trees: the built-in ones are sound, captures of real machines are served whole."""

from __future__ import annotations

import io
import json
import re
import tarfile

import httpx
import pytest
import sushy
import sushy.auth
from fixtures_dir import fixture_dir

from fleetlab.farm import BmcSpec, fleet, running_farm
from fleetlab.tree import ROOT, TreeError, canonical, load_tree

CAPTURES = {"cray-ex425": 471, "dell-r750": 1974, "dmtf-rackmount1": 61, "gigabyte": 243, "hpe-dl325": 781}


def references(value):
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "@odata.id":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("name", ["server", "multinode"])
def test_built_in_tree_is_whole_and_every_resource_is_linked(name):
    tree = load_tree(name)
    linked = {canonical(target) for path in tree for target in references(tree.get(path))}
    assert linked == set(tree)
    for path in tree:
        resource = tree.get(path)
        assert resource["@odata.id"] == path
        assert re.fullmatch(r"#(\w+)\.(v\d+_\d+_\d+\.)?\1", resource["@odata.type"]), path
        if "Members" in resource:
            assert resource["Members@odata.count"] == len(resource["Members"])
        else:
            assert resource["Id"]


def test_built_in_server_has_what_a_server_has():
    tree = load_tree("server")
    kinds = [tree.get(path)["@odata.type"].rpartition(".")[2] for path in tree]
    expected = {"Memory": 16, "Drive": 6, "Volume": 2, "PowerSupply": 2, "Fan": 6, "NetworkAdapter": 2, "Port": 4}
    assert {kind: kinds.count(kind) for kind in expected} == expected
    assert len(load_tree("multinode").systems()) == 2


def test_a_fleet_with_one_tree_is_a_fleet_of_different_machines(connect):
    with running_farm(fleet(BmcSpec(tls=False), 3)) as farm:
        systems = [connect(bmc).get(bmc.systems[0]).json() for bmc in farm.bmcs]
        texts = [connect(bmc).get("/redfish/v1/Systems?$expand=*($levels=3)").text for bmc in farm.bmcs]
    assert len({system["SerialNumber"] for system in systems}) == 3
    assert len({system["UUID"] for system in systems}) == 3
    macs = [set(re.findall(r'"MACAddress":"([0-9a-f:]{17})"', text)) for text in texts]
    assert all(len(found) == 4 for found in macs)
    assert len(set.union(*macs)) == 12
    assert not any("@{" in text for text in texts)


@pytest.mark.parametrize("name", CAPTURES)
def test_capture_is_served_whole(name, connect):
    archive = fixture_dir("redfish", f"{name}.tar.gz")
    with running_farm(BmcSpec(tree=str(archive), tls=False, session_limit=1)) as farm:
        client = connect(farm.bmcs[0])
        with tarfile.open(archive) as files:
            entries = [entry for entry in files if entry.name.endswith("/index.json")]
            assert len(entries) == CAPTURES[name]
            for entry in entries:
                path = "/" + entry.name.removeprefix("./").partition("/")[2].removesuffix("/index.json")
                path = path[path.index(ROOT) :]
                captured = json.load(files.extractfile(entry))
                if path.startswith("/redfish/v1/SessionService/Sessions"):
                    continue
                assert client.get(path.replace("#", "%23")).json() == captured
                own_name = captured.get("@odata.id", path)
                # Dell's OEM resources below FirmwareInventory call themselves by paths where nothing is.
                if canonical(own_name) != path and "/FirmwareInventory/Oem/Dell/" not in own_name:
                    assert client.get(own_name.replace("#", "%23")).status_code == 200, own_name


@pytest.mark.parametrize("name", CAPTURES)
def test_captured_machine_obeys(name):
    """Real trees describe their actions in different ways: allowable values in the action, or in an ActionInfo."""
    archive = str(fixture_dir("redfish", f"{name}.tar.gz"))
    with (
        running_farm(BmcSpec(tree=archive, tls=False)) as farm,
        sushy.auth.BasicAuth("admin", "password") as login,
    ):
        bmc = farm.bmcs[0]
        system = sushy.Sushy(bmc.url, auth=login).get_system(bmc.systems[0])
        for kind, state in ((sushy.ResetType.FORCE_OFF, "OFF"), (sushy.ResetType.ON, "ON")):
            system.reset_system(kind)
            system.refresh(force=True)
            assert system.power_state.name == state
        assert [event["event"] for event in bmc.power_log] == ["off", "on"]
        answer = httpx.post(
            f"{bmc.url}{bmc.systems[0]}/Actions/ComputerSystem.Reset",
            json={"ResetType": "Sideways"},
            auth=("admin", "password"),
        )
        assert answer.status_code == 400
        assert "ActionParameterNotSupported" in answer.json()["error"]["code"]


def test_directory_and_short_mockups_load_and_others_are_refused(tmp_path):
    root = {"@odata.id": "/redfish/v1/", "Systems": {"@odata.id": "/redfish/v1/Systems"}}
    (tmp_path / "Systems").mkdir()
    (tmp_path / "index.json").write_text(json.dumps(root))
    (tmp_path / "Systems/index.json").write_text(json.dumps({"Members": []}))
    assert set(load_tree(str(tmp_path))) == {ROOT, f"{ROOT}/Systems"}
    with pytest.raises(TreeError, match=r"no such tree: nowhere \(built in: multinode, server;"):
        load_tree("nowhere")
    (tmp_path / "Systems/index.json").write_text("{")
    with pytest.raises(TreeError, match=r"Systems/index\.json"):
        load_tree(str(tmp_path), 1)
    empty = tmp_path / "empty.tar.gz"
    with tarfile.open(empty, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(TreeError, match=r"no index\.json of a service root"):
        load_tree(str(empty))


def test_capture_made_unique_hides_the_one_machine_behind_it(connect):
    archive = str(fixture_dir("redfish", "hpe-dl325.tar.gz"))
    with running_farm(fleet(BmcSpec(tree=archive, tls=False, unique=True), 2)) as farm:
        one, other = (connect(bmc).get(bmc.systems[0]).json() for bmc in farm.bmcs)
        assert farm.bmcs[0].serial != farm.bmcs[1].serial
    assert one["UUID"] != other["UUID"]
    assert one["Model"] == other["Model"]
