# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collection, coverage, capture and replay on a machine of dictionaries: files, folders, links and tools' outputs."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import to_dict
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import (
    FatalError,
    InvalidInput,
    MissingDependency,
    NotFound,
    ParseError,
    PermissionDenied,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.host.clock import SystemClock
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect import archive as captures
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect import (
    collector,
    commands,
    parsers,
    sources,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.collector import (
    collect,
    replay,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.probe import Options
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.collect.sources import SOURCES
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import CommandResult

PCI = "/sys/bus/pci/devices"
PARSE = collector.__name__.replace(".collect.collector", ".parse")


class FakeHost:
    """Both ports. ``files``: path to content (bytes), link (``-> target``) or error; folders follow from the paths."""

    def __init__(self, files=None, tools=None):
        self.tree = dict(files or {})
        self.tools = dict(tools or {})
        self.asked = []

    def run(self, argv, timeout):
        argv = tuple(argv)
        self.asked.append(argv)
        answer = self.tools.get(argv)
        if answer is None:
            raise MissingDependency(f"{argv[0]} is not installed", tool=argv[0])
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer()
        return answer if isinstance(answer, CommandResult) else CommandResult(argv, 0, answer, "")

    def read(self, path, limit):
        found = self.tree.get(path)
        if isinstance(found, Exception):
            raise found
        if found is None or (isinstance(found, str) and found.startswith("-> ")):
            raise NotFound(f"{path}: no such file")
        return (found if isinstance(found, bytes) else found.encode())[:limit]

    def names(self, path):
        if isinstance(self.tree.get(path), Exception):
            raise self.tree[path]
        below = {name[len(path) + 1 :].split("/")[0] for name in self.tree if name.startswith(path + "/")}
        if not below:
            raise NotFound(f"{path}: no such folder")
        return sorted(below)

    def link(self, path):
        found = self.tree.get(path)
        if isinstance(found, str) and found.startswith("-> "):
            return found[3:]
        raise NotFound(f"{path}: no link")


def failed(argv, rc, stderr, stdout=""):
    return CommandResult(argv, rc, stdout, stderr)


def pci(address, vendor, device, kind, driver=None):
    files = {
        f"{PCI}/{address}/vendor": f"0x{vendor}\n",
        f"{PCI}/{address}/device": f"0x{device}\n",
        f"{PCI}/{address}/class": f"0x{kind}00\n",
    }
    if driver:
        files[f"{PCI}/{address}/driver"] = f"-> ../../bus/pci/drivers/{driver}"
    return files


def nic(name, address, mac, **more):
    base = f"/sys/class/net/{name}"
    return {
        base: f"-> ../../devices/pci0000:00/{address}/net/{name}",
        f"{base}/address": mac,
        f"{base}/carrier": "1",
        f"{base}/speed": "25000",
        f"{base}/mtu": "1500",
        **{f"{base}/{key}": value for key, value in more.items()},
    }


def disk(name, target, **more):
    base = f"/sys/block/{name}"
    return {base: f"-> ../devices/{target}/block/{name}", **{f"{base}/{key}": value for key, value in more.items()}}


def look(host, **options):
    device, capture = collect(host, host, SystemClock(), Options(**options))
    return to_dict(device), capture


SMART = {
    "smartctl": {"exit_status": 0},
    "device": {"name": "/dev/sda", "info_name": "/dev/sda [SAT]", "protocol": "ATA"},
    "model_name": "Micron_EX960",
    "serial_number": "EXD0001",
    "firmware_version": "FULL1234",
    "smart_status": {"passed": True},
    "ata_smart_attributes": {"table": [{"id": 5, "name": "Reallocated_Sector_Ct", "raw": {"value": 0}}]},
}
SCAN = {
    "smartctl": {"exit_status": 0},
    "devices": [{"name": "/dev/sda", "type": "scsi"}, {"name": "/dev/sdb", "type": "scsi"}],
}
MACHINE = {
    **pci("0000:17:00.0", "1000", "10e2", "0104", "megaraid_sas"),
    **pci("0000:1b:00.0", "10de", "2330", "0302", "nvidia"),
    **pci("0000:1c:00.0", "1002", "74a1", "1200", "amdgpu"),
    **pci("0000:3b:00.0", "8086", "159b", "0200", "ice"),
    **pci("0000:3b:00.1", "8086", "159b", "0200", "ice"),
    **pci("0000:00:1f.0", "8086", "7a84", "0601"),
    **nic("eno1", "0000:3b:00.0", "02:00:00:00:00:aa", **{"bonding_slave/perm_hwaddr": "02:00:00:00:00:01"}),
    **nic("eno2", "0000:3b:00.1", "02:00:00:00:00:aa", **{"bonding_slave/perm_hwaddr": "02:00:00:00:00:02"}),
    "/sys/class/net/bond0": "-> ../../devices/virtual/net/bond0",
    "/sys/class/net/usb0": "-> ../../devices/pci0000:00/0000:00:14.0/usb1/1-5/net/usb0",
    **disk(
        "sda",
        "pci0000:00/0000:00:17.0/ata1/host0",
        size="1875385008",
        **{"device/model": "Micron_EX960", "device/rev": "1234"},
    ),
    **disk(
        "sdb", "pci0000:17/0000:17:00.0/host1", size="1000", **{"device/model": "MR9560-16i", "device/vendor": "AVAGO"}
    ),
    "/sys/block/loop0": "-> ../devices/virtual/block/loop0",
    "/proc/cpuinfo": "processor\t: 0\nphysical id\t: 0\ncore id\t: 0\nmodel name\t: Exemplar\nmicrocode\t: 0x1\n",
    "/proc/sys/kernel/hostname": "ex1\n",
}
SECOND = disk(
    "sdb", "pci0000:00/0000:00:17.0/ata2/host1", size="1000", **{"device/model": "EXD-2", "device/vendor": "ATA"}
)
TOOLS = {
    commands.SMARTCTL_SCAN: json.dumps(SCAN),
    commands.smartctl("/dev/sda"): json.dumps(SMART),
    commands.smartctl("/dev/sdb"): FatalError("smartctl cannot be started: Exec format error"),
}


# -- what is found -----------------------------------------------------------------------------------------------------


def test_gpus_without_a_display_class():
    document, _capture = look(FakeHost(MACHINE))
    assert [(item["bus_info"], item["pci_vendor_id"]) for item in document["gpus"]] == [
        ("0000:1b:00.0", "10de"),
        ("0000:1c:00.0", "1002"),
    ]


def test_ports_have_their_permanent_address_and_only_hardware_is_a_nic():
    (card,) = look(FakeHost(MACHINE))[0]["nics"]
    assert card["bus_info"] == "0000:3b:00"
    assert [port["macaddress"] for port in card["nic_ports"]] == ["02:00:00:00:00:01", "02:00:00:00:00:02"]
    assert [port["speed_bits"] for port in card["nic_ports"]] == [25_000_000_000] * 2


def test_nics_that_only_a_tool_knows_are_added():
    tools = {
        commands.DEVLINK: json.dumps({"info": {"pci/0000:5e:00.0": {"driver": "mlx5_core", "serial_number": "EXNIC1"}}})
    }
    cards = look(FakeHost(MACHINE, tools))[0]["nics"]
    assert [(card["bus_info"], card.get("serial")) for card in cards] == [
        ("0000:3b:00", None),
        ("0000:5e:00", "EXNIC1"),
    ]


def test_drive_firmware_is_that_of_the_drive_not_of_the_kernels_short_form():
    document, _capture = look(FakeHost(MACHINE, TOOLS))
    (drive,) = document["drives"]
    assert (drive["firmware"]["installed"], drive["serial"]) == ("FULL1234", "EXD0001")
    assert drive["storage_controller"] == "0000:00:17.0"
    assert drive["capacity_bytes"] == 1875385008 * 512
    assert document["provenance"]["drives.firmware"] == "smartctl"
    assert document["provenance"]["drives.capacity_bytes"] == "block"


def test_a_controller_has_the_serial_and_firmware_of_the_raid_tool_and_its_drives_name_it():
    show = {
        "Controllers": [
            {
                "Command Status": {"Controller": 0, "Status": "Success"},
                "Response Data": {
                    "Basics": {"Model": "MegaRAID EX", "Serial Number": "SKX1", "PCI Address": "00:17:00:00"},
                    "Version": {"Firmware Version": "5.1"},
                    "PD LIST": [
                        {
                            "EID:Slt": "252:0",
                            "DID": 7,
                            "State": "Onln",
                            "Intf": "SAS",
                            "Med": "HDD",
                            "Size": "893.750 GB",
                            "SeSz": "512B",
                            "Model": "EX",
                        }
                    ],
                    "VD LIST": [{"DG/VD": "0/0", "TYPE": "RAID0", "State": "Optl", "Size": "893.750 GB"}],
                },
            }
        ]
    }
    detail = {
        "Controllers": [
            {
                "Command Status": {"Controller": 0},
                "Response Data": {
                    "Drive /c0/e252/s0": [{"EID:Slt": "252:0", "State": "Onln", "SeSz": "512B"}],
                    "Drive /c0/e252/s0 - Detailed Information": {
                        "x": {
                            "SN": "EXHDD1",
                            "Firmware Revision": "F1",
                            "Raw size": "894.252 GB [0x6fc81ab0 Sectors]",
                        }
                    },
                },
            }
        ]
    }
    volume = {
        "Controllers": [
            {
                "Command Status": {"Controller": 0},
                "Response Data": {
                    "/c0/v0": [{"DG/VD": "0/0", "TYPE": "RAID0", "State": "Optl", "Size": "893.750 GB"}],
                    "PDs for VD 0": [{"EID:Slt": "252:0"}],
                    "VD0 Properties": {"Number of Blocks": 1874329600},
                },
            }
        ]
    }
    answers = (show, detail, volume)
    tools = {("storcli64", *ask): json.dumps(say) for ask, say in zip(commands.STORCLI_QUESTIONS, answers)}
    document, _capture = look(FakeHost(MACHINE, tools))
    (controller,) = document["storage_controller"]
    assert (controller["bus_info"], controller["serial"], controller["firmware"]["installed"]) == (
        "0000:17:00.0",
        "SKX1",
        "5.1",
    )
    assert controller["pci_product_id"] == "10e2"
    drive = next(item for item in document["drives"] if item.get("serial") == "EXHDD1")
    assert (drive["storage_controller"], drive["storage_controller_drive_id"]) == ("0000:17:00.0", 7)
    assert drive["capacity_bytes"] == 0x6FC81AB0 * 512
    assert [
        (item["physical_drives"], item["storage_controller"], item["size_bytes"]) for item in document["volumes"]
    ] == [(["EXHDD1"], "0000:17:00.0", 1874329600 * 512)]


@pytest.mark.parametrize(("shown", "expected"), [(2, 2), (1, 3)])
def test_drives_that_a_controller_passes_through_are_not_counted_twice(shown, expected):
    rows = [
        {"EID:Slt": f"12:{slot}", "DID": slot, "State": "JBOD", "Intf": "SATA", "Model": "MICRON EX960TALE6L4"}
        for slot in range(2)
    ]
    show = {
        "Controllers": [
            {"Command Status": {"Controller": 0}, "Response Data": {"Product Name": "EX-IT", "PD LIST": rows}}
        ]
    }
    names = [
        {
            "kname": f"/dev/sd{letter}",
            "type": "disk",
            "model": "MICRON_EX960TALE",
            "serial": f"S{letter}",
            "tran": "sata",
        }
        for letter in "ab"
    ]
    tools = {
        ("storcli64", *commands.STORCLI_QUESTIONS[0]): json.dumps(show),
        commands.LSBLK: json.dumps({"blockdevices": names[:shown]}),
    }
    assert len(look(FakeHost({}, tools))[0]["drives"]) == expected


def test_lean_unless_full_is_asked_for():
    profile = json.dumps(
        {
            "SystemConfiguration": {
                "Components": [{"FQDD": "BIOS.Setup.1-1", "Attributes": [{"Name": "LogicalProc", "Value": "Enabled"}]}]
            }
        }
    )
    efi = {
        "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x06\x00\x00\x00\x01",
        "/sys/firmware/efi/efivars/Big-8be4df61-93ca-11d2-aa0d-00e098032b8c": b"\x07\x00\x00\x00" + b"z" * 99,
    }
    host = FakeHost({**MACHINE, **efi}, {**TOOLS, commands.RACADM: profile})
    lean, full = look(host)[0], look(host, full=True)[0]
    assert lean["secure_boot"]["enabled"] is True
    assert lean["boot"]["mode"] == "UEFI"
    assert lean["bios_configuration"] == {"settings": {"smt": "Enabled"}}
    assert full["bios_configuration"]["raw"] == {"LogicalProc": "Enabled"}
    assert "smart_attributes" not in lean["drives"][0]
    assert full["drives"][0]["smart_attributes"][0]["id"] == 5
    assert "efi_variables" not in lean
    big = next(item for item in full["efi_variables"] if item["name"] == "Big")
    assert (big["size_bytes"], big["sha256"]) == (99, hashlib.sha256(b"z" * 99).hexdigest())
    assert len(full["pcie_devices"]) == len(lean["pcie_devices"]) + 1  # the ISA bridge


# -- coverage ----------------------------------------------------------------------------------------------------------


def test_a_machine_without_anything():
    document, _capture = look(FakeHost())
    assert set(document["coverage"]) == set(SOURCES)
    assert {item["verdict"] for name, item in document["coverage"].items() if name != "dsu"} == {"absent"}
    assert all(item["reason"] for item in document["coverage"].values())
    assert "drives" not in document


def test_as_an_ordinary_user():
    tables = "/sys/firmware/dmi/tables"
    host = FakeHost(
        {**MACHINE, f"{tables}/DMI": PermissionDenied(f"{tables}/DMI: permission denied")},
        {
            commands.DMIDECODE: failed(
                commands.DMIDECODE, 1, "/sys/firmware/dmi/tables/smbios_entry_point: Permission denied"
            ),
            commands.IPMI_MC: failed(commands.IPMI_MC, 1, "Could not open device at /dev/ipmi0: Permission denied"),
            **TOOLS,
            commands.smartctl("/dev/sda"): json.dumps(
                {
                    "smartctl": {
                        "exit_status": 2,
                        "messages": [
                            {"string": "Smartctl open device: /dev/sda failed: Permission denied", "severity": "error"}
                        ],
                    }
                }
            ),
        },
    )
    document, _capture = look(host)
    assert document["coverage"]["smbios"]["verdict"] == "denied"
    assert document["coverage"]["ipmi"]["verdict"] == "denied"
    assert "Permission denied" in document["coverage"]["smartctl"]["reason"]
    assert document["cpus"][0]["model"] == "Exemplar"  # what needs no root is there


def test_one_drive_that_breaks_its_tool_costs_neither_the_others_nor_other_sources():
    tools = {
        **TOOLS,
        commands.smartctl("/dev/sda"): FatalError("smartctl cannot be started: Exec format error"),
        commands.smartctl("/dev/sdb"): json.dumps(
            {**SMART, "device": {"name": "/dev/sdb"}, "serial_number": "EXD0002"}
        ),
    }
    document, _capture = look(FakeHost({**MACHINE, **SECOND}, tools))
    assert [item.get("serial") for item in document["drives"]] == [None, "EXD0002"]
    assert "Exec format error" in document["coverage"]["smartctl"]["reason"]
    assert document["coverage"]["network"]["verdict"] == "collected"


def test_a_bug_in_a_source_costs_that_source_only():
    tools = {**TOOLS, commands.smartctl("/dev/sdb"): RuntimeError("surprise")}
    document, _capture = look(FakeHost({**MACHINE, **SECOND}, tools))
    assert "bug in the source smartctl: RuntimeError: surprise" in document["coverage"]["smartctl"]["reason"]
    assert document["drives"][0]["serial"] == "EXD0001"  # asked before
    assert document["coverage"]["network"]["verdict"] == "collected"


def test_usable_output_of_a_tool_that_failed_is_used_and_noted():
    listing = json.dumps({"blockdevices": [{"kname": "sda", "type": "disk", "serial": "EXD0001", "tran": "sata"}]})
    host = FakeHost(MACHINE, {commands.LSBLK: failed(commands.LSBLK, 32, "lsblk: sdz: not there", listing)})
    document, _capture = look(host)
    assert document["coverage"]["lsblk"]["verdict"] == "collected"
    assert "ended with 32" in document["coverage"]["lsblk"]["reason"]
    assert document["drives"][0]["serial"] == "EXD0001"


def test_a_hung_tool_and_one_that_prints_nonsense():
    host = FakeHost(
        MACHINE, {commands.LSHW: CommandResult(commands.LSHW, None, "", ""), commands.LLDPCTL: "Segmentation fault"}
    )
    coverage = look(host)[0]["coverage"]
    assert coverage["lshw"]["verdict"] == "timeout"
    assert coverage["lldpctl"]["verdict"] == "failed"


def test_the_deadline_leaves_a_stuck_source_behind():
    end = threading.Event()

    def stuck():
        end.wait(200)
        return "{}"

    begin = time.monotonic()
    document, capture = look(FakeHost(MACHINE, {commands.LSHW: stuck}), deadline=3)
    assert time.monotonic() - begin < 60
    end.set()
    assert document["coverage"]["lshw"]["verdict"] == "timeout"
    assert document["nics"]
    assert to_dict(replay(capture)) == document


def test_update_tools_run_only_when_asked_for():
    host = FakeHost(MACHINE, {commands.DSU_INVENTORY: "1. BIOS, BIOS  ( Version : 1.0 )\n"})
    assert look(host)[0]["coverage"]["dsu"]["verdict"] == "skipped"
    assert commands.DSU_INVENTORY not in host.asked
    assert look(host, updates=True)[0]["firmware_inventory"][0]["firmware"]["installed"] == "1.0"


# -- capture and replay ------------------------------------------------------------------------------------------------


def test_a_capture_replays_byte_for_byte(tmp_path):
    host = FakeHost({**MACHINE, "/sys/class/dmi/id": PermissionDenied("/sys/class/dmi/id: permission denied")}, TOOLS)
    document, capture = look(host, full=True)
    path = tmp_path / "capture.tar"
    captures.save(capture, str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    again = captures.load(str(path))
    assert json.dumps(to_dict(replay(again))) == json.dumps(document)
    assert captures.packed(again) == path.read_bytes()
    assert "smart_attributes" not in to_dict(replay(again, full=False))["drives"][0]


def test_a_folder_of_outputs_is_a_capture_too(tmp_path):
    (tmp_path / "smartctl").mkdir()
    (tmp_path / "smartctl" / "sda.json").write_text(json.dumps(SMART))
    (tmp_path / "README").write_text("not a tool's output")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(MACHINE["/proc/cpuinfo"])
    for source in (tmp_path, tmp_path.parent / "packed.tar.gz"):
        if source != tmp_path:
            with tarfile.open(source, "w:gz") as archive:
                archive.add(tmp_path, "host")
        document = to_dict(replay(captures.load(str(source))))
        assert document["drives"][0]["serial"] == "EXD0001"
        assert document["cpus"][0]["model"] == "Exemplar"


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b broken"])
def test_what_is_no_capture(tmp_path, content):
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        captures.load(str(path))
    with pytest.raises(InvalidInput):
        captures.load(str(tmp_path / "missing"))


def test_a_damaged_capture(tmp_path):
    _document, capture = look(FakeHost(MACHINE, TOOLS))
    whole = captures.packed(capture)
    for place in range(0, len(whole), 1999):
        path = tmp_path / "damaged.tar"
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            to_dict(replay(captures.load(str(path))))
        except InvalidInput:
            continue


def test_passwords_never_reach_capture_or_document():
    secret = "calvin-hash-0123"
    profile = json.dumps(
        {
            "SystemConfiguration": {
                "Components": [
                    {"FQDD": "iDRAC.Embedded.1", "Attributes": [{"Name": "Users.2#SHA256Password", "Value": secret}]},
                    {
                        "FQDD": "BIOS.Setup.1-1",
                        "Attributes": [
                            {"Name": "NewSysPassword", "Value": secret},
                            {"Name": "BootMode", "Value": "Uefi"},
                        ],
                    },
                ]
            }
        }
    )
    lan = f"MAC Address : 02:00:00:00:00:05\nSNMP Community String   : {secret}\n"
    document, capture = look(FakeHost(MACHINE, {commands.RACADM: profile, commands.IPMI_LAN: lan}), full=True)
    assert document["bios_configuration"]["settings"] == {"boot_mode": "UEFI"}
    assert secret not in json.dumps(document)
    assert secret.encode() not in captures.packed(capture)


def test_a_tool_that_is_not_there_costs_no_reading_of_its_parser():
    """Ansible's modules are compiled anew for every run."""
    code = (
        "import sys\n"
        f"from {collector.__name__} import collect\n"
        f"found = [name.rsplit('.', 1)[1] for name in sys.modules if name.startswith('{PARSE}.')]\n"
        "print(sorted(found))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(["cpuinfo", "drives"])
    named = re.findall(r'lazy\("([^"]+[.]parse_[^"]+)"\)', inspect.getsource(sources))
    assert len(named) > 30
    for path in named:
        with pytest.raises(ParseError):
            parsers.lazy(path)(7)


# -- the BMC -----------------------------------------------------------------------------------------------------------

MC_INFO = "Device ID : 32\nFirmware Revision : 2.88\nManufacturer ID : 674\n"
LAN_PRINT = "IP Address : 192.0.2.17\nMAC Address : 02:00:00:00:00:17\n"
CONVERSATION = """06 01 > 00 20 81 02 88 02 df a2 02 00 00 01
06 42 01 > 00 01 04 01 80 f2 1b 00 00 00
0c 02 01 03 00 00 > 00 11 c0 00 02 11
0c 02 01 05 00 00 > 00 11 02 00 00 00 00 17
"""


def silent(argv, printed=""):
    return CommandResult(argv, None, printed, "")


def bmc_of(tools):
    """What the source says, and the tools that it asked."""
    host = FakeHost(MACHINE, tools)
    document, capture = look(host)
    assert to_dict(replay(capture)) == document
    asked = [argv for argv in host.asked if argv in (commands.IPMI_MC, commands.IPMI_LAN, commands.OPENIPMI)]
    return document, document["coverage"]["ipmi"], asked


def test_the_kernel_is_asked_where_ipmitool_is_not_installed_with_the_same_result(tmp_path):
    own, verdict, asked = bmc_of({commands.OPENIPMI: CONVERSATION})
    assert verdict == {"verdict": "collected"}
    assert asked == [commands.IPMI_MC, commands.IPMI_LAN, commands.OPENIPMI]
    tool, verdict, asked = bmc_of({commands.IPMI_MC: MC_INFO, commands.IPMI_LAN: LAN_PRINT})
    assert verdict["verdict"] == "collected"
    assert asked == [commands.IPMI_MC, commands.IPMI_LAN]
    assert own["provenance"]["bmc"] == tool["provenance"]["bmc"] == "ipmi"
    for document in (own, tool):
        assert (document["bmc"]["vendor"], document["bmc"]["firmware"]) == ("Dell", {"installed": "2.88"})
        assert document["bmc"]["nic"]["nic_ports"] == [
            {"id": "lan", "macaddress": "02:00:00:00:00:17", "ip_addresses": ["192.0.2.17"]}
        ]
    (tmp_path / "openipmi.txt").write_text(CONVERSATION)
    assert to_dict(replay(captures.load(str(tmp_path))))["bmc"] == own["bmc"]


def test_the_kernel_is_asked_where_ipmitool_gets_nothing():
    document, verdict, _asked = bmc_of(
        {commands.IPMI_MC: failed(commands.IPMI_MC, 1, "Get Device ID command failed"), commands.OPENIPMI: CONVERSATION}
    )
    assert document["bmc"]["firmware"] == {"installed": "2.88"}
    assert "Get Device ID command failed" in verdict["reason"]


def test_the_kernel_is_asked_where_ipmitool_finds_no_lan():
    document, verdict, _asked = bmc_of(
        {
            commands.IPMI_MC: MC_INFO,
            commands.IPMI_LAN: failed(commands.IPMI_LAN, 1, "Channel 1 is not a LAN channel!"),
            commands.OPENIPMI: CONVERSATION,
        }
    )
    assert document["bmc"]["nic"]["nic_ports"][0]["macaddress"] == "02:00:00:00:00:17"
    assert "Channel 1 is not a LAN channel" in verdict["reason"]


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "02:00:00:00:00:17"])
def test_the_kernel_is_asked_where_the_first_channel_has_no_address(mac):
    unset = f"IP Address Source : DHCP Address\nIP Address : 0.0.0.0\nMAC Address : {mac}\n"
    document, verdict, _asked = bmc_of(
        {commands.IPMI_MC: MC_INFO, commands.IPMI_LAN: unset, commands.OPENIPMI: CONVERSATION}
    )
    assert document["bmc"]["nic"]["nic_ports"] == [
        {"id": "lan", "macaddress": "02:00:00:00:00:17", "ip_addresses": ["192.0.2.17"]}
    ]
    assert verdict["verdict"] == "collected"


def test_a_channel_without_an_address_is_a_port_where_nobody_knows_more():
    document, _verdict, _asked = bmc_of(
        {commands.IPMI_MC: MC_INFO, commands.IPMI_LAN: "IP Address : 0.0.0.0\nMAC Address : 02:00:00:00:00:17\n"}
    )
    assert document["bmc"]["nic"]["nic_ports"] == [{"id": "lan", "macaddress": "02:00:00:00:00:17"}]


def test_outputs_of_ipmitool_without_that_of_mc_info():
    document, _verdict, _asked = bmc_of({commands.IPMI_LAN: LAN_PRINT})
    assert document["bmc"]["nic"]["nic_ports"][0]["macaddress"] == "02:00:00:00:00:17"


@pytest.mark.parametrize(
    ("tools", "verdict", "reason"),
    [
        ({}, "absent", "ipmitool is not installed"),
        ({commands.OPENIPMI: NotFound("there is no /dev/ipmi0")}, "absent", "there is no /dev/ipmi0"),
        ({commands.OPENIPMI: PermissionDenied("/dev/ipmi0: permission denied")}, "denied", "permission denied"),
        ({commands.OPENIPMI: failed(commands.OPENIPMI, 1, "", "06 01 > d2\n")}, "failed", "starting"),
        ({commands.OPENIPMI: failed(commands.OPENIPMI, 1, "", "06 01 > d4\n")}, "denied", "privilege"),
        ({commands.OPENIPMI: silent(commands.OPENIPMI, "06 01 > c3\n")}, "timeout", "does not answer"),
        ({commands.OPENIPMI: silent(commands.OPENIPMI, "06 01 > \n")}, "timeout", "does not answer"),
        ({commands.IPMI_MC: silent(commands.IPMI_MC), commands.OPENIPMI: CONVERSATION}, "timeout", "stopped after"),
    ],
)
def test_verdicts_of_a_bmc_that_says_nothing(tools, verdict, reason):
    document, found, asked = bmc_of(tools)
    assert found["verdict"] == verdict
    assert reason in found["reason"]
    assert "bmc" not in document
    if commands.IPMI_MC in tools:  # one time-out is enough
        assert asked == [commands.IPMI_MC]


def test_what_a_bmc_said_before_it_fell_silent_is_kept():
    document, verdict, _asked = bmc_of({commands.OPENIPMI: silent(commands.OPENIPMI, CONVERSATION + "0a 10 00 > \n")})
    assert document["bmc"]["nic"]["nic_ports"][0]["macaddress"] == "02:00:00:00:00:17"
    assert (verdict["verdict"], "was stopped after 30 s" in verdict["reason"]) == ("collected", True)


# -- parts that are asked one by one -----------------------------------------------------------------------------------


# -- tools of which there are several ----------------------------------------------------------------------------------


def test_text_of_smartctl_is_failed_by_name_and_no_answer():
    text = "smartctl 6.6 2016-05-31 r4324 [x86_64-linux] (local build)\n\n=== START OF INFORMATION SECTION ===\n"
    tools = {commands.SMARTCTL_SCAN: "/dev/sda -d scsi # /dev/sda, SCSI device\n"}
    tools[commands.smartctl("/dev/sda")] = text
    verdict = look(FakeHost({**MACHINE, **disk("sda", "ata1/host0")}, tools))[0]["coverage"]["smartctl"]
    assert verdict["verdict"] == "failed"
    assert "not understood" in verdict["reason"]


def test_the_elders_of_a_tool_are_asked_where_it_is_not_installed():
    output = "Smart Array EX410i in Slot 0 (Embedded)\n   Slot: 0\n   Serial Number: EXOLD410\n"
    host = FakeHost(MACHINE, {("hpacucli", *commands.SSACLI_QUESTION): output})
    document, _capture = look(host)
    assert [item["serial"] for item in document["storage_controller"] if "serial" in item] == ["EXOLD410"]
    assert document["coverage"]["ssacli"]["verdict"] == "collected"


def test_controllers_are_asked_about_until_there_is_none():
    rule = "-" * 70
    answer = (
        f"Controllers found: 2\n{rule}\nController information\n{rule}\n   Controller Model : Adaptec EX\n"
        "   Controller Serial Number : EXARC{}\n"
    )
    tools = {commands.arcconf(str(number)): answer.format(number) for number in (1, 2)}
    tools[commands.arcconf("3")] = failed(
        commands.arcconf("3"), 1, "", "Controllers found: 2\nInvalid controller number.\n"
    )
    document, _capture = look(FakeHost({}, tools))
    assert [item["serial"] for item in document["storage_controller"]] == ["EXARC1", "EXARC2"]
    assert document["coverage"]["arcconf"] == {"verdict": "collected"}


def test_a_part_that_does_not_answer_is_named_as_it_is_in_the_document():
    behind = [
        {"name": "/dev/bus/0", "info_name": f"/dev/bus/0 [megaraid_disk_0{number}]", "type": f"megaraid,{number}"}
        for number in (0, 1)
    ]
    answers = {
        commands.smartctl("/dev/bus/0", f"megaraid,{number}"): json.dumps(
            {**SMART, "device": {"name": "/dev/bus/0", **row}, "serial_number": f"EXD000{number}"}
        )
        for number, row in enumerate(behind)
    }
    tools = {commands.SMARTCTL_SCAN: json.dumps({**SCAN, "devices": behind}), **answers}
    document, _capture = look(FakeHost({}, tools))
    names = [drive["logical_name"] for drive in document["drives"]]
    assert "parts" not in document["coverage"]["smartctl"]
    hung = commands.smartctl("/dev/bus/0", "megaraid,1")
    document, capture = look(FakeHost({}, {**tools, hung: silent(hung)}))
    assert [drive["logical_name"] for drive in document["drives"]] == names[:1]
    verdict = document["coverage"]["smartctl"]
    assert (verdict["verdict"], list(verdict["parts"])) == ("collected", names[1:])
    assert verdict["parts"][names[1]]["verdict"] == "timeout"
    assert to_dict(replay(capture)) == document


@pytest.mark.parametrize(
    ("source", "name", "argv"),
    [
        ("smartctl", "/dev/sda", commands.smartctl("/dev/sda")),
        ("hdparm", "/dev/sda", commands.hdparm("/dev/sda")),
        ("ethtool", "eno1", commands.ethtool("-i", "eno1")),
    ],
)
def test_each_tool_that_is_asked_about_parts_names_the_silent_one(source, name, argv):
    others = {
        commands.hdparm("/dev/sda"): "/dev/sda:\n\nATA device, with non-removable media\n\tSerial Number: EXD0001\n",
        commands.ethtool("-i", "eno2"): "driver: ice\nfirmware-version: 1.0\nbus-info: 0000:3b:00.1\n",
        commands.hdparm("/dev/sdb"): "/dev/sdb:\n\nATA device, with non-removable media\n\tSerial Number: EXD0002\n",
    }
    document, _capture = look(FakeHost({**MACHINE, **SECOND}, {**TOOLS, **others, argv: silent(argv)}))
    assert document["coverage"][source]["parts"][name]["verdict"] == "timeout"


# -- the system --------------------------------------------------------------------------------------------------------

MEMORY = "MemTotal:       32768000 kB\nMemFree: 1 kB\n"


def module(size):
    return f"\nHandle 0x0022, DMI type 17, 84 bytes\nMemory Device\n\tSize: {size}\n\tLocator: A1\n\tType: DDR4\n"


def test_memory_that_no_module_tells_is_the_kernels():
    host = FakeHost({**MACHINE, "/proc/meminfo": MEMORY})
    assert look(host)[0]["metadata"]["memory_bytes"] == str(32768000 * 1024)
    blocks = {f"/sys/devices/system/memory/memory{number}/state": "online\n" for number in range(16)}
    blocks["/sys/devices/system/memory/block_size_bytes"] = "80000000\n"
    whole, _capture = look(FakeHost({**MACHINE, **blocks, "/proc/meminfo": MEMORY}))
    assert whole["metadata"]["memory_bytes"] == str(32 * 1024**3)  # what the kernel has taken for itself, too
    tables = {commands.DMIDECODE: "# dmidecode 3.3\n" + module("32 GB")}
    document, _capture = look(FakeHost({**MACHINE, "/proc/meminfo": MEMORY}, tables))
    assert document["memory"][0]["size_bytes"] == 32 * 1024**3
    assert "memory_bytes" not in document.get("metadata", {})


def test_numa_nodes_and_what_cpus_can():
    flags = "flags\t\t: fpu vmx aes avx2 avx512f avx512bw sgx\n"
    node = "/sys/devices/system/node/node"
    files = {
        "/proc/cpuinfo": MACHINE["/proc/cpuinfo"] + flags,
        f"{node}1/cpulist": "8-15\n",
        f"{node}0/cpulist": "0-7\n",
        f"{node}0/meminfo": "Node 0 MemTotal:       16384000 kB\n",
    }
    document, _capture = look(FakeHost({**MACHINE, **files}))
    assert document["numa_nodes"] == [
        {"id": "0", "cpus": "0-7", "memory_bytes": 16384000 * 1024},
        {"id": "1", "cpus": "8-15"},
    ]
    assert document["metadata"]["numa_nodes"] == "2"
    names = [item["name"] for item in document["cpus"][0]["capabilities"]]
    assert names == ["vmx", "aes", "avx2", "avx512f", "sgx"]


def test_the_system_and_its_command_line_without_secrets():
    line = (
        "BOOT_IMAGE=/vmlinuz root=UUID=1 iommu.passthrough=1 crashkernel=256M@16M vconsole.keymap=de "
        'rescue_password=hunter2 api.token=hunter2 fleet.key=hunter2 rd.luks.passphrase="hunter2 hunter2" '
        "netroot=iscsi:user:hunter2@192.0.2.1::::iqn.x ks=https://joe:hunter2@example.net/ks?one=hunter2 quiet"
    )
    files = {
        "/etc/os-release": 'NAME="Exemplar Linux"\nVERSION_ID="9"\nID=exemplar\nPRETTY_NAME="Exemplar Linux 9 (Ex)"\n',
        "/proc/sys/kernel/osrelease": "5.14.0-1.x86_64\n",
        "/proc/sys/kernel/arch": "x86_64\n",
        "/proc/cmdline": line + "\n",
    }
    document, capture = look(FakeHost({**MACHINE, **files}))
    assert document["os"] == {
        "name": "Exemplar Linux 9 (Ex)",
        "id": "exemplar",
        "version": "9",
        "kernel": "5.14.0-1.x86_64",
        "architecture": "x86_64",
        "command_line": "BOOT_IMAGE=/vmlinuz root=UUID=1 iommu.passthrough=1 crashkernel=256M@16M vconsole.keymap=de "
        "rescue_password=- api.token=- fleet.key=- rd.luks.passphrase=- "
        "netroot=iscsi:-@192.0.2.1::::iqn.x ks=https://-@example.net/ks?- quiet",
    }
    assert b"hunter2" not in captures.packed(capture)
    assert to_dict(replay(capture)) == document


# -- the network -------------------------------------------------------------------------------------------------------


def test_interfaces_with_the_gateways_of_default_routes():
    def link(name, **more):
        return {"ifindex": 1, "ifname": name, "link_type": "ether", "mtu": 1500, "addr_info": [], **more}

    address = {"family": "inet", "local": "192.0.2.5", "prefixlen": 24, "scope": "global"}
    vlan = {"info_kind": "vlan", "info_data": {"protocol": "802.1Q", "id": 7}}
    rows = [link("eno1"), link("eno1.7", link="eno1", linkinfo=vlan, addr_info=[address])]
    tools = {
        commands.IP_ADDRESS: json.dumps(rows),
        commands.IP_ROUTE: json.dumps([{"dst": "default", "gateway": "192.0.2.1", "dev": "eno1.7"}]),
        commands.IP_ROUTE_6: "",
    }
    document, _capture = look(FakeHost(MACHINE, tools))
    assert document["interfaces"][1] == {
        "name": "eno1.7",
        "kind": "vlan",
        "mtu_size": 1500,
        "ip_addresses": ["192.0.2.5/24"],
        "gateways": ["192.0.2.1"],
        "vlan_id": 7,
        "parent": "eno1",
    }
    assert document["coverage"]["ip"] == {"verdict": "collected"}


def test_what_is_upon_the_disks_of_a_listing_in_a_folder(tmp_path):
    tree = [{"name": "sda", "type": "disk", "size": 9, "children": [{"name": "sda1", "type": "part", "fstype": "xfs"}]}]
    for name in ("lsblk.json", "lsblk-tree.json"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(json.dumps({"blockdevices": tree}))
        assert to_dict(replay(captures.load(str(folder))))["partitions"] == [
            {"name": "/dev/sda1", "kind": "part", "parents": ["/dev/sda"], "filesystem": "xfs"}
        ]


# -- tools that crash, and tools that have nothing to tell


ASKED = {
    "ssacli": commands.SSACLI,
    "megacli": (commands.MEGACLI_TOOLS[0], *commands.MEGACLI_QUESTIONS[0]),
    "arcconf": commands.arcconf("1"),
    "msecli": commands.MSECLI,
    "mellanox": commands.MLXUP,
    "lspci": commands.LSPCI,
    "zpool": commands.ZPOOL,
}


def verdict_of(source, rc, stderr, stdout):
    argv = ASKED[source]
    host = FakeHost(tools={argv: CommandResult(argv, rc, stdout, stderr)})
    device, _capture = collect(host, host, SystemClock(), Options())
    return to_dict(device)["coverage"][source]["verdict"]


@pytest.mark.parametrize("source", ASKED)
@pytest.mark.parametrize(
    ("rc", "stderr", "stdout"),
    [(-11, "", ""), (139, "Segmentation fault", ""), (1, "", "Internal error 7\nsee the log\n")],
)
def test_a_tool_that_crashed_does_not_say_that_there_is_none_of_its_hardware(source, rc, stderr, stdout):
    assert verdict_of(source, rc, stderr, stdout) == "failed"


@pytest.mark.parametrize(
    ("source", "rc", "stdout", "verdict"),
    [
        ("ssacli", 1, "\nError: No controllers detected. Possible causes: ...\n", "absent"),
        ("arcconf", 1, "Controllers found: 0\n\nInvalid controller number.\n", "absent"),
        ("megacli", 1, "User specified controller is not present.\n\nExit Code: 0x01\n", "absent"),
        ("megacli", 0, "\n\nExit Code: 0x00\n", "collected"),
        ("mellanox", 1, "No devices found or specified, mlxup might not run on this system\n", "absent"),
        ("lspci", 0, "", "absent"),
        ("zpool", 0, "", "collected"),
    ],
)
def test_a_tool_without_hardware_says_so(source, rc, stdout, verdict):
    assert verdict_of(source, rc, "", stdout) == verdict
