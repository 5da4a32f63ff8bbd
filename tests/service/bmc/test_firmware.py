# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_firmware against virtual BMCs that take images and change their versions."""

from __future__ import annotations

import hashlib
import json

import pytest

from fleetlab.farm import BmcSpec, Fault, running_farm

INVENTORY = "/redfish/v1/UpdateService/FirmwareInventory"
QUICK = {"task_timeout": 60, "verify_timeout": 60}


def entry(component, version, image=None, **more):
    image = image or f"https://images.example.org/{component}-{version}.bin"
    return {"vendor": "halden*", "model": "HS-2210", "component": component, "version": version, "image": image, **more}


def version(bmc, component):
    return bmc.get(f"{INVENTORY}/{component}")["Version"]


def test_plan_and_apply(module, bmc, login):
    catalogue = [
        entry("CPLD", "0.19"),
        entry("BIOS", "2.8.0"),
        entry("NIC*", "22.37.1"),
        {**entry("PSU1", "9"), "model": "other"},
    ]
    check = module("bmc_firmware", check=True, catalogue=catalogue, **login(bmc))
    assert [(row["component"], row["action"]) for row in check["firmware"]] == [
        ("CPLD", "none"),
        ("BIOS", "upgrade"),
        ("NIC1", "upgrade"),
        ("NIC2", "upgrade"),
    ]
    assert (check["changed"], check["updates"], version(bmc, "BIOS")) == (True, [], "2.7.1")

    done = module("bmc_firmware", catalogue=catalogue, **QUICK, **login(bmc))
    assert done["changed"]
    assert [(row["component"], row["verified"]) for row in done["updates"]] == [
        ("BIOS", True),
        ("NIC1", True),
        ("NIC2", True),
    ]
    bios = done["updates"][0]
    assert (bios["from"], bios["to"]) == ("2.7.1", "2.8.0")
    percents = [step["percent"] for step in bios["progress"]]
    assert percents == sorted(percents)
    assert bios["progress"][-1]["state"] == "Completed"
    assert [version(bmc, name) for name in ("BIOS", "NIC1", "NIC2", "PSU1")] == ["2.8.0", "22.37.1", "22.37.1", "1.3"]
    assert not module("bmc_firmware", catalogue=catalogue, **login(bmc))["changed"]


def test_push(module, bmc, login, tmp_path):
    image = tmp_path / "bios-2.8.0.bin"
    image.write_bytes(b"\r\n--image\x00" * 5000)
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    wrong = module("bmc_firmware", catalogue=[entry("BIOS", "2.8.0", str(image), sha256="0" * 64)], **login(bmc))
    assert wrong["failure"]["code"] == "invalid_input"
    assert digest in wrong["msg"]
    assert bmc.counters.by_path["/redfish/v1/UpdateService/update-multipart"] == 0
    catalogue = [entry("BIOS", "2.8.0", str(image), sha256=digest)]
    assert module("bmc_firmware", catalogue=catalogue, method="push", **QUICK, **login(bmc))["updates"][0]["verified"]
    assert version(bmc, "BIOS") == "2.8.0"


def test_push_without_multipart(module, bmc, login, tmp_path):
    """What the image is for is said beforehand, and taken back."""
    home = "/redfish/v1/UpdateService"
    bmc.update(home, {"MultipartHttpPushUri": None, "HttpPushUriTargets": []})
    image = tmp_path / "image.bin"
    image.write_text("bios-2.8.0.bin")
    done = module("bmc_firmware", catalogue=[entry("BIOS", "2.8.0", str(image))], **QUICK, **login(bmc))
    assert done["updates"][0]["verified"], done
    assert (version(bmc, "BIOS"), version(bmc, "CPLD")) == ("2.8.0", "0.19")
    assert bmc.get(home)["HttpPushUriTargets"] == []


def test_pull_says_the_protocol_and_refuses_one_that_the_bmc_does_not_speak(module, bmc, login):
    catalogue = [entry("BIOS", "2.8.0", "nfs://images.example.org/bios-2.8.0.bin")]
    result = module("bmc_firmware", catalogue=catalogue, **QUICK, **login(bmc))
    assert (result["failure"]["code"], "pulls over HTTP, HTTPS, TFTP" in result["msg"]) == ("invalid_input", True)


def test_only_newer_versions_unless_asked(module, bmc, login):
    older, unknown = entry("BIOS", "2.6.9"), entry("CPLD", "rev-B")
    for check in (True, False):
        result = module("bmc_firmware", check=check, catalogue=[older, unknown], **QUICK, **login(bmc))
        assert result["failure"]["code"] == "invalid_input"
        assert "2.7.1 -> 2.6.9 is a downgrade" in result["msg"]
        assert "0.19 -> rev-B can't be ordered" in result["msg"]
    assert version(bmc, "BIOS") == "2.7.1"
    done = module("bmc_firmware", catalogue=[older], direction="any", **QUICK, **login(bmc))
    assert [row["action"] for row in done["firmware"]] == ["downgrade"]
    assert version(bmc, "BIOS") == "2.6.9"


def test_a_version_without_its_date_is_the_same(module, bmc, login):
    bmc.update(f"{INVENTORY}/BIOS", {"Version": "U46 v2.80 (07/20/2023)"})
    assert not module("bmc_firmware", catalogue=[entry("BIOS", "U46 v2.80")], **login(bmc))["changed"]


def test_an_update_that_waits_for_a_boot(module, login):
    with running_farm(BmcSpec(tree="server", task_seconds=0.2, firmware_at_boot=True)) as farm:
        bmc = farm.bmcs[0]
        times = {"task_timeout": 60, "graceful_timeout": 0}
        done = module(
            "bmc_firmware", catalogue=[entry("BIOS", "2.8.0")], reboot=True, verify_timeout=60, **times, **login(bmc)
        )
        assert (done["updates"][0]["rebooted"], done["updates"][0]["verified"], version(bmc, "BIOS")) == (
            True,
            True,
            "2.8.0",
        )
        assert sorted(event["event"] for event in bmc.power_log) == ["firmware", "off", "on"]
        waiting = module("bmc_firmware", catalogue=[entry("CPLD", "1.0")], verify_timeout=0.2, **times, **login(bmc))
        assert (waiting["failure"]["code"], "reboot: true" in waiting["msg"]) == ("not_verified", True)


def test_a_component_whose_path_has_its_version_in_it(module, bmc, login):
    """As on iDRACs: after the update there is another resource."""
    old, new = f"{INVENTORY}/Installed-159-2.7.1", f"{INVENTORY}/Installed-159-2.8.0"
    body = {**bmc.get(f"{INVENTORY}/BIOS"), "SoftwareId": "159"}
    bmc.state.remove_member(INVENTORY, f"{INVENTORY}/BIOS")
    bmc.state.add_member(INVENTORY, {**body, "@odata.id": old, "Id": "Installed-159-2.7.1"})
    update = bmc.state.update

    def move(path, changes):
        if path == old and "Version" in changes:
            bmc.state.remove_member(INVENTORY, old)
            bmc.state.add_member(INVENTORY, {**body, **changes, "@odata.id": new, "Id": "Installed-159-2.8.0"})
        else:
            update(path, changes)

    bmc.state.update = move
    catalogue = [entry("159", "2.8.0")]
    done = module("bmc_firmware", catalogue=catalogue, **QUICK, **login(bmc))
    assert done["updates"][0]["verified"], done
    assert not module("bmc_firmware", catalogue=catalogue, **QUICK, **login(bmc))["changed"]


@pytest.mark.parametrize("pushed", [False, True])
def test_a_bmc_that_finds_out_itself_what_an_image_is_for(module, bmc, login, tmp_path, pushed):
    """iDRACs refuse Targets."""
    words = {
        "MessageId": "Base.1.18.PropertyUnknown",
        "Message": "The property Targets is not in the list of valid properties.",
    }
    refusal = json.dumps({"error": {"code": words["MessageId"], "@Message.ExtendedInfo": [words]}})
    bmc.faults.add(Fault("reply", method="POST", match="Targets", status=400, body=refusal))
    push = bmc.actions._update
    bmc.actions._update = lambda image, _targets: push(image, [f"{INVENTORY}/BIOS"])
    image = tmp_path / "bios-2.8.0.bin"
    image.write_bytes(b"image")
    catalogue = [entry("BIOS", "2.8.0", str(image) if pushed else None)]
    done = module("bmc_firmware", catalogue=catalogue, **QUICK, **login(bmc))
    assert done["updates"][0]["verified"], done


def test_what_belongs_to_another_system_behind_the_bmc(module, chassis, login):
    """By what it is related to, or by its name."""
    one, other = (path.rpartition("/")[2] for path in chassis.systems)
    rows = {f"{one}.CPLD": None, f"{other}.CPLD": None, "Logic1": one, "Logic2": other, "CPLD": None}
    for name, system in rows.items():
        body = {"@odata.id": f"{INVENTORY}/{name}", "Id": name, "Name": "CPLD", "Version": "1", "Updateable": True}
        chassis.state.add_member(
            INVENTORY, {**body, "RelatedItem": [{"@odata.id": f"/redfish/v1/Systems/{system}"}] if system else []}
        )
    catalogue = [{"component": "CPLD", "version": "1"}]
    result = module("bmc_firmware", check=True, catalogue=catalogue, system=one, **login(chassis))
    assert {row["component"] for row in result["firmware"]} == {f"{one}.CPLD", "Logic1", "CPLD"}, result


def test_a_catalogue_for_other_machines(module, bmc, login):
    result = module("bmc_firmware", catalogue=[{"component": "Uefi", "version": "1"}], **login(bmc))
    assert (result["changed"], "names no component" in str(result["warnings"])) == (False, True)


def test_a_bmc_that_is_busy_with_a_job(module, bmc, login):
    """iDRAC answers 503 while a job runs."""
    bmc.faults.add("status:method=POST,path=*/UpdateService.SimpleUpdate,status=503,times=5")
    done = module("bmc_firmware", catalogue=[entry("BIOS", "2.8.0")], **QUICK, **login(bmc))
    assert done["updates"][0]["verified"], done


def test_a_monitor_that_expires(module, login):
    """Gone after it was read once (Lenovo), while the task runs: the task, which the monitor has named, tells."""
    with running_farm(BmcSpec(tree="server", task_seconds=3)) as farm:
        farm.bmcs[0].faults.add("status:method=GET,path=*/TaskMonitors/*,skip=1,status=404")
        done = module("bmc_firmware", catalogue=[entry("BIOS", "2.8.0")], **QUICK, **login(farm.bmcs[0]))
        assert done["updates"][0]["verified"], done
        assert [step["state"] for step in done["updates"][0]["progress"]][-2:] == ["Running", "Completed"]


def test_a_task_that_expires(module, bmc, login):
    """Neither monitor nor task: the version tells."""
    bmc.faults.add("status:method=GET,path=*/TaskMonitors/*,status=404")
    assert module("bmc_firmware", catalogue=[entry("BIOS", "2.8.0")], **QUICK, **login(bmc))["updates"][0]["verified"]


def test_a_bmc_that_restarts_meanwhile(module, bmc, login):
    bmc.faults.add("reset:method=GET,path=*/TaskMonitors/*,times=1")
    bmc.faults.add("logout:method=GET,path=*/TaskMonitors/*,times=1")
    assert module("bmc_firmware", catalogue=[entry("BMC", "1.43.0")], **QUICK, **login(bmc))["updates"][0]["verified"]


def test_an_image_that_the_machine_refuses(module, bmc, login):
    catalogue = [entry("BIOS", "2.8.0", "https://images.example.org/nonsense.bin"), entry("CPLD", "1")]
    result = module("bmc_firmware", catalogue=catalogue, **QUICK, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert "The image is not valid for this machine" in result["msg"]
    assert [row["verified"] for row in result["failure"]["details"]["updates"]] == [False]
    assert version(bmc, "CPLD") == "0.19", "what follows a failure is left alone"


def test_an_update_that_changes_nothing(module, bmc, login):
    catalogue = [entry("BIOS", "2.8.0", "https://images.example.org/bios-2.7.1.bin")]
    result = module("bmc_firmware", catalogue=catalogue, task_timeout=60, verify_timeout=0.2, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert "reboot: true" in result["msg"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"catalogue": [entry("BIOS", "2.8.0", "/no/such/file")]}, "invalid_input", "no such file"),
        ({"catalogue": [entry("BIOS", "1"), entry("bios", "2")]}, "invalid_input", "wants 1 and 2 of BIOS"),
        ({"catalogue": [entry("BIOS", "1")], "components": ["CPLD"]}, "not_found", "has no CPLD"),
        ({"catalogue": [entry("BIOS", "3")], "method": "push"}, "invalid_input", "has to be a file"),
        (
            {"catalogue": [entry("BIOS", "3"), entry("CPLD", "3", __file__)], "method": "pull"},
            "invalid_input",
            "CPLD: for the BMC to pull, the image has to be a URI",
        ),
    ],
)
def test_refused(module, bmc, login, options, code, words):
    result = module("bmc_firmware", **options, **login(bmc, drivers=["redfish"]))
    assert result["failure"]["code"] == code
    assert words in result["msg"]
    assert version(bmc, "BIOS") == "2.7.1"
