# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bmc_log against virtual BMCs, and against Debian's ipmi_sim."""

from __future__ import annotations

LOG = "/redfish/v1/Systems/1/LogServices/SEL"


def test_redfish(module, bmc, login):
    read = module("bmc_log", **login(bmc, limit=2))
    assert (read["changed"], read["log"]["count"], read["log"]["name"]) == (False, 4, "SEL")
    assert [entry["message"] for entry in read["log"]["entries"]] == [
        "Power supply 2 lost input",
        "Power supply 2 input restored",
    ]
    check = module("bmc_log", check=True, state="cleared", **login(bmc))
    assert (check["changed"], check["diff"]["after"]["entries"]) == (True, 0)
    assert len(bmc.get(LOG + "/Entries")["Members"]) == 4

    cleared = module("bmc_log", state="cleared", limit=0, **login(bmc))
    assert (cleared["changed"], cleared["log"]["cleared"], len(cleared["log"]["entries"])) == (True, True, 4)
    assert bmc.get(LOG + "/Entries")["Members"] == []
    assert not module("bmc_log", state="cleared", **login(bmc))["changed"]
    assert len(bmc.get("/redfish/v1/Managers/BMC/LogServices/BMC/Entries")["Members"]) == 2, (
        "the other log is left alone"
    )


def test_another_log(module, bmc, login):
    assert module("bmc_log", log="BMC", **login(bmc))["log"]["count"] == 2
    missing = module("bmc_log", log="nothing", **login(bmc, drivers=["redfish"]))
    assert missing["failure"]["code"] == "not_found"
    assert missing["failure"]["details"]["logs"] == ["SEL", "BMC"]


def test_a_log_that_is_not_cleared(module, bmc, login):
    bmc.faults.add("ignore:method=POST,path=*ClearLog")
    result = module("bmc_log", state="cleared", verify_timeout=0.2, **login(bmc))
    assert result["failure"]["code"] == "not_verified"


def test_ipmi(module, sim, login_ipmi):
    read = module("bmc_log", **login_ipmi(sim))
    assert (read["log"]["driver"], read["log"]["count"]) == ("ipmi", 1)
    assert read["log"]["entries"][0]["message"]
    cleared = module("bmc_log", state="cleared", **login_ipmi(sim))
    assert (cleared["changed"], cleared["log"]["cleared"]) == (True, True)
    assert module("bmc_log", **login_ipmi(sim))["log"]["count"] == 0
    assert not module("bmc_log", state="cleared", **login_ipmi(sim))["changed"]
