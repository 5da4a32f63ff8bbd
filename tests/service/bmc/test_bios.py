# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bios_settings against virtual BMCs with an attribute registry and without."""

from __future__ import annotations

import json

import pytest

from fleetlab.replies import Reply

BIOS = "/redfish/v1/Systems/1/Bios"
NOW = {"reboot": True, "graceful_timeout": 0, "apply_timeout": 5}


def attributes(bmc, path=BIOS):
    return bmc.get(path)["Attributes"]


def test_staged_then_applied(module, bmc, login):
    want = {"settings": {"smt": "disabled"}, "attributes": {"AcPowerRecoveryDelaySeconds": "120", "BootRetry": False}}
    raw = {"LogicalProc": "Disabled", "AcPowerRecoveryDelaySeconds": 120, "BootRetry": False}
    check = module("bios_settings", check=True, **want, **login(bmc))
    assert check["changed"]
    assert check["diff"]["after"] == raw
    assert attributes(bmc, BIOS + "/Settings") == {}

    staged = module("bios_settings", **want, **login(bmc))
    assert (staged["changed"], staged["bios"]["pending"], staged["bios"]["rebooted"]) == (True, raw, False)
    assert attributes(bmc)["LogicalProc"] == "Enabled"
    assert attributes(bmc, BIOS + "/Settings") == raw
    assert bmc.power_log == []
    assert not module("bios_settings", **want, **login(bmc))["changed"], "it is staged already"

    applied = module("bios_settings", **want, **NOW, **login(bmc))
    assert (applied["changed"], applied["bios"]["rebooted"], applied["bios"]["pending"]) == (True, True, {})
    assert applied["bios"]["attributes"] == raw
    assert {name: attributes(bmc)[name] for name in raw} == raw
    boots = sum(event["event"] == "on" for event in bmc.power_log)
    assert boots == 1
    again = module("bios_settings", **want, **NOW, **login(bmc))
    assert (again["changed"], again["bios"]["rebooted"]) == (False, False)


def test_taking_back_what_is_staged(module, bmc, login):
    assert module("bios_settings", attributes={"SysProfile": "Custom"}, **login(bmc))["changed"]
    assert module("bios_settings", attributes={"SysProfile": "PerfPerWatt"}, **login(bmc))["changed"]
    assert attributes(bmc, BIOS + "/Settings") == {"SysProfile": "PerfPerWatt"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attributes": {"LogicalProk": "Enabled"}}, "did you mean LogicalProc"),
        ({"attributes": {"SysProfile": "Fast"}}, "'Fast' is not one of PerfPerWatt, Performance, Custom"),
        ({"attributes": {"AcPowerRecoveryDelaySeconds": 601}}, "601 is more than 600"),
        ({"attributes": {"AcPowerRecoveryDelaySeconds": 61}}, "not a step of 10"),
        ({"attributes": {"AcPowerRecoveryDelaySeconds": "soon"}}, "not a whole number"),
        ({"attributes": {"BootRetry": "perhaps"}}, "not true or false"),
        ({"attributes": {"SecureBoot": "Enabled"}}, "read only"),
        ({"attributes": {"AdminPassword": "x"}}, "passwords"),
        ({"settings": {"intel_txt": "enabled"}}, "no attribute known for it"),
        ({"settings": {"warp": "enabled"}}, "not one of amd_sev"),
        ({"settings": {"smt": "disabled"}, "attributes": {"LogicalProc": "Enabled"}}, "twice"),
    ],
)
def test_what_can_not_be_is_refused_before_writing(module, bmc, login, options, words):
    good = {"attributes": {"NumaNodesPerSocket": "2", **options.get("attributes", {})}}
    result = module("bios_settings", **{**options, **good}, **login(bmc))
    assert result["failure"]["code"] == "invalid_input"
    assert words in result["msg"]
    assert len(result["failure"]["details"]["problems"]) == 1
    assert attributes(bmc, BIOS + "/Settings") == {}


def test_without_a_registry(module, bmc, login):
    bmc.update(BIOS, {"AttributeRegistry": None})
    want = {"smt": "disabled", "tpm": "disabled", "boot_mode": "legacy"}
    staged = module("bios_settings", settings=want, **login(bmc))
    assert staged["bios"]["pending"] == {"LogicalProc": "Disabled", "TpmSecurity": "Off", "BootMode": "Bios"}


def test_a_bmc_that_does_not_stage(module, bmc, login):
    bmc.faults.add("ignore:method=PATCH")
    result = module("bios_settings", settings={"smt": "disabled"}, verify_timeout=0.2, **login(bmc))
    assert result["failure"]["code"] == "not_verified"


def test_a_bmc_whose_task_says_why_nothing_was_staged(module, bmc, login):
    task = {
        "@odata.type": "#Task.v1_7_4.Task",
        "TaskState": "Exception",
        "Messages": [{"Message": "A job is pending."}],
    }
    bmc.state.put("/redfish/v1/TaskService/Tasks/J1", {"@odata.id": "/redfish/v1/TaskService/Tasks/J1", **task})
    answer = bmc.answer

    def later(request, fault=None):
        if request.method == "PATCH":
            return Reply(202, headers={"Location": "/redfish/v1/TaskService/Tasks/J1"})
        return answer(request, fault)

    bmc.answer = later
    result = module("bios_settings", settings={"smt": "disabled"}, verify_timeout=0.2, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert "its task: Exception; A job is pending." in result["msg"]


@pytest.fixture
def unlinked(bmc):
    """The BMC links to no settings of its BIOS. What is written to the Bios itself is in effect after a restart."""
    bios = bmc.get(BIOS)
    bmc.state.put(BIOS, {name: value for name, value in bios.items() if name != "@Redfish.Settings"})
    bmc.written = {}
    answer, boot = bmc.answer, bmc.state._boot

    def answered(request, fault=None):
        if request.method == "PATCH" and request.path == BIOS:
            bmc.written.update(json.loads(request.body)["Attributes"])
            return Reply(202, b'{"Success": {"Message": "Successfully Completed Request."}}')
        return answer(request, fault)

    def boots(system):
        bmc.update(BIOS, {"Attributes": bmc.written})
        return boot(system)

    bmc.answer, bmc.state._boot = answered, boots
    return bmc


def test_without_a_settings_resource_the_restart_tells(module, unlinked, login):
    want = {"settings": {"smt": "disabled"}, "verify_timeout": 60}
    staged = module("bios_settings", **want, **login(unlinked))
    assert (staged["changed"], staged["bios"]["verified"]) == (True, False), staged
    assert (staged["bios"]["pending"], staged["bios"]["attributes"]) == (
        {"LogicalProc": "Disabled"},
        {"LogicalProc": "Enabled"},
    )
    assert "only the next boot tells" in str(staged["warnings"])
    now = module("bios_settings", **want, **NOW, **login(unlinked))
    assert (now["bios"]["verified"], now["bios"]["rebooted"], now["bios"]["attributes"]) == (
        True,
        True,
        {"LogicalProc": "Disabled"},
    ), now
    assert not module("bios_settings", **want, **NOW, **login(unlinked))["changed"]


def test_without_a_settings_resource_a_restart_that_brings_nothing_is_a_failure(module, unlinked, login):
    unlinked.state._boot = lambda _system: None
    late = {**NOW, "apply_timeout": 0.3}
    result = module("bios_settings", settings={"smt": "disabled"}, **late, **login(unlinked))
    assert (result["failure"]["code"], result["failure"]["details"]["staged"]) == ("not_verified", ["LogicalProc"])


def test_settings_that_the_bios_does_not_link_to(module, unlinked, login):
    """AMI's: Bios/SD."""
    place = f"{BIOS}/SD"
    unlinked.state.put(place, {"@odata.id": place, "@odata.type": "#Bios.v1_1_0.Bios", "Id": "SD", "Attributes": {}})
    unlinked.state.settings_of = lambda path: place if path == BIOS else ""
    staged = module("bios_settings", settings={"smt": "disabled"}, **login(unlinked))
    assert (staged["changed"], staged["bios"]["verified"], unlinked.written) == (True, True, {}), staged
    assert attributes(unlinked, place) == {"LogicalProc": "Disabled"}
    assert not module("bios_settings", settings={"smt": "disabled"}, **login(unlinked))["changed"]


def test_settings_that_show_nothing_before_the_restart(module, bmc, login):
    """The restart is asked for, and tells; without it nobody knows, and the module says so."""
    put, want = bmc.state.settings_of, {"settings": {"smt": "disabled"}, "verify_timeout": 0.2}
    answer = bmc.answer

    def hidden(request, fault=None):
        found = answer(request, fault)
        if request.method == "GET" and request.path == put(BIOS):
            found.body = json.dumps({**json.loads(found.body), "Attributes": {}}).encode()
        return found

    bmc.answer = hidden
    assert module("bios_settings", **want, **login(bmc))["failure"]["code"] == "not_verified"
    now = module("bios_settings", **want, **NOW, **login(bmc))
    assert (now["bios"]["verified"], now["bios"]["attributes"]) == (True, {"LogicalProc": "Disabled"}), now


def test_a_machine_that_does_not_apply(module, bmc, login):
    bmc.state._apply_bios = lambda _bios: None
    result = module("bios_settings", settings={"smt": "disabled"}, **{**NOW, "apply_timeout": 0.3}, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert result["failure"]["details"]["staged"] == ["LogicalProc"]
    assert bmc.power_state() == "On"


def test_reset_to_defaults(module, bmc, login):
    assert not module("bios_settings", defaults=True, **login(bmc))["changed"], "they are in effect"
    bmc.update(BIOS, {"Attributes": {"SysProfile": "Custom", "BootRetry": False}})
    fresh = {"SysProfile": "PerfPerWatt", "BootRetry": True}
    check = module("bios_settings", check=True, defaults=True, **login(bmc))
    assert (check["changed"], check["diff"]["before"]["SysProfile"], check["bios"]["pending"]) == (
        True,
        "Custom",
        fresh,
    )
    assert attributes(bmc, BIOS + "/Settings") == {}

    staged = module("bios_settings", defaults=True, **login(bmc))
    assert (staged["changed"], staged["bios"]["rebooted"], staged.get("warnings")) == (True, False, None)
    assert attributes(bmc)["SysProfile"] == "Custom"
    assert not module("bios_settings", defaults=True, **login(bmc))["changed"], "it is staged already"
    applied = module("bios_settings", defaults=True, **NOW, **login(bmc))
    assert (applied["changed"], applied["bios"]["rebooted"], applied["bios"]["attributes"]) == (True, True, fresh)
    assert not module("bios_settings", defaults=True, **NOW, **login(bmc))["changed"]


def test_defaults_are_not_in_effect_while_something_else_is_staged(module, bmc, login):
    assert module("bios_settings", settings={"smt": "disabled"}, **login(bmc))["changed"]
    check = module("bios_settings", check=True, defaults=True, **login(bmc))
    assert (check["changed"], check["diff"]["before"]["LogicalProc"]) == (True, "Disabled")
    assert module("bios_settings", defaults=True, **NOW, **login(bmc))["bios"]["attributes"] == {
        "LogicalProc": "Enabled"
    }
    assert attributes(bmc)["LogicalProc"] == "Enabled"
    assert not module("bios_settings", defaults=True, **login(bmc))["changed"]


def test_a_bmc_that_hides_its_reset_to_defaults(module, bmc, login):
    """Nothing is claimed before the next boot; a reset that the boot does not bring is a failure."""
    bmc.update(BIOS, {"Attributes": {"SysProfile": "Custom"}})
    bmc.faults.add("ignore:method=POST,path=*/Bios.ResetBios")
    hidden = module("bios_settings", defaults=True, **login(bmc))
    assert "does not show that it is pending" in str(hidden["warnings"])
    result = module("bios_settings", defaults=True, **{**NOW, "apply_timeout": 0.5}, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert module("bios_settings", defaults=True, settings={"smt": "disabled"}, **login(bmc))["failed"]
