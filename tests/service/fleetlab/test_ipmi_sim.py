# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipmi_sim as a virtual BMC, looked at with ipmitool."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetlab import ipmi
from fleetlab.ipmi import Fru, IpmiSim, Sensor
from fleetlab.process import alive, wait_until


@pytest.fixture
def tools() -> None:
    usable, advice = ipmi.available()
    if not usable or not shutil.which("ipmitool"):
        pytest.skip(f"ipmi_sim or ipmitool is not installed: {advice}, or scripts/install-test-deps")


# Whatever a shell or a configuration file might stumble over.
PASSWORD = "p$w'x\\;#`"


@pytest.fixture
def sim(tools: None, tmp_path: Path) -> Iterator[IpmiSim]:
    fru = Fru(manufacturer="Example Corp", product="Iron 100", serial="IRON000042", asset_tag="A-17")
    with IpmiSim(tmp_path / "work dir's", password=PASSWORD, fru=fru) as sim:
        yield sim


def ask(sim: IpmiSim, *words: str, password: str | None = None) -> str:
    client = ["ipmitool", "-I", "lanplus", "-C", "3", "-R", "2", "-H", sim.address, "-p", str(sim.port)]
    done = subprocess.run(
        [*client, "-U", sim.username, "-E", *words],
        env={**os.environ, "IPMITOOL_PASSWORD": password or sim.password},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def actions(sim: IpmiSim) -> list[str]:
    return [entry["action"] for entry in sim.power_log()]


def test_what_it_says_of_the_machine(sim: IpmiSim) -> None:
    fru = ask(sim, "fru", "print")
    for line in (
        "Product Manufacturer  : Example Corp",
        "Product Serial        : IRON000042",
        "Board Serial          : FLB",
    ):
        assert line in fru
    assert "checksum" not in fru.lower()
    sensors = {line.split("|")[0].strip(): line for line in ask(sim, "sdr", "elist").splitlines()}
    assert "41 degrees C" in sensors["CPU0 Temp"]
    assert "5400 RPM" in sensors["FAN1"]
    assert "12.10 Volts" in sensors["P12V"]
    assert all("| ok " in line for line in sensors.values())
    assert str(sim.uuid) in ask(sim, "mc", "guid")
    assert "OEM System boot event" in ask(sim, "sel", "elist")


def test_power(sim: IpmiSim) -> None:
    assert sim.state() == "on"
    ask(sim, "power", "cycle")
    wait_until(lambda: actions(sim) == ["off", "on"], 60, "the second half of the cycle")
    ask(sim, "power", "reset")
    ask(sim, "power", "soft")
    assert sim.state() == "off"
    ask(sim, "power", "off")
    assert actions(sim) == ["off", "on", "reset", "soft", "off"]
    assert "Chassis Power is off" in ask(sim, "power", "status")
    ask(sim, "chassis", "bootdev", "pxe")
    assert "Force PXE" in ask(sim, "chassis", "bootparam", "get", "5")


def test_a_wrong_password_changes_nothing(sim: IpmiSim) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        ask(sim, "power", "off", password="wrong")
    assert sim.state() == "on"
    assert sim.power_log() == []


def test_the_hook_is_the_power(tools: None, tmp_path: Path) -> None:
    hook = tmp_path / "hook's"
    hook.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'calls')!r}, 'a').write(sys.argv[1] + '\\n')\n"
    )
    hook.chmod(0o700)

    def calls() -> list[str]:
        return [line for line in (tmp_path / "calls").read_text().split() if line != "state"]

    # A hook that ends with 0 whatever it is asked says that the machine is on: switching on needs no call.
    with IpmiSim(tmp_path / "sim", on_power=[hook]) as sim:
        assert calls() == []
        ask(sim, "power", "off")
        assert calls() == ["off"]
    # The plug is pulled in the end.
    assert calls() == ["off", "off"]


def test_a_hook_that_fails_fails_the_command(tools: None, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\ncase $1 in state) exit 2 ;; on) echo no power; exit 1 ;; esac\n")
    hook.chmod(0o700)
    with IpmiSim(tmp_path / "sim", on_power=[hook], initial="off") as sim:
        with pytest.raises(subprocess.CalledProcessError):
            ask(sim, "power", "on")
        assert sim.state() == "off"
        assert sim.power_log() == []
        assert "no power" in (sim.workdir / "hook.log").read_text()


def test_it_ends_and_starts_again_on_its_port(tools: None, tmp_path: Path) -> None:
    with IpmiSim(tmp_path / "sim") as sim:
        pid, port = sim.pid, sim.port
        ask(sim, "power", "off")
    assert not alive(pid)
    with IpmiSim(tmp_path / "sim", port=port, initial="off") as again:
        assert again.port == port
        assert "off" in ask(again, "power", "status")
        assert actions(again) == ["off"]


def test_two_have_nothing_in_common(tools: None, tmp_path: Path) -> None:
    with IpmiSim(tmp_path / "a") as one, IpmiSim(tmp_path / "b") as two:
        ask(one, "power", "off")
        assert (one.state(), two.state()) == ("off", "on")


@pytest.mark.parametrize("password", ["", "with space", 'with"quote', "x" * 17, "schlüssel"])
def test_what_the_simulator_cannot_take_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        IpmiSim(tmp_path, password=password)


def test_fru_areas_add_up_to_zero() -> None:
    data = Fru(asset_tag="ASSET-1").encode()
    assert sum(data[:8]) % 256 == 0
    for offset in data[2:5]:
        area = data[offset * 8 :]
        assert sum(area[: area[1] * 8]) % 256 == 0
    with pytest.raises(ValueError, match="2 to 63"):
        Fru(serial="x").encode()


def test_a_sensor_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Sensor("Hot", "temperature", 900, 95, 99).sdr(1)
