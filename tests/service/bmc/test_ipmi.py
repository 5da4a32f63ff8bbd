# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IPMI against Debian's ipmi_sim."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from fleetcore.document.model import Verdict, device_from_dict, to_dict
from fleetcore.errors import (
    AuthenticationFailed,
    BadResponse,
    InvalidInput,
    PermissionDenied,
    Unreachable,
    WrongMachine,
)
from fleetcore.host.clock import SystemClock
from fleetcore.ipmi.sel import read_log
from fleetcore.ipmi.session import Session
from fleetcore.ports import PowerState
from fleetcore.power.attempts import open_power
from fleetcore.power.base import PowerController, PowerOptions
from fleetcore.power.ipmi import open_session
from fleetcore.power.options import bmc_options
from fleetcore.sweep.collect import collect

from fleetlab.farm import BmcSpec, running_farm
from fleetlab.ipmi import Fru, IpmiSim, available


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
    device = asyncio.run(collect(options(sim), SystemClock()))
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
    device = asyncio.run(
        collect(
            options(sim, address="http://127.0.0.1:1", drivers=["redfish", "ipmi"], sections=["power"]), SystemClock()
        )
    )
    assert [(attempt.driver, attempt.error) for attempt in device.attempts] == [
        ("redfish", "unreachable"),
        ("ipmi", None),
    ]


def test_cycle(sim):
    before = len(sim.power_log())
    driver = open_power(options(sim), SystemClock()).driver
    try:
        quick = PowerOptions(graceful_timeout=0, off_seconds=0.1, verify_timeout=60, poll_seconds=0.1)
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
        open_power(options(sim, ipmi_port=1, timeout=2), SystemClock())


def test_the_time_out_holds():
    """Nothing answers there. By itself pyghmi gives up after some ten seconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        options = {"address": "127.0.0.1", "ipmi_port": silent.getsockname()[1], "username": "a", "password": "b"}
        took = []
        for seconds in (1, 15):
            begin = time.monotonic()
            with pytest.raises(Unreachable):
                open_power(bmc_options({**options, "drivers": ["ipmi"], "timeout": seconds}), SystemClock())
            took.append(time.monotonic() - begin)
        assert took[0] < took[1]
        assert took[1] >= 14.9


def test_a_system_can_not_be_chosen(sim):
    with pytest.raises(InvalidInput, match="can't choose"):
        open_power(options(sim, system="Node0"), SystemClock())


def test_a_system_is_known_by_what_is_expected_of_it(sim):
    known = {"system": "Node0", "expected_serial": sim.fru.serial}
    opened = open_power(options(sim, **known), SystemClock())
    opened.driver.close()
    assert opened.state is PowerState.ON
    with pytest.raises(WrongMachine):
        open_power(options(sim, system="Node0", expected_serial="ZZ999999"), SystemClock())


@pytest.mark.parametrize("tree", ["server", "multinode"])
def test_ipmi_is_the_next_driver_for_a_named_system_that_is_alone(module, sim, tree):
    """Redfish can do nothing with it, and has shown how many there are."""
    with running_farm(BmcSpec(tree=tree, username="admin", password="password", tls=False)) as farm:
        bmc = farm.bmcs[0]
        path = bmc.systems[0]
        system = path.rpartition("/")[2]
        gone = ("Actions", "IndicatorLED", "LocationIndicatorActive")
        bmc.state.put(path, {name: value for name, value in bmc.get(path).items() if name not in gone})
        for chassis in bmc.get("/redfish/v1/Chassis")["Members"]:
            place = chassis["@odata.id"]
            bmc.state.put(place, {name: value for name, value in bmc.get(place).items() if name not in gone})
        reach = {"address": bmc.url, "username": "admin", "password": "password", "ipmi_port": sim.port}
        for name, options in (("bmc_power", {"state": "on"}), ("bmc_led", {"state": "on"})):
            result = module(name, system=system, **options, **reach)
            if tree == "server":
                assert [item.get("error") for item in result["attempts"]] == ["unsupported", None], result
            else:
                assert "can't choose" in result["msg"], result


# -- more than one FRU -------------------------------------------------------------------------------------------------


def locator(record, fru, name):
    """A FRU device locator record (IPMI 2.0, 43.8)."""
    data = name.encode()
    body = bytes([0x20, fru, 0x80, 0, 0, 0x10, 0, 0x0A, fru, 0, 0xC0 | len(data)]) + data
    return record.to_bytes(2, "little") + bytes([0x51, 0x11, len(body)]) + body


def presence(record, number, name):
    """A compact record (43.2) of a discrete sensor of type power supply."""
    data = name.encode()
    body = bytes([0x20, 0, number, 0x0A, 1, 0x63, 0x40, 0x08, 0x6F, 0xFF, 0, 0, 0, 0xFF, 0, 0xC0, 0, 0, 1, 0])
    body += bytes([0, 0, 0, 0, 0, 0, 0xC0 | len(data)]) + data
    return record.to_bytes(2, "little") + bytes([0x51, 0x02, len(body)]) + body


def octets(data):
    return " ".join(f"{byte:#04x}" for byte in data)


class LargerSim(IpmiSim):
    """The machine of IpmiSim with FRUs of two power supplies (one bay is empty) and of a backplane, and presence
    sensors.
    """

    supply = Fru(manufacturer="Powerco", product="PS-800", part_number="PS-800-A", serial="PSU0001")
    backplane = Fru(manufacturer="Plainco", product="BP-8", serial="BPL0001")
    with_frus = True

    def _put(self, name, data, mode=0o644):
        if name == "sim.emu":
            lines = []
            if self.with_frus:
                for number, fru in ((1, self.supply), (2, self.backplane)):
                    super()._put(f"fru{number}.bin", fru.encode())
                    lines.append(f'mc_add_fru_data 0x20 {number} {len(fru.encode())} file 0 "fru{number}.bin"')
                for number, title in ((1, "PSU1 FRU"), (2, "HDD Backplane"), (3, "PSU2 FRU")):
                    lines.append(f"main_sdr_add 0x20 {octets(locator(100 + number, number, title))}")
            for number, bit in ((40, 1), (41, 0)):
                where = f"0x20 0 {number}"
                lines.append(f"sensor_add {where} 0x08 0x6f")
                lines.append(f"sensor_set_event_support {where} enable scanning per-state {' '.join(['0' * 15] * 4)}")
                lines.append(f"sensor_set_bit {where} 0 {bit} 0")
                lines.append(f"main_sdr_add 0x20 {octets(presence(200 + number, number, f'PS{number}'))}")
            data = data.replace(b"mc_enable", "\n".join([*lines, "mc_enable"]).encode(), 1)
        super()._put(name, data, mode)


class PresenceOnly(LargerSim):
    with_frus = False


@pytest.mark.parametrize("kind", [LargerSim, PresenceOnly])
def test_power_supplies_backplanes_fans_and_boot(tmp_path, kind):
    usable, advice = available()
    if not usable:
        pytest.skip(f"ipmi_sim is not installed: {advice}")
    with kind(tmp_path, 0, "admin", "password") as sim:
        device = asyncio.run(collect(options(sim), SystemClock()))
    assert device_from_dict(to_dict(device)) == device
    if kind is LargerSim:
        assert [(item.vendor, item.model, item.serial) for item in device.power_supplies] == [
            ("Powerco", "PS-800", "PSU0001")
        ]
        assert [item.serial for item in device.backplanes] == ["BPL0001"]
    else:
        assert [item.id for item in device.power_supplies] == ["PS40"], "by the presence sensor; the other bay is empty"
    assert device.serial == sim.fru.serial
    assert [(fan.name, fan.reading) for fan in device.fans] == [("FAN1", 5400.0), ("FAN2", 5300.0)]
    assert (device.boot.override_enabled, device.status.Health) == ("Disabled", "OK")
    assert {device.coverage[name].verdict for name in ("thermal", "power_supplies", "boot")} == {Verdict.COLLECTED}
    assert [entry.message for entry in device.log] == ["System Event: OEM boot event"]


def test_a_command_that_is_refused_costs_its_section(sim, monkeypatch):
    real = Session.raw

    def raw(self, **request):
        if (request["netfn"], request["command"]) == (6, 1):
            raise PermissionDenied("no")
        if request.get("data") == (2,):
            raise BadResponse("this sensor is broken")
        return real(self, **request)

    monkeypatch.setattr(Session, "raw", raw)
    device = asyncio.run(collect(options(sim), SystemClock()))
    assert device.coverage["manager"].verdict is Verdict.DENIED
    assert device.coverage["sensors"].verdict is Verdict.COLLECTED
    assert len(device.sensors) == len(sim.sensors) - 1


def test_times_of_the_log_are_the_bmcs_own_in_utc(sim, monkeypatch):
    entries = [{"record_id": 1, "timecode": 0x60000000}, {"record_id": 2, "timecode": 300}, {"record_id": 3}]
    session = open_session(options(sim), SystemClock())
    monkeypatch.setattr(session, "call", lambda _function: entries)
    times = [entry.created_at for entry in read_log(session)]
    assert times == ["2021-01-14T08:25:36Z", None, None], "seconds since the BMC's start are no time"
