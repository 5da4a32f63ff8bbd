# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_reset against virtual BMCs that really go away, and against Debian's ipmi_sim."""

from __future__ import annotations

import pytest

from fleetlab.farm import BmcSpec, running_farm

QUICK = {"down_timeout": 1, "wait_timeout": 60}


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_redfish(module, login, seconds):
    with running_farm(BmcSpec(tree="server", bmc_reset_seconds=seconds)) as farm:
        bmc = farm.bmcs[0]
        check = module("bmc_reset", check=True, **login(bmc))
        assert (check["changed"], bmc.power_log) == (True, [])
        result = module("bmc_reset", kind="forced", **QUICK, **login(bmc, drivers=["redfish"]))
        assert (result["changed"], result["reset"]["answers"]) == (True, True)
        assert result["reset"]["seconds"] >= seconds - 0.1
        assert [(event["event"], event["cause"]) for event in bmc.power_log] == [("bmc-reset", "ForceRestart")]
        assert bmc.power_state() == "On"


def test_a_bmc_that_goes_on_as_before(module, bmc, login):
    bmc.faults.add("ignore:method=POST,path=*Manager.Reset")
    result = module("bmc_reset", **QUICK, **login(bmc))
    assert result["failure"]["code"] == "not_verified"
    assert "still answers as before" in result["msg"]


def test_a_bmc_that_does_not_come_back(module, login):
    with running_farm(BmcSpec(tree="server", bmc_reset_seconds=60)) as farm:
        result = module("bmc_reset", down_timeout=1, wait_timeout=1, **login(farm.bmcs[0]))
        assert result["failure"]["code"] == "not_verified"
        assert "does not answer again" in result["msg"]


def test_a_bmc_that_is_gone_before_it_answers(module, login):
    with running_farm(BmcSpec(tree="server", bmc_reset_seconds=1)) as farm:
        bmc = farm.bmcs[0]
        bmc.faults.add("drop:method=POST,path=*Manager.Reset")
        result = module("bmc_reset", **QUICK, **login(bmc))
        assert (result["changed"], result["reset"]["answers"], len(bmc.power_log)) == (True, True, 1), result


def test_a_bmc_that_offers_other_ways(module, bmc, login):
    """From the ActionInfo, and in another spelling; what is not offered is not sent."""
    manager = "/redfish/v1/Managers/BMC"
    target = bmc.get(manager)["Actions"]["#Manager.Reset"]["target"]
    info = {"@odata.id": f"{manager}/ResetActionInfo"}
    action = {"target": f"{target}/", "@Redfish.ActionInfo": info["@odata.id"]}
    bmc.state.put(manager, {**bmc.get(manager), "Actions": {"#Manager.Reset": action}})
    bmc.state.put(
        info["@odata.id"], {**info, "Parameters": [{"Name": "ResetType", "AllowableValues": ["gracefulrestart"]}]}
    )
    result = module("bmc_reset", kind="forced", **QUICK, **login(bmc))
    assert [event["cause"] for event in bmc.power_log] == ["gracefulrestart"], result
    bmc.update(info["@odata.id"], {"Parameters": [{"Name": "ResetType", "AllowableValues": ["ResetToDefaults"]}]})
    result = module("bmc_reset", **QUICK, **login(bmc, drivers=["redfish"]))
    assert (result["failure"]["code"], "ResetToDefaults only" in result["msg"]) == ("unsupported", True)
    assert len(bmc.power_log) == 1


def test_a_reset_that_takes_no_parameter(module, bmc, login):
    """The service names no kinds, and refuses every one."""
    manager = "/redfish/v1/Managers/BMC"
    target = bmc.get(manager)["Actions"]["#Manager.Reset"]["target"]
    bmc.state.put(manager, {**bmc.get(manager), "Actions": {"#Manager.Reset": {"target": target}}})
    bmc.faults.add("status:method=POST,path=*Manager.Reset,match=ResetType,status=400")
    result = module("bmc_reset", **QUICK, **login(bmc, drivers=["redfish"]))
    assert (result.get("changed"), len(bmc.power_log)) == (True, 1), result


def test_a_manager_that_is_not_there(module, bmc, login):
    result = module("bmc_reset", manager="other", **login(bmc))
    assert result["failure"]["code"] == "not_found"
    assert bmc.power_log == []


def test_ipmi(module, sim, login_ipmi):
    """This simulator can't reset its BMC, and says so."""
    assert module("bmc_reset", **login_ipmi(sim))["failure"]["code"] == "unsupported"
