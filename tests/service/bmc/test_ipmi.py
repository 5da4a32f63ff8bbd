# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IPMI against Debian's ipmi_sim."""

from __future__ import annotations

import pytest
from fleetcore.clock import SystemClock
from fleetcore.drivers.base import PowerController, PowerOptions
from fleetcore.drivers.options import bmc_options
from fleetcore.drivers.registry import collect, open_power
from fleetcore.errors import AuthenticationFailed, InvalidInput, Unreachable
from fleetcore.model import Verdict

from fleetlab.ipmi import IpmiSim, available


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    with IpmiSim(tmp_path_factory.mktemp("ipmi"), 0, "admin", "password") as sim:
        yield sim


def options(sim, **more):
    values = {"address": "127.0.0.1", "ipmi_port": sim.port, "username": "admin", "password": "password"}
    return bmc_options({**values, "drivers": ["ipmi"], **more})


def test_the_device_document(sim):
    device = collect(options(sim), SystemClock())
    assert (device.vendor, device.model, device.serial) == (sim.fru.manufacturer, sim.fru.product, sim.fru.serial)
    assert device.mainboard.serial == sim.fru.board_serial
    assert device.uuid == str(sim.uuid)
    assert device.power_state == "on"
    assert {item.name for item in device.sensors} >= {item.name for item in sim.sensors}
    assert device.bmc.firmware.installed
    verdicts = {name: item.verdict for name, item in device.coverage.items()}
    assert [verdicts[name] for name in ("system", "power", "sensors", "manager", "log")] == [Verdict.COLLECTED] * 5
    assert verdicts["memory"] is Verdict.ABSENT
    assert [attempt.driver for attempt in device.attempts] == ["ipmi"]


def test_the_second_driver_is_tried_and_said(sim):
    device = collect(
        options(sim, address="http://127.0.0.1:1", drivers=["redfish", "ipmi"], sections=["power"]), SystemClock()
    )
    assert [(attempt.driver, attempt.error) for attempt in device.attempts] == [
        ("redfish", "unreachable"),
        ("ipmi", None),
    ]


def test_cycle(sim):
    before = len(sim.power_log())
    driver, _attempts = open_power(options(sim), SystemClock())
    try:
        quick = PowerOptions(graceful_timeout=0, off_seconds=0.1, verify_timeout=6, poll_seconds=0.1)
        result = PowerController(driver, SystemClock(), quick).run("cycle")
    finally:
        driver.close()
    assert result.verified
    assert [event["action"] for event in sim.power_log()[before:]] == ["off", "on"]


def test_a_wrong_password(sim):
    with pytest.raises(AuthenticationFailed, match="refused the login"):
        open_power(options(sim, password="wrong"), SystemClock())


def test_nobody_answers(sim):
    with pytest.raises(Unreachable, match="no answer"):
        open_power(options(sim, ipmi_port=1), SystemClock())


def test_a_system_can_not_be_chosen(sim):
    with pytest.raises(InvalidInput, match="can't choose"):
        open_power(options(sim, system="Node0"), SystemClock())
