# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts about recorded real machines, taken from their trees by hand."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import (
    Verdict,
    device_from_dict,
    to_dict,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.sections import SECTIONS
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.answers import outcome_of
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.capture import read
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.interpret import interpret
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.replay import replay
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.walker import Walker

GIB = 2**30


def fixture_file(name):
    """Look for the fixtures: ansible-test runs these in a copy of the tree, without the rest of tests/."""
    here = Path(__file__).resolve()
    bases = [Path(os.environ["FLEET_FIXTURES"])] if "FLEET_FIXTURES" in os.environ else []
    bases += [parent / "shared" / "fixtures" for parent in here.parents]
    for base in bases:
        path = base / "redfish" / name
        if path.exists():
            return str(path)
    pytest.skip(f"shared fixture redfish/{name} not found (set FLEET_FIXTURES)")


@functools.cache
def machine(name, system=None):
    device = replay(read(fixture_file(f"{name}.tar.gz")), system=system)
    assert device_from_dict(to_dict(device)) == device
    assert not [
        verdict for verdict in device.coverage.values() if verdict.verdict not in (Verdict.COLLECTED, Verdict.ABSENT)
    ]
    return device


def macs(device):
    return sorted(port.macaddress for nic in device.nics for port in nic.nic_ports if port.macaddress)


def test_dell_r750():
    r750 = machine("dell-r750")
    assert (r750.vendor, r750.model, r750.serial) == ("Dell Inc.", "PowerEdge R750", "F54P1G3")
    assert r750.uuid == "4c4c4544-0035-3410-8050-c6c04f314733"
    assert (r750.mainboard.serial, r750.mainboard.part_number) == ("CNIVC0014M0388", "0WMWCRA01")
    assert r750.bios.firmware.installed == "1.8.2"
    assert [(cpu.cores, cpu.threads) for cpu in r750.cpus] == [(18, 36)] * 2
    assert {cpu.model for cpu in r750.cpus} == {"Intel(R) Xeon(R) Gold 6354 CPU @ 3.00GHz"}
    assert [(gpu.model, gpu.serial) for gpu in r750.gpus] == [("NVIDIA H100 PCIe", "1654422007043")]
    assert [module.size_bytes for module in r750.memory] == [32 * GIB] * 16
    assert len({module.serial for module in r750.memory}) == 16
    assert {module.slot for module in r750.memory} == {
        f"DIMM {bank}{number}" for bank in "AB" for number in range(1, 9)
    }
    assert {drive.serial for drive in r750.drives} == {"61P0A06CTCD8", "61M0A08ZTCD8", "61X0A002TCD8"}
    assert {drive.capacity_bytes for drive in r750.drives} == {1920383410176}
    assert r750.volumes == (), "raw NVMe devices are drives, not volumes"
    assert {item.id for item in r750.storage_controller} == {"AHCI.Embedded.1-1", "AHCI.Embedded.2-1"}
    assert macs(r750) == [
        "70:b5:e8:f0:52:dc",
        "70:b5:e8:f0:52:dd",
        "b8:3f:d2:90:97:c4",
        "b8:3f:d2:a4:1b:d2",
        "b8:3f:d2:a4:1b:d3",
        "e4:3d:1a:13:27:f0",
        "e4:3d:1a:13:27:f1",
    ]
    assert len(r750.nics) == 4
    assert {(port.kind, port.link_status) for port in r750.fabric_ports} == {("infiniband", "Up")}
    assert [dpu.serial for dpu in r750.dpus] == ["MT2242XZ00QA"]
    assert [(psu.serial, psu.power_capacity_watts) for psu in r750.power_supplies] == [
        ("PHARP0016L008V", 2400),
        ("PHARP0016L008W", 2400),
    ]
    assert (r750.bmc.firmware.installed, r750.bmc.nic.nic_ports[0].macaddress) == ("6.00.30.00", "b0:7b:25:d6:51:82")
    assert [tpm.interface_type for tpm in r750.tpms] == ["TPM2_0"]
    assert [cpld.firmware.installed for cpld in r750.cplds] == ["1.0.5"]
    assert (len(r750.pcie_devices), len(r750.fans), len(r750.sensors)) == (13, 6, 33)
    assert r750.bios_configuration.settings["tpm"] == "Enabled"
    assert len(r750.bios_configuration.raw) > 200
    assert not [name for name in r750.bios_configuration.raw if "password" in name.lower()]
    names = [row.name for row in r750.firmware_inventory if row.name == "BIOS"]
    assert names == ["BIOS"], "Current, Installed and Previous are one row"
    bios = next(row for row in r750.firmware_inventory if row.name == "BIOS")
    assert [old.installed for old in bios.firmware.previous] == ["1.2.4"]
    assert bios.firmware.available is None
    assert [(module.part_number, module.clock_speed_hz) for module in r750.memory[:1]] == [
        ("18ASF4G72PDZ-3G2E1", 3200000000)
    ]
    assert {(drive.slot, drive.form_factor, drive.protocol, drive.drive_type) for drive in r750.drives} == {
        (f"Slot {number}", "2.5Inch", "PCIe", "SSD") for number in range(3)
    }
    assert {drive.firmware.installed for drive in r750.drives} == {"2.1.3"}
    assert {drive.model for drive in r750.drives} == {"Dell Ent NVMe CM6 RI 1.92TB"}
    assert {(nic.id, nic.model, nic.firmware.installed) for nic in r750.nics} == {
        ("InfiniBand.Slot.7", "Mellanox ConnectX-6 Dual Port 10 GbE QSFP Network Adapter", "20.31.10.14"),
        ("NIC.Embedded.1", "Broadcom Gigabit Ethernet BCM5720", "21.80.9"),
        ("NIC.Integrated.1", "BRCM 2P 25G SFP 57414S OCP NIC", "21.80.16.95"),
        ("NIC.Slot.5", "BlueField-2 SmartNIC Main Card", "24.40.10.00"),
    }
    assert {module.serial for module in r750.transceivers} == {"MT2146FT07703"}
    h100 = next(device for device in r750.pcie_devices if device.pci_product_id == "2331")
    assert (h100.pci_vendor_id, h100.slot, h100.device_class) == ("10de", "Slot 2", "DisplayController")
    assert [licence.description for licence in r750.licences] == ["iDRAC9 15g Enterprise License"]
    assert [item.model for item in r750.backplanes] == ["PCIe SSD Backplane 1"]
    assert (r750.boot.order[0], len(r750.boot.options), r750.secure_boot.enabled) == ("Boot0000", 5, False)
    assert (r750.bmc.hostname, r750.bios.release_date) == ("idrac-F54P1G3", "09/14/2022")
    assert len(r750.log) == 5, "the SEL, without the fault list"
    assert {psu.firmware.installed for psu in r750.power_supplies} == {"00.2A.2B"}


def test_hpe_dl325():
    dl325 = machine("hpe-dl325")
    assert (dl325.vendor, dl325.model, dl325.serial) == ("HPE", "ProLiant DL325 Gen10 Plus", "MXQ019020B")
    assert [(cpu.model, cpu.cores) for cpu in dl325.cpus] == [("AMD EPYC 7302P 16-Core Processor", 16)]
    assert [module.size_bytes for module in dl325.memory] == [16 * GIB] * 4, "12 empty slots are no modules"
    assert sorted(nic.serial for nic in dl325.nics) == ["REE1939F35261", "REE1950F79864"]
    assert macs(dl325) == ["14:02:ec:d9:3a:a0", "14:02:ec:d9:3a:a1", "94:40:c9:5c:86:bc", "94:40:c9:5c:86:bd"]
    assert dl325.drives == ()
    assert sorted(psu.serial for psu in dl325.power_supplies) == ["5WBXK0FLLDIKPU", "5WBXK0FLLDIKYK"]
    assert (dl325.bmc.model, dl325.bmc.firmware.installed) == ("iLO 5", "iLO 5 v2.46")
    assert dl325.bmc.nic.nic_ports[0].macaddress == "94:40:c9:37:d3:fc"
    matrox = dl325.pcie_devices[0]
    assert (matrox.pci_vendor_id, matrox.pci_product_id) == ("102b", "0538"), "written in decimal by the iLO"
    assert (dl325.mainboard.serial, dl325.mainboard.part_number) == ("PWWSE0ARHDK0AD", "P12579-001")
    assert dl325.bios.firmware.installed == "A43 v2.52 (10/29/2021)"
    settings = dl325.bios_configuration.settings
    assert (settings["smt"], settings["boot_mode"], settings["sr_iov"], settings["amd_sev"]) == (
        "Enabled",
        "UEFI",
        "Enabled",
        "1",
    )
    assert [old.installed for old in dl325.bios.firmware.previous] == ["A43 v2.40 (02/23/2021)"]
    assert [(psu.slot, psu.power_capacity_watts) for psu in dl325.power_supplies] == [("1", 500), ("2", 500)]
    assert [licence.description for licence in dl325.licences] == ["iLO Advanced"]
    assert [cpld.firmware.installed for cpld in dl325.cplds] == ["0x0D"]
    assert [tpm.firmware.installed for tpm in dl325.tpms] == ["73.64"]
    assert [module.slot for module in dl325.memory][:2] == ["PROC 1 DIMM 1", "PROC 1 DIMM 3"]
    assert (dl325.hostname, dl325.bmc.hostname, len(dl325.fans), len(dl325.log)) == ("ncn-m003", "ILOMXQ019020B", 6, 20)
    rows = [row for row in dl325.firmware_inventory if not row.metadata]
    assert (len(rows), len(dl325.boot.options), dl325.gpus) == (12, 5, ())
    assert len(dl325.firmware_inventory) == 48, "and the software of the OS, that the agent told the iLO"


def test_gigabyte():
    node = machine("gigabyte")
    assert (node.vendor, node.model, node.serial) == ("GIGABYTE", "H262-Z63-00", "GJG9NF512A000302")
    assert node.mainboard.serial == "JG8NG900142"
    assert sorted(cpu.serial for cpu in node.cpus) == ["2B48C8D56F3C076", "2B48C8D56F3C080"]
    assert len({module.serial for module in node.memory}) == 16
    assert [(drive.serial, drive.capacity_bytes) for drive in node.drives] == [("S455NY0M831393", 2013667524608)]
    assert macs(node) == ["b4:2e:99:ba:de:15", "b4:2e:99:ba:de:16"]
    assert [item.serial for item in node.enclosures] == [None], "a placeholder is no serial"
    assert (node.bmc.firmware.installed, node.bmc.nic.nic_ports[0].macaddress) == ("12.84.13", "b4:2e:99:ba:de:17")
    assert {module.size_bytes for module in node.memory} == {16 * GIB}, "the BMC writes 15625 MiB"
    assert node.power_supplies == (), "the node's tree has two empty bays"
    assert (node.asset_tag, node.sku) == (None, None), "placeholders"
    assert len(node.bios_configuration.raw) == 548
    assert node.log[-1].message.endswith("Assert (0x01FFFF)")
    assert [device.model for device in node.pcie_devices] == ["MT27800 Family [ConnectX-5]"]
    assert (node.gpus, node.bmc.hostname) == ((), "AMIB42E99BADE17")
    assert len([sensor for sensor in node.sensors if sensor.kind == "Temperature"]) > 5


@pytest.mark.parametrize(("system", "mac"), [("Node0", "00:40:a6:83:52:5f"), ("Node1", "00:40:a6:83:52:60")])
def test_cray_ex425_one_blade_of_two(system, mac):
    node = machine("cray-ex425", system)
    other = "Node1" if system == "Node0" else "Node0"
    assert (node.model, node.system_id) == ("HPE CRAY EX425 (MILAN)", system)
    assert [cpu.cores for cpu in node.cpus] == [64, 64]
    assert [module.size_bytes for module in node.memory] == [16 * GIB] * 16
    assert macs(node) == [mac]
    assert other not in {chassis.id for chassis in node.enclosures}
    assert system in {chassis.id for chassis in node.enclosures}
    assert node.bmc.firmware.installed.startswith("nc.1.6.19-5")
    assert node.bios_configuration.raw["NUMA"] == "NPS4"
    assert node.bios_configuration.settings["smt"] == "Auto"
    assert [nic.part_number for nic in node.nics if nic.id == "HPCNet0"] == ["P43012-001"]


def test_the_two_blades_share_no_part():
    first, second = machine("cray-ex425", "Node0"), machine("cray-ex425", "Node1")
    assert not {item.serial for item in first.memory} & {item.serial for item in second.memory}
    assert not {item.serial for item in first.cpus} & {item.serial for item in second.cpus}


def test_dmtf_rackmount():
    sample = machine("dmtf-rackmount1")
    assert (sample.vendor, sample.serial, sample.asset_tag) == ("Contoso", "437XR1138R2", "Chicago-45Z-2381")
    assert sample.location == "row North, rack WEB43, unit 12"
    assert len(sample.cpus) == 1, "the empty socket is no processor"
    assert sum(module.size_bytes for module in sample.memory) == 96 * GIB
    assert [drive.capacity_bytes for drive in sample.drives] == [8000000000000, 4000000000000]
    assert macs(sample) == ["12:44:6a:3b:04:11", "12:44:6a:3b:88:90"]
    assert [psu.serial for psu in sample.power_supplies] == ["1Z0000001"]
    assert {entry.message for entry in sample.log} == {"System May be Melting", "Temperature threshold exceeded"}


SECTION_FIELDS = {
    "system": ("serial", "uuid", "model"),
    "processors": ("cpus", "gpus", "accelerators"),
    "memory": ("memory",),
    "storage": ("drives", "volumes", "storage_controller"),
    "network": ("nics", "fabric_ports", "transceivers", "dpus"),
    "pcie": ("pcie_devices",),
    "bios": ("bios", "bios_configuration"),
    "secure_boot": ("secure_boot",),
    "boot": ("boot",),
    "tpm": ("tpms",),
    "chassis": ("enclosures", "backplanes"),
    "power_supplies": ("power_supplies", "batteries"),
    "thermal": ("fans",),
    "sensors": ("sensors",),
    "manager": ("bmc",),
    "firmware": ("firmware_inventory", "cplds"),
    "licences": ("licences",),
    "log": ("log",),
}


@pytest.mark.parametrize("name", ["dell-r750", "hpe-dl325", "dmtf-rackmount1"])
def test_a_section_by_itself_is_as_whole_as_among_all(name):
    assert set(SECTION_FIELDS) == set(SECTIONS) - {"power"}
    bodies = read(fixture_file(f"{name}.tar.gz")).bodies
    lower = {path.lower(): path for path in bodies}
    whole = machine(name)
    for section, fields in SECTION_FIELDS.items():
        walker = Walker([section])
        while not walker.done:
            for want in walker.wants():
                body = bodies.get(want.path) or bodies.get(lower.get(want.path.lower(), ""))
                answer = outcome_of(HttpResponse(200 if body else 404, {}, body or b""))
                walker.took(want, answer)
        alone = interpret(walker.tree, walker.coverage())
        assert [getattr(alone, field) for field in fields] == [getattr(whole, field) for field in fields], section
        assert alone.coverage[section] == whole.coverage[section]
        seen = {key for key, item in alone.coverage.items() if item.verdict is not Verdict.SKIPPED}
        assert seen == {section, "system", "power"}
