# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's machines, driven by other people's clients only: what they show is the lab's doing, not ours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import sushy
from libvirt_lab import LibvirtLab
from machines import Machine
from pyghmi.ipmi import command
from sushy.auth import BasicAuth

from fleetlab.process import wait_until
from fleetlab.vm import Guest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def ipmitool(machine: Machine, *words: str) -> str:
    port = str(machine.bmc["ipmi_port"])
    client = ["ipmitool", "-I", "lanplus", "-C", "3", "-H", machine.bmc["address"], "-p", port]
    done = subprocess.run(
        [*client, "-U", machine.username, "-E", *words],
        env={"IPMITOOL_PASSWORD": machine.password, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_sushy_resets_the_libvirt_machine(libvirt_vm: Machine) -> None:
    url = f"http://127.0.0.1:{libvirt_vm.bmc['redfish_port']}"
    root = sushy.Sushy(url, auth=BasicAuth(libvirt_vm.username, libvirt_vm.password))
    (system,) = root.get_system_collection().get_members()
    first = libvirt_vm.console.boots()
    assert len(first) == 1

    system.reset_system(sushy.RESET_FORCE_RESTART)
    second = libvirt_vm.console.wait_for_boot(after=1)
    assert second not in first

    # The guest obeys the power button.
    system.reset_system(sushy.RESET_GRACEFUL_SHUTDOWN)

    def is_off() -> Any:
        system.refresh(force=True)
        return system.power_state == sushy.PowerState.OFF

    wait_until(is_off, 60, "the machine to be off")
    assert "FLEET-BUTTON" in libvirt_vm.console.path.read_text()

    system.reset_system(sushy.RESET_ON)
    assert libvirt_vm.console.wait_for_boot(after=2) not in {*first, second}


def test_ipmitool_cycles_the_ipmi_machine(ipmi_vm: Machine) -> None:
    (first,) = ipmi_vm.console.boots()
    assert "Chassis Power is on" in ipmitool(ipmi_vm, "power", "status")
    ipmitool(ipmi_vm, "power", "cycle")
    assert ipmi_vm.console.wait_for_boot(after=1) != first
    assert [entry["action"] for entry in ipmi_vm.power.power_log()] == ["on", "off", "on"]


def test_pyghmi_switches_the_ipmi_machine(ipmi_vm: Machine) -> None:
    (first,) = ipmi_vm.console.boots()
    bmc = command.Command(
        bmc="127.0.0.1", userid=ipmi_vm.username, password=ipmi_vm.password, port=ipmi_vm.bmc["ipmi_port"]
    )
    bmc.set_power("shutdown", wait=60)
    assert bmc.get_power()["powerstate"] == "off"
    assert "FLEET-BUTTON" in ipmi_vm.console.path.read_text()
    bmc.set_power("on", wait=60)
    assert ipmi_vm.console.wait_for_boot(after=1) != first


def test_a_wrong_ipmi_password_does_not_switch(ipmi_vm: Machine) -> None:
    ipmi_vm.password = "wrong"
    with pytest.raises(subprocess.CalledProcessError):
        ipmitool(ipmi_vm, "power", "off")
    assert ipmi_vm.power.state() == "on"


def processes_naming(what: object) -> list[str]:
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(what) in text:
            found.append(text)
    return found


def test_a_libvirt_that_ends_takes_its_machines_along(guest: Guest, libvirt: LibvirtLab) -> None:
    with LibvirtLab() as lab:
        domain = lab.define("orphan", guest)
        lab.start(domain)
        domain.console.wait_for_boot()
        assert processes_naming(domain.uuid)
    assert processes_naming(domain.uuid) == processes_naming(lab.workdir) == []
    assert not lab.workdir.exists()
