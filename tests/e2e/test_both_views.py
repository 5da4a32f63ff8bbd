# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One virtual machine as its BMC sees it (Redfish, sushy-emulator over libvirt) and as its own system sees it (SSH).

Both documents go to a real machine server. What the emulator does not tell is in docs/in-band.md, and checked here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from xml.sax.saxutils import quoteattr

import httpx
import inband_guest
import libvirt_lab
import pytest
from fleet import PLAYBOOKS, Fleet
from inband_guest import FACTS, KERNEL_ARGUMENTS, MAC, MEMORY, Login
from libvirt_lab import Domain, LibvirtLab
from machines import PASSWORD

from fleetlab import sushy_emulator
from fleetlab.sushy_emulator import SushyEmulator
from fleetlab.vm import Console

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]  # the guest is built once

NAME = "node-v1"
DISK = 64 << 20
DISK_SERIAL = "EXVIRT000046"
PORT = 2222  # in the lab's own network

DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>{arguments}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'><topology sockets='2' cores='1' threads='1'/></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
      <serial>{serial}</serial>
    </disk>
    <interface type='user'><mac address='{mac}'/><model type='virtio'/><rom enabled='no'/></interface>
    <serial type='file'><source path='{console}' append='on'/><target port='0'/></serial>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline>
    {hardware}
  </qemu:commandline>
</domain>
"""


@dataclass
class Seen:
    """What the server has of the machine."""

    oob: dict[str, Any]
    inband: dict[str, Any]
    merged: dict[str, Any]
    findings: list[dict[str, Any]]
    # The ComputerSystem of Redfish, as it is.
    summary: dict[str, Any]


def define(lab: LibvirtLab) -> Domain:
    disks = lab.workdir / "disks"
    disks.mkdir()
    with (disks / "data.img").open("wb") as file:
        file.truncate(DISK)
    lab.pool(disks)
    console = Console(lab.workdir / "inband.console")
    lab.define_xml(
        DOMAIN.format(
            name=NAME,
            uuid=inband_guest.UUID,
            memory=MEMORY,
            kernel=inband_guest.build().with_suffix(".kernel"),
            initramfs=inband_guest.image().with_suffix(".initramfs"),
            arguments=KERNEL_ARGUMENTS,
            disk=disks / "data.img",
            serial=DISK_SERIAL,
            mac=MAC,
            console=console.path,
            hardware="\n".join(f"<qemu:arg value={quoteattr(word)}/>" for word in inband_guest.hardware()),
        )
    )
    return Domain(UUID(inband_guest.UUID), NAME, MAC, console)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    for usable, advice in (libvirt_lab.available(), sushy_emulator.available(), inband_guest.available()):
        if not usable:
            pytest.skip(advice)
    workdir = tmp_path_factory.mktemp("views")
    with LibvirtLab() as lab:
        domain = define(lab)
        lab.start(domain)
        login = Login(port=PORT, proxy=lab.forward(domain, PORT, 22))
        with (
            SushyEmulator(workdir / "emulator", libvirt_uri=lab.uri, auth=("admin", PASSWORD)) as emulator,
            Fleet(workdir / "fleet", "admin", PASSWORD) as fleet,
        ):
            bmc = {"address": "127.0.0.1", "drivers": ["redfish"], "redfish_scheme": "http"}
            fleet.module("machine", name=NAME, bmc={**bmc, "redfish_port": emulator.port})
            login.wait(domain.console.path)
            assert login.ssh("modprobe virtio_blk") == 0
            fleet.playbook("collect_oob.yml")
            inventory = workdir / "hosts.json"
            inventory.write_text(json.dumps({"all": {"hosts": {NAME: login.variables}}}))
            words = ("-e", "collect_become=false", "-e", "collect_timeout=120")
            fleet.run(
                *("ansible-playbook", "-i", inventory, PLAYBOOKS / "collect_inband.yml", *words), token=fleet._admin
            )
            device = f"/api/v1/machines/{NAME}/device"
            with httpx.Client(auth=("admin", PASSWORD), trust_env=False, timeout=60) as client:
                system = client.get(f"{emulator.url}/redfish/v1/Systems/{inband_guest.UUID}")
            yield Seen(
                summary=system.raise_for_status().json(),
                oob=fleet.get(f"{device}/oob"),
                inband=fleet.get(f"{device}/inband"),
                merged=fleet.get(device),
                findings=fleet.get(f"{device}/findings")["items"],
            )


def macs(document: dict[str, Any]) -> set[str]:
    return {port["macaddress"].lower() for card in document["nics"] for port in card["nic_ports"]}


def test_both_are_of_one_machine(seen: Seen) -> None:
    assert seen.oob["uuid"] == seen.inband["uuid"] == seen.merged["uuid"] == inband_guest.UUID
    assert macs(seen.oob) == macs(seen.inband) == macs(seen.merged) == {MAC}
    assert not [finding for finding in seen.findings if finding["severity"] == "critical"], seen.findings


def test_they_agree_on_processors_and_memory(seen: Seen) -> None:
    for document in (seen.oob, seen.inband, seen.merged):
        assert [(cpu["cores"], cpu["threads"]) for cpu in document["cpus"]] == [(1, 1), (1, 1)]
    assert seen.merged["cpus"][0].items() >= {"id": "CPU0", "model": "Exemplar CPU"}.items()  # of both
    # The emulator has the sum only; what they would say if it were another is in the tests of findings.
    assert seen.summary["ProcessorSummary"]["Count"] == len(seen.inband["cpus"])
    assert seen.oob["metadata"]["memory_bytes"] == str(MEMORY << 20)
    assert sum(module["size_bytes"] for module in seen.inband["memory"]) == MEMORY << 20
    assert seen.merged["memory"] == seen.inband["memory"]


def test_the_drive_that_both_see(seen: Seen) -> None:
    (bmcs,) = seen.oob["drives"]
    (hosts,) = [drive for drive in seen.inband["drives"] if drive["serial"] == DISK_SERIAL]
    assert bmcs["capacity_bytes"] == hosts["capacity_bytes"] == DISK
    # The rest is QEMU's own: no part gets lost by what the BMC does not know.
    assert {drive["serial"] for drive in seen.inband["drives"]} == {
        DISK_SERIAL,
        FACTS["nvme_serial"],
        FACTS["second_serial"],
    }
    assert {drive["serial"] for drive in seen.merged["drives"] if "serial" in drive} == {
        drive["serial"] for drive in seen.inband["drives"]
    }


def test_findings_are_what_the_emulator_invents(seen: Seen) -> None:
    """It has a model, a serial number and a BIOS version of its own, whatever the machine's are."""
    found = {(finding["component"], finding["field"]): finding["values"] for finding in seen.findings}
    assert found == {
        ("device", "vendor"): {"oob": "Sushy Emulator", "inband": FACTS["vendor"]},
        ("device", "model"): {"oob": "3500RX", "inband": FACTS["model"]},
        ("device", "serial"): {"oob": "437XR1138R2", "inband": FACTS["serial"]},
        ("bios", "firmware.installed"): {"oob": "1.0.0", "inband": FACTS["bios_version"]},
    }
    assert seen.merged["model"] == FACTS["model"]


def test_what_the_emulator_does_not_report(seen: Seen) -> None:
    """As docs/in-band.md says: when it does, that page and these tests can say more."""
    assert "memory" not in seen.oob
    assert "nic" not in seen.oob["bmc"]
    assert seen.oob["coverage"]["storage"]["verdict"] == "failed"  # HTTP 500: drives are SimpleStorage's
    assert "serial" not in seen.oob["drives"][0]
    # Nor has the emulator an interface for the guest's kernel.
    assert seen.inband["coverage"]["ipmi"]["verdict"] == "absent"
    assert "bmc" not in seen.inband
