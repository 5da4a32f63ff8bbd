# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Captures of real machines and tools, checked by hand against the raw outputs.

The captures are not part of the repository.
"""

from __future__ import annotations

import json
import re

import pytest
from fixtures_dir import fixture_dir
from fleetcore.document.model import device_from_dict, to_dict
from fleetcore.errors import ParseError
from fleetcore.inband.collect.archive import load
from fleetcore.inband.collect.collector import replay
from fleetcore.inband.parse import (
    asrr_bioscontrol,
    dmidecode,
    dsu,
    hdparm,
    ipmicfg,
    lsblk,
    mellanox,
    msecli,
    mvcli,
    nvme,
    racadm,
    smartctl,
    storcli,
    supermicro_sum,
)


def machine(*parts):
    document = to_dict(replay(load(str(fixture_dir("inband", *parts)))))
    assert to_dict(device_from_dict(document)) == document
    return document


def parsed(parse, *parts, **kwargs):
    return to_dict(parse(fixture_dir("inband", *parts).read_bytes(), **kwargs))


# -- Dell R6515 --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def r6515():
    return machine("dell", "r6515")


def test_r6515_machine(r6515):
    assert [r6515[key] for key in ("vendor", "model", "serial", "uuid")] == [
        "Dell Inc.",
        "PowerEdge R6515",
        "11WLK93",
        "4c4c4544-0031-5710-804c-b1c04f4b3933",
    ]
    assert r6515["bios"]["firmware"]["installed"] == "1.7.4"
    assert r6515["bios"]["firmware"]["available"] == "2.8.1"
    assert r6515["mainboard"]["model"] == "0R4CNN"
    assert r6515["bmc"]["firmware"]["installed"] == "4.40.00.00"
    assert [item["firmware"]["installed"] for item in r6515["cplds"]] == ["1.0.3"]


def test_r6515_processor_and_memory(r6515):
    (cpu,) = r6515["cpus"]
    assert (cpu["model"], cpu["cores"], cpu["threads"]) == ("AMD EPYC 7502P 32-Core Processor", 32, 64)
    assert cpu["microcode"] == "0x830104d"
    # 16 slots, of which the capture shows 8 with a module and 8 "[empty]"; the modules are the 256 GiB that it states.
    assert r6515["metadata"]["memory_slots"] == "16"
    assert [item["slot"] for item in r6515["memory"]] == [f"A{number}" for number in range(1, 9)]
    assert sum(item["size_bytes"] for item in r6515["memory"]) == 274877906944
    assert len({item["serial"] for item in r6515["memory"]}) == 8


def test_r6515_one_nic_with_two_bonded_ports(r6515):
    (nic,) = r6515["nics"]
    assert nic["firmware"]["installed"] == "8.15 0x800096ca 20.0.17"
    assert [port["bus_info"] for port in nic["nic_ports"]] == ["0000:41:00.0", "0000:41:00.1"]
    # The capture shows the bond's address on both ports: it cannot be both ports' own.
    assert [port.get("macaddress") for port in nic["nic_ports"]] == ["40:a6:b7:4e:8a:a0", None]


def test_r6515_drives(r6515):
    found = [(item["logical_name"], item["serial"], item["firmware"]["installed"]) for item in r6515["drives"]]
    assert found == [
        ("/dev/nvme0", "202728F691F5", "11300DN0"),
        ("/dev/nvme1", "202728F691C6", "11300DN0"),
        ("/dev/sda", "203329F89392", "D3DJ004"),
        ("/dev/sdb", "203329F89796", "D3DJ004"),
    ]
    assert {item["smart_status"] for item in r6515["drives"]} == {"ok"}
    assert [item.get("power_on_hours") for item in r6515["drives"]] == [301, 301, 306, 306]
    assert [item["wwn"] for item in r6515["drives"][2:]] == ["500a075129f89392", "500a075129f89796"]


def test_r6515_controllers_supplies_and_graphics(r6515):
    assert [item["bus_info"] for item in r6515["storage_controller"]] == [
        "0000:01:00.0",
        "0000:85:00.0",
        "0000:86:00.0",
        "0000:c3:00.0",
    ]
    assert {item["storage_controller"] for item in r6515["drives"] if item["protocol"] == "sata"} == {"0000:c3:00.0"}
    assert [item["serial"] for item in r6515["power_supplies"]] == ["CNDED0009S4FFK", "CNDED0009S4FGF"]
    assert [item["power_capacity_watts"] for item in r6515["power_supplies"]] == [550, 550]
    assert {item["firmware"]["installed"] for item in r6515["power_supplies"]} == {"00.31.50"}
    assert [item["bus_info"] for item in r6515["gpus"]] == ["0000:c2:00.0"]
    # What dsu calls HBA330 and BOSS are the SAS3008 and the Marvell controller; the two SATA controllers of the CPU
    # have no firmware.
    versions = [item.get("firmware", {}).get("installed") for item in r6515["storage_controller"]]
    assert versions == ["16.17.01.00", None, None, "2.5.13.3024"]
    assert r6515["provenance"]["storage_controller.firmware"] == "dsu"
    assert [(item["id"], item["firmware"]["installed"]) for item in r6515["backplanes"]] == [("BayID 1", "4.35")]


def test_r6515_bios_settings(r6515):
    assert r6515["bios_configuration"] == {
        "settings": {
            "amd_sev": "1",
            "boot_mode": "BIOS",
            "secure_boot": "Disabled",
            "smt": "Enabled",
            "sr_iov": "Enabled",
            "tpm": "Enabled",
        }
    }
    raw = parsed(racadm.parse_racadm, "dell", "r6515", "bios.json")["bios_configuration"]["raw"]
    assert len(raw) == 130  # 134 less the four passwords
    assert not [name for name in raw if re.match(r"(Old|New)(Sys|Setup)Password", name)]
    assert raw["PasswordStatus"] == "Unlocked"


def test_r6515_sources(r6515):
    verdicts = {name: item["verdict"] for name, item in r6515["coverage"].items()}
    collected = {name for name, verdict in verdicts.items() if verdict == "collected"}
    assert collected == {"smbios", "lshw", "smartctl", "dsu", "racadm"}
    assert r6515["provenance"]["drives"] == "lshw,smartctl"
    assert r6515["provenance"]["drives.firmware"] == "smartctl"


# -- ASRockRack E3C246D4I-NL -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def e3c246():
    return machine("asrr", "e3c246d4i-nl")


def test_e3c246_machine(e3c246):
    assert [e3c246[key] for key in ("vendor", "model", "serial", "chassis")] == [
        "Packet",
        "c3.small.x86",
        "D5S0R8000105",
        "K61203057200139",
    ]
    assert (e3c246["mainboard"]["model"], e3c246["mainboard"]["serial"]) == ("E3C246D4I-NL", "196231220000153")
    assert e3c246["bios"]["firmware"]["installed"] == "L2.07B"
    assert e3c246["tpms"][0]["interface_type"] == "TPM 2.0"
    assert e3c246["bmc"]["metadata"]["interface"].startswith("KCS")


def test_e3c246_parts(e3c246):
    assert [(item["cores"], item["threads"]) for item in e3c246["cpus"]] == [(8, 16)]
    assert [(item["slot"], item["serial"]) for item in e3c246["memory"]] == [
        ("ChannelA-DIMM0", "F0F9053F"),
        ("ChannelB-DIMM0", "F0F90894"),
    ]
    assert e3c246["metadata"]["memory_slots"] == "4"
    assert [item["clock_speed_hz"] for item in e3c246["memory"]] == [2_400_000_000] * 2
    (nic,) = e3c246["nics"]  # neither the bond nor the BMC's USB network is one
    assert [port["logical_name"] for port in nic["nic_ports"]] == ["eno1", "eno2"]
    # Not the BMC's virtual floppy, CD-ROM and hard disk.
    assert [item["serial"] for item in e3c246["drives"]] == ["PHYF001300HB480BGN", "PHYF001209KL480BGN"]
    assert {item["drive_type"] for item in e3c246["drives"]} == {"ssd"}
    assert [item["bus_info"] for item in e3c246["storage_controller"]] == ["0000:00:17.0"]


def test_e3c246_bios_settings(e3c246):
    assert e3c246["bios_configuration"]["settings"] == {
        "boot_mode": "BIOS",
        "intel_sgx": "Software Controlled",
        "intel_txt": "Disabled",
        "smt": "Enabled",
        "tpm": "Enabled",
    }
    raw = parsed(asrr_bioscontrol.parse_asrr_bios, "asrr", "e3c246d4i-nl", "bios.json")["bios_configuration"]["raw"]
    assert raw["CPU Boot Mode"] == "Performance Optimized"
    assert raw["Boot option filter"] == "Legacy only"


def test_a_board_without_a_name_has_no_identity():
    found = parsed(dmidecode.parse_dmidecode, "asrr", "e3c246d4i-nl", "dmidecode-non-packet")
    assert not {"vendor", "model", "serial", "chassis", "asset_tag"} & set(found)
    assert "serial" not in found["mainboard"]
    assert found["bios"]["firmware"]["installed"] == "L2.09C"


# -- BIOS settings of other machines -----------------------------------------------------------------------------------


def test_c6320_settings_in_comments_count():
    found = parsed(racadm.parse_racadm, "dell", "c6320", "bios.xml")
    assert (found["model"], found["serial"]) == ("PowerEdge C6320", "4HJVKB2")
    assert found["bios_configuration"]["settings"] == {
        "boot_mode": "BIOS",
        "intel_txt": "Disabled",
        "secure_boot": "Disabled",
        "smt": "Enabled",
        "sr_iov": "Disabled",
        "tpm": "Enabled",
    }
    assert "******" not in json.dumps(found)


def test_x11sch_f():
    found = parsed(supermicro_sum.parse_sum, "supermicro", "x11schf-f", "bios.xml")
    assert found["bios"]["firmware"]["installed"] == "1.5"
    assert found["cplds"][0]["firmware"]["installed"] == "02.B1.03"
    assert found["bios_configuration"]["settings"] == {
        "boot_mode": "BIOS",
        "intel_sgx": "Software Controlled",
        "intel_txt": "Disabled",
        "secure_boot": "Disabled",
        "smt": "Enabled",
        "tpm": "Enabled",
    }
    raw = found["bios_configuration"]["raw"]
    assert raw["Quiet Boot"] == "Checked"
    assert not [name for name in raw if name.endswith("Password")]


# -- single tools ------------------------------------------------------------------------------------------------------


def test_smartctl_of_five_drives():
    found = {
        name: parsed(smartctl.parse_smartctl, "utils", "smartctl", f"{name}.json")["drives"][0]
        for name in ("sda", "sdb", "sdc", "nvme0", "nvme1")
    }
    assert [item["serial"] for item in found.values()] == [
        "2013273A99BD",
        "VDJ6SU9K",
        "PHYH1016001D240J",
        "Z9DF70I8FY3L",
        "Z9DF70I9FY3L",
    ]
    assert [item["drive_type"] for item in found.values()] == ["ssd", "hdd", "ssd", "nvme", "nvme"]
    assert [item["vendor"] for item in found.values()] == ["Micron", "HGST", "Intel", "Toshiba", "Toshiba"]
    assert [item["power_on_hours"] for item in found.values()] == [3410, 3416, 2038, 3415, 3462]
    # The exit code 4 of sdc is about one command that failed, not about the drive.
    assert [item["smart_status"] for item in found.values()] == ["ok"] * 5
    assert not [item for item in found.values() if "smart_errors" in item]
    assert found["nvme0"]["wwn"] == "8ce38e0500156d5d"
    full = parsed(smartctl.parse_smartctl, "utils", "smartctl", "sda.json", full=True)["drives"][0]
    assert full["smart_attributes"][1]["name"] == "Reallocated_Sector_Ct"


def test_smartctl_scan():
    names = [
        item.name
        for item in smartctl.parse_smartctl_scan(fixture_dir("inband", "utils", "smartctl", "scan.json").read_text())
    ]
    assert names == ["/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/nvme0", "/dev/nvme1"]


def test_storcli_hba_with_twelve_drives():
    found = parsed(storcli.parse_storcli, "utils", "storecli", "show.json")
    (controller,) = found["storage_controller"]
    assert (controller["serial"], controller["firmware"]["installed"], controller["bus_info"]) == (
        "500304801c71e8d0",
        "16.00.01.00",
        "0000:3d:00.0",
    )
    assert (controller["pci_vendor_id"], controller["pci_product_id"]) == ("1000", "0097")
    assert [item["slot"] for item in found["drives"]] == [f"e12/s{number}" for number in range(12)]
    with pytest.raises(ParseError, match="Controller 0 not found"):
        parsed(storcli.parse_storcli, "utils", "storecli", "show_nocontrollers.json")


def test_mvcli():
    (controller,) = parsed(mvcli.parse_mvcli_hba, "utils", "mvcli", "info-hba")["storage_controller"]
    assert (controller["pci_vendor_id"], controller["pci_product_id"]) == ("1b4b", "9230")
    assert controller["firmware"]["installed"] == "2.5.13.1210"
    drives = parsed(mvcli.parse_mvcli_pd, "utils", "mvcli", "info-pd")["drives"]
    assert [(item["serial"], item["firmware"]["installed"]) for item in drives] == [
        ("18341E6651A9", "D0DE008"),
        ("18341E6651BA", "D0DE008"),
    ]
    (volume,) = parsed(mvcli.parse_mvcli_vd, "utils", "mvcli", "info-vd")["volumes"]
    assert (volume["raid_type"], volume["physical_drives"]) == ("RAID1", ["mv0/0", "mv0/1"])


def test_mlxup_two_ports():
    nics = parsed(mellanox.parse_mlxup, "utils", "mlxup", "query")["nics"]
    assert [item["nic_ports"][0]["macaddress"] for item in nics] == ["b8:59:9f:de:86:fd", "b8:59:9f:de:86:f8"]
    assert [item["firmware"]["available"] for item in nics] == ["14.28.2007", "14.28.2006"]
    assert {item["firmware"]["installed"] for item in nics} == {"14.27.1016"}


def test_other_drive_tools():
    drive = parsed(hdparm.parse_hdparm, "utils", "hdparm", "hdparm-i")["drives"][0]
    assert (drive["serial"], drive["firmware"]["installed"], drive["capacity_bytes"]) == (
        "S2RLNX0H700433B",
        "EMT02B6Q",
        3907029168 * 512,
    )
    traits = {item["name"]: item["enabled"] for item in drive["capabilities"]}
    assert traits["security_frozen"] is False
    assert traits["security_enhanced_erase"] is True
    assert drive["metadata"] == {"secure_erase_minutes": "2", "enhanced_secure_erase_minutes": "8"}

    drive = parsed(nvme.parse_nvme_id_ctrl, "utils", "nvme", "nvmecli-id-ctrl", name="/dev/nvme0")["drives"][0]
    assert (drive["model"], drive["serial"], drive["firmware"]["installed"]) == (
        "Samsung SSD 980 PRO 1TB",
        "S5P2NG0R824326R",
        "3B2QGXA7",
    )
    traits = {item["name"]: item["enabled"] for item in drive["capabilities"]}
    assert traits["format_crypto_erase"] is True  # fna 4
    assert traits["sanitize_block_erase"] is False  # sanicap 0

    drives = parsed(lsblk.parse_lsblk, "utils", "lsblk", "json")["drives"]
    assert [(item["logical_name"], item["protocol"]) for item in drives] == [
        ("/dev/sda", "sata"),
        ("/dev/sdb", "sata"),
        ("/dev/nvme0", "nvme"),
        ("/dev/nvme1", "nvme"),
    ]
    drives = parsed(msecli.parse_msecli, "utils", "msecli", "list")["drives"]
    assert [item["serial"] for item in drives] == ["193423710BDA", "193423711167"]
    assert drives[0]["status"]["Health"] == "OK"


def test_supplies_and_tpm_of_a_supermicro():
    supplies = parsed(dmidecode.parse_dmidecode, "utils", "dmidecode", "psu")["power_supplies"]
    assert [(item["slot"], item["serial"], item["power_capacity_watts"]) for item in supplies] == [
        ("PSU1", "P1K2ACK07HB0670", 1200),
        ("PSU2", "P1K2ACK07HB0669", 1200),
    ]
    (tpm,) = parsed(dmidecode.parse_dmidecode, "utils", "dmidecode", "tpm")["tpms"]
    assert (tpm["description"], tpm["firmware"]["installed"]) == ("INFINEON", "7.62")


def test_ipmicfg():
    found = parsed(ipmicfg.parse_ipmicfg, "utils", "ipmicfg", "summary")
    port = found["bmc"]["nic"]["nic_ports"][0]
    assert port["macaddress"] == "3c:ec:ef:45:6f:91"
    assert port["ip_addresses"] == ["10.236.129.162", "fe80::3eec:efff:fe45:6f91"]
    assert found["bios"]["firmware"]["installed"] == "3.3"
    assert found["cplds"][0]["firmware"]["installed"] == "02.b6.04"


def test_dsu():
    rows = parsed(dsu.parse_dsu_inventory, "utils", "dsu", "inventory")["firmware_inventory"]
    assert len(rows) == 18
    rows = parsed(dsu.parse_dsu_preview, "utils", "dsu", "preview")["firmware_inventory"]
    assert [row["firmware"]["available"] for row in rows] == [
        "16.17.01.00",
        "2.5.13.3024",
        "2.8.1",
        "4.22.00.00",
        "3.5.1",
    ]


def test_a_folder_of_single_outputs_is_read_by_their_names():
    """The tools' outputs are of many machines: what counts is that each is known for what it is."""
    found = machine("utils")
    known = {
        "smbios",
        "lsblk",
        "smartctl",
        "nvme",
        "hdparm",
        "mellanox",
        "storcli",
        "mvcli",
        "msecli",
        "ipmicfg",
        "dsu",
    }
    assert {name for name, item in found["coverage"].items() if item["verdict"] == "collected"} == known
    assert [item["physical_drives"] for item in found["volumes"]] == [["18341E6651A9", "18341E6651BA"]]
    behind = [item["serial"] for item in found["drives"] if item.get("storage_controller") == "mv0"]
    assert behind == ["18341E6651A9", "18341E6651BA"]
