# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines to power cycle: real boots behind virtual BMCs.

A machine that cannot be had here skips its tests and says what to run; where skips are errors (CI), that is one.
Each process of the tests runs two virtual machines at most: every fixture stops its own, also after a failed test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt_lab as private_libvirt
import pytest
from libvirt_lab import LibvirtLab
from machines import PASSWORD, Machine

from fleetlab import ipmi, sushy_emulator, vm
from fleetlab.ipmi import Fru, IpmiSim
from fleetlab.sushy_emulator import SushyEmulator
from fleetlab.vm import Guest, QemuMachine, build_guest


def _need(*answers: tuple[bool, str]) -> None:
    missing = [advice for usable, advice in answers if not usable]
    if missing:
        pytest.skip("; ".join(missing))


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    _need(vm.available())
    return build_guest(tmp_path_factory.mktemp("guest"))


@pytest.fixture(scope="session")
def libvirt() -> Iterator[LibvirtLab]:
    _need(private_libvirt.available())
    with LibvirtLab() as lab:
        yield lab


@pytest.fixture
def libvirt_vm(libvirt: LibvirtLab, guest: Guest, tmp_path: Path) -> Iterator[Machine]:
    """A libvirt machine behind sushy-emulator: Redfish over HTTP, basic authentication, no sessions."""
    _need(sushy_emulator.available())
    domain = libvirt.define("node-r1", guest)
    try:
        with SushyEmulator(tmp_path / "emulator", libvirt_uri=libvirt.uri, auth=("admin", PASSWORD)) as emulator:
            libvirt.start(domain)
            domain.console.wait_for_boot()
            yield Machine(
                name=domain.name,
                bmc={
                    "address": "127.0.0.1",
                    "drivers": ["redfish"],
                    "redfish_scheme": "http",
                    "redfish_port": emulator.port,
                },
                username="admin",
                password=PASSWORD,
                console=domain.console,
                facts={"uuid": str(domain.uuid), "mac": domain.mac},
                power=emulator,
            )
    finally:
        libvirt.remove(domain)


@pytest.fixture
def ipmi_vm(guest: Guest, tmp_path: Path) -> Iterator[Machine]:
    """A QEMU process behind ipmi_sim: IPMI 2.0 over UDP, nothing else."""
    _need(ipmi.available())
    qemu = QemuMachine(tmp_path / "machine", guest)
    fru = Fru(manufacturer="Example Corp", product="Iron 100", serial="IRON000042")
    with IpmiSim(tmp_path / "bmc", password=PASSWORD, on_power=[qemu.switch], fru=fru) as bmc:
        qemu.console.wait_for_boot()
        yield Machine(
            name="node-i1",
            bmc={"address": bmc.address, "drivers": ["ipmi"], "ipmi_port": bmc.port},
            username=bmc.username,
            password=PASSWORD,
            console=qemu.console,
            facts={"manufacturer": fru.manufacturer, "serial": fru.serial},
            power=bmc,
        )
