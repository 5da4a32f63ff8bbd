# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The BMC at an address is not that of the machine that is meant: nothing is done to it."""

from __future__ import annotations

import pytest

from fleetlab.farm import BmcSpec, running_farm

SECRET = "Tr0ub4dor&3"
OTHER = {"expected_serial": "ZZ999999", "expected_uuid": "4c4c4544-0035-3410-8050-c6c04f314733"}
QUICK = {"graceful_timeout": 0, "off_seconds": 0.1, "verify_timeout": 60}


@pytest.mark.parametrize(
    ("name", "options", "check"),
    [("bmc_power", {"state": "cycle"}, False), ("bmc_power", {"state": "cycle"}, True), ("bmc_reset", {}, False)],
)
def test_another_machine_over_redfish(module, bmc, login, name, options, check):
    result = module(name, check, **login(bmc), **options, **OTHER)
    assert (result["failed"], result["failure"]["code"]) == (True, "wrong_machine")
    assert bmc.serial in result["msg"]
    assert "ZZ999999" in result["msg"]
    assert [item["driver"] for item in result["failure"]["details"]["attempts"]] == ["redfish"], "IPMI is not tried"
    assert bmc.power_log == []
    assert bmc.counters.logouts == bmc.counters.logins


def test_the_machine_itself(module, bmc, login):
    serial = f" {bmc.serial.lower()} "
    result = module("bmc_power", state="cycle", expected_serial=serial, **login(bmc, drivers=["redfish"]), **QUICK)
    assert result["power"]["verified"] is True
    assert module("bmc_led", state="on", expected_serial=serial, **login(bmc))["changed"] is True


def test_over_ipmi(module, sim, login_ipmi):
    before = len(sim.power_log())
    for name, options in (("bmc_power", {"state": "cycle", **QUICK}), ("bmc_boot", {"device": "pxe"})):
        refused = module(name, **login_ipmi(sim), **options, **OTHER)
        assert refused["failure"]["code"] == "wrong_machine"
        assert sim.fru.serial in refused["msg"]
    assert len(sim.power_log()) == before
    for known in ({"expected_serial": sim.fru.chassis_serial}, {**OTHER, "expected_uuid": str(sim.uuid)}):
        assert module("bmc_power", state="on", **login_ipmi(sim), **known)["power"]["after"] == "on"


def test_the_playbook_looks_when_the_inventory_knows_the_serial(playbook):
    with running_farm([BmcSpec(tree="server", password=SECRET)] * 2) as farm:
        right, moved = farm.bmcs
        times = {f"powercycle_{name}": value for name, value in QUICK.items()}
        reach = {"bmc_username": right.username, "bmc_password": SECRET, "bmc_drivers": ["redfish"], **times}
        hosts = {
            "right": {**reach, "bmc_address": right.url, "bmc_ca_path": right.ca_path, "fleet_serial": right.serial},
            "moved": {**reach, "bmc_address": moved.url, "bmc_ca_path": moved.ca_path, "fleet_serial": "ZZ999999"},
        }
        done, recap = playbook("powercycle", hosts, "-l", "right,moved")
        assert (recap["right"]["changed"], recap["moved"]["failed"]) == (1, 1), done.stdout + done.stderr
        assert "of another machine" in done.stdout
        assert [len(bmc.power_log) for bmc in (right, moved)] == [2, 0]

        hosts["moved"]["bmc_check_machine"] = False
        hosts["twin"] = {**hosts["moved"], "bmc_address": moved.url.upper().replace("HTTPS", "https")}
        done, recap = playbook("powercycle", hosts, "-l", "right,moved,twin", "-e", "wave=2")
        failed = {name: recap[name]["failed"] for name in ("right", "moved", "twin")}
        assert failed == {"right": 0, "moved": 1, "twin": 1}, done.stdout + done.stderr
        assert "is the BMC of right" not in done.stdout
        assert [len(bmc.power_log) for bmc in (right, moved)] == [4, 0]
        done, recap = playbook("powercycle", hosts, "-l", "moved")
        assert (recap["moved"]["changed"], len(moved.power_log)) == (1, 2), done.stdout + done.stderr
