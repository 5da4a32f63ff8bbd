# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of ``/sys/block`` is a drive of the machine, and which. All values are invented."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import to_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.archive import load
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.capture import Replay
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.collector import replay
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.probe import Options, Probe
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.sources import hdparm
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import CommandResult

FABRIC = "virtual/nvme-subsystem"


class Machine:
    """A folder with a copy of ``/sys`` and outputs of tools."""

    def __init__(self, path):
        self.path = path

    def put(self, name, content=""):
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content if isinstance(content, str) else json.dumps(content))

    def link(self, name, target):
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).symlink_to(target)

    def controller(self, name, serial, address="", transport="pcie", **more):
        place = f"pci0000:00/{address}/nvme/{name}" if address else f"virtual/nvme-fabrics/ctl/{name}"
        fields = {"serial": serial, "model": f"EX {serial}", "transport": transport, **more}
        for field, value in fields.items():
            self.put(f"sys/devices/{place}/{field}", f"{value}\n")
        self.link(f"sys/class/nvme/{name}", f"../../devices/{place}")
        return f"sys/devices/{place}"

    def block(self, name, place, size, **more):
        for field, value in {"size": size, **more}.items():
            self.put(f"sys/devices/{place}/{name}/{field}", f"{value}\n")
        self.link(f"sys/block/{name}", f"../devices/{place}/{name}")

    def scsi(self, name, place, size, **device):
        """A SCSI disk: ``device`` are attributes of its logical unit."""
        for field, value in device.items():
            self.put(f"sys/devices/{place}/{field}", f"{value}\n")
        self.block(name, f"{place}/block", size)
        self.link(f"sys/devices/{place}/block/{name}/device", "../..")

    def look(self):
        return to_dict(replay(load(str(self.path))))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def drives(document, *fields):
    return [tuple(item.get(field) for field in fields) for item in document.get("drives", [])]


# -- namespaces --------------------------------------------------------------------------------------------------------


def crossed(machine, *, paths):
    """Two drives whose namespaces have each other's number, as kernels with native multipath name them."""
    for number, other, size in ((0, 1, 2000), (1, 0, 1000)):
        folder = machine.controller(f"nvme{number}", f"EXN{number}", f"0000:0{number + 1}:00.0")
        machine.block(f"nvme{other}n1", f"{FABRIC}/nvme-subsys{other}", size, wwid=f"eui.00000000000000a{number}")
        if paths:
            machine.put(f"{folder}/nvme{other}c{number}n1/size", f"{size}\n")
        else:
            machine.link(f"sys/devices/{FABRIC}/nvme-subsys{other}/nvme{number}", f"../../../../{folder}")
        log = {"critical_warning": 0, "power_on_hours": 100 + number, "percent_used": number}
        machine.put(f"nvme/smart-log-nvme{number}.json", log)


@pytest.mark.parametrize("paths", [True, False])
def test_a_namespace_is_that_of_the_controller_that_the_kernel_says(machine, paths):
    crossed(machine, paths=paths)
    machine.put(
        "lsblk.json",
        {
            "blockdevices": [
                {
                    "kname": f"nvme{other}n1",
                    "type": "disk",
                    "tran": "nvme",
                    "serial": f"EXN{number}",
                    "size": size * 512,
                }
                for number, other, size in ((0, 1, 2000), (1, 0, 1000))
            ]
        },
    )
    found = drives(machine.look(), "serial", "logical_name", "capacity_bytes", "wwn", "power_on_hours", "bus_info")
    assert found == [
        ("EXN0", "/dev/nvme0", 2000 * 512, "00000000000000a0", 100, "0000:01:00.0"),
        ("EXN1", "/dev/nvme1", 1000 * 512, "00000000000000a1", 101, "0000:02:00.0"),
    ]


def test_members_of_an_array_are_the_drives_of_their_namespaces(machine):
    crossed(machine, paths=False)
    detail = "/dev/md0:\n        Raid Level : raid1\n      State : clean\n\n"
    detail += "    Number   Major   Minor   RaidDevice State\n"
    detail += "       0     259        1        0      active sync   /dev/nvme0n1p1\n"
    machine.put("mdadm/md0", detail)
    (volume,) = machine.look()["volumes"]
    assert volume["physical_drives"] == ["EXN1"]


def test_a_drive_has_the_size_of_all_its_namespaces(machine):
    place = machine.controller("nvme0", "EXN0", "0000:01:00.0").replace("sys/devices/", "")
    for number, size in ((1, 1000), (2, 3000)):
        machine.block(f"nvme0n{number}", place, size)
    assert drives(machine.look(), "serial", "capacity_bytes") == [("EXN0", 4000 * 512)]


# -- volumes of arrays -------------------------------------------------------------------------------------------------


def test_namespaces_behind_a_network_are_no_drives(machine):
    machine.controller("nvme0", "EXN0", "0000:01:00.0")
    for name in ("nvme4", "nvme5"):  # two ways to one array
        machine.controller(name, "ARRAY1", transport="tcp", address="traddr=192.0.2.9", subsysnqn="nqn.2020-01.test:a")
    folder = f"{FABRIC}/nvme-subsys2"
    machine.block("nvme2n1", folder, 5000, wwid="eui.00000000000000ff")
    for name in ("nvme4", "nvme5"):
        machine.link(f"sys/devices/{folder}/{name}", f"../../nvme-fabrics/ctl/{name}")
    listed = [{"DevicePath": "/dev/nvme2n1", "SerialNumber": "ARRAY1", "ModelNumber": "EX ARRAY1", "PhysicalSize": 5}]
    machine.put("nvme/list.json", {"Devices": listed})
    machine.put(
        "lsblk.json", {"blockdevices": [{"kname": "nvme2n1", "tran": "nvme", "serial": "ARRAY1", "model": "EX"}]}
    )
    document = machine.look()
    assert drives(document, "serial") == [("EXN0",)]
    (volume,) = document["remote_volumes"]
    assert (volume["protocol"], volume["serial"], volume["size_bytes"]) == ("nvme-tcp", "ARRAY1", 5000 * 512)
    assert (volume["paths"], volume["targets"]) == (["/dev/nvme2n1"], ["nqn.2020-01.test:a"])


def test_units_of_a_storage_network_are_no_drives(machine):
    wwid = "naa.60000000000000000000000000000abc"
    for name, host in (("sda", 0), ("sdb", 1)):
        place = f"pci0000:00/0000:03:00.{host}/host{host}/rport-{host}:0-4/target{host}:0:0/{host}:0:0:7"
        machine.scsi(name, place, 800, vendor="EXARRAY", model="VOL", wwid=wwid)
        machine.put(f"sys/class/fc_remote_ports/rport-{host}:0-4/port_name", f"0x500000000000000{host + 1}\n")
        machine.put(f"sys/block/dm-3/slaves/{name}")
        machine.put(f"sys/devices/{place}/block/{name}/holders/dm-3/size", "800\n")
    machine.put("sys/block/dm-3/dm/uuid", "mpath-360000000000000000000000000000abc\n")
    machine.put("sys/block/dm-3/dm/name", "mpatha\n")
    place = "platform/host5/session1/target5:0:0/5:0:0:1"
    machine.scsi("sdc", place, 900, vendor="LIO-ORG", model="disk0", wwid="naa.6001405" + "0" * 25)
    machine.put("sys/class/iscsi_session/session1/targetname", "iqn.2003-01.test:x\n")
    machine.scsi("sdd", "pci0000:00/0000:00:17.0/ata1/host6/target6:0:0/6:0:0:0", 700, vendor="ATA", model="EXD1")
    # Tools that know nothing of networks.
    machine.put(
        "lsblk.json", {"blockdevices": [{"kname": name, "tran": "sas", "model": "VOL"} for name in ("sda", "sdc")]}
    )
    document = machine.look()
    assert drives(document, "logical_name") == [("/dev/sdd",)]
    found = [
        [item.get(field) for field in ("protocol", "paths", "targets", "multipath")]
        for item in document["remote_volumes"]
    ]
    assert found == [
        ["fc", ["/dev/sda", "/dev/sdb"], ["5000000000000001", "5000000000000002"], "mpatha"],
        ["iscsi", ["/dev/sdc"], ["iqn.2003-01.test:x"], None],
    ]
    assert document["remote_volumes"][0]["metadata"]["lun"] == "7"


@pytest.mark.parametrize(
    ("device", "channel", "driver", "is_drive"),
    [
        ({"wwid": "naa.600605b000000001"}, 0, "", False),  # a name that only volumes have
        ({"wwid": "naa.5000c50000000001"}, 0, "", True),
        ({"raid_level": "RAID 1(+0)"}, 1, "hpsa", False),
        ({"raid_level": "N/A"}, 0, "hpsa", True),  # passed through
        ({}, 2, "megaraid_sas", False),
        ({}, 0, "megaraid_sas", True),
        ({"wwid": "naa.6000c29000000001", "vendor": "VMware"}, 0, "mptsas", True),  # the drive of a virtual machine
    ],
)
def test_volumes_of_raid_controllers_are_no_drives(machine, device, channel, driver, is_drive):
    place = f"pci0000:00/0000:05:00.0/host3/target3:{channel}:0/3:{channel}:0:0"
    machine.scsi("sda", place, 800, **{"vendor": "EXMAKER", "model": "EX-9000", **device})
    machine.put("sys/class/scsi_host/host3/proc_name", f"{driver}\n")
    machine.put("lsblk.json", {"blockdevices": [{"kname": "sda", "tran": "sas", "model": "EX-9000", "type": "disk"}]})
    document = machine.look()
    assert bool(document.get("drives")) is is_drive
    assert "remote_volumes" not in document


def test_hdparm_is_asked_about_drives_that_speak_ata(machine):
    machine.scsi("sda", "pci0000:00/0000:05:00.0/host3/end_device-3:1/target3:0:0/3:0:0:0", 800, model="EX-SAS")
    machine.scsi("sdb", "pci0000:00/0000:05:00.0/host3/target3:0:1/3:0:1:0", 800, vendor="ATA", model="EX-SATA")
    hdparm(Probe(Silent(), Replay(load(str(machine.path))), Options()))
    assert Silent.asked == [("hdparm", "-I", "/dev/sdb")]


class Silent:
    """A runner of tools that print nothing in their time."""

    asked: ClassVar[list] = []

    def run(self, argv, timeout):
        self.asked.append(tuple(argv))
        return CommandResult(argv, None, "", "")


def test_a_copy_of_sys_without_links(machine):
    """Folders and files are where the links were."""
    for number, serial in ((0, "EXN0"), (1, "EXN1")):
        base = f"sys/class/nvme/nvme{number}"
        for field, value in {"serial": serial, "model": "EX", "address": f"0000:0{number + 1}:00.0"}.items():
            machine.put(f"{base}/{field}", f"{value}\n")
        machine.put(f"{base}/nvme{1 - number}c{number}n1/size", "1\n")
        machine.put(f"sys/block/nvme{1 - number}n1/size", f"{1000 * (number + 1)}\n")
    for name, wwid in (("sda", "naa.600605b000000001"), ("sdb", "naa.5000c50000000001")):
        machine.put(f"sys/block/{name}/device/wwid", f"{wwid}\n")
        machine.put(f"sys/block/{name}/device/model", "EXD\n")
    assert drives(machine.look(), "logical_name", "serial", "capacity_bytes", "bus_info") == [
        ("/dev/nvme0", "EXN0", 1000 * 512, "0000:01:00.0"),
        ("/dev/nvme1", "EXN1", 2000 * 512, "0000:02:00.0"),
        ("/dev/sdb", None, None, None),
    ]


def test_a_copy_of_sys_in_which_links_have_become_files(machine):
    place = "pci0000:00/0000:00:17.0/ata1/host6/target6:0:0/6:0:0:0"
    machine.scsi("sdd", place, 700, vendor="ATA", model="EXD1")
    for name in ("sys/block/sdd", f"sys/devices/{place}/block/sdd/device"):
        target = str((machine.path / name).readlink())
        (machine.path / name).unlink()
        machine.put(name, target)
    assert drives(machine.look(), "model", "protocol", "capacity_bytes") == [("EXD1", "sata", 700 * 512)]
