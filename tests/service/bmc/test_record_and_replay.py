# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A capture holds no secret. Read again, or served by a virtual BMC, it gives the same document as the BMC."""

from __future__ import annotations

import json
import os
import re
import stat
import tarfile
from pathlib import Path

import pytest
from fixtures_dir import fixture_dir
from fleetcore.document.model import Verdict
from fleetcore.host.clock import SystemClock
from fleetcore.ipmi.collector import collect as collect_ipmi
from fleetcore.power.ipmi import open_session
from fleetcore.power.options import BmcOptions
from fleetcore.redfish.capture import Recording
from fleetcore.redfish.record import Record
from fleetcore.sweep.collect import replay

from fleetlab.farm import BmcSpec, Fault, running_farm
from fleetlab.ipmi import IpmiSim, available

SECRET = "Tr0ub4dor&3"
# The system to read where there are several, and whether the tree holds something that must not leave.
MACHINES = {
    "server": (None, False),
    "multinode": ("Node1", False),
    "dell-r750": (None, True),
    "hpe-dl325": (None, True),
    "gigabyte": (None, False),
    "cray-ex425": ("Node0", False),
    "dmtf-rackmount1": (None, False),
}
# A text in a property that sounds secret, or a user's name; told apart here by other means than the code does.
SPOKEN = re.compile(
    r'"[\w. -]*(?:Password|Passwd|Secret|Token|Communit|EncryptionKey|LicenseKey)\w*": "(?!REDACTED")[^"]'
    r'|"\w*User[Nn]ame": "(?!user-[0-9a-f]{12}")[^"]'
)


def tree(name):
    return name if name in ("server", "multinode") else str(fixture_dir("redfish", f"{name}.tar.gz"))


def login(bmc, **more):
    reach = {"address": bmc.url, "username": bmc.username, "password": bmc.password, "ca_path": bmc.ca_path}
    return {**reach, "drivers": ["redfish"], **more}


def observed(result, *but):
    return {name: value for name, value in result["device"].items() if name not in ("stats", *but)}


def texts(path):
    """Everything in a capture, by file name."""
    with tarfile.open(path) as archive:
        return {item.name: archive.extractfile(item).read().decode() for item in archive if item.isfile()}


@pytest.mark.parametrize("name", MACHINES)
def test_round_trip(module, tmp_path, name):
    system, redacted = MACHINES[name]
    path = tmp_path / "machine.tar.gz"
    with running_farm(BmcSpec(tree=tree(name), password=SECRET)) as farm:
        live = module("bmc_info", **login(farm.bmcs[0], system=system, capture=str(path)))
    assert live["changed"] is False
    assert (live["capture"]["path"], live["capture"]["redacted"] > 0) == (str(path), redacted)
    assert live["capture"]["requests"] > 10
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if "machine" in file.name] == ["machine.tar.gz"]

    offline = module("bmc_info", from_capture=str(path))
    assert json.dumps(observed(offline)) == json.dumps(observed(live)), "byte by byte, the time included"
    assert offline["attempts"] == live["attempts"]

    with running_farm(BmcSpec(tree=str(path))) as farm:
        served = module("bmc_info", **login(farm.bmcs[0], system=system))
    assert observed(served, "collected_at") == observed(live, "collected_at")

    for file, text in texts(path).items():
        assert SECRET not in text, file
        assert not SPOKEN.search(text), file


def test_asking_for_the_only_member_is_captured_as_a_collection(module, tmp_path):
    path = tmp_path / "m.tar.gz"
    with running_farm(BmcSpec(tree="server", expand=0)) as farm:
        live = module("bmc_info", **login(farm.bmcs[0], capture=str(path), cache_dir=str(tmp_path)))
        assert live["capture"]["requests"] > 10
        again = module("bmc_info", **login(farm.bmcs[0], capture=str(path), cache_dir=str(tmp_path)))
        assert again["device"]["stats"]["bytes"] < live["device"]["stats"]["bytes"] / 2
    assert "?only" in texts(path)["m/manifest.json"]
    assert json.loads(texts(path)["m/redfish/v1/Systems/index.json"])["Members"]
    offline = module("bmc_info", from_capture=str(path))
    assert observed(offline) == observed(again)
    with running_farm(BmcSpec(tree=str(path))) as farm:
        served = module("bmc_info", **login(farm.bmcs[0]))
    assert observed(served, "collected_at", "log") == observed(again, "collected_at", "log")


@pytest.mark.parametrize("name", [name for name in MACHINES if name not in ("server", "multinode")])
def test_the_captures_of_others_are_read_directly(module, name):
    path = fixture_dir("redfish", f"{name}.tar.gz")
    with running_farm(BmcSpec(tree=str(path))) as farm:
        live = module("bmc_info", **login(farm.bmcs[0], system=MACHINES[name][0]))
    offline = module("bmc_info", from_capture=str(path), system=MACHINES[name][0])
    assert observed(offline, "collected_at") == observed(live, "collected_at")


def test_secrets_of_the_bmc_are_not_in_the_capture(module, tmp_path):
    path = tmp_path / "m.tar.gz"
    with running_farm(BmcSpec(tree="server", password=SECRET)) as farm:
        bmc = farm.bmcs[0]
        bios = f"{bmc.systems[0]}/Bios"
        bmc.update(bios, {"Attributes": {"SysPassword": "bi0s-pass", "KmsAccessKey": "kms-key"}})
        bmc.update(
            bmc.systems[0], {"Oem": {"X": {"SnmpCommunity": "c0mmunity", "UserName": "operator7", "Note": SECRET}}}
        )
        assert bmc.get(bios)["Attributes"]["SysPassword"] == "bi0s-pass"
        result = module("bmc_info", **login(bmc, capture=str(path)))
    everything = str(texts(path))
    for secret in ("bi0s-pass", "kms-key", "c0mmunity", "operator7", SECRET):
        assert secret not in everything
    assert result["capture"]["redacted"] >= 5
    assert "bi0s-pass" not in str(result["device"])
    assert "kms-key" not in str(result["device"])


def test_failures_are_captured_and_replayed(module, tmp_path):
    path = tmp_path / "m.tar.gz"
    faults = (Fault("status", path="*/Storage*", status=403), Fault("truncate", path="*/Memory*"))
    with running_farm(BmcSpec(tree="server", faults=faults)) as farm:
        live = module("bmc_info", **login(farm.bmcs[0], capture=str(path)))
    offline = module("bmc_info", from_capture=str(path))
    assert observed(offline) == observed(live)
    verdicts = {name: item["verdict"] for name, item in offline["device"]["coverage"].items()}
    assert (verdicts["storage"], verdicts["memory"]) == ("denied", "failed")
    entries = json.loads(texts(path)["m/manifest.json"])["requests"]
    assert 403 in {entry["status"] for entry in entries}


def test_a_failed_collection_leaves_what_was_read(module, tmp_path):
    path = tmp_path / "m.tar.gz"
    with running_farm(BmcSpec(tree="multinode")) as farm:
        result = module("bmc_info", **login(farm.bmcs[0], capture=str(path)))
        assert result["failure"]["code"] == "invalid_input", "several systems, and none was named"
    assert json.loads(texts(path)["m/manifest.json"])["error"]["code"] == "invalid_input"
    again = module("bmc_info", from_capture=str(path))
    assert again["failure"]["details"]["systems"] == result["failure"]["details"]["systems"]


def test_options_that_do_not_go_together(module, tmp_path):
    with running_farm(BmcSpec(tree="server")) as farm:
        bmc = farm.bmcs[0]
        folder = module("bmc_info", **login(bmc, capture=str(tmp_path / "no" / "m.tar.gz")))
        assert folder["failure"] == {
            "code": "invalid_input",
            "details": {"field": "capture", "path": str(tmp_path / "no" / "m.tar.gz")},
        }
        planned = module("bmc_info", check=True, **login(bmc, capture=str(tmp_path / "m.tar.gz")))
        assert planned["device"]["serial"]
        assert not Path(tmp_path / "m.tar.gz").exists()
    assert "one of the following is required" in module("bmc_info")["msg"]
    assert "mutually exclusive" in module("bmc_info", capture="/a", from_capture="/b")["msg"]
    assert module("bmc_info", from_capture=str(tmp_path))["failure"]["details"]["field"] == "from_capture"


def test_ipmi_is_captured_and_replayed(module, tmp_path):
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    path = tmp_path / "m.tar.gz"
    with IpmiSim(tmp_path / "ipmi", 0, "admin", SECRET) as sim:
        reach = {"address": "http://127.0.0.1:1", "ipmi_port": sim.port, "username": "admin", "password": SECRET}
        live = module("bmc_info", **reach, capture=str(path))
    assert live["device"]["serial"] == sim.fru.serial
    assert live["capture"]["requests"] > 20
    assert SECRET not in str(texts(path))
    assert SECRET.encode().hex() not in str(texts(path))

    offline = module("bmc_info", from_capture=str(path))
    assert observed(offline) == observed(live)
    assert offline["attempts"] == live["attempts"]
    assert [item["driver"] for item in offline["attempts"]] == ["redfish", "ipmi"]

    part = module("bmc_info", from_capture=str(path), sections=["manager"])
    assert live["device"]["bmc"].pop("nic")["nic_ports"]  # of the section network
    assert part["device"]["bmc"] == live["device"]["bmc"]
    assert part["device"]["coverage"]["sensors"]["verdict"] == "skipped"


def test_sections_that_the_deadline_cost_are_late_in_the_replay_too(tmp_path):
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    record = Record()
    with IpmiSim(tmp_path / "ipmi", 0, "admin", SECRET) as sim:
        reach = BmcOptions(
            "127.0.0.1", username="admin", password=SECRET, drivers=("ipmi",), ipmi_port=sim.port, deadline=0.001
        )
        live = collect_ipmi(open_session(reach, SystemClock(), record), deadline=reach.deadline)
    replayed = replay(Recording({}, commands=tuple(record.commands)))
    assert live.power_state == "on"
    assert live.coverage["sensors"].verdict is Verdict.TIMEOUT
    assert replayed.coverage == live.coverage


def test_a_bmc_that_says_nothing_leaves_no_capture(module, tmp_path):
    path = tmp_path / "m.tar.gz"
    result = module("bmc_info", address="http://127.0.0.1:1", drivers=["redfish"], capture=str(path))
    assert result["failure"]["code"] == "unreachable"
    assert not path.exists()


def test_the_playbook_keeps_captures_and_documents(playbook, module, tmp_path):
    folder = tmp_path / "dump"
    with running_farm([BmcSpec(tree="server", password=SECRET)] * 2) as farm:
        hosts = {
            f"rack1/m{number}": {f"bmc_{name}": value for name, value in login(bmc).items()}
            for number, bmc in enumerate(farm.bmcs)
        }
        kept = os.path.relpath(tmp_path / "documents")
        done, _recap = playbook("collect_oob", hosts, "-e", f"dump_dir={folder}", "-e", f"collect_dir={kept}")
        assert done.returncode == 0, done.stdout + done.stderr
    documents = {path.name: json.loads(path.read_text()) for path in (tmp_path / "documents").iterdir()}
    assert {name: item["serial"] for name, item in documents.items()} == {
        f"rack1%2Fm{number}.device.json": bmc.serial for number, bmc in enumerate(farm.bmcs)
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    serials = {
        module("bmc_info", from_capture=str(path))["device"]["serial"]
        for path in folder.glob("rack1%2Fm?.capture.tar.gz")
    }
    assert serials == {bmc.serial for bmc in farm.bmcs}
