# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event says of a machine, from its files; and of this one."""

from __future__ import annotations

from fleetcore.inband.collect.host import SystemFiles
from monitor_fakes import Files

from fleetd.monitor.adapters import observe
from fleetd.server.legacy import event

CPU = "processor\t: {}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7313P\nphysical id\t: 0\ncore id\t: {}\n"
HW = "/sys/class/hwmon"
TREE = {
    "/proc/cpuinfo": "\n".join(CPU.format(number, number // 2) for number in range(4)),
    "/proc/sys/kernel/arch": "x86_64\n",
    "/proc/sys/kernel/random/boot_id": "5db6f0c5-aa04\n",
    "/proc/uptime": "61.25 100.0\n",
    "/etc/os-release": 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n',
    "/sys/class/dmi/id/product_name": "PowerEdge R6515\n",
    "/sys/bus/pci/devices/0000:41:00.0/class": "0x030200\n",
    "/sys/bus/pci/devices/0000:41:00.0/vendor": "0x10de\n",
    "/sys/bus/pci/devices/0000:41:00.0/device": "0x20b5\n",
    f"{HW}/hwmon0/name": "k10temp\n",
    f"{HW}/hwmon0/device": "->../../../0000:00:18.3",
    f"{HW}/hwmon0/temp1_input": "61125\n",
    f"{HW}/hwmon0/temp1_label": "Tctl\n",
    f"{HW}/hwmon1/name": "nvme\n",
    f"{HW}/hwmon1/device": "->../../nvme0",
    f"{HW}/hwmon1/temp1_input": "35850\n",
    f"{HW}/hwmon1/temp1_label": "Composite\n",
    f"{HW}/hwmon1/temp1_crit": "84850\n",
    f"{HW}/hwmon1/temp2_input": "-273150\n",  # not connected
    f"{HW}/hwmon2/name": "nct6779\n",
    f"{HW}/hwmon2/temp1_input": "127000\n",
    f"{HW}/hwmon2/fan1_input": "0\n",
    f"{HW}/hwmon3/name": "pmbus\n",
    f"{HW}/hwmon3/fan1_input": "9000\n",
    f"{HW}/hwmon3/fan1_fault": "0\n",
    f"{HW}/hwmon3/fan2_input": "0\n",
    f"{HW}/hwmon3/fan2_alarm": "1\n",
    "/sys/block/sda": "->../devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda",
    "/sys/block/sda/size": "1000215216\n",
    "/sys/block/sda/serial": "S1\n",
    "/sys/block/sda/device/state": "offline\n",
    "/sys/block/vda": "->../devices/pci0000:00/0000:00:05.0/virtio2/block/vda",
    "/sys/block/vda/size": "2048\n",
}


def test_a_server() -> None:
    found = observe.server(Files(TREE))
    assert found == {
        "temperatures": {"k10temp 0000:00:18.3 Tctl": 61.125, "nvme nvme0 Composite": 35.85},
        "limits": {"nvme nvme0 Composite": 84.85},
        "fans": {"pmbus fan1": "OK", "pmbus fan2": "Critical"},
        "power_supplies": {},
        "drives": {"S1": "offline", "vda": "OK"},
        "boot_id": "5db6f0c5-aa04",
        "uptime": 61.25,
    }
    assert event.Server(**found).present


def test_a_machine() -> None:
    found = observe.standalone(Files(TREE), lambda program: program == "docker")
    assert found == {
        "cores": 4,
        "cpus": ["x86-64", "x86-64-AMD EPYC 7313P"],
        "gpus": ["10de", "10de:20b5"],
        "os_versions": ["Linux", "Debian", "Debian-12"],
        "gce": False,
        "machine_type": "PowerEdge R6515",
        "docker_installed": True,
    }
    event.Standalone(**found)


def test_a_machine_that_says_nothing() -> None:
    assert observe.standalone(Files({}), lambda _program: False)["cores"] == 0
    assert observe.server(Files({}))["boot_id"] == ""


def test_this_machine() -> None:
    assert observe.standalone(SystemFiles(), lambda _program: False)["cores"] >= 1
    found = observe.server(SystemFiles())
    assert found["boot_id"]
    assert found["uptime"] > 0
