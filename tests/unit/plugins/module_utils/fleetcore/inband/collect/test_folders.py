# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of single outputs: which file is whose, and what of it reaches the document. All values are invented."""

from __future__ import annotations

import codecs
import gzip
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import to_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect import commands
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.archive import load
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.collector import replay
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.filenames import (
    argv_of_content,
    argv_of_file,
)

LSHW = (Path(__file__).resolve().parents[1] / "parse" / "golden" / "lshw" / "two-sockets" / "raw").read_text()
DMIDECODE = """# dmidecode 3.3
SMBIOS 3.2.0 present.

Handle 0x0001, DMI type 1, 27 bytes
System Information
    Manufacturer: Exemplar
    Product Name: X-SERVER
    Serial Number: EXS0001

Handle 0x0022, DMI type 17, 84 bytes
Memory Device
    Size: 8 GB
    Locator: P1-DIMMA1
    Manufacturer: Exemplar
    Serial Number: 5A000001
"""
STORCLI, DRIVES, VOLUMES = (("storcli64", *question) for question in commands.STORCLI_QUESTIONS)


def smart(name, serial, *options, **more):
    argv = ["smartctl", "-a", "-j", *options, name]
    body = {"smartctl": {"argv": argv, "exit_status": 0}, "device": {"name": name, "protocol": "ATA"}}
    return json.dumps({**body, "model_name": "EXD-1", "serial_number": serial, **more}, indent=2)


def folder(path, files):
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return to_dict(replay(load(str(path))))


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("lshw.json", commands.LSHW),
        ("lshw.txt", commands.LSHW),
        ("node7/lshw", commands.LSHW),
        ("dmidecode.txt", commands.DMIDECODE),
        ("dmidecode/psu", commands.DMIDECODE),
        ("smartctl/scan.json", commands.SMARTCTL_SCAN),
        ("smartctl/sda", commands.smartctl("/dev/sda")),
        ("smartctl/dev/sda.json", commands.smartctl("/dev/sda")),
        ("smartctl-sdaa.json", commands.smartctl("/dev/sdaa")),
        ("smartctl/nvme0n1.json", commands.smartctl("/dev/nvme0")),
        ("nvme/list.json", commands.NVME_LIST),
        ("nvme/nvme1-id-ctrl.json", commands.nvme("id-ctrl", "/dev/nvme1")),
        ("nvme/id-ctrl-nvme1n1.json", commands.nvme("id-ctrl", "/dev/nvme1")),
        ("nvme/smart-log/nvme2.json", commands.nvme("smart-log", "/dev/nvme2")),
        ("hdparm/sdb", commands.hdparm("/dev/sdb")),
        ("ethtool/i-eno1", commands.ethtool("-i", "eno1")),
        ("ethtool_-P_enp1s0f0", commands.ethtool("-P", "enp1s0f0")),
        ("storcli.json", STORCLI),
        ("storecli/show.json", STORCLI),
        ("perccli64_show_all.json", STORCLI),
        ("storcli/drives.json", DRIVES),
        ("storcli/vall.json", VOLUMES),
        ("mdadm/md0", commands.mdadm("/dev/md0")),
        ("mdadm-detail-md127.txt", commands.mdadm("/dev/md127")),
        ("mstflint/0000:3b:00.0", commands.mstflint("0000:3b:00.0")),
        ("ipmitool-mc-info.txt", commands.IPMI_MC),
        ("ipmitool/lan", commands.IPMI_LAN),
        ("ipmicfg-summary", commands.IPMICFG),
        ("mlxup", commands.MLXUP),
        ("hpacucli.txt", commands.SSACLI),
        ("MegaCli64-PDList.txt", ("MegaCli64", *commands.MEGACLI_QUESTIONS[2])),
        ("megacli/ldpdinfo", ("MegaCli64", *commands.MEGACLI_QUESTIONS[1])),
        ("arcconf.txt", commands.arcconf("1")),
        ("arcconf/getconfig_2_al", commands.arcconf("2")),
        ("mnv_cli/info_pd", commands.mnv_cli("pd")),
        ("amd-smi.json", commands.AMD_SMI),
        ("onecli/config.txt", commands.ONECLI),
        ("dsu_inventory", commands.DSU_INVENTORY),
        ("README.md", None),
        ("lshw.json.orig", None),
    ],
)
def test_names(name, argv):
    assert argv_of_file(name, "") == argv


@pytest.mark.parametrize(
    ("content", "argv"),
    [
        (LSHW, commands.LSHW),
        ("WARNING: you should run this program as super-user.\n" + LSHW, commands.LSHW),
        (DMIDECODE, commands.DMIDECODE),
        (smart("/dev/sdb", "X"), commands.smartctl("/dev/sdb")),
        (smart("/dev/bus/0", "X", "-d", "megaraid,3"), commands.smartctl("/dev/bus/0", "megaraid,3")),
        ('{"smartctl": {"exit_status": 0}, "devices": [{"name": "/dev/sda"}]}', commands.SMARTCTL_SCAN),
        ('{"blockdevices": [{"name": "sda"}]}', commands.LSBLK),
        ('{"Devices" : [{"DevicePath" : "/dev/nvme0n1"}]}', commands.NVME_LIST),
        ('{"Controllers":[{"Command Status" : {}, "Response Data" : {"PCI Address" : "00:3d:00:00"}}]}', STORCLI),
        ('{"Controllers":[{"Command Status" : {}, "Response Data" : {"Drive /c0/e8/s0" : []}}]}', DRIVES),
        ('{"Controllers":[{"Command Status" : {}, "Response Data" : {"/c0/v239" : []}}]}', VOLUMES),
        ("Slot:\t0000:00:00.0\nClass:\tHost bridge [0600]\n", commands.LSPCI),
        ("Querying Mellanox devices firmware ...\n", commands.MLXUP),
        ("Device ID                 : 32\nFirmware Revision : 1.7\nManufacturer ID : 1\n", commands.IPMI_MC),
        ("1. BIOS, BIOS  ( Version : 1.7.4 )\n", commands.DSU_INVENTORY),
        ("Supermicro Update Manager 2.5\n\n<?xml version='1.0'?>\n<BiosCfg>\n", commands.SUM),
        ('[{"Help": "", "Question Id": 503, "Title": "T"}]', commands.ASRR),
        ('{"SystemConfiguration": {"Model": "X"}}', commands.RACADM),
        ("Smart Array EX in Slot 0\n   Bus Interface: PCI\n", commands.SSACLI),
        ("Controllers found: 1\n-----\nController information\n", commands.arcconf("1")),
        ("\nAdapter #0\n\nEnclosure Device ID: 32\nSlot Number: 0\n", ("MegaCli64", *commands.MEGACLI_QUESTIONS[2])),
        ("PD ID: 0\nModel: EX\nSSD backend RC/Slot ID: 0\n", commands.mnv_cli("pd")),
        ('[{"gpu": 0, "asic": {"market_name": "EX"}}]', commands.AMD_SMI),
        ('<Conrep version="1">', commands.HPE_CONREP),
        ('{"@odata.type": "#Bios.v1_0_0.Bios", "Attributes": {}}', commands.HPE_ILOREST),
        ("OneCLI\nBootModes.SystemBootMode=UEFI Mode\n", commands.ONECLI),
        ("nothing that anybody prints", None),
    ],
)
def test_contents(content, argv):
    assert argv_of_content(content) == argv


def test_a_file_that_nobody_knows_is_named_and_one_that_repeats_another_does_not_count(tmp_path):
    other = DMIDECODE.replace("EXS0001", "OTHER01").replace("5A000001", "5A00000F")
    files = {"dmidecode": DMIDECODE, "dmidecode-other-machine": other, "notes.txt": "by hand", "report": LSHW}
    document = folder(tmp_path, files)
    assert document["serial"] == "EXS0001"
    assert [item["serial"] for item in document["memory"]] == ["5A000001"]
    assert document["mainboard"]["model"] == "X-BOARD"  # of the report, whose name says nothing
    capture = document["coverage"]["capture"]
    assert capture["verdict"] == "skipped"
    assert capture["reason"].endswith(": dmidecode-other-machine, notes.txt")


def test_nothing_to_say_of_files_that_are_all_used(tmp_path):
    assert "capture" not in folder(tmp_path, {"dmidecode": DMIDECODE, "lshw.json": LSHW})["coverage"]


def test_outputs_of_what_nobody_has_listed(tmp_path):
    """Neither a scan, nor ``/sys``: drives and ports are those of which there are outputs."""
    mdadm = "/dev/md0:\n        Raid Level : raid1\n              UUID : 1:2:3:4\n             State : clean\n"
    document = folder(
        tmp_path,
        {
            "smartctl/scan.json": '{"smartctl": {"exit_status": 0}, "devices": [{"name": "/dev/sda"}]}',
            "smartctl/sda.json": smart("/dev/sda", "EXD0001"),
            "smartctl/sdb.json": smart("/dev/sdb", "EXD0002"),
            "smartctl/sdb_3.json": smart("/dev/sdb", "EXD0003", "-d", "megaraid,3"),
            "nvme/id-ctrl-nvme0.json": '{"sn": "EXN0001", "mn": "EXN-1", "fr": "1"}',
            "hdparm/sdc": "/dev/sdc:\n\nATA device, with non-removable media\n"
            "\tModel Number: EXD-2\n\tSerial Number: EXD0004\n",
            "ethtool/P-eno1": "Permanent address: 02:00:5e:00:53:0f\n",
            "mdadm/md0": mdadm,
            "lshw.json": LSHW,
        },
    )
    serials = {item.get("serial") for item in document["drives"]}
    assert serials == {"EXD0001", "EXD0002", "EXD0003", "EXD0004", "EXN0001", "EXSAS0001"}
    assert [port["macaddress"] for port in document["nics"][0]["nic_ports"]] == [
        "02:00:5e:00:53:0f",
        "02:00:5e:00:53:02",
    ]
    assert [item["logical_name"] for item in document["volumes"]] == ["/dev/md0"]
    assert "capture" not in document["coverage"]


def test_an_nvme_drive_that_only_its_controller_is_known_of_is_the_one_that_a_tool_knows(tmp_path):
    """The lshw is an old one: it lists a controller at 05:00.0 and no drive."""
    plain = folder(tmp_path / "lshw", {"lshw.json": LSHW})
    assert [item.get("bus_info") for item in plain["drives"]] == ["scsi@4:0.1.0", "0000:05:00.0"]
    assert [item["bus_info"] for item in plain["storage_controller"]] == ["0000:02:00.0", "0000:06:00.0"]
    both = folder(
        tmp_path / "both",
        {
            "lshw.json": LSHW,
            "smartctl/nvme0.json": smart("/dev/nvme0", "EXN0001", device={"name": "/dev/nvme0", "protocol": "NVMe"}),
        },
    )
    assert [item["serial"] for item in both["drives"]] == ["EXN0001", "EXSAS0001"]


def test_a_sas_drive_whose_wwn_lsblk_takes_for_its_serial_number_is_one(tmp_path):
    rows = [
        {"name": name, "type": "disk", "model": "EXSAS", "serial": serial, "tran": "sas", "wwn": number}
        for name, serial, number in (
            ("sda", "5000cca0005e5301", "0x5000cca0005e5301"),
            ("sdb", "35000cca0005e5302", None),
        )
    ]
    files = {"lsblk.json": json.dumps({"blockdevices": rows})}
    for name, last in (("sda", 1), ("sdb", 2)):
        files[f"smartctl/{name}.json"] = smart(f"/dev/{name}", f"EXS{last}", logical_unit_id=f"0x5000cca0005e530{last}")
    document = folder(tmp_path, files)
    assert [(item["serial"], item["wwn"]) for item in document["drives"]] == [
        ("EXS1", "5000cca0005e5301"),
        ("EXS2", "5000cca0005e5302"),
    ]


def test_the_volume_of_a_controller_that_speaks_nvme_is_no_drive(tmp_path):
    """The last but one controller in the lshw: 06:00.0."""
    rows = [{"DevicePath": "/dev/nvme7n1", "ModelNumber": "Exemplar BOSS-N1", "SerialNumber": "EXBOSS1"}]
    assert "drives" not in folder(tmp_path / "alone", {"nvme/list.json": json.dumps({"Devices": rows})})
    document = folder(tmp_path / "both", {"nvme/list.json": json.dumps({"Devices": rows}), "lshw.json": LSHW})
    assert not [item for item in document["drives"] if item.get("logical_name") == "/dev/nvme7"]
    assert document["storage_controller"][-1]["model"] == "Exemplar BOSS-N1"


def test_two_supplies_of_one_serial_number_are_two(tmp_path):
    document = folder(tmp_path, {"lshw.json": LSHW})
    assert [(item["id"], item["serial"]) for item in document["power_supplies"]] == [("1", "same"), ("2", "same")]


@pytest.mark.parametrize(
    "disguise",
    [
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: codecs.BOM_UTF8 + content,
        lambda content: codecs.BOM_UTF16_LE + content.decode().encode("utf-16-le"),
        lambda content: b"WARNING: output may be incomplete or inaccurate.\n\n" + content,
        lambda content: content + b"\n\nroot@host:~# \n",
        lambda content: content.replace(b"Exemplar", b"Ex\xaemplar"),
    ],
    ids=["crlf", "bom", "utf-16", "warning", "prompt", "latin-1"],
)
def test_how_outputs_were_written(tmp_path, disguise):
    document = folder(tmp_path, {"lshw.json": disguise(LSHW.encode()), "dmidecode": disguise(DMIDECODE.encode())})
    assert document["serial"] == "EXS0001"
    assert [item["serial"] for item in document["memory"]] == ["5A000001"]
    assert len(document["cpus"]) == 2
    assert {"lshw", "smbios"} == {key for key, item in document["coverage"].items() if item["verdict"] == "collected"}


def test_a_copy_of_sys_with_its_links(tmp_path):
    """A card with two ports, of which a driver for user space has the second, and a drive."""
    card = "sys/devices/pci0000:00/0000:00:02.0/0000:03:00"
    port, taken = f"{card}.0", f"{card}.1"
    disk = "sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda"
    root = tmp_path / "host"
    files = {
        f"{port}/net/eno1/address": "02:00:5e:00:53:01\n",
        f"{disk}/size": "1875385008\n",
        f"{disk}/device/model": "EXD-1\n",
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Exemplar\n",
    }
    for address in (port, taken):
        files.update(
            {f"{address}/class": "0x020000\n", f"{address}/vendor": "0x8086\n", f"{address}/device": "0x1521\n"}
        )
    links = {
        "sys/class/net/eno1": f"../../../{port}/net/eno1",
        "sys/bus/pci/devices/0000:03:00.0": f"../../../../{port}",
        "sys/bus/pci/devices/0000:03:00.1": f"../../../../{taken}",
        "sys/block/sda": f"../../{disk}",
        "sys/devices/itself": "itself",
    }
    for name, target in links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    document = folder(root, files)
    with tarfile.open(tmp_path / "host.tar.gz", "w:gz") as archive:
        archive.add(root, "host")
    assert to_dict(replay(load(str(tmp_path / "host.tar.gz")))) == document
    (nic,) = document["nics"]
    assert [(item["bus_info"], item.get("macaddress")) for item in nic["nic_ports"]] == [
        ("0000:03:00.0", "02:00:5e:00:53:01"),
        ("0000:03:00.1", None),
    ]
    assert (nic["pci_vendor_id"], nic["pci_product_id"]) == ("8086", "1521")
    assert [(item["model"], item["storage_controller"]) for item in document["drives"]] == [("EXD-1", "0000:00:1f.2")]
    assert document["cpus"][0]["model"] == "Exemplar"


@pytest.mark.parametrize(
    ("said", "size"), [("447,1G", 480069969510), ("1,8T", 1979120929997), (480103981056, 480103981056)]
)
def test_sizes_in_the_words_of_another_language(tmp_path, said, size):
    rows = [{"name": "sda", "type": "disk", "model": "EXD", "tran": "sata", "size": said}]
    document = folder(tmp_path, {"lsblk.json": json.dumps({"blockdevices": rows})})
    assert document["drives"][0]["capacity_bytes"] == size


def test_compressed_files(tmp_path):
    files = {"lshw.json.gz": gzip.compress(LSHW.encode()), "dmidecode.gz": b"\x1f\x8b broken"}
    document = folder(tmp_path, files)
    assert document["serial"] == "EXS0001"
    assert document["coverage"]["capture"]["reason"].endswith(": dmidecode.gz")


def test_capabilities_of_all_but_drives_are_for_full(tmp_path):
    lean = folder(tmp_path, {"lshw.json": LSHW})
    full = to_dict(replay(load(str(tmp_path)), True))
    for kind in (
        lambda document: document["bios"],
        lambda document: document["cpus"][0],
        lambda document: document["nics"][0],
    ):
        assert "capabilities" not in kind(lean)
        assert kind(full)["capabilities"]
