# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What power costs a BMC: requests, with login and logout, and what the controller imports for it."""

from __future__ import annotations

import contextlib

import pytest
from fleetcore.errors import InvalidInput
from fleetcore.host.clock import SystemClock
from fleetcore.ports import PowerAction
from fleetcore.power.options import bmc_options
from fleetcore.power.redfish import RedfishDriver

from fleetlab.farm import BmcSpec, PowerBehaviour, running_farm

QUICK = {"off_seconds": 0, "verify_timeout": 60}


@pytest.mark.parametrize(
    ("options", "switched", "most"),
    [
        ({"state": "on"}, [], 5),
        ({"state": "off", "graceful_timeout": 0}, ["off"], 7),
        ({"state": "cycle"}, ["off", "on"], 9),
        ({"state": "cycle", "graceful_timeout": 0}, ["off", "on"], 9),
    ],
)
def test_requests(module, login, options, switched, most):
    with running_farm(BmcSpec(tree="server", behaviour=PowerBehaviour(off_seconds=0, graceful_seconds=0))) as farm:
        bmc = farm.bmcs[0]
        result = module("bmc_power", **QUICK, **options, **login(bmc, drivers=["redfish"]))
        assert result["power"]["verified"], result
        assert [event["event"] for event in bmc.power_log] == switched
        assert bmc.counters.logins == bmc.counters.logouts == 1
        assert bmc.counters.requests <= most, bmc.counters.by_path


@pytest.fixture
def driver(login):
    """A driver of a virtual BMC, closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(bmc, **more):
            made = RedfishDriver(bmc_options(login(bmc, **more)), SystemClock())
            stack.callback(made.close)
            return made

        yield make


def test_sushy_is_imported_to_switch_and_not_to_look(module, bmc, login, collections, tmp_path):
    """A sushy that can't be imported is in nobody's way where nothing is to be done."""
    (tmp_path / "sushy").mkdir()
    (tmp_path / "sushy" / "__init__.py").write_text("raise ImportError('out of order')")
    environment = {"PYTHONPATH": f"{tmp_path}:{collections}"}
    look = module("bmc_power", environment=environment, state="on", **QUICK, **login(bmc, drivers=["redfish"]))
    assert look["power"]["after"] == "on"
    switch = module("bmc_power", environment=environment, state="off", **QUICK, **login(bmc, drivers=["redfish"]))
    assert (switch["failure"]["code"], "out of order" in switch["msg"]) == ("missing_dependency", True)


@pytest.mark.parametrize("name", [None, "1"])
def test_a_board_that_is_dead_while_the_host_is_off_is_in_nobodys_way(bmc, driver, name):
    """As on a DGX: the BMC answers 503 for the system of the GPU board until the host is on."""
    (host,) = bmc.systems
    board = "/redfish/v1/Systems/HGX_Baseboard_0"
    bmc.update("/redfish/v1/Systems", {"Members": [{"@odata.id": board}, {"@odata.id": host}]})
    bmc.faults.add(f"status:path={board},status=503")
    bmc.set_power(False)
    power = driver(bmc, system=name)
    assert power.power_state().value == "off"
    power.set_power(PowerAction.ON)
    assert (power.power_state().value, bmc.power_state()) == ("on", "On")
    asked = 0 if name else 1
    assert bmc.counters.by_path[board] == asked, "whoever names the system asks no other; nobody waits for the board"


def test_a_busy_system_that_may_be_the_machine_is_waited_for(bmc, driver):
    (host,) = bmc.systems
    bmc.faults.add(f"status:path={host},status=503,times=2")
    assert driver(bmc).power_state().value == "on"


def test_a_node_that_is_broken_does_not_block_its_neighbour(chassis, driver):
    node, broken = chassis.systems
    chassis.faults.add(f"status:path={broken},status=500")
    power = driver(chassis, system=node.rsplit("/", 1)[-1])
    assert power.power_state().value == "on"
    nobody = driver(chassis)
    with pytest.raises(InvalidInput, match="did not answer"):
        nobody.power_state()
